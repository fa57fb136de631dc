"""The sums that progress and statistics read, kept in the transactions that end deliveries.

Only ends are counted, so that a try costs one figure and a claim none.
"""

import json
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import delete, func, select, text
from sqlalchemy.orm import Session

from mailer.outbox.model import OPEN, Delivery, DeliveryState, Figure

#: every delivery that the issue has, whatever becomes of it; what is open is what has not ended
FROZEN = "frozen"
ENDED = frozenset({DeliveryState.SENT.value, DeliveryState.FAILED.value, DeliveryState.SKIPPED.value})
_UNDER_WAY = (DeliveryState.SENDING, DeliveryState.DEFERRED, DeliveryState.HELD)


class Count(NamedTuple):
    """What one figure is about. `state` is FROZEN, one of ENDED, or "returned:" and a Returned."""

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
    if rows := [(*count, worker, change) for count, change in sums.items() if change]:
        session.execute(_ADD[session.get_bind().dialect.name], {"rows": json.dumps(rows)})


# said once and in full: this is done for every group of results, and putting it together would take longer
_ADD = {
    "sqlite": text(
        "INSERT INTO figures (issue_id, list_key, municipality, domain, relay, state, reason, worker, n)"
        " SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6,"
        " value ->> 7, value ->> 8"
        # without a WHERE, SQLite takes ON for a part of the join
        " FROM json_each(:rows) WHERE true"
        " ON CONFLICT (issue_id, list_key, municipality, domain, relay, worker, state, reason)"
        " DO UPDATE SET n = n + excluded.n"
    ),
    "postgresql": text(
        "INSERT INTO figures (issue_id, list_key, municipality, domain, relay, state, reason, worker, n)"
        " SELECT (value ->> 0)::bigint, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5,"
        " value ->> 6, value ->> 7, (value ->> 8)::integer"
        " FROM json_array_elements(CAST(:rows AS json))"
        " ON CONFLICT (issue_id, list_key, municipality, domain, relay, worker, state, reason)"
        " DO UPDATE SET n = figures.n + excluded.n"
    ),
}


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
    """How many deliveries of an issue are in each state (and came back, as "returned:..."); no zeros.

    What is still open is counted where it stands: few at a time are anything but pending.
    """
    rows = session.execute(
        select(Figure.state, func.sum(Figure.n)).where(Figure.issue_id == issue_id).group_by(Figure.state)
    )
    sums = {state: int(n) for state, n in rows if n}
    frozen = sums.pop(FROZEN, 0)
    pending = frozen - sum(n for state, n in sums.items() if state in ENDED)
    for state, n in session.execute(
        select(Delivery.state, func.count())
        # the sum keeps SQLite from walking through all deliveries of the issue
        .where(
            Delivery.settled_at.is_(None), Delivery.state.in_(_UNDER_WAY), Delivery.issue_id + 0 == issue_id
        )
        .group_by(Delivery.state)
    ):
        sums[state.value] = n
        pending -= n
    return sums | ({DeliveryState.PENDING.value: pending} if pending else {})


def is_done(session: Session, issue_id: int) -> bool:
    """Whether the issue was frozen and none of its deliveries is open any more."""
    sums = by_state(session, issue_id)
    return not any(sums.get(state) for state in OPEN)
