"""The mails of public issues, rendered once for everybody who reads the archive."""

from datetime import datetime

import structlog
from jinja2 import TemplateError
from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.archive.draft import draft
from mailer.archive.model import ArchivedMail
from mailer.archive.published import of_issue, without_mail
from mailer.installation import Installation
from mailer.issues.model import pictures_of
from mailer.render.editions import chooser_of
from mailer.render.finish import BadPage
from mailer.render.model import Edition, Stationery
from mailer.render.selfcontained import NotSelfContained
from mailer.render.stationery import stationery_of
from subscribers.base import insert_into

log = structlog.get_logger()


def archive_sent(house: Installation, *, now: datetime) -> int:
    """Render and keep the mail of each public issue that has none in the archive yet; how many it was."""
    with house.database.read() as session:
        waiting = without_mail(session)
    return sum(_archive(house, issue_id, now) for issue_id in waiting)


def _archive(house: Installation, issue_id: int, now: datetime) -> bool:
    current = stationery_of(house.letterhead)
    with house.database.read() as session:
        published = of_issue(session, issue_id)
        if published is None:
            return False
        stationery = _sent_on(session, issue_id) or current
        chooser = chooser_of(session, published.issue, stationery)
        pictures = pictures_of(session, published.issue)
    page = f"{house.letterhead.links.base}{published.path}"
    try:
        mail = draft(
            published.issue,
            chooser,
            stationery,
            pictures,
            published.entries,
            language=published.language,
            words=published.words,
            page=page,
        )
    except (TemplateError, BadPage, NotSelfContained) as problem:
        log.warning("archive.not_rendered", issue=issue_id, reason=str(problem))
        return False
    with house.database.write() as session:
        # a second clock may have rendered the same one meanwhile: the first stays
        session.execute(
            insert_into(session, ArchivedMail)
            .values(
                issue_id=issue_id,
                language=published.language,
                subject=mail.subject,
                html=mail.html,
                text=mail.text,
                created_at=now,
            )
            .on_conflict_do_nothing(index_elements=["issue_id"])
        )
    return True


def _sent_on(session: Session, issue_id: int) -> Stationery | None:
    """What the issue was sent on; None where it went to nobody, or before this was kept."""
    return session.scalar(
        select(Stationery)
        .join(Edition, Edition.stationery_id == Stationery.id)
        .where(Edition.issue_id == issue_id)
        .order_by(Edition.id)
    )
