"""`infomail subscribers evidence`, `verify-consents`: what proves that people may be written to."""

import sys
from pathlib import Path

import typer
from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer import extract
from mailer.cli import Refused
from mailer.cli.surroundings import AS, JSON, actor, now, open_database, open_house, print_json
from subscribers.addresses import BadAddress, normalise
from subscribers.chain import Chain, Happening, append, verify
from subscribers.model import Subscriber

ANCHOR = typer.Option("", metavar="SEQ:DIGEST", help="A head of an earlier run that must still be there.")


def evidence(
    address: str = typer.Argument(),
    page: Path = typer.Option(None, "--html", metavar="FILE", help="Where to write it, else stdout."),
    reason: str = typer.Option("", help="Why blocked proof is read, for the record."),
    who: str = AS,
) -> None:
    """The proof of a person's consents as an HTML page to print."""
    with open_house() as house, house.database.write() as session:
        person = subscriber_named(session, address)
        if extract.is_blocked(session, person) and not reason:
            raise Refused(
                "a consent was withdrawn and its proof is blocked (Art. 17 (3) e GDPR): give a --reason"
            )
        html = extract.extract(
            session,
            person,
            templates=house.letterhead.templates,
            zone=house.plan.timezone,
            sender=house.letterhead.imprint,
            reason=reason,
            now=now(),
        )
        read = Happening("evidence.read", {"reason": reason}, person.handle)
        append(session, Chain.AUDIT, [read], actor=actor(who), at=now())
    if page is None:
        sys.stdout.write(html)
    else:
        page.write_text(html, encoding="utf-8")


def verify_consents(anchor: str = ANCHOR, as_json: bool = JSON) -> None:
    """Look through the chain of consents: whether anything was changed, taken out or put in."""
    report_on(Chain.CONSENT, anchor, as_json)


def report_on(chain: Chain, anchor: str, as_json: bool) -> None:
    """Verify a chain and say what was found. Raises Refused if anything is wrong."""
    with open_database() as database, database.read() as session:
        found = verify(session, chain, anchor=anchor)
    if as_json:
        print_json(
            {
                "records": found.records,
                "head": found.head,
                "erased": found.erased,
                "blocked": found.blocked,
                "problems": list(found.problems),
            }
        )
    else:
        typer.echo(f"{found.records} records, payload erased in {found.erased}, blocked in {found.blocked}")
        if found.head:
            typer.echo(f"head {found.head}")
    if found.problems:
        raise Refused("\n          ".join(found.problems))


def subscriber_named(session: Session, address: str) -> Subscriber:
    """The person with this address, as typed. Raises Refused."""
    try:
        normalised = normalise(address)
    except BadAddress as problem:
        raise Refused(f"{address}: {problem}") from None
    person = session.scalar(select(Subscriber).where(Subscriber.address == normalised))
    if person is None:
        raise Refused(f"nobody here has the address {normalised}")
    return person
