"""Connections to the relays, kept open, sharing the envelopes out among them."""

import asyncio
import ssl
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, runtime_checkable

from mailer.smtp.connection import Connection, RelayError, Timeouts, refused
from mailer.smtp.envelope import Envelope, Result
from mailer.smtp.relay import Relay


@runtime_checkable
class Supply(Protocol):
    """Where envelopes come from. Whoever adds to it, or ends it, calls Pool.wake."""

    def next_envelope(self) -> Envelope | None:
        """The next one that waits, or None if none waits at this moment."""

    @property
    def is_over(self) -> bool:
        """Whether none will come any more."""


class Listed:
    """A supply that is known beforehand."""

    def __init__(self, envelopes: Iterable[Envelope]) -> None:
        self._envelopes = iter(envelopes)
        self.is_over = False

    def next_envelope(self) -> Envelope | None:
        envelope = next(self._envelopes, None)
        self.is_over = envelope is None
        return envelope


# Sessions in a row that end without an answer before a relay is left alone for the rest of a round.
_MOST_BARREN = 2


class Pool:
    """Sends through `relays`, in order: the next one takes over where one cannot be connected to.

    tls:        decides which certificates are good
    hello_name: what EHLO says: this host's name

    A pool belongs to one event loop. Connections stay open between calls of `send`; `close` ends them.
    """

    def __init__(
        self,
        relays: Sequence[Relay],
        tls: ssl.SSLContext,
        hello_name: str,
        timeouts: Timeouts | None = None,
    ) -> None:
        if not relays:
            raise ValueError("a pool needs a relay")
        self._relays = list(dict.fromkeys(relays))
        self._tls = tls
        self._hello_name = hello_name
        self._timeouts = timeouts or Timeouts()
        self._idle: dict[Relay, list[Connection]] = {relay: [] for relay in self._relays}
        self._taken: Counter[Relay] = Counter()
        self._standing: Counter[Relay] = Counter()
        self._one_at_a_time = asyncio.Lock()
        self._round: _Round | None = None

    async def send(
        self, envelopes: Supply | Iterable[Envelope], settled: Callable[[Sequence[Result]], None]
    ) -> None:
        """Send every envelope; return when each has had exactly one Result and the supply is over.

        `settled` is called in the event loop the moment replies are read, with what they settle. Both it
        and `envelopes`, which are taken one by one as connections fall free, must not block for long. If
        either raises, or this call is cancelled, the connections are dropped, and for what was under
        way there is no Result: it may or may not have been sent.
        """
        async with self._one_at_a_time:
            supply = envelopes if isinstance(envelopes, Supply) else Listed(envelopes)
            self._round = round_ = _Round(supply, settled)
            width = max(relay.connections for relay in self._relays)
            workers = [asyncio.create_task(self._work(round_)) for _ in range(width)]
            try:
                await asyncio.gather(*workers)
            finally:
                for worker in workers:
                    worker.cancel()
                await asyncio.gather(*workers, return_exceptions=True)
                self._round = None
            round_.defer_the_rest()

    def wake(self) -> None:
        """The supply has changed: there is more, or it is over."""
        if self._round is not None:
            self._round.wake()

    async def close(self) -> None:
        """End all connections that stand idle."""
        async with self._one_at_a_time:
            idle = [connection for connections in self._idle.values() for connection in connections]
            await asyncio.gather(*(connection.close() for connection in idle))
            for connection in idle:
                self._forget(connection)
            for connections in self._idle.values():
                connections.clear()

    async def _work(self, round_: "_Round") -> None:
        """Carry envelopes until there are none, or no connection is to be had."""
        while (envelope := await round_.take()) is not None:
            try:
                connection = await self._connection(round_)
            except RelayError as error:
                round_.put_back(envelope, error)
                return
            if connection is None:
                round_.put_back(envelope, None)
                return
            try:
                await connection.carry(envelope, round_)
            finally:
                if connection.usable:
                    self._idle[connection.relay].append(connection)
                else:
                    connection.abort()
                    self._forget(connection)
            round_.remember(connection)

    async def _connection(self, round_: "_Round") -> Connection | None:
        """An idle or a new connection to the first relay that stands; None if all are in use.

        Raises RelayError if there is none to be had.
        """
        trouble: RelayError | None = None
        for relay in self._relays:
            while self._idle[relay]:
                connection = self._idle[relay].pop()
                if connection.usable:
                    return connection
                connection.abort()
                self._forget(connection)
            if relay in round_.down or self._taken[relay] >= relay.connections:
                continue
            try:
                return await self._open(relay)
            except RelayError as error:
                trouble = error
                if self._standing[relay]:
                    # The relay stands, it only takes no more connections at once: make do with fewer.
                    break
                round_.down.add(relay)
        if trouble is not None:
            raise trouble
        return None

    async def _open(self, relay: Relay) -> Connection:
        self._taken[relay] += 1
        try:
            connection = await Connection.open(relay, self._tls, self._hello_name, self._timeouts)
        except BaseException:
            self._taken[relay] -= 1
            raise
        self._standing[relay] += 1
        return connection

    def _forget(self, connection: Connection) -> None:
        self._taken[connection.relay] -= 1
        self._standing[connection.relay] -= 1


