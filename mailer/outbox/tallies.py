"""What went to relays and domains of late, counted in the database: shared by workers, kept over restarts."""

from collections.abc import Iterable, Sequence

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from mailer.outbox.model import RelayRate, Tally
from mailer.outbox.quota import Counted, Limit, oldest_slot, slot
from subscribers.base import insert_into

#: seconds over which the pace of an issue is told
PACE_SPAN = 60


def counted(session: Session, subjects: Iterable[str]) -> dict[str, list[Counted]]:
    """What was counted of each subject."""
    found: dict[str, list[Counted]] = {subject: [] for subject in subjects}
    rows = session.execute(
        select(Tally.subject, Tally.span, Tally.slot, Tally.n).where(Tally.subject.in_(found))
    )
    for row in rows:
        found[row.subject].append(Counted(row.span, row.slot, row.n))
    return found


def add(session: Session, subject: str, span: int, at: float, n: int, *, into: int | None = None) -> int:
    """Count `n` more in the piece of the span that `at` lies in, or in piece `into`; returns its number."""
    current = slot(span, at) if into is None else into
    session.execute(_ADD, {"subject": subject, "span": span, "slot": current, "n": n})
    session.execute(_FORGET, {"subject": subject, "span": span, "oldest": oldest_slot(span, at)})
    return current


# said once and in full: this is done for every group of results
_ADD = text(
    "INSERT INTO tallies (subject, span, slot, n) VALUES (:subject, :span, :slot, :n)"
    " ON CONFLICT (subject, span, slot) DO UPDATE SET n = tallies.n + excluded.n"
)
_FORGET = text("DELETE FROM tallies WHERE subject = :subject AND span = :span AND slot < :oldest")


def add_to_all(session: Session, subject: str, limits: Sequence[Limit], at: float, n: int) -> None:
    """Count `n` more against each of these limits."""
    for limit in limits:
        add(session, subject, limit.span, at, n)


def lock_rates(session: Session, relays: Sequence[str]) -> dict[str, float | None]:
    """The rates that staff set; until the transaction ends no other worker reads or changes them."""
    rows = [{"relay": relay} for relay in relays]
    session.execute(insert_into(session, RelayRate).on_conflict_do_nothing(), rows)
    query = select(RelayRate).where(RelayRate.relay.in_(relays)).order_by(RelayRate.relay).with_for_update()
    return {row.relay: row.rate for row in session.scalars(query)}


def rates(session: Session) -> dict[str, float]:
    """The rates that staff set, of whatever relays have one."""
    rows = session.execute(select(RelayRate.relay, RelayRate.rate).where(RelayRate.rate.is_not(None)))
    return {row.relay: row.rate for row in rows}


def set_rate(session: Session, relay: str, rate: float | None) -> None:
    """From now on a relay gets so many mails a second; None: what the settings say."""
    lock_rates(session, [relay])
    session.get_one(RelayRate, relay).rate = rate
