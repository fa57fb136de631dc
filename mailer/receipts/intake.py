"""What comes back, stored as it came in: by LMTP, or from a mail server's pipe.

A mail is answered with 250 only when it is in the database: whoever handed it over may forget
it then. Only addresses of our return path are taken (no open relay).
"""

import asyncio
import contextlib
import hashlib
import socket
from collections.abc import AsyncIterator, Callable
from datetime import datetime

from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Envelope
from aiosmtpd.smtp import Session as Connection
from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.database import Database
from mailer.receipts.model import Receipt
from mailer.receipts.returnpath import ReturnPath

#: bytes of the largest mail taken; a bounce that returns a whole issue is far below
LARGEST = 2_000_000


def take(session: Session, raw: bytes, *, recipient: str, sender: str, now: datetime) -> bool:
    """Store one mail. Returns False for one that is stored already: a replay changes nothing."""
    digest = hashlib.sha256(recipient.lower().encode() + b"\0" + raw).hexdigest()
    if session.scalar(select(Receipt.id).where(Receipt.digest == digest)) is not None:
        return False
    session.add(Receipt(digest=digest, recipient=recipient, sender=sender, raw=raw, received_at=now))
    return True


@contextlib.asynccontextmanager
async def serve_intake(
    database: Database, return_path: ReturnPath, listening: socket.socket, *, now: Callable[[], datetime]
) -> AsyncIterator[None]:
    """Take LMTP on a listening socket until the block ends."""
    taking = _Taking(database, return_path, now)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: _Lmtp(taking, data_size_limit=LARGEST, enable_SMTPUTF8=True, ident="Infomail", loop=loop),
        sock=listening,
    )
    try:
        yield
    finally:
        server.close()
        await server.wait_closed()


class _Lmtp(LMTP):
    """Takes lines of any length: what a bounce returns need not keep to 1,000 octets (RFC 5321 4.5.3.1.6)."""

    line_length_limit = LARGEST


class _Taking:
    def __init__(self, database: Database, return_path: ReturnPath, now: Callable[[], datetime]) -> None:
        self._database = database
        self._return_path = return_path
        self._now = now

    # aiosmtpd gives the names
    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _connection: Connection, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if not self._return_path.accepts(address):
            return "550 5.1.1 no such address here"
        if len(envelope.rcpt_tos) >= 100:
            return "452 4.5.3 too many recipients"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, _server: SMTP, _connection: Connection, envelope: Envelope) -> str:  # noqa: N802
        # LMTP wants a reply for each recipient (RFC 2033 4.2)
        replies = [await asyncio.to_thread(self._take, envelope, address) for address in envelope.rcpt_tos]
        return "\r\n".join(replies)

    async def handle_exception(self, error: Exception) -> str:
        return f"451 4.3.0 {type(error).__name__}: try again later"

    def _take(self, envelope: Envelope, address: str) -> str:
        try:
            with self._database.write() as session:
                take(
                    session,
                    envelope.original_content or b"",
                    recipient=address,
                    sender=envelope.mail_from or "",
                    now=self._now(),
                )
        except Exception as error:
            # whatever kept it out of the database: the sender keeps it and comes again
            return f"451 4.3.0 {type(error).__name__}: try again later"
        return "250 2.0.0 stored"
