"""`infomail subscribers suppress`, `lift`: staff bar an address, and take that back."""

import typer
from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.cli import Refused
from mailer.cli.surroundings import AS, actor, now, open_house
from subscribers.addresses import BadAddress, address_hash, normalise
from subscribers.chain import Chain, Happening, append
from subscribers.model import Subscriber, SuppressionReason
from subscribers.subscribing import lift, suppress, suppressed_for


def suppress_(
    address: str = typer.Argument(help="Known or not: only its keyed hash is kept."),
    reason: str = typer.Option(..., help="Why, for the record; no names."),
    who: str = AS,
) -> None:
    """Bar an address from all mail."""
    with open_house() as house, house.database.write() as session:
        hashed = _hashed(house.suppression_key, address)
        suppress(session, address_hash=hashed, reason=SuppressionReason.STAFF, actor=actor(who), now=now())
        _record(session, "subscriber.suppressed", hashed, reason, who)


def lift_(
    address: str = typer.Argument(),
    reason: str = typer.Option(..., help="Why, for the record; no names."),
    who: str = AS,
) -> None:
    """Take back that an address is barred: by staff, or by a bounce. Complaints and erasures stay."""
    with open_house() as house, house.database.write() as session:
        hashed = _hashed(house.suppression_key, address)
        lifted = lift(session, address_hash=hashed)
        left = suppressed_for(session, hashed)
        if lifted:
            _record(session, "subscriber.lifted", hashed, reason, who)
    if not lifted and not left:
        raise Refused("the address is not barred")
    if left:
        raise Refused(f"still barred: {', '.join(sorted(left))}; only the person can take that back")


def _hashed(key: bytes, address: str) -> bytes:
    try:
        return address_hash(key, normalise(address))
    except BadAddress as problem:
        raise Refused(f"{address}: {problem}") from None


def _record(session: Session, action: str, hashed: bytes, reason: str, who: str) -> None:
    person = session.scalar(select(Subscriber.handle).where(Subscriber.address_hash == hashed))
    happening = Happening(action, {"reason": reason}, person)
    append(session, Chain.AUDIT, [happening], actor=actor(who), at=now())
