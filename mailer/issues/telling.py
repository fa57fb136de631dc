"""Mail to the staff of a newsletter: asked for here, as requests; mailer.notices writes it."""

from datetime import datetime

from sqlalchemy.orm import Session

from mailer.issues.model import Issue
from mailer.issues.reminding import recipients
from mailer.issues.sources import source_keys
from mailer.schedule import Newsletter
from subscribers.model import Request, RequestKind


def ask_for_mail(
    session: Session,
    issue: Issue,
    newsletter: Newsletter,
    kind: RequestKind,
    *,
    people: int,
    actor: str,
    now: datetime,
    held: int = 0,
) -> int:
    """Have those who look after the newsletter told about an issue; how many it is.

    `people` is how many would get the issue now, `held` how many of its mails wait for a decision. What
    else only the plan knows goes along.
    """
    to = recipients(newsletter, kind)
    details = {
        "issue": f"{issue.handle:016x}",
        "people": people,
        "held": held,
        "until": (issue.send_at + newsletter.late).isoformat() if issue.has_time else "",
        "feeds": source_keys(session, newsletter),
    }
    session.add_all(
        Request(
            kind=kind, list_key=issue.list_key, address=address, details=details, actor=actor, created_at=now
        )
        for address in to
    )
    return len(to)
