"""Files of people who are said to have consented elsewhere: released or refused by a second person.

Whoever brought the file cannot release it. Until then its people are pending and get nothing;
afterwards each has a record of that consent in the chain, and her first mail names the source.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from sqlalchemy import delete, exists, select, update
from sqlalchemy.orm import Session

from subscribers.chain import Chain, Happening, append
from subscribers.consent import Act, next_state
from subscribers.evidence import Evidence, Wording, granted
from subscribers.model import (
    Basis,
    Import,
    ImportState,
    Office,
    Subscriber,
    Subscription,
    SubscriptionState,
)

#: people released in one transaction
_CHUNK = 1000


class Writes(Protocol):
    """What gives a session that commits at the end of its block (mailer.database.Database)."""

    def write(self) -> AbstractContextManager[Session]: ...


class NotYours(Exception):
    """The file cannot be decided on, or not by this person; says why."""


def release(database: Writes, import_id: int, *, actor: str, now: datetime) -> int:
    """Make the people of a file active; returns how many. Raises NotYours.

    Works off a chunk at a time; called again after a crash it goes on with the rest.
    """
    with database.write() as session:
        file = session.get(Import, import_id, with_for_update=True)
        if file is None or file.state is not ImportState.RELEASED:
            _decide(session, file, ImportState.RELEASED, actor, now)
    released = 0
    while True:
        with database.write() as session:
            people = _release_some(session, session.get_one(Import, import_id), actor, now)
        if not people:
            return released
        released += people


def refuse(session: Session, import_id: int, *, actor: str, now: datetime) -> int:
    """Take the people of a file off the list again; returns how many. Raises NotYours.

    Whoever was not known before leaves no trace.
    """
    file = session.get(Import, import_id, with_for_update=True)
    _decide(session, file, ImportState.REFUSED, actor, now)
    assert next_state(SubscriptionState.PENDING, Act.EXPIRE) is None
    of_file = select(Subscription.subscriber_id).where(
        Subscription.import_id == import_id, Subscription.state == SubscriptionState.PENDING
    )
    people = session.scalars(of_file).all()
    session.execute(
        delete(Subscription).where(
            Subscription.import_id == import_id, Subscription.state == SubscriptionState.PENDING
        )
    )
    for start in range(0, len(people), _CHUNK):
        session.execute(
            delete(Subscriber).where(
                Subscriber.id.in_(people[start : start + _CHUNK]),
                ~exists().where(Subscription.subscriber_id == Subscriber.id),
                ~exists().where(Office.subscriber_id == Subscriber.id),
            )
        )
    return len(people)


def held(session: Session) -> Sequence[Import]:
    """The files that wait for somebody to decide, the oldest first."""
    query = select(Import).where(Import.state == ImportState.HELD).order_by(Import.id)
    return session.scalars(query).all()


def _decide(session: Session, file: Import | None, state: ImportState, actor: str, now: datetime) -> None:
    if file is None:
        raise NotYours("there is no such import")
    if file.state is not ImportState.HELD:
        raise NotYours(f"it is {file.state} already")
    if file.actor == actor:
        raise NotYours("whoever brought the file cannot decide on it: a second person must")
    file.state, file.decided_by, file.decided_at = state, actor, now
    said = {"import": file.id, "list": file.list_key, "digest": file.digest.hex()}
    append(session, Chain.AUDIT, [Happening(f"import.{state}", said)], actor=actor, at=now)


def _release_some(session: Session, file: Import, actor: str, now: datetime) -> int:
    people = session.execute(
        select(Subscription.id, Subscriber.handle)
        .join(Subscriber, Subscriber.id == Subscription.subscriber_id)
        .where(Subscription.import_id == file.id, Subscription.state == SubscriptionState.PENDING)
        .order_by(Subscription.id)
        .limit(_CHUNK)
    ).all()
    session.execute(
        update(Subscription)
        .where(Subscription.id.in_([row.id for row in people]))
        .values(state=next_state(SubscriptionState.PENDING, Act.APPOINT), since=now)
    )
    proof = Evidence(
        wording=Wording(file.wording, ""),
        source=file.source,
        more={
            "given_on": file.given_on.isoformat() if file.given_on else "",
            "file": file.file,
            "file_sha256": file.digest.hex(),
            "proof": file.proof_name,
            "brought_by": file.actor,
        },
    )
    happenings = [
        happening
        for row in people
        for happening in granted(file.list_key, Basis.PRIOR_CONSENT, proof, row.handle)
    ]
    append(session, Chain.CONSENT, happenings, actor=actor, at=now)
    return len(people)
