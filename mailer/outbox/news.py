"""Tell workers on PostgreSQL that there is something to do, so that none waits for its next look.

NOTIFY is sent with the COMMIT of who made the deliveries, or lets an issue go on. It is a hint and no
more: a worker that hears nothing, on SQLite or after a lost connection, looks for itself.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from sqlalchemy import Connection, func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from mailer.database import Database

_CHANNEL = "infomail_outbox"
#: seconds until a connection that was lost, or could not be had, is asked for again
_AGAIN = 5.0


def announce(session: Session) -> None:
    """There will be something to deliver when this transaction is committed."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_notify(_CHANNEL, "")))


@contextlib.asynccontextmanager
async def heard(database: Database, news: asyncio.Event) -> AsyncIterator[None]:
    """`news` is set when something was announced, while the block lasts."""
    if database.engine.dialect.name != "postgresql":
        yield
        return
    listening = asyncio.create_task(_listen(database, news))
    try:
        yield
    finally:
        listening.cancel()
        await asyncio.wait({listening})


async def _listen(database: Database, news: asyncio.Event) -> None:
    # the driver's own error, where the connection ends while it is listened to
    lost = DBAPIError, database.engine.dialect.loaded_dbapi.Error
    while True:
        with contextlib.suppress(*lost):
            connection = await asyncio.to_thread(_ask, database)
            try:
                await _hear(connection.connection.dbapi_connection, news)
            finally:
                connection.close()
        await asyncio.sleep(_AGAIN)


def _ask(database: Database) -> Connection:
    """A connection of its own that listens: one of the pool would take its news to whoever gets it next."""
    connection = database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    connection.detach()
    connection.exec_driver_sql(f"LISTEN {_CHANNEL}")
    return connection


async def _hear(driver: Any, news: asyncio.Event) -> None:
    """Until the connection is lost."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    file = driver.fileno()
    loop.add_reader(file, ready.set)
    try:
        # what was announced before this connection listened
        news.set()
        while True:
            await ready.wait()
            ready.clear()
            driver.pgconn.consume_input()
            while driver.pgconn.notifies() is not None:
                news.set()
    finally:
        loop.remove_reader(file)
