"""Connections to the relays, kept open, sharing the envelopes out among them."""

import asyncio
import contextlib
import ssl
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from operator import length_hint
from typing import Protocol, runtime_checkable

from mailer.smtp.connection import Connection, RelayError, Timeouts, refused
from mailer.smtp.envelope import Envelope, Result
from mailer.smtp.gate import Gate, on_duty
from mailer.smtp.relay import Relay

#: seconds until a relay that took no further connection is asked for one again
_FEWER = 30.0
#: and until a lane is tried again that failed while others were still opening
_SOON = 1.0


@runtime_checkable
class Supply(Protocol):
    """Where envelopes come from. Whoever adds to it, or ends it, calls Pool.wake.

    `relay` is the number of a relay in the pool, from 0.
    """

    def next_envelope(self, relay: int, connection: object) -> Envelope | None:
        """The next one for this relay that waits, or None if none does at this moment."""

    def waiting(self, relay: int) -> int:
        """How many it has for this relay, at least 1 if there are any."""

    @property
    def is_over(self) -> bool:
        """Whether none will come any more."""


class Listed:
    """A supply that is known beforehand, for whichever relay asks first."""

    def __init__(self, envelopes: Iterable[Envelope]) -> None:
        self._envelopes = iter(envelopes)
        self._next: Envelope | None = None
        self.is_over = False

    def next_envelope(self, relay: int, connection: object) -> Envelope | None:
        envelope, self._next = self._next, None
        if envelope is None:
            envelope = next(self._envelopes, None)
            self.is_over = envelope is None
        return envelope

    def waiting(self, relay: int) -> int:
        if self._next is None:
            self._next = self.next_envelope(relay, None)
        # what an iterator cannot tell is not asked of it: its envelopes are made one by one
        return int(self._next is not None) + length_hint(self._envelopes)


