"""How the sources of an issue stand: which are silent and since when, and what changed there since."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mailer.feeds.model import Feed, FeedState, Item
from mailer.issues.model import Entry, EntryState, Issue, IssueState
from mailer.schedule import Newsletter


@dataclass(frozen=True, slots=True)
class Silent:
    """A source that brought nothing new; `since` is its last news, or None if it never had any."""

    feed: str
    title: str
    since: datetime | None
    #: what was wrong at the last fetch, "" where it answers and has nothing new
    problem: str


def silent_sources(session: Session, newsletter: Newsletter, issue: Issue) -> list[Silent]:
    """The feeds of the newsletter's sections that are broken, or had nothing new since its last issue."""
    keys = {feed for section in newsletter.sections for feed in section.feeds}
    query = select(Feed).where(Feed.key.in_(keys))
    if any(section.municipal for section in newsletter.sections):
        query = select(Feed).where(Feed.key.in_(keys) | (Feed.municipality.is_not(None) & Feed.active))
    before = session.scalar(
        select(func.max(Issue.created_at)).where(
            Issue.newsletter == newsletter.key,
            Issue.for_list == "",
            Issue.id != issue.id,
            Issue.created_at < issue.created_at,
            Issue.state != IssueState.CANCELLED,
        )
    )
    feeds = session.scalars(query.order_by(Feed.key)).all()
    last_news = {
        row.feed_key: row.last
        for row in session.execute(
            select(Item.feed_key, func.max(Item.first_seen_at).label("last"))
            .where(Item.feed_key.in_([feed.key for feed in feeds]))
            .group_by(Item.feed_key)
        )
    }
    return [
        Silent(feed.key, feed.title or feed.key, last_news.get(feed.key), _problem(feed))
        for feed in feeds
        if _problem(feed) or _is_quiet(last_news.get(feed.key), before)
    ]


def changed_entries(session: Session, issue: Issue) -> Sequence[Entry]:
    """The placed entries whose feed says something else by now."""
    return session.scalars(
        select(Entry)
        .join(Item, Item.id == Entry.item_id)
        .where(Entry.issue_id == issue.id, Entry.state == EntryState.PLACED, Entry.item_digest != Item.digest)
        .order_by(Entry.section_position, Entry.position)
    ).all()


def _problem(feed: Feed) -> str:
    return feed.problem if feed.state is FeedState.BROKEN else ""


def _is_quiet(last: datetime | None, before: datetime | None) -> bool:
    return last is None or (before is not None and last <= before)
