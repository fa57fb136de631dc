"""From feed addresses to items: fetch what is due, read it, store each entry once.

A feed that is broken says so on its own row and stops nothing else. Many hosts are asked at once, each of
them gently (hosts.py). What is work for the processor and for the database goes through one thread beside
the loop, so that neither waits behind the other's fetches.
"""

import asyncio
import ssl
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from mailer import schedule
from mailer.database import Database
from mailer.feeds.charset import decode
from mailer.feeds.discover import announced, asks_to_log_in
from mailer.feeds.fetch import Fetched, FetchProblem, NotModified, Policy, admitting, fetch, trusted
from mailer.feeds.held import held_line
from mailer.feeds.hosts import Turns, host_of, rests_until
from mailer.feeds.model import Feed, FeedOrigin, FeedState, Item
from mailer.feeds.parse import NotAFeed, parse
from mailer.feeds.parsed import Problems
from mailer.feeds.store import prepare, upsert_items

#: a broken feed is tried again after its usual time, doubled for each failure up to this
_LONGEST_WAIT = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What became of one feed: how many items are new and changed, or what the problem was.

    `held` of the new ones are a flood and wait for staff.
    """

    feed: str
    new: int = 0
    changed: int = 0
    problem: str = ""
    held: int = 0


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
    """Fetch these feeds and store what is new. One result a feed, in their order.

    What nobody foresaw is raised when all others are done.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="feeds") as desk:
        round_ = _Round(database, policy, now, desk, Turns(policy.host_pause))
        done = await asyncio.gather(*(round_.one(feed) for feed in feeds), return_exceptions=True)
    for one in done:
        if isinstance(one, BaseException):
            raise one
    return [one for one in done if isinstance(one, Refreshed)]


@dataclass
class _Round:
    """What the fetches of one refresh share."""

    database: Database
    policy: Policy
    now: Callable[[], datetime]
    desk: Executor
    turns: Turns
    trust: asyncio.Future[ssl.SSLContext] | None = None
    #: hosts that asked to be left alone, and until when
    resting: dict[str, datetime] = field(default_factory=dict)

    async def one(self, feed: Feed) -> Refreshed:
        host = host_of(feed.url)
        async with self.turns.turn(host):
            if until := self.resting.get(host):  # its next fetch was put off with all others of the host
                return Refreshed(feed.key, problem=f"{host} wants to be left alone until {until:%H:%M} UTC")
            try:
                answer = await self._fetch(feed)
            except FetchProblem as problem:
                until = rests_until(problem.retry_after, self.now())
                if until:
                    self.resting[host] = until
                return await self._at_desk(_mark_broken, feed.key, problem.message, self.now(), until)
            # within the turn: bodies that wait to be read are no more than fetches at once
            return await self._at_desk(_take_in, feed, answer, self.now())

    async def _fetch(self, feed: Feed) -> Fetched | NotModified:
        policy = self.policy
        if feed.allow_private:  # the operator named this host and port; a redirect elsewhere stays refused
            policy = admitting(policy, feed.url)
        return await fetch(
            feed.url,
            policy=policy,
            etag=feed.etag,
            last_modified=feed.last_modified,
            trust=await self._trusted(),
        )

    async def _trusted(self) -> ssl.SSLContext:
        if self.trust is None:  # the first to come makes it; the others wait for the same
            self.trust = asyncio.ensure_future(asyncio.to_thread(trusted, self.policy.ca_bundle))
        return await asyncio.shield(self.trust)

    async def _at_desk(self, work: Callable[..., Refreshed], *told: object) -> Refreshed:
        return await asyncio.get_running_loop().run_in_executor(self.desk, work, self.database, *told)


def _take_in(database: Database, feed: Feed, answer: Fetched | NotModified, now: datetime) -> Refreshed:
    """Read what came and store it."""
    if isinstance(answer, NotModified):
        return _mark_unchanged(database, feed.key, now)
    with database.read() as session:
        known = frozenset(session.scalars(select(Item.identity).where(Item.feed_key == feed.key)))
    try:
        parsed = parse(
            answer.body, content_type=answer.content_type, url=answer.final_url, known=known, now=now
        )
    except NotAFeed as problem:
        return _mark_broken(database, feed.key, _explained(problem, answer), now, None)
    items = prepare(parsed.items, answer.final_url)
    with database.write() as session:
        row = session.get_one(Feed, feed.key)
        _mark_ok(row, now)
        row.etag, row.last_modified = answer.etag, answer.last_modified
        row.title = row.title or parsed.title or row.key
        stored = upsert_items(session, row, items, now)
        session.flush()
        moved = [f"moved for good to {answer.final_url}"] if answer.moved_permanently else []
        row.problem = "; ".join([*held_line(session, row.key), *moved, *parsed.problems])
    return Refreshed(feed.key, new=stored.new, changed=stored.changed, held=stored.held)


def _explained(problem: NotAFeed, answer: Fetched) -> str:
    """Why it is no feed; of a page also whether somebody must log in, and where it says that its feed is."""
    if problem.reason != "an HTML page":
        return f"not a feed: {problem.reason}"
    page = decode(answer.body, answer.content_type, Problems())
    kind = "a log-in page" if asks_to_log_in(page) else "an HTML page"
    feeds = announced(page, answer.final_url)
    return f"{kind}, not a feed" + (f"; it announces {feeds[0].url}" if feeds else "")


def _mark_ok(feed: Feed, now: datetime) -> None:
    feed.state, feed.failures, feed.broken_since = FeedState.OK, 0, None
    feed.fetched_at, feed.next_at = now, now + timedelta(seconds=feed.every)


def _mark_unchanged(database: Database, key: str, now: datetime) -> Refreshed:
    with database.write() as session:
        feed = session.get_one(Feed, key)
        if feed.state is FeedState.BROKEN:  # else what was mended at the last reading is still true
            feed.problem = "; ".join(held_line(session, key))
        _mark_ok(feed, now)
    return Refreshed(key)


def _mark_broken(
    database: Database, key: str, problem: str, now: datetime, rests: datetime | None
) -> Refreshed:
    """Say what is wrong; `rests` is until when its host wants to be left alone, all feeds of it."""
    with database.write() as session:
        feed = session.get_one(Feed, key)
        feed.state, feed.problem, feed.fetched_at = FeedState.BROKEN, problem, now
        feed.failures, feed.broken_since = feed.failures + 1, feed.broken_since or now
        wait = timedelta(seconds=feed.every * 2 ** min(feed.failures - 1, 10))
        feed.next_at = now + min(wait, max(_LONGEST_WAIT, timedelta(seconds=feed.every)))
        if rests:
            for other in session.scalars(select(Feed).where(Feed.active, Feed.url != "")):
                if host_of(other.url) == host_of(feed.url):
                    other.next_at = max(other.next_at or rests, rests)
    return Refreshed(key, problem=problem)
