"""The processes: `serve` runs web, clock and intake in this one and the worker in a child.

A busy thread beside SQLite's queries would cost the pages their speed; a process of its own
does not, and it can be killed and started again without them.
"""

import asyncio
import contextlib
import os
import secrets
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime

import structlog
import uvicorn
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from sqlalchemy.exc import DBAPIError

from mailer import clock
from mailer.archive.views import Views, add_views
from mailer.database import Database
from mailer.inbox import serve_inbox
from mailer.installation import Installation, domain_limits, listen_on, open_arrivals, open_pool
from mailer.outbox.deliver import Worker, recover
from mailer.outbox.retry import RetryPolicy
from mailer.planfile import Standing
from mailer.receipts.intake import serve_intake
from mailer.receipts.listening import Speaks

log = structlog.get_logger()

#: seconds between two looks for what is due, or for what was counted
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
    "views": 60,
    "contributors": 60,
    "requests": 1,
    "receipts": 1,
}
#: seconds between two looks into mailboxes that others deliver into
_MAILBOXES = 60
#: seconds a worker that died is waited for before the next start, doubled each time up to the last
_RESTART = (1, 2, 4, 8, 16, 32, 60)
#: seconds a child is given to finish what it has in flight
_GRACE = 30


def _now() -> datetime:
    return datetime.now(UTC)


def make_worker(house: Installation) -> Worker:
    """A worker of this installation, after dead ones' journals have been replayed."""
    recover(house.database, house.settings.spool, retry=RetryPolicy(), now=_now())
    return Worker(
        name=f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}",
        database=house.database,
        pool=open_pool(house.settings),
        spool=house.settings.spool,
        keys=house.signing,
        letterhead=house.letterhead,
        now=_now,
        zone=house.plan.timezone,
        signer=house.signer,
        domain_limits=domain_limits(house.settings),
        error_rate=house.settings.error_rate,
    )


async def drain(house: Installation) -> None:
    """Deliver until nothing is due now."""
    worker = make_worker(house)
    try:
        await worker.drain()
    finally:
        await worker.close()


async def run_worker(house: Installation, *, as_child: bool = False) -> None:
    """Deliver until told to stop; a child also stops when its parent is gone."""
    stop = _stop_signal()
    if as_child:
        await _stop_at_end_of_stdin(stop)
    worker = make_worker(house)
    log.info("worker.started", worker=worker.name)

    def take_up(changed: Installation) -> None:
        worker.zone = changed.plan.timezone

    try:
        async with Standing(house, taken_up=take_up, logs=not as_child).followed():
            await worker.run(stop)
    finally:
        await worker.close()
        log.info("worker.stopped", worker=worker.name)


async def run_workers(processes: int) -> None:
    """Deliver by this many processes, each started again when it dies, until told to stop."""
    stop = _stop_signal()
    async with contextlib.AsyncExitStack() as running:
        for _ in range(processes):
            await running.enter_async_context(_supervised_worker(stop))
        await stop.wait()


async def serve(
    house: Installation, *, web: bool = True, timer: bool = True, intake: bool = True, worker: bool = True
) -> None:
    """Run these roles together until told to stop."""
    stop = _stop_signal()
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
            await running.enter_async_context(_supervised_worker(stop))
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


@contextlib.asynccontextmanager
async def serve_pages(
    house: Installation, listening: socket.socket, stop: asyncio.Event
) -> AsyncIterator[None]:
    """Answer on `listening` until the block ends, or the server does and sets `stop`."""
    from mailer.web.app import create_app  # a worker needs no pages

    views = Views()
    server = _Pages(
        uvicorn.Config(
            create_app(house.settings, house.database, zone=house.plan.timezone, views=views),
            log_config=None,  # its own writes no JSON
            log_level="warning",
            access_log=False,  # it would write every token into a file
            proxy_headers=True,
            forwarded_allow_ips=house.settings.trusted_proxies,
            server_header=False,
        )
    )
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    serving.add_done_callback(lambda _: stop.set())
    log.info("web.started", url=house.settings.public_url)
    counting = asyncio.create_task(_keep_writing(house.database, views))
    try:
        yield
    finally:
        server.should_exit = True
        await serving
        counting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await counting
        await asyncio.to_thread(write_views, house.database, views)


async def _keep_writing(database: Database, views: Views) -> None:
    """Write down now and then what the pages counted: their own sessions cannot write."""
    while True:
        await asyncio.sleep(_EVERY["views"])
        await asyncio.to_thread(write_views, database, views)


def write_views(database: Database, views: Views) -> None:
    """Put what was counted on record; what cannot be written now is counted on."""
    counted = views.take()
    if not counted:
        return
    try:
        with database.write() as session:
            add_views(session, counted)
    except DBAPIError:
        views.give_back(counted)
        log.exception("views.not_written")


class _Pages(uvicorn.Server):
    """Leaves the signals alone: `serve` stops all its roles in order."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.asynccontextmanager
async def _supervised_worker(stop: asyncio.Event) -> AsyncIterator[None]:
    """A worker process that is started again when it dies; it ends when its stdin does."""
    task = asyncio.create_task(_supervise(stop))
    try:
        yield
    finally:
        stop.set()
        await task


async def _supervise(stop: asyncio.Event) -> None:
    deaths = 0
    while not stop.is_set():
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "mailer", "worker", "--child", stdin=asyncio.subprocess.PIPE
        )
        started = asyncio.get_running_loop().time()
        ended = asyncio.create_task(child.wait())
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not ended.done():
            child.terminate()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(ended), _GRACE)
            if not ended.done():
                child.kill()
            await ended
            return
        long_lived = asyncio.get_running_loop().time() - started > _RESTART[-1]
        deaths = 1 if long_lived else deaths + 1
        delay = _RESTART[min(deaths, len(_RESTART)) - 1]
        log.error("worker.died", code=ended.result(), restart_in=delay)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), delay)


def _stop_signal() -> asyncio.Event:
    """An event that SIGTERM and SIGINT set."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    return stop


async def _stop_at_end_of_stdin(stop: asyncio.Event) -> None:
    """The parent holds the other end of our stdin and lets go of it whatever way it dies."""
    loop = asyncio.get_running_loop()

    def on_stdin() -> None:
        if not os.read(0, 1024):
            loop.remove_reader(0)
            stop.set()

    loop.add_reader(0, on_stdin)
