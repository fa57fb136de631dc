"""Takes mail by LMTP (RFC 2033) or SMTP (RFC 5321) on sockets that listen, within limits.

A mail is taken for addresses of our return path only, and answered with 250 when `keep` has returned
for it. A full disk is 452, any failure of ours 451, and neither says why: the sender keeps the mail and
comes again. aiosmtpd speaks the protocol; what it leaves open is closed here: how many connections there
are, how long one lasts, how many bytes a mail without an end may bring, and in LMTP an answer for each
recipient to everything that follows DATA.
"""

import asyncio
import contextlib
import enum
import errno
import ipaddress
import socket
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Envelope
from aiosmtpd.smtp import Session as Connection

from mailer.receipts.arrivals import LARGEST, Arrival
from mailer.receipts.returnpath import ReturnPath

log = structlog.get_logger()

_LATER = "451 4.3.0 try again later"
_NO_SPACE = "452 4.3.1 no space left, try again later"
_TOO_BIG = "552 5.3.4 the mail is too large"
_TOO_MANY = b"421 4.7.0 too many connections, try again later\r\n"
#: how often a connection may give a command before it has to come anew
_CALLS = {"*": 100, "MAIL": 1_000, "RCPT": 100_000, "DATA": 1_000, "RSET": 1_000}
#: octets of a command (RFC 5321 4.5.3.1.4: 512 and what extensions add)
_COMMAND = 1024


class Speaks(enum.StrEnum):
    LMTP = "lmtp"
    SMTP = "smtp"


@dataclass(frozen=True, slots=True)
class Limits:
    """What senders may cost us."""

    #: bytes of a mail; a line may be as long (what a bounce returns need not keep to 1,000 octets)
    size: int = LARGEST
    recipients: int = 100
    #: open at once, by all and by one IPv4 address or IPv6 /64
    connections: int = 60
    per_origin: int = 20
    #: seconds between two commands, the whole of DATA included (RFC 5321 4.5.3.2 wants 5 minutes)
    idle: float = 300
    #: seconds of a connection
    whole: float = 1800


@dataclass(frozen=True, slots=True)
class Taking:
    """What happens to a mail. `keep` and `has_room` are called in threads; `keep` may raise anything."""

    return_path: ReturnPath
    keep: Callable[[Arrival], None]
    has_room: Callable[[], bool]
    now: Callable[[], datetime]


@contextlib.asynccontextmanager
async def listen(
    doors: Sequence[tuple[socket.socket, Speaks]], taking: Taking, *, name: str, limits: Limits
) -> AsyncIterator[None]:
    """Take mail on these sockets until the block ends; `name` is what the greeting calls us."""
    loop = asyncio.get_running_loop()
    guests = _Guests(limits)
    handler = _Handler(taking, limits)
    servers = []
    for door, speaks in doors:
        protocol = _Lmtp if speaks is Speaks.LMTP else _Smtp

        def opened(protocol: type[_Bounded] = protocol) -> _Bounded:
            return protocol(handler, guests, limits, name, loop)

        servers.append(await loop.create_server(opened, sock=door))
    try:
        yield
    finally:
        for server in servers:
            server.close()
        guests.leave()
        for server in servers:
            await server.wait_closed()


