"""What notices say of a person: shown, or forgotten. The row stays, since its delivery is counted by it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, not_, or_, select, update
from sqlalchemy.orm import Session

from mailer.notices.model import Notice
from subscribers.model import Request, RequestKind
from subscribers.privacy import Whom

#: mails whose link led to a consent: they prove it, as long as that proof is kept
_PROOF = Notice.answered_at.is_not(None)


def held(session: Session, whom: Whom) -> list[dict[str, Any]]:
    """The mails that went to a person alone, in the words of the export."""
    rows = session.scalars(select(Notice).where(_to([whom])).order_by(Notice.id))
    return [
        {
            "kind": row.kind,
            "list": row.list_key,
            "subject": row.subject,
            "created_at": row.created_at,
            "answered_at": row.answered_at,
        }
        for row in rows
    ]


def forget(session: Session, people: Sequence[Whom]) -> int:
    """Erase the mails to these people; how many it was."""
    emptied = session.execute(
        update(Notice)
        .where(_to(people))
        .values(message=b"", subject="", subscriber_id=None, address="")
        .returning(Notice.id)
        .execution_options(synchronize_session=False)
    )
    return len(emptied.all())


def empty(session: Session, ids: Sequence[int]) -> int:
    """Erase what these mails said, unless it proves something; how many it was."""
    return _empty(session, and_(Notice.id.in_(ids), not_(_PROOF)))


def empty_unanswered(session: Session, people: Sequence[tuple[int, str]]) -> int:
    """Erase the confirmation mails that these people (by row id and list) never answered; how many it was."""
    unanswered = (Notice.kind == RequestKind.CONFIRM, Notice.answered_at.is_(None))
    return sum(
        _empty(session, and_(*unanswered, Notice.subscriber_id == person, Notice.list_key == list_key))
        for person, list_key in people
    )


def empty_named(session: Session, handles: Sequence[int]) -> int:
    """Erase what the mails with these handles said, since the proof that named them is gone."""
    return _empty(session, Notice.handle.in_(handles))


def may_be_confirmed(since: datetime) -> ColumnElement[bool]:
    """Whether a request was answered by a confirmation mail that came after then, so its link still works."""
    return exists().where(Notice.request_id == Request.id, Notice.created_at >= since)


def _to(people: Sequence[Whom]) -> ColumnElement[bool]:
    ids = [each.person.id for each in people if each.person]
    return or_(Notice.subscriber_id.in_(ids), Notice.address.in_([each.address for each in people]))


def _empty(session: Session, which: Any) -> int:
    emptied = session.execute(
        update(Notice)
        .where(which)
        .values(message=b"", subject="", address="")
        .returning(Notice.id)
        .execution_options(synchronize_session=False)
    )
    return len(emptied.all())
