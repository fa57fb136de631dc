"""One TCP connection to a relay: moves bytes between a socket and the Client, and keeps the time."""

import asyncio
import contextlib
import ssl
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self

from mailer.smtp.client import Client, Ended, Event, Ready, StartTls
from mailer.smtp.envelope import Envelope, Outcome, Result, UnsendableError
from mailer.smtp.pipeline import Returned, Settled
from mailer.smtp.relay import Relay, Tls
from mailer.smtp.replies import About, Reply, printable

#: octets that may wait to leave; what was not handed to the kernel when a session breaks leaves no doubt
_WAITING = 1 << 16
#: seconds that a goodbye may take
_GOODBYE = 2.0


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. The defaults for replies are what RFC 5321 section 4.5.3.2 asks for at least.

    opening:     from the first packet to a session that stands, all in all
    reply:       for each answer, and for each piece of a message to leave
    verdict:     for the answer to a whole message; giving up here risks a duplicate
    transaction: until one message more is settled, unless a verdict is awaited
    """

    opening: float = 300
    reply: float = 300
    verdict: float = 600
    transaction: float = 1200


class Source(Protocol):
    """Where a connection takes envelopes from, and reports what became of them."""

    def next_envelope(self) -> Envelope | None:
        """The next envelope that waits, or None if none waits at this moment."""

    def settle(self, settled: Sequence[tuple[Envelope, Result]]) -> None:
        """What one look at the relay's answers settled."""

    def give_back(self, envelope: Envelope, result: Result) -> None:
        """Another connection may try; `result` is for when none does."""


class RelayError(Exception):
    """No session could be had. `reply` is what the relay said, if it said anything."""

    def __init__(self, relay: Relay, problem: str, reply: Reply | None = None) -> None:
        super().__init__(f"{relay.name}: {problem}")
        self.relay = relay
        self.problem = problem
        self.reply = reply