class _Guests:
    """Who is connected."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._origins: Counter[str] = Counter()
        self._open: dict[Any, str] = {}

    def admit(self, transport: Any) -> bool:
        origin = _origin(transport.get_extra_info("peername"))
        limits = self._limits
        if len(self._open) >= limits.connections or self._origins[origin] >= limits.per_origin:
            return False
        self._open[transport] = origin
        self._origins[origin] += 1
        return True

    def gone(self, transport: Any) -> None:
        origin = self._open.pop(transport, None)
        if origin is not None:
            self._origins[origin] -= 1
            self._origins += Counter()  # drops those of whom nobody is left

    def leave(self) -> None:
        for transport in list(self._open):
            transport.abort()


def _origin(peer: Any) -> str:
    """An IPv4 address, or the /64 that one host may choose addresses from."""
    try:
        address = ipaddress.ip_address(peer[0].partition("%")[0])
    except (TypeError, ValueError, IndexError):
        return ""
    if address.version == 4:
        return str(address)
    return str(ipaddress.ip_network((address, 64), strict=False))


class _Bounded(SMTP):
    """A connection with an end, whatever the client sends or does not send."""

    def __init__(
        self, handler: "_Handler", guests: _Guests, limits: Limits, name: str, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.line_length_limit = limits.size
        super().__init__(
            handler,
            data_size_limit=limits.size,
            enable_SMTPUTF8=True,
            hostname=name,  # otherwise it would ask the DNS, in the loop
            ident="Infomail",
            timeout=limits.idle,
            command_call_limit=_CALLS,
            loop=loop,
        )
        # aiosmtpd's own are shared by all connections, and emptied by each new one
        self.command_size_limits = defaultdict(lambda: _COMMAND)
        self._guests = guests
        self._limits = limits
        self._received = 0
        self._end: asyncio.TimerHandle | None = None
        self._guest: Any = None

    def connection_made(self, transport: Any) -> None:
        if not self._guests.admit(transport):
            transport.write(_TOO_MANY)
            transport.set_protocol(asyncio.Protocol())
            transport.close()
            return
        self._guest = transport
        # abort: a client that reads nothing would keep a closed connection open
        self._end = self.loop.call_later(self._limits.whole, transport.abort)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._guests.gone(self._guest)
        if self._end is not None:
            self._end.cancel()
        super().connection_lost(error)

    def data_received(self, data: bytes) -> None:
        """Stop a mail that goes on and on: aiosmtpd reads it to its end, and keeps a line that has none."""
        self._received += len(data)
        if self._received > 3 * self._limits.size:
            self._guest.write(self.answer(_TOO_BIG).encode() + b"\r\n")
            self._guest.close()
            return
        super().data_received(data)

    def another_mail(self) -> None:
        self._received = 0

    def answer(self, reply: str) -> str:
        """What says `reply` about a mail."""
        return reply


class _Smtp(_Bounded):
    pass


class _Lmtp(_Bounded, LMTP):
    """One answer for each recipient to everything that follows the mail's end (RFC 2033 4.2)."""

    _owed = 0

    def answer(self, reply: str) -> str:
        return "\r\n".join([reply] * max(self._owed, 1))

    async def push(self, status: Any) -> None:
        if isinstance(status, str) and self._owed:
            if "\r\n" not in status:
                status = self.answer(status)
            self._owed = 0
        elif isinstance(status, str) and status.startswith("354"):
            assert self.envelope is not None
            self._owed = len(self.envelope.rcpt_tos)
        await super().push(status)


class _Handler:
    """What aiosmtpd asks us; it gives the names."""

    def __init__(self, taking: Taking, limits: Limits) -> None:
        self._taking = taking
        self._limits = limits

    async def handle_MAIL(  # noqa: N802
        self, server: _Bounded, _connection: Connection, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        server.another_mail()
        if not await asyncio.to_thread(self._taking.has_room):
            return _NO_SPACE
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _connection: Connection, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if not self._taking.return_path.accepts(address):
            return "550 5.1.1 no such address here"
        if len(envelope.rcpt_tos) >= self._limits.recipients:
            return "452 4.5.3 too many recipients"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, _connection: Connection, envelope: Envelope) -> str:  # noqa: N802
        replies = [await asyncio.to_thread(self._keep, envelope, address) for address in envelope.rcpt_tos]
        if isinstance(server, LMTP):
            return "\r\n".join(replies)
        # all or nothing: what is stored already changes nothing when it comes again
        return max(replies)

    async def handle_exception(self, _error: Exception) -> str:
        log.exception("intake.failed")
        return _LATER

    def _keep(self, envelope: Envelope, address: str) -> str:
        raw = envelope.original_content or b""
        try:
            self._taking.keep(Arrival(raw, address, envelope.mail_from or "", self._taking.now()))
        except Exception as error:
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                return _NO_SPACE
            log.exception("intake.failed")
            return _LATER
        return "250 2.0.0 stored"
