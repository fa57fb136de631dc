"""The mails to those who look after a newsletter: what waits for them, and what it looks like."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mailer.archive.published import of_issue
from mailer.issues.content import content_digest
from mailer.issues.model import Entry, EntryState, Issue, IssueState, entries_of
from mailer.issues.sources import changed_entries, silent_sources
from mailer.notices.letter import Desk, Dropped, letter
from mailer.notices.model import Notice
from mailer.outbox import figures
from mailer.outbox.model import DeliveryState, Figure
from mailer.render.model import Edition
from mailer.render.sanitize import excerpt, plain_text
from mailer.render.typography import typeset, typeset_html
from subscribers.addresses import address_hash
from subscribers.base import new_handle
from subscribers.model import MailingList, Request, RequestKind, WithoutForeword
from subscribers.subscribing import suppressed_for


def about_issue(session: Session, desk: Desk, request: Request, now: datetime) -> Notice:
    """A mail to one of the staff about an issue: what of it is open, and what stands in it.

    What was released or cancelled since it was asked for needs no reminder any more; that somebody
    released alone, or that sending stopped, is told in any case.
    """
    issue = _issue(session, desk, request)
    assert request.address is not None
    entries = entries_of(session, issue)
    stands = _stands(issue, entries)
    if stands not in _WORTH_A_MAIL.get(request.kind, _OPEN):
        raise Dropped(stands)
    mailing_list = session.get_one(MailingList, issue.list_key)
    until = request.details["until"] and datetime.fromisoformat(request.details["until"])
    return letter(
        desk,
        request,
        request.address,
        mailing_list,
        new_handle(),
        now,
        mailing_list.language,
        {
            "issue": {
                "id": issue.id,
                "title": issue.title,
                "number": issue.number,
                "year": issue.year,
                "subject": issue.subject,
                "send_at": issue.send_at if issue.has_time else None,
                "created_at": issue.created_at,
                "editorial": plain_text(typeset_html(issue.editorial)),
            },
            "stands": stands,
            "until": until or None,
            "in_time": bool(until) and now <= until,
            "by": issue.approved_by.removeprefix("cli:"),
            "reason": issue.emergency,
            "people": request.details["people"],
            "suggestions": _suggestions(session, issue),
            "changed": [typeset(entry.title) for entry in changed_entries(session, issue)],
            "feeds": [asdict(source) for source in silent_sources(session, request.details["feeds"], issue)],
            "sections": _sections(entries),
            **(_stopped(issue, request) if request.kind is RequestKind.HALTED else {}),
        },
    )


_OPEN = ("draft", "review", "edited")
#: how an issue stands when a mail of this kind is still of use
_WORTH_A_MAIL = {
    RequestKind.EMERGENCY: tuple(IssueState),
    RequestKind.HALTED: tuple(IssueState),
    RequestKind.MISSED: ("approved",),
    RequestKind.GIVEN_UP: ("cancelled",),
}


def issue_sent(session: Session, desk: Desk, request: Request, now: datetime) -> Notice:
    """A mail to one of the staff: an issue is sent, and what became of it. It names no reader."""
    issue = _issue(session, desk, request)
    assert request.address is not None
    assert issue.sent_at is not None
    published = of_issue(session, issue.id)
    mailing_list = session.get_one(MailingList, issue.list_key)
    editions = select(func.count()).where(Edition.issue_id == issue.id)
    return letter(
        desk,
        request,
        request.address,
        mailing_list,
        new_handle(),
        now,
        mailing_list.language,
        {
            "issue": {
                "id": issue.id,
                "title": issue.title,
                "number": issue.number,
                "year": issue.year,
                "subject": issue.subject,
                "began_at": issue.frozen_at,
                "ended_at": issue.sent_at,
            },
            "editions": session.scalar(editions) or 0,
            "sent": figures.by_state(session, issue.id).get(DeliveryState.SENT, 0),
            "failed": _reasons(session, issue, DeliveryState.FAILED),
            "skipped": _reasons(session, issue, DeliveryState.SKIPPED),
            "archive_url": f"{desk.letterhead.links.base}{published.path}" if published else "",
        },
    )


def _reasons(session: Session, issue: Issue, state: DeliveryState) -> list[dict[str, Any]]:
    """Why how many did not get it, the most frequent reason first."""
    n = func.sum(Figure.n)
    rows = session.execute(
        select(Figure.reason, n)
        .where(Figure.issue_id == issue.id, Figure.state == state.value)
        .group_by(Figure.reason)
        .having(n > 0)
        .order_by(n.desc(), Figure.reason)
    )
    return [{"reason": reason, "n": int(count)} for reason, count in rows.all()]


def _issue(session: Session, desk: Desk, request: Request) -> Issue:
    assert request.address is not None
    if suppressed_for(session, address_hash(desk.suppression_key, request.address)):
        raise Dropped("suppressed")
    issue = session.scalar(select(Issue).where(Issue.handle == int(request.details["issue"], 16)))
    if issue is None:
        raise Dropped("gone")
    return issue


def _stopped(issue: Issue, request: Request) -> dict[str, Any]:
    """How many mails failed of how many, if sending stopped for that; how many are held."""
    return {
        "halted": issue.halted.split("/") if issue.halted else None,
        "held": request.details["held"],
    }


def _stands(issue: Issue, entries: Sequence[Entry]) -> str:
    """The state of the issue; "edited" where its release is void."""
    if issue.state is IssueState.APPROVED and issue.approved_digest != content_digest(issue, entries):
        return "edited"
    return issue.state.value


def _suggestions(session: Session, issue: Issue) -> int:
    waiting = select(func.count()).where(Entry.issue_id == issue.id, Entry.state == EntryState.SUGGESTED)
    return session.scalar(waiting) or 0


def _sections(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    return [
        {
            "title": typeset(title),
            "entries": [
                {
                    "title": typeset(entry.title),
                    "starts": entry.starts,
                    "ends": entry.ends,
                    "all_day": entry.all_day,
                    "text": plain_text(typeset_html(excerpt(entry.summary))),
                    "source": entry.source,
                }
                for entry in group
            ],
        }
        for title, group in groupby(entries, key=lambda entry: entry.section)
    ]


def foreword(session: Session, desk: Desk, request: Request, now: datetime) -> Notice:
    """To a coordinator: an issue is released, and her list may get it with words of her own."""
    issue = _issue(session, desk, request)
    assert request.address is not None
    if issue.state not in (IssueState.DRAFT, IssueState.REVIEW):
        raise Dropped("gone")
    mailing_list = session.get_one(MailingList, issue.for_list)
    return letter(
        desk,
        request,
        request.address,
        mailing_list,
        new_handle(),
        now,
        mailing_list.language,
        {
            "issue": {
                "id": issue.id,
                "title": issue.title,
                "number": issue.number,
                "year": issue.year,
                "subject": issue.subject,
                "editorial": plain_text(typeset_html(issue.editorial)),
                "until": issue.send_at,
            },
            "again": request.details["again"],
            "goes_without": mailing_list.without_foreword is WithoutForeword.SEND,
            "sections": _sections(entries_of(session, issue)),
        },
    )
