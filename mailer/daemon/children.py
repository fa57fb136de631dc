"""Workers as children of this process: each is started again when it dies."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator

import structlog

from mailer.daemon.signals import stop_signal

log = structlog.get_logger()

#: seconds a worker that died is waited for before the next start, doubled each time up to the last
_RESTART = (1, 2, 4, 8, 16, 32, 60)
#: seconds a child is given to finish what it has in flight
_GRACE = 30


async def run_workers(processes: int) -> None:
    """Deliver by this many processes, each started again when it dies, until told to stop."""
    stop = stop_signal()
    async with contextlib.AsyncExitStack() as running:
        for _ in range(processes):
            await running.enter_async_context(supervised_worker(stop))
        await stop.wait()


@contextlib.asynccontextmanager
async def supervised_worker(stop: asyncio.Event) -> AsyncIterator[None]:
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
