"""Who of the relays takes how many of what is in hand, within weights and limits.

What is in hand is dealt out anew with every claim, in its transaction, and there it is counted against the
limits. What a relay did not take is dealt again, and counted where it is taken then. A worker that
dies leaves counted what it did not send: a limit is kept rather too well than not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from mailer.outbox import tallies
from mailer.outbox.quota import Counted, Limit, Taker, left, limits, slot, split
from mailer.smtp import Relay

#: how many times what it took of late a relay is dealt, and at least what its connections hold
_AHEAD = 2


@dataclass(frozen=True, slots=True)
class Room:
    """How many mails more can be claimed now, and how many of them may be bulk; None is any number."""

    all: int | None
    bulk: int | None


@dataclass(frozen=True, slots=True)
class Dealt:
    """What a claim changes about the tokens of each relay."""

    changes: Sequence[int]


@dataclass
class Shares:
    """The tokens of one worker: each lets one mail go to the relay of that number."""

    relays: Sequence[Relay]
    tokens: list[int] = field(init=False)
    #: of each relay
    limits: list[tuple[Limit, ...]] = field(init=False)
    #: whether there is anything to share or to limit
    are_needed: bool = field(init=False)
    _dealt: list[int] = field(init=False)
    _slots: dict[tuple[int, int], int] = field(init=False, default_factory=dict)
    _counted: dict[str, list[Counted]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.tokens = [0] * len(self.relays)
        self._dealt = [0] * len(self.relays)
        self.set_rates({})

    def set_rates(self, rates: Mapping[str, float]) -> None:
        """From now on the rates that staff set, by name of relay, replace those of the settings."""
        self.limits = [limits_of(relay, rates) for relay in self.relays]
        self.are_needed = len(self.relays) > 1 or any(self.limits)

    def room(
        self,
        session: Session,
        weights: Sequence[tuple[int, bool]],
        waiting: int,
        at: float,
        *,
        notices: int = 0,
    ) -> Room:
        """How many mails more than those that wait in hand, of which some are notices, can be taken now.

        A notice goes before the bulk in hand, so it needs no room beside it.
        """
        limited = [relay.name for number, relay in enumerate(self.relays) if self.limits[number]]
        if limited:
            tallies.lock_rates(session, limited)
        self._counted = tallies.counted(session, map(_subject, limited)) if limited else {}
        takers = [number for number, (weight, _) in enumerate(weights) if weight]
        return Room(
            _more([self._left(number, at, 0) for number in takers], notices),
            _more([self._left(number, at, self.relays[number].reserve / 100) for number in takers], waiting),
        )

    def deal(self, session: Session, weights: Sequence[tuple[int, bool]], n: int, at: float) -> Dealt:
        """Share `n` mails in hand out, after `room` in the same transaction, and count them."""
        tokens = [max(0, each) for each in self.tokens]
        taken = [had - token for had, token in zip(self._dealt, tokens, strict=True)]
        takers = [
            Taker(weight, self._most(number, sound, taken, at) if weight else 0)
            for number, (weight, sound) in enumerate(weights)
        ]
        shares = split(n, takers)
        if sum(shares) < n:
            # those that keep up take what the others are not asked to
            left_over = [
                Taker(taker.weight, self._left(number, at, 0, shares[number]) if sound and taker.most else 0)
                for number, (taker, (_, sound)) in enumerate(zip(takers, weights, strict=True))
            ]
            more = split(n - sum(shares), left_over)
            shares = [share + extra for share, extra in zip(shares, more, strict=True)]
        for number, share in enumerate(shares):
            self._count(session, number, tokens[number], share, at)
        changes = [share - token for share, token in zip(shares, tokens, strict=True)]
        self._dealt = shares
        return Dealt(changes)

    def apply(self, dealt: Dealt) -> None:
        """Once the claim is committed. Meanwhile tokens may have been used."""
        for number, change in enumerate(dealt.changes):
            self.tokens[number] += change

    def _most(self, number: int, sound: bool, taken: Sequence[int], at: float) -> int | None:
        relay = self.relays[number]
        room = self._left(number, at, 0)
        if not sound:
            return 1 if room is None else min(1, room)
        if len(self.relays) == 1:
            return room
        if self._dealt[number] and not taken[number] and any(taken):
            return 0  # it had some and took none, and others did
        keeps_up = max(relay.window * relay.connections, _AHEAD * taken[number])
        return keeps_up if room is None else min(room, keeps_up)

    def _left(self, number: int, at: float, kept_back: float, dealt: int = 0) -> int | None:
        """By the limits; tokens not used yet are dealt again, so they leave room."""
        bounds = self.limits[number]
        unused = max(0, self.tokens[number]) - dealt
        returned = [Counted(limit.span, slot(limit.span, at), -unused) for limit in bounds]
        counted = self._counted.get(_subject(self.relays[number].name), [])
        return left(bounds, [*counted, *returned], at, kept_back=kept_back)

    def _count(self, session: Session, number: int, unused: int, share: int, at: float) -> None:
        for limit in self.limits[number]:
            subject, key = _subject(self.relays[number].name), (number, limit.span)
            if unused and key in self._slots:
                tallies.add(session, subject, limit.span, at, -unused, into=self._slots[key])
            if share:
                self._slots[key] = tallies.add(session, subject, limit.span, at, share)


def limits_of(relay: Relay, rates: Mapping[str, float]) -> tuple[Limit, ...]:
    """The limits of a relay; a rate that staff set replaces that of the settings."""
    return limits(
        rate=rates.get(relay.name, relay.rate),
        per_minute=relay.per_minute,
        per_hour=relay.per_hour,
        per_day=relay.per_day,
    )


def _subject(relay: str) -> str:
    return f"relay:{relay}"


def _more(rooms: Sequence[int | None], waiting: int) -> int | None:
    known = [room for room in rooms if room is not None]
    return max(0, sum(known) - waiting) if len(known) == len(rooms) else None
