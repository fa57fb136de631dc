"""Deliveries that were claimed and wait for a connection: what the pool is supplied with."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from email.utils import format_datetime
from typing import NamedTuple

from mailer.outbox.claim import Claimed
from mailer.outbox.shares import Shares
from mailer.smtp import Envelope

#: seconds after which no further mail of a batch is begun; a single one may take the rest of the lease
_SEND_WITHIN = 300.0


class Stamp(NamedTuple):
    """When a batch was claimed: what its mails say as Date, and as the time of their signatures."""

    date: bytes
    seconds: int


class _Waiting(NamedTuple):
    delivery: Claimed
    stamp: Stamp
    #: by the monotonic clock: nobody may step it, and the lease must not end under way
    deadline: float


class Hand:
    """First in, first out, but notices before bulk, and each domain on as many connections as it may have.

    lanes: how many connections may carry mails of a domain at a time
    """

    def __init__(
        self,
        envelope_of: Callable[[Claimed, Stamp], Envelope | None],
        *,
        shares: Shares,
        lanes: Mapping[str, int],
    ) -> None:
        self._envelope_of = envelope_of
        self._shares = shares
        self._lanes = lanes
        self._notices: deque[_Waiting] = deque()
        self._bulk: deque[_Waiting] = deque()
        #: what waits for a connection of its domain, and which connection carries what of it
        self._parked: dict[str, deque[_Waiting]] = {}
        self._carried: dict[str, dict[int, int]] = {}
        self._lane_of: dict[int, tuple[str, int]] = {}
        self.under_way = 0
        self.is_over = False

    def __len__(self) -> int:
        parked = sum(map(len, self._parked.values())) if self._parked else 0
        return len(self._notices) + len(self._bulk) + parked

    @property
    def notices(self) -> int:
        """How many of those that wait are notices."""
        return len(self._notices)

    def add(self, batch: Sequence[Claimed], now: datetime) -> None:
        stamp = Stamp(format_datetime(now).encode(), int(now.timestamp()))
        deadline = time.monotonic() + _SEND_WITHIN
        for delivery in batch:
            queue = self._bulk if delivery.message is None else self._notices
            queue.append(_Waiting(delivery, stamp, deadline))

    def next_envelope(self, relay: int, connection: object) -> Envelope | None:
        tokens = self._shares.tokens if self._shares.are_needed else None
        if tokens is not None and tokens[relay] <= 0:
            return None
        while (waiting := self._next(connection)) is not None:
            envelope = self._envelope_of(waiting.delivery, waiting.stamp)
            if envelope is not None:
                self.under_way += 1
                if tokens is not None:
                    tokens[relay] -= 1
                return envelope
            self._leave_lane(waiting.delivery)
        return None

    def waiting(self, relay: int) -> int:
        """How many the relay can be given now."""
        n = len(self._notices) + len(self._bulk)
        for domain, parked in self._parked.items():
            n += min(len(parked), self._lanes[domain] - len(self._carried.get(domain, ())))
        return min(n, self._shares.tokens[relay]) if self._shares.are_needed else n

    def settled(self, deliveries: Iterable[Claimed]) -> None:
        """These are under way no more."""
        for delivery in deliveries:
            self.under_way -= 1
            if self._lane_of:
                self._leave_lane(delivery)

    def drop(self, unwanted: Callable[[Claimed], bool]) -> list[Claimed]:
        """Take out what is unwanted, or has no time left; nothing of it was begun."""
        now, dropped = time.monotonic(), []
        for queue in (self._notices, self._bulk, *self._parked.values()):
            for _ in range(len(queue)):
                waiting = queue.popleft()
                if unwanted(waiting.delivery) or waiting.deadline < now:
                    dropped.append(waiting.delivery)
                else:
                    queue.append(waiting)
        return dropped

    def _next(self, connection: object) -> _Waiting | None:
        lane = id(connection)
        for domain, parked in self._parked.items():
            if parked and self._takes(domain, lane):
                return self._on_lane(parked.popleft(), domain, lane)
        for queue in (self._notices, self._bulk):
            while queue:
                waiting = queue.popleft()
                domain = waiting.delivery.domain
                if domain not in self._lanes:
                    return waiting
                if self._takes(domain, lane):
                    return self._on_lane(waiting, domain, lane)
                self._parked.setdefault(domain, deque()).append(waiting)
        return None

    def _takes(self, domain: str, lane: int) -> bool:
        carried = self._carried.setdefault(domain, {})
        return lane in carried or len(carried) < self._lanes[domain]

    def _on_lane(self, waiting: _Waiting, domain: str, lane: int) -> _Waiting:
        self._carried[domain][lane] = self._carried[domain].get(lane, 0) + 1
        self._lane_of[waiting.delivery.id] = domain, lane
        return waiting

    def _leave_lane(self, delivery: Claimed) -> None:
        if (lane := self._lane_of.pop(delivery.id, None)) is not None:
            domain, connection = lane
            carried = self._carried[domain]
            carried[connection] -= 1
            if not carried[connection]:
                del carried[connection]
