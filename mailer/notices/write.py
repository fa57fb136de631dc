"""From requests to notices: each request that calls for a mail is answered once."""

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from mailer.notices import contributing, joining, offices, preferences, staff
from mailer.notices.letter import Desk, Dropped
from mailer.notices.model import Notice
from subscribers.model import Request, RequestKind, RequestState

log = structlog.get_logger()

#: requests answered in one transaction
_BATCH = 50
#: a request whose mail could not be written is tried again after this time
_AGAIN = timedelta(minutes=10)

_ANSWERS: dict[RequestKind, Callable[[Session, Desk, Request, datetime], Notice]] = {
    RequestKind.CONFIRM: joining.confirmation,
    RequestKind.WELCOME: joining.welcome,
    RequestKind.GOODBYE: joining.goodbye,
    RequestKind.PREFERENCES: preferences.fresh_link,
    RequestKind.INVITE: offices.invitation,
    RequestKind.STILL_RIGHT: offices.still_right,
    RequestKind.CONTRIBUTE: contributing.confirmation,
    RequestKind.CONTRIBUTION_USED: contributing.used,
    RequestKind.CONTRIBUTION_REFUSED: contributing.refused,
    RequestKind.DRAFT_READY: staff.about_issue,
    RequestKind.REMINDER: staff.about_issue,
    RequestKind.OVERDUE: staff.about_issue,
    RequestKind.EMERGENCY: staff.about_issue,
    RequestKind.HALTED: staff.about_issue,
    RequestKind.MISSED: staff.about_issue,
    RequestKind.GIVEN_UP: staff.about_issue,
    RequestKind.ISSUE_SENT: staff.issue_sent,
    RequestKind.FOREWORD: staff.foreword,
}


def write_notices(session: Session, desk: Desk, *, now: datetime) -> int:
    """Answer the oldest new requests; returns how many were looked at. None is answered twice."""
    requests = session.scalars(
        select(Request)
        .where(Request.state == RequestState.NEW, or_(Request.due_at.is_(None), Request.due_at <= now))
        .order_by(Request.id)
        .limit(_BATCH)
        .with_for_update(skip_locked=True)
    ).all()
    for request in requests:
        try:
            with session.begin_nested():
                session.add(_ANSWERS[request.kind](session, desk, request, now))
            request.state, request.outcome = RequestState.WRITTEN, ""
        except Dropped as reason:
            request.state, request.outcome = RequestState.DROPPED, str(reason)
        except Exception as error:
            # one that cannot be written must not stop the others, nor be lost: a template can be mended
            request.due_at, request.outcome = now + _AGAIN, f"broken: {type(error).__name__}"
            log.exception("request.broken", request=request.id)
        session.flush()
    return len(requests)
