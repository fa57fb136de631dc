"""`serve`: roles that share a process, and the worker beside them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from mailer import clock
from mailer.daemon.children import supervised_worker
from mailer.daemon.pages import serve_pages
from mailer.daemon.signals import stop_signal
from mailer.inbox import serve_inbox
from mailer.installation import Installation, listen_on, open_arrivals, open_pool
from mailer.planfile import Standing
from mailer.receipts.intake import serve_intake
from mailer.receipts.listening import Speaks

log = structlog.get_logger()

#: seconds between two looks for what is due
_EVERY = {
    "lapse": 3600,
    "ask": 3600,
    "retain": 3600,
    "feeds": 30,
    "compose": 10,
    "suggest": 60,
    "forewords": 60,
    "remind": 10,
    "start": 5,
    "alarm": 5,
    "archive": 10,
    "contributors": 60,
    "requests": 1,
    "receipts": 1,
}
#: seconds between two looks into mailboxes that others deliver into
_MAILBOXES = 60
#: seconds that looks under way are given to end
_GRACE = 30


def _now() -> datetime:
    return datetime.now(UTC)


async def serve(
    house: Installation, *, web: bool = True, timer: bool = True, intake: bool = True, worker: bool = True
) -> None:
    """Run these roles together until told to stop."""
    stop = stop_signal()
    settings = house.settings
    # what is wrong with the settings is found before anything runs
    await open_pool(settings).close()
    async with contextlib.AsyncExitStack() as running:
        pages = listen_on("HTTP_LISTEN", settings.http_listen) if web else None
        if settings.inbox_listen:
            inbox = listen_on("INBOX_LISTEN", settings.inbox_listen)
            await running.enter_async_context(serve_inbox(inbox))
        if intake:
            await running.enter_async_context(_intake(house))
        if pages:
            await running.enter_async_context(serve_pages(house, pages, stop))
        if timer:
            clock.sync_feeds(house)
            standing = Standing(house, taken_up=clock.sync_feeds)
            await running.enter_async_context(standing.followed())
            await running.enter_async_context(_clock(standing))
        if worker:
            await running.enter_async_context(supervised_worker(stop))
        await stop.wait()
    log.info("serve.stopped")


@contextlib.asynccontextmanager
async def _intake(house: Installation) -> AsyncIterator[None]:
    settings = house.settings
    clock.mailboxes(house)  # raises what is wrong with them
    doors = [
        (listen_on(name, value), speaks)
        for name, value, speaks in (
            ("LMTP_LISTEN", settings.lmtp_listen, Speaks.LMTP),
            ("SMTP_LISTEN", settings.smtp_listen, Speaks.SMTP),
        )
        if value
    ]
    arrivals = open_arrivals(settings)
    return_path = house.letterhead.return_path
    looking = asyncio.create_task(_look_into_mailboxes(house))
    try:
        async with serve_intake(
            house.database, arrivals, return_path, doors, now=_now, name=settings.hello_name
        ):
            yield
    finally:
        looking.cancel()


async def _look_into_mailboxes(house: Installation) -> None:
    while clock.mailboxes(house):
        try:
            await asyncio.to_thread(clock.collect, house, now=_now())
        except Exception:
            log.exception("clock.failed", job="collect")
        await asyncio.sleep(_MAILBOXES)


@contextlib.asynccontextmanager
async def _clock(standing: Standing) -> AsyncIterator[None]:
    """APScheduler in memory; it only looks for what is due. What is due is in the database."""
    jobs: dict[str, Callable[[], Awaitable[object]]] = {
        "lapse": lambda: asyncio.to_thread(clock.lapse_offices, standing.house, now=_now()),
        "ask": lambda: asyncio.to_thread(clock.ask_holders, standing.house, now=_now()),
        # it waits for others, so it stays in the loop: there the end of `serve` can break it off
        "feeds": lambda: clock.refresh_feeds(standing.house, now=_now()),
        "compose": lambda: asyncio.to_thread(clock.compose_due, standing.house, now=_now()),
        "suggest": lambda: asyncio.to_thread(clock.suggest_new, standing.house, now=_now()),
        "forewords": lambda: asyncio.to_thread(clock.settle_forewords, standing.house, now=_now()),
        "remind": lambda: asyncio.to_thread(clock.remind, standing.house, now=_now()),
        "start": lambda: asyncio.to_thread(clock.start_due, standing.house, now=_now()),
        "alarm": lambda: asyncio.to_thread(clock.alarm, standing.house, now=_now()),
        "archive": lambda: asyncio.to_thread(clock.archive_sent, standing.house, now=_now()),
        "contributors": lambda: asyncio.to_thread(clock.tell_contributors, standing.house, now=_now()),
        "requests": lambda: asyncio.to_thread(clock.answer_requests, standing.house, now=_now()),
        "receipts": lambda: asyncio.to_thread(clock.read_receipts, standing.house, now=_now()),
        "retain": lambda: asyncio.to_thread(clock.retain, standing.house, now=_now()),
    }
    looking: set[asyncio.Task[None]] = set()
    scheduler = AsyncIOScheduler(timezone=UTC)
    for name, job in jobs.items():
        scheduler.add_job(
            _guarded,
            "interval",
            args=[name, job, looking],
            seconds=_EVERY[name],
            next_run_time=_now(),
            # a late look is as good as one in time, and one at a time is enough
            misfire_grace_time=None,
            coalesce=True,
            max_instances=1,
        )
    scheduler.start()
    try:
        yield
    finally:
        scheduler.shutdown(wait=False)
        if looking:
            await asyncio.wait(looking, timeout=_GRACE)


async def _guarded(name: str, job: Callable[[], Awaitable[object]], looking: set[asyncio.Task[None]]) -> None:
    """One failed look is written down and does not end the clock."""
    task = asyncio.current_task()
    assert task is not None
    looking.add(task)
    try:
        await job()
    except asyncio.CancelledError:
        pass  # `serve` ends; what this look did not finish is still due at the next start
    except Exception:
        log.exception("clock.failed", job=name)
    finally:
        looking.discard(task)
