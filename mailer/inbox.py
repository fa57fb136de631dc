"""A local inbox for trying out: takes every mail by SMTP and files it in a Maildir."""

import asyncio
import contextlib
import mailbox
import socket
from collections.abc import AsyncIterator
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

#: bytes that hold the two lines put before each mail
_HEAD = 2000


class _Filing:
    """One file a mail, in the Maildir's way (written to tmp, then moved to new)."""

    def __init__(self, folder: Path) -> None:
        self._mailbox = mailbox.Maildir(folder)

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802  aiosmtpd's name
        content = envelope.original_content or b""
        head = f"Return-Path: <{envelope.mail_from}>\r\nDelivered-To: {envelope.rcpt_tos[0]}\r\n"
        await asyncio.to_thread(self._mailbox.add, head.encode() + content)
        return "250 2.0.0 filed"


def forget(address: str, folder: Path = Path("inbox")) -> int:
    """Delete the mails to a normalised address; how many it was. Elsewhere they would lie with its owner."""
    wanted = f"\r\ndelivered-to: {address}\r\n".encode()
    forgotten = 0
    for path in (*folder.glob("new/*"), *folder.glob("cur/*")):
        with path.open("rb") as mail:
            head = mail.read(_HEAD)
        # Maildir files have the line ends of this system
        if wanted in b"\r\n".join(head.lower().splitlines()) + b"\r\n":
            path.unlink()
            forgotten += 1
    return forgotten


@contextlib.asynccontextmanager
async def serve_inbox(listening: socket.socket, folder: Path = Path("inbox")) -> AsyncIterator[None]:
    """Take SMTP on a listening socket and file into `folder` until the block ends."""
    filing = _Filing(folder)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(filing, enable_SMTPUTF8=True, ident="Infomail inbox", loop=loop), sock=listening
    )
    try:
        yield
    finally:
        server.close()
        await server.wait_closed()
