"""From feed addresses to items: fetch what is due, read it, store each entry once.

A feed that is broken says so on its own row and stops nothing else. Fetching is concurrent;
the database is met once before and once after each fetch.
"""

import asyncio
import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from html import unescape
from textwrap import shorten
from urllib.parse import urlsplit

import nh3
from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from mailer import schedule
from mailer.database import Database
from mailer.feeds.fetch import Fetched, FetchProblem, NotModified, Policy, fetch
from mailer.feeds.model import Feed, FeedOrigin, FeedState, Item
from mailer.feeds.parse import NotAFeed, ParsedFeed, ParsedItem, parse
from mailer.render.sanitize import clean_html

#: fetches under way at once
_CONCURRENT = 8
#: a broken feed is tried again after its usual time, doubled for each failure up to this
_LONGEST_WAIT = timedelta(days=1)
#: characters of the title that an item without one gets from its text
_TITLE = 80


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What became of one feed: how many items are new and changed, or what the problem was."""

    feed: str
    new: int = 0
    changed: int = 0
    problem: str = ""


def upsert_feeds(session: Session, feeds: Iterable[schedule.Feed]) -> None:
    """Bring the feeds of the plan into the table; those it names no longer are kept but not fetched."""
    known = {feed.key: feed for feed in session.scalars(select(Feed))}
    for planned in feeds:
        feed = known.pop(planned.key, None)
        if feed is None:
            feed = Feed(key=planned.key)
            session.add(feed)
        elif feed.url != planned.url:
            feed.etag = feed.last_modified = ""
            feed.next_at = None
        feed.url = planned.url
        feed.title = planned.title or feed.title or ""
        feed.every = int(planned.every.total_seconds())
        feed.municipality, feed.places = planned.municipality, list(planned.places)
        feed.internal, feed.allow_private, feed.active = planned.internal, planned.allow_private, True
    gone = [key for key, feed in known.items() if feed.origin is FeedOrigin.PLAN]
    session.execute(update(Feed).where(Feed.key.in_(gone)).values(active=False))


def due_feeds(session: Session, now: datetime | None) -> list[Feed]:
    """The active feeds to be fetched now; all of them where `now` is None."""
    query = select(Feed).where(Feed.active, Feed.url != "")
    if now is not None:
        query = query.where(or_(Feed.next_at.is_(None), Feed.next_at <= now))
    return list(session.scalars(query.order_by(Feed.key)))


async def refresh(
    database: Database,
    feeds: Sequence[Feed],
    *,
    policy: Policy,
    now: Callable[[], datetime],
) -> list[Refreshed]:
    """Fetch these feeds and store what is new."""
    limit = asyncio.Semaphore(_CONCURRENT)

    async def one(feed: Feed) -> Refreshed:
        async with limit:
            try:
                answer = await _fetch(
                    feed, policy, await asyncio.to_thread(_known, database, feed.key), now()
                )
            except (FetchProblem, NotAFeed) as problem:
                return await asyncio.to_thread(_mark_broken, database, feed.key, str(problem), now())
        return await asyncio.to_thread(_store, database, feed.key, answer, now())

    return list(await asyncio.gather(*(one(feed) for feed in feeds)))


def _known(database: Database, key: str) -> frozenset[str]:
    with database.read() as session:
        return frozenset(session.scalars(select(Item.identity).where(Item.feed_key == key)))


async def _fetch(
    feed: Feed, policy: Policy, known: frozenset[str], now: datetime
) -> tuple[Fetched, ParsedFeed] | None:
    address = urlsplit(feed.url)
    if feed.allow_private and address.hostname:
        # the operator named this host and port in the plan; a redirect elsewhere stays refused
        policy = replace(
            policy,
            allow_private=policy.allow_private | {address.hostname},
            allowed_ports=policy.allowed_ports | {address.port or 443},
        )
    answer = await fetch(feed.url, policy=policy, etag=feed.etag, last_modified=feed.last_modified)
    if isinstance(answer, NotModified):
        return None
    # parsing is work for the processor, not for the loop that other fetches wait on
    parsed = await asyncio.to_thread(
        parse,
        answer.body,
        content_type=answer.content_type,
        url=answer.final_url,
        known=known,
        now=now,
    )
    return answer, parsed


def _mark_broken(database: Database, key: str, problem: str, now: datetime) -> Refreshed:
    with database.write() as session:
        feed = session.get_one(Feed, key)
        feed.state, feed.problem, feed.fetched_at = FeedState.BROKEN, problem, now
        feed.failures += 1
        wait = timedelta(seconds=feed.every * 2 ** min(feed.failures - 1, 10))
        feed.next_at = now + min(wait, max(_LONGEST_WAIT, timedelta(seconds=feed.every)))
    return Refreshed(key, problem=problem)


def _store(
    database: Database,
    key: str,
    answer: tuple[Fetched, ParsedFeed] | None,
    now: datetime,
) -> Refreshed:
    with database.write() as session:
        feed = session.get_one(Feed, key)
        feed.state, feed.failures, feed.problem = FeedState.OK, 0, ""
        feed.fetched_at, feed.next_at = now, now + timedelta(seconds=feed.every)
        if answer is None:
            return Refreshed(key)
        fetched, parsed = answer
        feed.etag, feed.last_modified = fetched.etag, fetched.last_modified
        feed.title = feed.title or parsed.title or key
        feed.problem = "; ".join(parsed.problems)
        return _upsert_items(session, feed, parsed.items, fetched.final_url, now)


def _upsert_items(
    session: Session,
    feed: Feed,
    items: Sequence[ParsedItem],
    base_url: str,
    now: datetime,
) -> Refreshed:
    known = {item.identity: item for item in session.scalars(select(Item).where(Item.feed_key == feed.key))}
    baseline = not known
    new = changed = 0
    for parsed in items:
        summary = clean_html(parsed.summary, base_url=parsed.url or base_url)
        title = parsed.title or shorten(unescape(nh3.clean(summary, tags=set())), _TITLE, placeholder=" …")
        if not title:
            continue  # nothing a reader could see
        digest = _digest(title, summary, parsed)
        item = known.get(parsed.identity)
        if item is None:
            item = Item(feed_key=feed.key, identity=parsed.identity, first_seen_at=now, baseline=baseline)
            session.add(item)
            known[parsed.identity] = item
            new += 1
        elif item.digest == digest:
            item.fetched_at = now
            continue
        else:
            changed += 1
        item.title, item.url, item.summary, item.digest = title, parsed.url, summary, digest
        item.published, item.updated = parsed.published, parsed.updated
        item.starts, item.ends, item.location = parsed.starts, parsed.ends, parsed.location
        item.categories = list(parsed.categories)
        item.places, item.municipality, item.internal = list(feed.places), feed.municipality, feed.internal
        item.fetched_at = now
    return Refreshed(feed.key, new=new, changed=changed)


def _digest(title: str, summary: str, parsed: ParsedItem) -> str:
    """SHA-256 of what a reader sees; equal for the same text brought by two feeds."""
    seen = [title, summary, str(parsed.starts), str(parsed.ends), parsed.location]
    return hashlib.sha256(json.dumps(seen, ensure_ascii=False).encode()).hexdigest()
