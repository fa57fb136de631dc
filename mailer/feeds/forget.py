"""What contributions say of a person: shown, forgotten, or let go when they are old."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, or_, select, update
from sqlalchemy.orm import Session

from mailer.feeds.contributions import CONFIRM_WITHIN
from mailer.feeds.model import Contribution, ContributionState, Item, Picture
from subscribers.privacy import Whom

_DECIDED = (ContributionState.USED, ContributionState.REFUSED)


def held(session: Session, address: str) -> list[dict[str, Any]]:
    """What was sent in with this address, in the words of the export."""
    rows = session.execute(
        select(Contribution, Picture)
        .outerjoin(Picture, Picture.id == Contribution.picture_id)
        .where(Contribution.address == address)
        .order_by(Contribution.id)
    )
    return [
        {
            "kind": row.kind,
            "state": row.state,
            "ags": row.municipality,
            "title": row.title,
            "text": row.text,
            "url": row.url,
            "starts": row.starts,
            "ends": row.ends,
            "all_day": row.all_day,
            "deadline": row.deadline,
            "location": row.location,
            "contact": row.contact,
            "pass_on": row.pass_on,
            "picture": [picture.alt, picture.credit] if picture else [],
            "language": row.language,
            "word": row.word,
            "created_at": row.created_at,
            "confirmed_at": row.confirmed_at,
            "decided_at": row.decided_at,
        }
        for row, picture in rows
    ]


def forget(session: Session, people: Sequence[Whom]) -> int:
    """Take these people off what they sent in: address, and the contact they named; how many it was.

    What was published by then stays in its issue. What nobody confirmed goes with all it says.
    """
    theirs = Contribution.address.in_([each.address for each in people])
    rows = session.execute(select(Contribution.id, Contribution.item_id).where(theirs)).all()
    ids, items = [row.id for row in rows], [row.item_id for row in rows if row.item_id is not None]
    session.execute(update(Item).where(Item.id.in_(items)).values(contact=""))
    session.execute(update(Contribution).where(Contribution.id.in_(ids)).values(address="", contact=""))
    return len(ids)


def expired(now: datetime) -> Select[int]:
    """The contributions that nobody confirmed in time."""
    return select(Contribution.id).where(
        Contribution.state == ContributionState.UNCONFIRMED, Contribution.created_at < now - CONFIRM_WITHIN
    )


def old(before: datetime) -> Select[int]:
    """Those that were decided before then and still name who sent them in."""
    return select(Contribution.id).where(
        Contribution.state.in_(_DECIDED),
        Contribution.decided_at < before,
        or_(Contribution.address != "", Contribution.contact != ""),
    )


def pseudonymise(session: Session, ids: Sequence[int]) -> int:
    """Take address and contact off these contributions; how many it was."""
    session.execute(
        update(Contribution)
        .where(Contribution.id.in_(ids))
        .values(address="", contact="")
        .execution_options(synchronize_session=False)
    )
    return len(ids)