class Pool:
    """Sends through `relays`. Those that stand by take over while none of the others can be reached.

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
        self.relays = tuple(dict.fromkeys(relays))
        self._gates = [Gate(number, relay) for number, relay in enumerate(self.relays)]
        self._tls = tls
        self._hello_name = hello_name
        self._timeouts = timeouts or Timeouts()
        self._one_at_a_time = asyncio.Lock()
        self._round: _Round | None = None

    @property
    def weights(self) -> list[tuple[int, bool]]:
        """What share of the mail each relay is to have now, 0 for none, and whether it is sound.

        One that is not takes one mail at a time.
        """
        weights = on_duty(self._gates, time.monotonic())
        return [(weight, gate.is_sound) for weight, gate in zip(weights, self._gates, strict=True)]

    @property
    def rests_for(self) -> float:
        """Seconds until a relay may be asked again; 0 if one may now."""
        return max(0.0, min(gate.rest_until for gate in self._gates) - time.monotonic())

    def set_rate(self, relay: int, rate: float | None) -> None:
        """From now on this relay gets so many messages a second, of this pool; None is without limit."""
        if self._gates[relay].pace.rate != rate:
            self._gates[relay].pace.rate = rate
            self.wake()

    async def send(
        self, envelopes: Supply | Iterable[Envelope], settled: Callable[[Sequence[Result]], None]
    ) -> None:
        """Send what there is until the supply is over, or no relay can be reached.

        Of a list every envelope has exactly one Result then. What a Supply has not handed out, or what
        came back to the pool unsent, has none, and it is the supply's. `settled` is called in the event
        loop the moment replies are read, with what they settle. Both it and `envelopes`, which are taken one
        by one as connections have room, must not block for long. If either raises, or this call is cancelled,
        the connections are dropped, and for what was under way there is no Result: it may or may not
        have been sent.
        """
        async with self._one_at_a_time:
            supply = envelopes if isinstance(envelopes, Supply) else Listed(envelopes)
            self._round = round_ = _Round(supply, settled, self._gates)
            lanes = [
                asyncio.create_task(self._work(gate, round_))
                for gate in self._gates
                for _ in range(gate.relay.connections)
            ]
            try:
                await round_.done(lanes)
            finally:
                for lane in lanes:
                    lane.cancel()
                await asyncio.gather(*lanes, return_exceptions=True)
                self._round = None
            if isinstance(supply, Listed):
                round_.defer_the_rest()

    def wake(self) -> None:
        """The supply has changed: there is more, or it is over."""
        if self._round is not None:
            self._round.wake()

    async def close(self) -> None:
        """End all connections that stand idle."""
        async with self._one_at_a_time:
            await asyncio.gather(*(gate.close() for gate in self._gates))

    async def _work(self, gate: Gate, round_: "_Round") -> None:
        """One lane: carry envelopes over one connection at a time for as long as there are any."""
        while await round_.wanted(gate):
            try:
                connection = await self._connection(gate)
            except RelayError as error:
                if gate.standing:
                    # the relay stands, it only takes no more connections at once: make do with fewer
                    await round_.pause(_FEWER)
                elif gate.opening:
                    # whether it stands the others will tell
                    await round_.pause(_SOON)
                else:
                    gate.has_failed(error, time.monotonic())
                    round_.wake()
                continue
            carrying = _Carrying(round_, gate, connection)
            try:
                if (envelope := carrying.next_envelope()) is not None:
                    await connection.carry(envelope, carrying)
            finally:
                gate.put_back(connection)
            if (trouble := connection.barren) is not None:
                gate.was_barren(trouble, time.monotonic())
            round_.wake()

    async def _connection(self, gate: Gate) -> Connection:
        """One that is idle, or a new one; what `wanted` counted as opening is so no more."""
        try:
            if (idle := gate.idle_connection()) is not None:
                return idle
            opened = await Connection.open(
                gate.relay, self._tls, self._hello_name, self._timeouts, gate.carries
            )
        finally:
            gate.opening -= 1
        gate.standing += 1
        return opened


class _Round:
    """The envelopes of one `send`, shared by its lanes."""

    def __init__(
        self, supply: Supply, settled: Callable[[Sequence[Result]], None], gates: Sequence[Gate]
    ) -> None:
        self.supply = supply
        self._settled = settled
        self._gates = gates
        self.returned: deque[Envelope] = deque()
        # by identity: keys need not be hashable. Entries leave with their envelope
        self._retried: set[int] = set()
        self._in_hand = 0
        self._over = asyncio.Event()
        self._changed = asyncio.Event()
        for gate in gates:
            gate.opening = gate.under_way = 0

    async def done(self, lanes: Sequence[asyncio.Task[None]]) -> None:
        """Wait for the end of the round. Raises what a lane raises."""
        over = asyncio.create_task(self._over.wait())
        try:
            # a lane only ends after the round, or by an exception
            ended, _ = await asyncio.wait({over, *lanes}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            over.cancel()
        for lane in ended - {over}:
            lane.result()

    async def wanted(self, gate: Gate) -> bool:
        """Wait until this relay is to have another lane at work, and count it as opening; False: never."""
        while not self._ends():
            now = time.monotonic()
            self._put_on_duty(now)
            delay = gate.delay(now)
            if not delay and self._has_for(gate) > gate.opening:
                gate.opening += 1
                return True
            await self._change(delay or None)
        return False

    async def pause(self, seconds: float) -> None:
        """Wait so long, or until the round is over."""
        until = time.monotonic() + seconds
        while not self._ends() and (rest := until - time.monotonic()) > 0:
            await self._change(rest)

    def next_envelope(self, gate: Gate, connection: Connection) -> Envelope | None:
        if not gate.lets_through():
            return None
        if self.returned:
            envelope: Envelope | None = self.returned.popleft()
        else:
            envelope = self.supply.next_envelope(gate.number, connection)
        if envelope is not None:
            self._in_hand += 1
            gate.under_way += 1
        return envelope

    def settle(self, gate: Gate, settled: Sequence[tuple[Envelope, Result]]) -> None:
        if self._retried:
            self._retried.difference_update(id(envelope) for envelope, _ in settled)
        self._in_hand -= len(settled)
        gate.under_way -= len(settled)
        results = [result for _, result in settled]
        # lanes without work are woken only where it may be of use: this is called for every mail
        now = time.monotonic()
        if gate.has_settled(results, now):
            self._put_on_duty(now)
            self._changed.set()
        elif not self._in_hand:
            self._changed.set()
        self._settled(results)

    def give_back(self, gate: Gate, envelope: Envelope, result: Result) -> None:
        if id(envelope) in self._retried:
            self.settle(gate, [(envelope, result)])
            return
        self._retried.add(id(envelope))
        self.returned.append(envelope)
        self._in_hand -= 1
        gate.under_way -= 1
        self._changed.set()

    def wake(self) -> None:
        self._ends()
        self._changed.set()

    def defer_the_rest(self) -> None:
        """When no relay is left."""
        trouble = next((gate.trouble for gate in self._gates if gate.trouble is not None), None)
        while envelope := self.returned.popleft() if self.returned else self.supply.next_envelope(0, None):
            assert trouble is not None, "a round only ends early for want of a relay"
            self._settled([refused(envelope, trouble)])

    def _ends(self) -> bool:
        """Whether this is the end: nothing is left, or no relay is. No opening connection is waited for."""
        if not self._over.is_set() and not self._in_hand:
            now = time.monotonic()
            # in this order: a list finds out that it is over by looking
            is_empty = not any(map(self._has_for, self._gates)) and self.supply.is_over
            if is_empty or all(gate.rest_until > now for gate in self._gates):
                self._over.set()
                self._changed.set()
        return self._over.is_set()

    def _put_on_duty(self, now: float) -> None:
        for gate, weight in zip(self._gates, on_duty(self._gates, now), strict=True):
            gate.on_duty = weight > 0

    def _has_for(self, gate: Gate) -> int:
        return len(self.returned) or self.supply.waiting(gate.number)

    async def _change(self, within: float | None) -> None:
        self._changed.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), within)


class _Carrying:
    """What one connection takes from the round, and reports to it."""

    __slots__ = ("_connection", "_gate", "_round")

    def __init__(self, round_: _Round, gate: Gate, connection: Connection) -> None:
        self._round = round_
        self._gate = gate
        self._connection = connection

    def next_envelope(self) -> Envelope | None:
        return self._round.next_envelope(self._gate, self._connection)

    def settle(self, settled: Sequence[tuple[Envelope, Result]]) -> None:
        self._round.settle(self._gate, settled)

    def give_back(self, envelope: Envelope, result: Result) -> None:
        self._round.give_back(self._gate, envelope, result)
