"""The sums that progress and statistics read, kept in the transactions that move deliveries."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from mailer.outbox.model import OPEN, Figure
from subscribers.base import insert_into


@dataclass(frozen=True, slots=True)
class Count:
    """What one figure is about. `state` is a DeliveryState, or "returned:" and a Returned."""

    issue_id: int
    list_key: str
    municipality: str
    domain: str
    relay: str
    state: str
    reason: str


def add(session: Session, worker: str, changes: Iterable[tuple[Count, int]]) -> None:
    """Add each change to its figure, on rows of this worker alone so that none waits for another."""
    sums: Counter[Count] = Counter()
    for count, change in changes:
        sums[count] += change
    rows = [
        {
            "issue_id": count.issue_id,
            "list_key": count.list_key,
            "municipality": count.municipality,
            "domain": count.domain,
            "relay": count.relay,
            "worker": worker,
            "state": count.state,
            "reason": count.reason,
            "n": change,
        }
        for count, change in sums.items()
        if change
    ]
    if not rows:
        return
    statement = insert_into(session, Figure)
    session.execute(
        statement.on_conflict_do_update(
            index_elements=[
                "issue_id", "list_key", "municipality", "domain", "relay", "worker", "state", "reason"
            ],
            set_={"n": Figure.n + statement.excluded.n},
        ),
        rows,
    )  # fmt: skip


def drop_empty(session: Session, issue_id: int, domain: str) -> None:
    """Drop the figures of a domain in an issue if all of them come to nothing: then nothing names it there.

    A row that a worker holds right now is somebody else's of this domain, so it is in use.
    """
    about = (Figure.issue_id == issue_id, Figure.domain == domain)
    in_use = (
        select(func.sum(Figure.n))
        .where(*about)
        .group_by(Figure.list_key, Figure.municipality, Figure.relay, Figure.state, Figure.reason)
        .having(func.sum(Figure.n) != 0)
        .limit(1)
    )
    if session.scalar(in_use) is not None:
        return
    rows = session.scalars(select(Figure.id).where(*about)).all()
    free = session.scalars(select(Figure.id).where(*about).with_for_update(skip_locked=True)).all()
    if len(free) == len(rows):
        session.execute(delete(Figure).where(Figure.id.in_(free)))


def by_state(session: Session, issue_id: int) -> dict[str, int]:
    """How many deliveries of an issue are in each state (and came back, as "returned:..."); no zeros."""
    rows = session.execute(
        select(Figure.state, func.sum(Figure.n)).where(Figure.issue_id == issue_id).group_by(Figure.state)
    )
    return {state: int(n) for state, n in rows if n}


def is_done(session: Session, issue_id: int) -> bool:
    """Whether the issue was frozen and none of its deliveries is open any more."""
    sums = by_state(session, issue_id)
    return not any(sums.get(state) for state in OPEN)