class Connection(asyncio.Protocol):
    """An open session; `Connection.open` makes one."""

    def __init__(
        self, relay: Relay, tls: ssl.SSLContext, hello_name: str, timeouts: Timeouts, carries: int
    ) -> None:
        self.relay = relay
        self._client = Client(relay, hello_name)
        self._timeouts = timeouts
        self._tls = tls
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._is_paused = False
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._encrypting: asyncio.Task[None] | None = None
        self._source: Source | None = None
        self._carried: asyncio.Future[None] | None = None
        #: how many more it may carry
        self._left = carries
        self._answered = 0
        self._is_cut_short = False
        self._ended: Ended | None = None
        self._over = asyncio.Event()
        #: when the last whole reply came or a piece left, and when anything was settled last
        self._moved = self._settled = self._loop.time()
        self._alarm: asyncio.TimerHandle | None = None

    @classmethod
    async def open(
        cls,
        relay: Relay,
        tls: ssl.SSLContext,
        hello_name: str,
        timeouts: Timeouts,
        carries: int = sys.maxsize,
    ) -> Self:
        """Connect, encrypt and log in as `relay` says. Raises RelayError.

        `tls` decides which certificates are good; it is not asked for opportunistic encryption. When the
        connection has carried so many, it is worn.
        """
        connection = cls(relay, tls, hello_name, timeouts, carries)
        try:
            async with asyncio.timeout(timeouts.opening):
                await connection._connect()
                await connection._opened
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
        return self._client.idle and self._transport is not None and not self._transport.is_closing()

    @property
    def is_worn(self) -> bool:
        """Whether it has carried as many as a connection to this relay may."""
        return self._left <= 0

    @property
    def dismissed_after(self) -> int | None:
        """How many had been answered when it ended amid others, by 421 or by breaking; None if it did not."""
        return self._answered or None if self._is_cut_short else None

    @property
    def barren(self) -> RelayError | None:
        """How the session ended, if it did so without one answer to an envelope."""
        if self._ended is None or self._answered:
            return None
        return RelayError(self.relay, self._ended.problem, self._ended.reply)

    async def carry(self, envelope: Envelope, source: Source) -> None:
        """Send `envelope` and then what `source` has, until it has none or the session has ended.

        Each envelope taken is settled or given back once. Raises what `source` raises; then, and if this is
        cancelled, the session is over.
        """
        self._source, self._carried = source, self._loop.create_future()
        self._moved = self._settled = self._loop.time()
        try:
            if self.usable:
                self._start(envelope)
                self._go_on()
            else:
                source.give_back(envelope, self._lost_before(envelope))
                self._carried.set_result(None)
            self._watch()
            await self._carried
        except BaseException:
            self.abort()
            raise
        finally:
            self._source = self._carried = None
            self._stop_watching()

    def say_goodbye(self) -> None:
        """Quit, and drop the connection when that was answered or soon after; waits for nothing."""
        if self.usable and self._transport is not None:
            self._client.quit()
            self._write()
            self._loop.call_later(min(_GOODBYE, self._timeouts.reply), self.abort)
        else:
            self.abort()

    async def close(self) -> None:
        """Say goodbye, without insisting on an answer."""
        if self.usable and self._transport is not None:
            self._client.quit()
            self._write()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(_GOODBYE, self._timeouts.reply)):
                    await self._over.wait()
        self.abort()

    def abort(self) -> None:
        """Drop the connection at once; whatever was under way is not reported."""
        self._stop_watching()
        if not self._opened.cancel() and not self._opened.cancelled():
            # whoever waited for it has gone: asyncio need not complain that nobody heard why
            self._opened.exception()
        if self._encrypting is not None:
            self._encrypting.cancel()
        if self._transport is not None:
            self._transport.abort()

    # what the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.set_write_buffer_limits(high=_WAITING, low=0)

    def data_received(self, data: bytes) -> None:
        seen = self._client.replies
        events = self._client.receive(data)
        if self._client.replies != seen:
            # only a whole reply counts: a relay that drips bytes gains no time by it
            self._moved = self._loop.time()
        self._act(events)

    def connection_lost(self, error: Exception | None) -> None:
        problem = (
            f"the connection broke: {printable(str(error))}" if error else "the relay closed the connection"
        )
        self._act(self._client.lost(problem, retriable=True))

    def pause_writing(self) -> None:
        self._is_paused = True

    def resume_writing(self) -> None:
        self._is_paused = False
        self._moved = self._loop.time()
        self._go_on()

    # and what comes of it

    def _act(self, events: Sequence[Event]) -> None:
        try:
            settled = [(event.envelope, event.result) for event in events if isinstance(event, Settled)]
            if settled and self._source is not None:
                self._settled = self._moved
                self._answered += sum(result.reply is not None for _, result in settled)
                self._source.settle(settled)
            for event in events:
                match event:
                    case Returned():
                        if self._source is not None:
                            self._source.give_back(event.envelope, event.result)
                    case Ready():
                        if not self._opened.done():
                            self._opened.set_result(None)
                    case StartTls():
                        self._encrypting = self._loop.create_task(self._encrypt())
                    case Ended():
                        # it comes last, after what became of the mails that were under way
                        self._is_cut_short = len(events) > 1
                        self._end(event)
                    case Settled():
                        pass
            self._go_on()
        except BaseException as error:
            self._fail(error)

    def _end(self, event: Ended) -> None:
        self._ended = event
        self._over.set()
        if not self._opened.done():
            self._opened.set_exception(RelayError(self.relay, event.problem, event.reply))
        if self._transport is not None:
            self._transport.abort()

    def _go_on(self) -> None:
        """Begin what there is room for, write what there is to write, and see whether that was all."""
        source = self._source
        if source is not None and not self._client.closed:
            while self._left > 0 and self._client.room and (envelope := source.next_envelope()) is not None:
                self._start(envelope)
            # there was no other to be had
            if self._client.room:
                self._client.flush()
        self._write()
        if (
            self._carried is not None
            and not self._carried.done()
            and (self._client.closed or self._client.idle)
        ):
            self._carried.set_result(None)

    def _start(self, envelope: Envelope) -> None:
        self._left -= 1
        try:
            self._client.send(envelope)
        except UnsendableError as error:
            assert self._source is not None
            about = About.MESSAGE
            result = Result(envelope.key, error.outcome, about, None, self.relay.name, error.problem)
            self._source.settle([(envelope, result)])

    def _write(self) -> None:
        while not self._is_paused and self._transport is not None and (data := self._client.data_to_send()):
            self._transport.write(data)

    def _fail(self, error: BaseException) -> None:
        if self._carried is not None and not self._carried.done():
            self._carried.set_exception(error)
        elif not self._opened.done():
            self._opened.set_exception(error)
        self.abort()

    def _lost_before(self, envelope: Envelope) -> Result:
        problem = self._ended.problem if self._ended else "the connection was closed"
        return Result(envelope.key, Outcome.DEFERRED, About.RELAY, None, self.relay.name, problem)

    # encryption

    async def _connect(self) -> None:
        implicit = self.relay.tls is Tls.IMPLICIT
        await self._loop.create_connection(
            lambda: self,
            self.relay.host,
            self.relay.port,
            ssl=self._tls if implicit else None,
            server_hostname=self.relay.host if implicit else None,
        )

    async def _encrypt(self) -> None:
        context = _unchecked() if self.relay.tls is Tls.OPPORTUNISTIC else self._tls
        assert self._transport is not None
        try:
            transport = await self._loop.start_tls(
                self._transport, self, context, server_hostname=self.relay.host
            )
        except Exception as error:
            self._fail(error)
            return
        assert transport is not None
        self.connection_made(transport)
        self._client.tls_started()
        self._write()

    # time

    def _watch(self) -> None:
        """Look again when the first of the limits may be reached."""
        self._alarm = self._loop.call_at(self._deadline() + 0.001, self._look)

    def _look(self) -> None:
        if self._loop.time() < self._deadline():
            self._watch()
        else:
            self._act(self._client.lost("the relay did not answer in time", retriable=False))

    def _deadline(self) -> float:
        if self._client.awaits_verdict:
            return self._moved + self._timeouts.verdict
        return min(self._moved + self._timeouts.reply, self._settled + self._timeouts.transaction)

    def _stop_watching(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None


def _unchecked() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def refused(envelope: Envelope, error: RelayError) -> Result:
    """The Result of an envelope that no relay could be reached for."""
    return Result(envelope.key, Outcome.DEFERRED, About.RELAY, error.reply, error.relay.name, error.problem)
