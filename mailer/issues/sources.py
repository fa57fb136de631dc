"""How the sources of an issue stand: which are silent and since when, and what changed there since."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, func, literal, or_, select
from sqlalchemy.orm import Session

from mailer.feeds.model import Feed, FeedOrigin, FeedState, Item
from mailer.issues.model import Entry, EntryState, Issue, IssueState
from mailer.schedule import Newsletter


@dataclass(frozen=True, slots=True)
class Silent:
    """A source that brings nothing new: it cannot be read, or had nothing since the issue before."""

    title: str
    #: what is wrong, "" where it answers
    problem: str
    #: since when it cannot be read, else the day of its last news; None where nobody knows of any
    since: datetime | None


def source_keys(session: Session, newsletter: Newsletter) -> list[str]:
    """The keys of the feeds that the sections of a newsletter take from."""
    named = {key for section in newsletter.sections for key in section.feeds}
    municipal = any(section.municipal for section in newsletter.sections)
    query = select(Feed.key).where(
        or_(Feed.key.in_(named), and_(Feed.municipality.is_not(None), literal(municipal))),
        Feed.active,
        Feed.origin != FeedOrigin.FORM,
    )
    return list(session.scalars(query.order_by(Feed.key)))


def silent_sources(session: Session, keys: Collection[str], issue: Issue) -> list[Silent]:
    """Those of these feeds that are broken, or had nothing new since the issue before this one."""
    before = session.scalar(
        select(func.max(Issue.created_at)).where(
            Issue.newsletter == issue.newsletter,
            Issue.for_list == "",
            Issue.created_at < issue.created_at,
            Issue.state != IssueState.CANCELLED,
        )
    )
    rows = session.execute(
        select(Feed, func.max(Item.first_seen_at))
        .outerjoin(Item, Item.feed_key == Feed.key)
        .where(Feed.key.in_(keys))
        .group_by(Feed.key)
        .order_by(Feed.key)
    )
    found = []
    for feed, last in rows:
        if feed.state is FeedState.BROKEN:
            found.append(Silent(feed.title or feed.key, feed.problem, feed.broken_since))
        elif last is None or (before is not None and last <= before):
            found.append(Silent(feed.title or feed.key, "", last))
    return found


def changed_entries(session: Session, issue: Issue) -> Sequence[Entry]:
    """The placed entries whose feed says something else by now."""
    return session.scalars(
        select(Entry)
        .join(Item, Item.id == Entry.item_id)
        .where(Entry.issue_id == issue.id, Entry.state == EntryState.PLACED, Entry.item_digest != Item.digest)
        .order_by(Entry.section_position, Entry.position)
    ).all()
