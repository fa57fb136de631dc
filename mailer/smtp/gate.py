"""The way to one relay: its connections, its pace, and whether it stands.

A relay that cannot be reached, that lets in and then says nothing, or that refuses whatever it is
given is left alone for a while, longer each time. After that one mail at a time goes to it until one
was answered: no outage costs more than that.
"""

import asyncio
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from mailer.smtp.connection import Connection, RelayError
from mailer.smtp.envelope import Outcome, Result
from mailer.smtp.relay import Relay
from mailer.smtp.replies import About

#: seconds a relay is left alone after the first failure, doubled with each further one up to the last
_FIRST_REST, _LONGEST_REST = 1.0, 60.0
#: sessions in a row that end without an answer, and refusals in a row that are against us
_MOST_BARREN, _MOST_REFUSALS = 2, 10
#: seconds of its pace that a relay may get at once: waking for every single mail would cost more than it
_BURST = 0.1


def rest(failures: int, chance: float) -> float:
    """Seconds to leave a relay alone after so many failures in a row. `chance` is uniform in [0, 1). Pure."""
    return min(_LONGEST_REST, _FIRST_REST * 2.0 ** min(failures - 1, 30)) * (0.75 + chance / 2)


@dataclass(slots=True)
class Pace:
    """Spreads mails evenly: so many a second, None is as fast as it goes."""

    rate: float | None
    #: when the one after the last would be due, by the monotonic clock
    _due: float = 0.0

    def delay(self, now: float) -> float:
        """Seconds until the next mail may go."""
        if self.rate is None:
            return 0.0
        return max(0.0, self._due - max(_BURST - 1 / self.rate, 0.0) - now)

    def refill(self, now: float) -> float:
        """Seconds until it is worth while to begin again; 0 if a mail may go."""
        delay = self.delay(now)
        return delay + max(_BURST / 2 - 1 / self.rate, 0.0) if delay and self.rate else delay

    def count(self, now: float) -> None:
        if self.rate is not None:
            self._due = max(self._due, now) + 1 / self.rate


class Gate:
    """One relay as the pool sees it. Times are of the monotonic clock."""

    def __init__(self, number: int, relay: Relay) -> None:
        self.number = number
        self.relay = relay
        self.weight = relay.weight if relay.weight is not None else int(number == 0)
        self.pace = Pace(relay.rate)
        self.trouble: RelayError | None = None
        self.rest_until = 0.0
        #: whether mails go this way now: see `on_duty`
        self.on_duty = True
        #: connections that stand, and those being opened; mails under way on them
        self.standing = self.opening = self.under_way = 0
        #: how many mails a connection may carry: as the settings say, or fewer where it ends before that
        self.carries = self._most = relay.per_connection or sys.maxsize
        self._idle: dict[Connection, asyncio.TimerHandle] = {}
        self._failures = self._barren = self._refusals = 0

    @property
    def is_sound(self) -> bool:
        """Whether nothing is known against it."""
        return not self._failures

    def lets_through(self) -> bool:
        """Whether one more mail may go now; if so, it is counted."""
        if not self.on_duty or (self._failures and (self.under_way or self.rest_until > time.monotonic())):
            return False
        if self.pace.rate is not None:
            now = time.monotonic()
            if self.pace.delay(now):
                return False
            self.pace.count(now)
        return True

    def delay(self, now: float) -> float:
        """Seconds until one may hope for more of this relay; while it is being tried, some."""
        if self.rest_until > now:
            return self.rest_until - now
        if not self.on_duty or (self._failures and (self.opening or self.under_way)):
            return _FIRST_REST
        return self.pace.refill(now)

    def has_settled(self, results: Sequence[Result], now: float) -> bool:
        """Whether that changed what the relays may be given."""
        if self._failures == self._refusals == 0 and results[-1].outcome is Outcome.SENT:
            self._barren = 0
            return False
        was_sound = self.is_sound
        for result in results:
            if result.outcome is Outcome.UNSURE:
                continue
            if not _is_against_us(result):
                self._failures = self._refusals = self._barren = 0
                continue
            self._refusals += 1
            if self._refusals >= _MOST_REFUSALS or not was_sound:
                self.has_failed(RelayError(self.relay, result.problem, result.reply), now)
        return not (was_sound and self.is_sound)

    def has_failed(self, trouble: RelayError, now: float) -> None:
        """Leave it alone for a while. What fails while it rests anyway is the same failure."""
        self.trouble = trouble
        if self.rest_until <= now:
            self._failures += 1
            self._refusals = 0
            self.rest_until = now + rest(self._failures, random.random())  # noqa: S311  spreads load

    def was_barren(self, trouble: RelayError, now: float) -> None:
        """A session ended without one answer."""
        self.trouble = trouble
        self._barren += 1
        if self._barren >= _MOST_BARREN or self._failures:
            self._barren = 0
            self.has_failed(trouble, now)

    def idle_connection(self) -> Connection | None:
        """A connection that stands and has nothing to do."""
        while self._idle:
            connection, timer = self._idle.popitem()
            timer.cancel()
            if connection.usable:
                return connection
            self._drop(connection)
        return None

    def put_back(self, connection: Connection) -> None:
        """Keep it for later, or let go of it if it has ended or carried all that it may.

        What is under way when a relay has had enough (421, or it just closes) may arrive twice. So the
        next connections carry as many as this one did, and then a few more each.
        """
        if not connection.usable:
            self.carries = min(self.carries, connection.dismissed_after or sys.maxsize)
            self._drop(connection)
        elif connection.is_worn:
            self.carries = min(self._most, self.carries + self.carries // 8 + 1)
            self.standing -= 1
            connection.say_goodbye()
        else:
            loop = asyncio.get_running_loop()
            self._idle[connection] = loop.call_later(self.relay.idle, self._has_idled, connection)

    async def close(self) -> None:
        """End the connections that stand idle."""
        connections = list(self._idle)
        while self._idle:
            _, timer = self._idle.popitem()
            timer.cancel()
        for connection in connections:
            self.standing -= 1
            await connection.close()

    def _has_idled(self, connection: Connection) -> None:
        if self._idle.pop(connection, None) is not None:
            self.standing -= 1
            connection.say_goodbye()

    def _drop(self, connection: Connection) -> None:
        self.standing -= 1
        connection.abort()


def _is_against_us(result: Result) -> bool:
    """Whether it is about us or the relay. Who refuses mail after mail for now means none of them."""
    if result.about is About.MESSAGE:
        return result.outcome is Outcome.DEFERRED and result.reply is not None
    return result.about is About.RELAY


def on_duty(gates: Sequence[Gate], now: float) -> list[int]:
    """The weight of each relay at this time, 0 for one that mails do not go to.

    Of those that stand by only the first has one, and only while nothing sound is left of the others.
    What is in doubt and has rested is tried again beside them.
    """
    weights = [gate.weight if gate.is_sound else 0 for gate in gates]
    if not any(weights):
        for gate in gates:
            if gate.is_sound:
                weights[gate.number] = 1
                break
    for gate in gates:
        if not gate.is_sound and gate.rest_until <= now:
            weights[gate.number] = max(1, gate.weight)
    return weights
