"""The public pages, and what they count."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator

import structlog
import uvicorn
from sqlalchemy.exc import DBAPIError

from mailer.archive.views import Views, add_views
from mailer.database import Database
from mailer.installation import Installation
from mailer.web.app import create_app

log = structlog.get_logger()

#: seconds between two times that what was counted is written down
_WRITE = 60


@contextlib.asynccontextmanager
async def serve_pages(
    house: Installation, listening: socket.socket, stop: asyncio.Event
) -> AsyncIterator[None]:
    """Answer on `listening` until the block ends, or the server does and sets `stop`."""
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
        await asyncio.sleep(_WRITE)
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
