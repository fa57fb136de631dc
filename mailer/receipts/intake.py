"""What comes back, stored as it came in.

    LMTP, SMTP    listening -+
    IMAP          imap ------+-> arrivals (files, synced: now it is ours) -> take -> receipts (rows)
    Maildir       maildir ---+

and a mail server's pipe, which waits for the row. What is done about a receipt is not decided here.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.database import Database
from mailer.receipts.arrivals import Arrival, Arrivals
from mailer.receipts.listening import Limits, Speaks, Taking, listen
from mailer.receipts.model import Receipt
from mailer.receipts.returnpath import ReturnPath

log = structlog.get_logger()

_BATCH = 50
#: seconds until what waits is looked for again when nothing says that it came, or when storing failed
_LOOK = 5


def take(session: Session, raw: bytes, *, recipient: str, sender: str, now: datetime) -> bool:
    """Store one mail. Returns False for one that is stored already: a replay changes nothing."""
    digest = Arrival(raw, recipient, sender, now).digest
    if session.scalar(select(Receipt.id).where(Receipt.digest == digest)) is not None:
        return False
    session.add(
        Receipt(
            digest=digest,
            recipient=_storable(recipient),
            sender=_storable(sender),
            raw=raw,
            received_at=now,
        )
    )
    return True


def _storable(address: str) -> str:
    """Without what no database takes as text: bytes that were no UTF-8, and NUL."""
    return address.encode("utf-8", "replace").decode().replace("\0", "")


def store_arrivals(database: Database, arrivals: Arrivals) -> int:
    """Move what has arrived into the database; how many mails were new.

    A file is removed when its row is committed. Who dies in between finds both, and the row's key
    makes the file change nothing.
    """
    stored = 0
    while batch := list(arrivals.waiting(_BATCH)):
        with database.write() as session:
            for _, each in batch:
                stored += take(
                    session, each.raw, recipient=each.recipient, sender=each.sender, now=each.received_at
                )
        for path, _ in batch:
            arrivals.done(path)
    return stored


@contextlib.asynccontextmanager
async def serve_intake(
    database: Database,
    arrivals: Arrivals,
    return_path: ReturnPath,
    doors: Sequence[tuple[socket.socket, Speaks]],
    *,
    now: Callable[[], datetime],
    name: str = "localhost",
    limits: Limits | None = None,
) -> AsyncIterator[None]:
    """Take mail on listening sockets and bring what has arrived into the database, until the block ends."""
    loop = asyncio.get_running_loop()
    arrived = asyncio.Event()

    def keep(arrival: Arrival) -> None:
        arrivals.keep(arrival)
        loop.call_soon_threadsafe(arrived.set)

    taking = Taking(return_path, keep, arrivals.has_room, now)
    storing = asyncio.create_task(_keep_storing(database, arrivals, arrived))
    try:
        async with listen(doors, taking, name=name, limits=limits or Limits()):
            yield
    finally:
        storing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await storing
        await _store(database, arrivals)


async def _keep_storing(database: Database, arrivals: Arrivals, arrived: asyncio.Event) -> None:
    while True:
        arrived.clear()
        await _store(database, arrivals)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(arrived.wait(), _LOOK)


async def _store(database: Database, arrivals: Arrivals) -> None:
    try:
        await asyncio.to_thread(store_arrivals, database, arrivals)
    except Exception:
        # it stays where it is: a database that does not answer now loses nothing
        log.exception("intake.not_stored")
        await asyncio.sleep(_LOOK)
