"""The items that an issue can still take: columns only, since there may be very many."""

from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import ColumnElement, false, func, literal, or_, select
from sqlalchemy.orm import Session

from mailer.feeds.model import Item, ItemState
from mailer.issues.choose import Candidate
from mailer.issues.model import Entry, EntryState, Issue, IssueState
from mailer.schedule import Newsletter

_A_DAY = timedelta(days=1)


def free_items(
    session: Session, newsletter: Newsletter, issue: Issue, *, since: datetime | None = None
) -> list[Candidate]:
    """What no issue of the newsletter had or rejected, this one has in no state, and nobody holds.

    What is over by the time the issue goes out is left out already where a day more or less does not
    matter; with `since` only what was first seen later.
    """
    ended = func.coalesce(Item.ends, Item.starts)
    query = select(*_columns(newsletter)).where(
        _sources(newsletter),
        Item.state == ItemState.FREE,
        Item.id.not_in(_used(newsletter)),
        Item.id.not_in(select(Entry.item_id).where(Entry.issue_id == issue.id, Entry.item_id.is_not(None))),
        or_(ended.is_(None), ended > issue.send_at - _A_DAY),
        or_(Item.deadline.is_(None), Item.deadline > (issue.send_at - _A_DAY * 2).date()),
    )
    if since is not None:
        query = query.where(Item.first_seen_at > since)
    return cast("list[Candidate]", session.execute(query).all())


def used_items(session: Session, newsletter: Newsletter, issue: Issue) -> list[Candidate]:
    """What issues of the newsletter had or rejected, and what this one has in any state."""
    where = or_(
        Item.id.in_(_used(newsletter)), Item.id.in_(select(Entry.item_id).where(Entry.issue_id == issue.id))
    )
    return cast("list[Candidate]", session.execute(select(*_columns(newsletter)).where(where)).all())


def held_back(session: Session, newsletter: Newsletter) -> set[int]:
    """The ids of items that staff kept out of an issue for the next."""
    rows = session.scalars(
        select(Entry.item_id)
        .join(Issue, Issue.id == Entry.issue_id)
        .where(_of(newsletter), Entry.state == EntryState.HELD, Entry.item_id.is_not(None))
    )
    return {row for row in rows if row is not None}


def _columns(newsletter: Newsletter) -> list[Any]:
    sections = newsletter.sections
    worded = any(section.match and section.match.words for section in sections)
    sorted_ = any(section.match and section.match.category for section in sections)
    placed = any(section.match and section.match.places for section in sections)
    return [
        Item.id, Item.feed_key, Item.identity, Item.kind, Item.title, Item.url,
        # weighty, so only where somebody looks into it
        (Item.summary if worded else literal("")).label("summary"),
        func.length(Item.summary).label("weight"),
        Item.published, Item.updated, Item.starts, Item.ends, Item.all_day, Item.deadline,
        (Item.categories if sorted_ else literal("")).label("categories"),
        (Item.places if placed else literal("")).label("places"),
        Item.municipality, Item.baseline, Item.first_seen_at, Item.digest,
    ]  # fmt: skip


def _used(newsletter: Newsletter) -> Any:
    # suggestions that nobody took, and what was held back, are free again
    return (
        select(Entry.item_id)
        .join(Issue, Issue.id == Entry.issue_id)
        .where(
            _of(newsletter),
            Entry.item_id.is_not(None),
            Entry.state.in_([EntryState.PLACED, EntryState.REJECTED]),
        )
    )


def _of(newsletter: Newsletter) -> ColumnElement[bool]:
    return (
        (Issue.newsletter == newsletter.key) & (Issue.for_list == "") & (Issue.state != IssueState.CANCELLED)
    )


def _sources(newsletter: Newsletter) -> ColumnElement[bool]:
    sections = newsletter.sections
    return or_(
        Item.feed_key.in_({feed for section in sections for feed in section.feeds}),
        Item.kind.in_({kind for section in sections for kind in section.contributions}),
        Item.municipality.is_not(None) if any(section.municipal for section in sections) else false(),
    )
