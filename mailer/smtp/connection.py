"""One TCP connection to a relay: moves bytes between a socket and the Client, and keeps the time."""

import asyncio
import contextlib
import ssl
from asyncio import StreamReader, StreamWriter
from dataclasses import dataclass
from typing import Protocol, Self

from mailer.smtp.client import Client, Ended, Event, Ready, StartTls
from mailer.smtp.envelope import Envelope, Outcome, Result, UnsendableError
from mailer.smtp.pipeline import Returned, Settled
from mailer.smtp.relay import Relay, Tls
from mailer.smtp.replies import About, Reply, printable

_READ = 65536


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. The defaults for replies are what RFC 5321 section 4.5.3.2 asks for at least.

    opening:     from the first packet to a session that stands, all in all
    reply:       for each answer, and for each piece of a message to leave
    verdict:     for the answer to the final dot; giving up here risks a duplicate
    transaction: from MAIL to the final dot, all in all
    """

    opening: float = 300
    reply: float = 300
    verdict: float = 600
    transaction: float = 1200


class Source(Protocol):
    """Where a connection takes envelopes from, and reports what became of them."""

    def next_envelope(self) -> Envelope | None:
        """The next envelope that waits, or None if none waits at this moment."""

    def settle(self, envelope: Envelope, result: Result) -> None: ...

    def give_back(self, envelope: Envelope, result: Result) -> None:
        """Another connection may try; `result` is for when none does."""


class RelayError(Exception):
    """No session could be had. `reply` is what the relay said, if it said anything."""

    def __init__(self, relay: Relay, problem: str, reply: Reply | None = None) -> None:
        super().__init__(f"{relay.name}: {problem}")
        self.relay = relay
        self.problem = problem
        self.reply = reply


class Connection:
    """An open session; `Connection.open` makes one."""

    def __init__(self, relay: Relay, hello_name: str, timeouts: Timeouts) -> None:
        self.relay = relay
        self._client = Client(relay, hello_name)
        self._timeouts = timeouts
        self._answered = 0
        self._ended: Ended | None = None
        self._reader: StreamReader
        self._writer: StreamWriter

    @classmethod
    async def open(cls, relay: Relay, tls: ssl.SSLContext, hello_name: str, timeouts: Timeouts) -> Self:
        """Connect, encrypt and log in as `relay` says. Raises RelayError.

        `tls` decides which certificates are good; it is not asked for opportunistic encryption.
        """
        connection = cls(relay, hello_name, timeouts)
        try:
            async with asyncio.timeout(timeouts.opening):
                await connection._connect(tls)
                await connection._negotiate(tls)
        except TimeoutError:
            connection.abort()
            raise RelayError(relay, "the relay did not answer in time") from None
        except (OSError, ValueError) as error:
            # ValueError: a host name that no certificate can match or no resolver can encode.
            connection.abort()
            raise RelayError(relay, printable(f"{type(error).__name__}: {error}")) from error
        except BaseException:
            connection.abort()
            raise
        return connection

    @property
    def usable(self) -> bool:
        """Whether the session stands, as far as one can know without asking the relay."""
        return self._client.idle and not self._reader.at_eof()

    @property
    def barren(self) -> RelayError | None:
        """How the session ended, if it did so without one answer to an envelope."""
        if self._ended is None or self._answered:
            return None
        return RelayError(self.relay, self._ended.problem, self._ended.reply)

    async def carry(self, envelope: Envelope, source: Source) -> None:
        """Send `envelope` and then what `source` has, until it has none or the session has ended.

        Each envelope taken is settled or given back once.
        """
        waiting: Envelope | None = envelope
        while True:
            while waiting is not None and self._client.room:
                self._start(waiting, source)
                waiting = source.next_envelope() if self._client.room else None
            if self._client.room:
                self._client.flush()
            if self._client.idle or self._client.closed:
                return
            for event in await self._exchange():
                match event:
                    case Settled():
                        self._answered += event.result.reply is not None
                        source.settle(event.envelope, event.result)
                    case Returned():
                        source.give_back(event.envelope, event.result)
                    case Ended():
                        self._ended = event
                    case Ready() | StartTls():
                        pass
            if self._client.room:
                waiting = source.next_envelope()

    async def close(self) -> None:
        """Say goodbye, without insisting on an answer."""
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(min(2, self._timeouts.reply)):
                if self.usable:
                    self._client.quit()
                    await self._exchange()
                self._writer.close()
                await self._writer.wait_closed()
        self.abort()

    def abort(self) -> None:
        """Drop the connection at once; whatever was under way is not reported."""
        if hasattr(self, "_writer"):
            self._writer.transport.abort()

    def _start(self, envelope: Envelope, source: Source) -> None:
        try:
            self._client.send(envelope)
        except UnsendableError as error:
            about = About.MESSAGE
            source.settle(
                envelope, Result(envelope.key, error.outcome, about, None, self.relay.name, error.problem)
            )

    async def _connect(self, tls: ssl.SSLContext) -> None:
        implicit = self.relay.tls is Tls.IMPLICIT
        self._reader, self._writer = await asyncio.open_connection(
            self.relay.host,
            self.relay.port,
            ssl=tls if implicit else None,
            server_hostname=self.relay.host if implicit else None,
        )
        self._let_nothing_wait()

    async def _negotiate(self, tls: ssl.SSLContext) -> None:
        while True:
            for event in await self._exchange():
                match event:
                    case StartTls():
                        await self._encrypt(tls)
                    case Ready():
                        return
                    case Ended():
                        raise RelayError(self.relay, event.problem, event.reply)
                    case Settled() | Returned():
                        raise AssertionError("nothing was sent yet")

    async def _encrypt(self, tls: ssl.SSLContext) -> None:
        context = _unchecked() if self.relay.tls is Tls.OPPORTUNISTIC else tls
        await self._writer.start_tls(context, server_hostname=self.relay.host)
        self._let_nothing_wait()
        self._client.tls_started()

    def _let_nothing_wait(self) -> None:
        # Then drain() returns when everything has gone to the kernel (over TLS: all but some 64 KiB), and
        # a connection that breaks under a message does so before its final dot was written.
        # Not high=0: the TLS transport would take an empty buffer for a full one and wait for ever.
        self._writer.transport.set_write_buffer_limits(high=1, low=0)

    async def _exchange(self) -> list[Event]:
        """Say what is to be said and listen, until something has happened or there is room again."""
        events: list[Event] = []
        try:
            async with asyncio.timeout(self._timeouts.transaction) as whole:
                while not events and not self._client.idle:
                    await self._speak()
                    if self._client.awaits_verdict:
                        whole.reschedule(None)
                    events = await self._listen()
        except TimeoutError:
            events = self._client.lost("the relay did not answer in time", retriable=False)
        except OSError as error:
            problem = f"the connection broke: {printable(str(error))}"
            events = self._client.lost(problem, retriable=True)
        if self._client.closed:
            self.abort()
        return events

    async def _speak(self) -> None:
        while piece := self._client.data_to_send():
            async with asyncio.timeout(self._timeouts.reply):
                self._writer.write(piece)
                await self._writer.drain()

    async def _listen(self) -> list[Event]:
        """Until one whole reply has come; a relay that drips bytes gains no time by it."""
        seen = self._client.replies
        patience = self._timeouts.verdict if self._client.awaits_verdict else self._timeouts.reply
        events: list[Event] = []
        async with asyncio.timeout(patience):
            while not events and self._client.replies == seen:
                data = await self._reader.read(_READ)
                if not data:
                    return self._client.lost("the relay closed the connection", retriable=True)
                events = self._client.receive(data)
        return events


def _unchecked() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def refused(envelope: Envelope, error: RelayError) -> Result:
    """The Result of an envelope that no relay could be reached for."""
    return Result(envelope.key, Outcome.DEFERRED, About.RELAY, error.reply, error.relay.name, error.problem)