class _Round:
    """The envelopes of one `send`, shared by its workers."""

    def __init__(self, supply: Supply, settled: Callable[[Sequence[Result]], None]) -> None:
        self._supply = supply
        self._settled = settled
        self._returned: deque[Envelope] = deque()
        # By identity: keys need not be hashable. Entries leave with their envelope.
        self._retried: set[int] = set()
        self._in_hand = 0
        self._changed = asyncio.Event()
        self._trouble: RelayError | None = None
        self._barren: Counter[Relay] = Counter()
        self.down: set[Relay] = set()

    def next_envelope(self) -> Envelope | None:
        envelope = self._returned.popleft() if self._returned else self._supply.next_envelope()
        if envelope is not None:
            self._in_hand += 1
        return envelope

    async def take(self) -> Envelope | None:
        """The next envelope; None when all are settled. Waits while one may yet come or be given back."""
        while (envelope := self.next_envelope()) is None and (self._in_hand or not self._supply.is_over):
            self._changed.clear()
            await self._changed.wait()
        return envelope

    def wake(self) -> None:
        self._changed.set()

    def settle(self, settled: Sequence[tuple[Envelope, Result]]) -> None:
        if self._retried:
            self._retried.difference_update(id(envelope) for envelope, _ in settled)
        self._in_hand -= len(settled)
        self._changed.set()
        self._settled([result for _, result in settled])

    def give_back(self, envelope: Envelope, result: Result) -> None:
        if id(envelope) in self._retried:
            self.settle([(envelope, result)])
        else:
            self._retried.add(id(envelope))
            self._returned.append(envelope)
            self._let_go()

    def put_back(self, envelope: Envelope, trouble: RelayError | None) -> None:
        """For want of a connection; that was no try."""
        self._trouble = trouble or self._trouble
        self._returned.append(envelope)
        self._let_go()

    def remember(self, connection: Connection) -> None:
        """A relay that lets in and then answers nothing, again and again, is as good as down."""
        if (trouble := connection.barren) is None:
            self._barren[connection.relay] = 0
            return
        self._trouble = trouble
        self._barren[connection.relay] += 1
        if self._barren[connection.relay] >= _MOST_BARREN:
            self.down.add(connection.relay)

    def defer_the_rest(self) -> None:
        """When no worker is left there is no relay left."""
        while (envelope := self.next_envelope()) is not None:
            assert self._trouble is not None, "workers only stop early for want of a connection"
            self.settle([(envelope, refused(envelope, self._trouble))])

    def _let_go(self) -> None:
        self._in_hand -= 1
        self._changed.set()
