"""The mails to those who look after a newsletter: what waits for them, and what it looks like."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mailer.feeds.model import Feed, FeedState, Item
from mailer.issues.content import content_digest
from mailer.issues.model import Entry, EntryState, Issue, IssueState, entries_of
from mailer.notices.letter import Desk, Dropped, letter
from mailer.notices.model import Notice
from mailer.render.sanitize import excerpt, plain_text
from subscribers.addresses import address_hash
from subscribers.base import new_handle
from subscribers.model import MailingList, Request, RequestKind
from subscribers.subscribing import suppressed_for

#: a feed that brings nothing new for so long may be dead, though it answers
_SILENT = timedelta(weeks=4)


def about_issue(session: Session, desk: Desk, request: Request, now: datetime) -> Notice:
    """A mail to one of the staff about an issue: what of it is open, and what stands in it.

    What was released or cancelled since it was asked for needs no reminder any more; that somebody
    released alone is told in any case.
    """
    assert request.address is not None
    if suppressed_for(session, address_hash(desk.suppression_key, request.address)):
        raise Dropped("suppressed")
    issue = session.scalar(select(Issue).where(Issue.handle == int(request.details["issue"], 16)))
    if issue is None:
        raise Dropped("gone")
    entries = entries_of(session, issue)
    stands = _stands(issue, entries)
    if request.kind is not RequestKind.EMERGENCY and stands not in _OPEN:
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
                "editorial": plain_text(issue.editorial),
            },
            "stands": stands,
            "until": until or None,
            "in_time": bool(until) and now <= until,
            "by": issue.approved_by.removeprefix("cli:"),
            "reason": issue.emergency,
            "people": request.details["people"],
            "suggestions": _suggestions(session, issue),
            "feeds": _quiet_feeds(session, request.details["feeds"], now),
            "sections": _sections(entries),
        },
    )


_OPEN = ("draft", "review", "edited")


def _stands(issue: Issue, entries: Sequence[Entry]) -> str:
    """The state of the issue; "edited" where its release is void."""
    if issue.state is IssueState.APPROVED and issue.approved_digest != content_digest(issue, entries):
        return "edited"
    return issue.state.value


def _suggestions(session: Session, issue: Issue) -> int:
    waiting = select(func.count()).where(Entry.issue_id == issue.id, Entry.state == EntryState.SUGGESTED)
    return session.scalar(waiting) or 0


def _quiet_feeds(session: Session, keys: Sequence[str], now: datetime) -> list[dict[str, Any]]:
    """Those of these feeds that are broken or silent, and since when as far as anybody knows."""
    rows = session.execute(
        select(Feed, func.max(Item.first_seen_at))
        .outerjoin(Item, Item.feed_key == Feed.key)
        .where(Feed.key.in_(keys))
        .group_by(Feed.key)
        .order_by(Feed.key)
    )
    return [
        {
            "title": feed.title or feed.key,
            "broken": feed.state is FeedState.BROKEN,
            "since": feed.broken_since if feed.state is FeedState.BROKEN else last,
            "problem": feed.problem,
        }
        for feed, last in rows
        if feed.state is FeedState.BROKEN or last is None or last < now - _SILENT
    ]


def _sections(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    return [
        {
            "title": title,
            "entries": [
                {
                    "title": entry.title,
                    "starts": entry.starts,
                    "ends": entry.ends,
                    "all_day": entry.all_day,
                    "text": plain_text(excerpt(entry.summary)),
                    "source": entry.source,
                }
                for entry in group
            ],
        }
        for title, group in groupby(entries, key=lambda entry: entry.section)
    ]
