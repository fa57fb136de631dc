"""The issues whose time has come."""

from collections.abc import Iterable
from datetime import datetime

import structlog
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from mailer import schedule
from mailer.installation import Installation
from mailer.issues.compose import compose, fill, suggest
from mailer.issues.copies import settle_overdue
from mailer.issues.model import Issue, IssueState, entries_of, issues_of, last_slot
from mailer.issues.release import act_on, was_edited
from mailer.issues.timing import postpone
from mailer.issues.workflow import Act
from subscribers.model import MailingList

log = structlog.get_logger()


def compose_due(
    house: Installation, *, now: datetime, newsletters: Iterable[schedule.Newsletter] | None = None
) -> list[int]:
    """Compose the issues whose time has come; those that need no release are approved by the clock.

    Those that wait for more items come first: one that is given up leaves its items to the next.
    """
    composed = []
    for newsletter in house.plan.newsletters.values() if newsletters is None else newsletters:
        for issue in _waiting(house, newsletter, now):
            _look_again(house, newsletter, issue, now)
        while planned := _next_due(house, newsletter, now):
            try:
                composed.append(_compose(house, newsletter, planned, now))
            except IntegrityError:
                continue  # another clock was first, and the key (newsletter, slot) is taken
    return composed


def suggest_new(house: Installation, *, now: datetime) -> int:
    """Offer open drafts what came since; how many suggestions that makes."""
    with house.database.read() as session:
        drafts = [
            issue.id
            for issue in issues_of(session, [IssueState.DRAFT])
            if not issue.for_list and issue.corrects is None and issue.newsletter in house.plan.newsletters
        ]
    offered = 0
    for draft in drafts:
        with house.database.write() as session:
            issue = session.get_one(Issue, draft, with_for_update=True)
            if issue.state is IssueState.DRAFT and not issue.postponed:
                newsletter = house.plan.newsletters[issue.newsletter]
                offered += suggest(session, issue, newsletter, actor="clock", now=now)
    return offered


def settle_forewords(house: Installation, *, now: datetime) -> int:
    """Decide the issues of municipal lists whose coordinator let her time pass; how many it was."""
    with house.database.write() as session:
        decided = settle_overdue(session, actor="clock", now=now)
        for issue in decided:
            if issue.state is not IssueState.CANCELLED:
                act_on(session, issue, Act.APPROVE, actor="clock", now=now)
        return len(decided)


def _next_due(
    house: Installation, newsletter: schedule.Newsletter, now: datetime
) -> schedule.PlannedSlot | None:
    with house.database.read() as session:
        if session.get(MailingList, newsletter.list) is None:
            return None
        last = last_slot(session, newsletter.key)
    return schedule.due(newsletter, house.plan, now, last)


def _compose(
    house: Installation, newsletter: schedule.Newsletter, planned: schedule.PlannedSlot, now: datetime
) -> int:
    with house.database.write() as session:
        issue = compose(
            session,
            newsletter,
            slot=planned.slot,
            send_at=planned.send_at or planned.slot,
            actor="clock",
            now=now,
        )
        if issue.state is IssueState.DRAFT and planned.send_at is None:
            act_on(session, issue, Act.CANCEL, actor="clock", now=now)
        elif issue.state is IssueState.DRAFT and issue.postponed:
            postpone(session, issue, newsletter, house.plan, actor="clock", now=now)
        elif issue.state is IssueState.DRAFT and newsletter.release == "none":
            _release(session, issue, now)
        return issue.id


def _waiting(house: Installation, newsletter: schedule.Newsletter, now: datetime) -> list[int]:
    with house.database.read() as session:
        return [
            issue.id
            for issue in issues_of(session, [IssueState.DRAFT])
            if issue.newsletter == newsletter.key and _is_to_be_looked_at(issue, newsletter, now)
        ]


def _is_to_be_looked_at(issue: Issue, newsletter: schedule.Newsletter, now: datetime) -> bool:
    return issue.postponed and now >= issue.send_at - newsletter.draft


def _look_again(house: Installation, newsletter: schedule.Newsletter, issue_id: int, now: datetime) -> None:
    with house.database.write() as session:
        issue = session.get_one(Issue, issue_id, with_for_update=True)
        if issue.state is not IssueState.DRAFT or not _is_to_be_looked_at(issue, newsletter, now):
            return  # another clock was first
        if not was_edited(session, issue):
            fill(session, issue, newsletter, actor="clock", now=now)
        postpone(session, issue, newsletter, house.plan, actor="clock", now=now)
        if issue.state is IssueState.DRAFT and not issue.postponed and newsletter.release == "none":
            _release(session, issue, now)


def _release(session: Session, issue: Issue, now: datetime) -> None:
    if entries_of(session, issue):
        act_on(session, issue, Act.APPROVE, actor="clock", now=now)
    else:  # the plan sends with few items (too_few), but there is not one
        act_on(session, issue, Act.CANCEL, actor="clock", now=now)
        log.warning("issue.empty", issue=issue.id)
