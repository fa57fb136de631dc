"""The domains that defer, as all workers know them: rows for mailer.outbox.domains."""

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from mailer.outbox.domains import Trouble
from mailer.outbox.model import DomainTrouble
from subscribers.base import insert_into


def troubles(session: Session) -> dict[str, Trouble]:
    """The domains that defer."""
    rows = session.scalars(select(DomainTrouble))
    return {row.domain: Trouble(row.deferred, row.rests, row.rest_until, row.probing) for row in rows}


def remember(session: Session, domain: str, trouble: Trouble | None) -> None:
    """Keep what is known of a domain now; None: it is well."""
    if trouble is None:
        session.execute(delete(DomainTrouble).where(DomainTrouble.domain == domain))
        return
    values = {
        "deferred": trouble.deferred,
        "rests": trouble.rests,
        "rest_until": trouble.until,
        "probing": trouble.probing,
    }
    statement = insert_into(session, DomainTrouble).values(domain=domain, **values)
    session.execute(statement.on_conflict_do_update(index_elements=["domain"], set_=values))
