"""What people told us that a coordinator or the state's staff must look at."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from subscribers.chain import Chain, Happening, append
from subscribers.model import Municipality, Subscriber, Task, TaskKind


class Open(NamedTuple):
    """A task with what its reader needs: where, and who said it."""

    task: Task
    municipality: Municipality | None
    subscriber: Subscriber


def claim_succession(session: Session, *, subscriber: Subscriber, municipality: str, now: datetime) -> None:
    """She says that she follows somebody in an office there; one open task a person and municipality."""
    known = select(Task.id).where(
        Task.kind == TaskKind.SUCCESSOR,
        Task.subscriber_id == subscriber.id,
        Task.municipality == municipality,
        Task.done_at.is_(None),
    )
    if session.scalar(known) is None:
        session.add(
            Task(
                kind=TaskKind.SUCCESSOR,
                municipality=municipality,
                subscriber_id=subscriber.id,
                created_at=now,
            )
        )


def tasks(session: Session, *, municipality: str | None = None, done: bool = False) -> Sequence[Open]:
    """The tasks that are open (with `done` all), of one municipality or of all; the oldest first."""
    query = (
        select(Task, Municipality, Subscriber)
        .outerjoin(Municipality, Municipality.ags == Task.municipality)
        .join(Subscriber, Subscriber.id == Task.subscriber_id)
        .order_by(Task.created_at, Task.id)
    )
    if municipality is not None:
        query = query.where(Task.municipality == municipality)
    if not done:
        query = query.where(Task.done_at.is_(None))
    return [Open(*row) for row in session.execute(query)]


def finish(session: Session, task: Task, *, actor: str, now: datetime) -> bool:
    """Somebody has looked at it; True if that is new."""
    if task.done_at is not None:
        return False
    task.done_at, task.done_by = now, actor
    handle = session.get_one(Subscriber, task.subscriber_id).handle
    said = {"task": task.id, "kind": task.kind.value, "municipality": task.municipality or ""}
    append(session, Chain.AUDIT, [Happening("task.done", said, handle)], actor=actor, at=now)
    return True
