"""How much may be sent now, and over which relay. Pure.

A limit says that in no stretch of `span` seconds more than `most` mails go to a relay, wherever the stretch
begins. What went is counted in pieces of a twelfth of the span; a piece that lies in the stretch by a
part counts whole. So a limit is never passed, and at worst a thirteenth of it stays unused.
"""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

MINUTE, HOUR, DAY = 60, 3600, 86400

_PIECES = 12
#: seconds in which a rate is looked at: workers that share a relay keep to it over such a stretch
_RATE_SPAN = 10


class Limit(NamedTuple):
    """At most `most` mails in any `span` seconds."""

    span: int
    most: int
    #: whether a part of it can be kept for notices
    can_reserve: bool = True


class Counted(NamedTuple):
    """What went in one piece of the spans of that length."""

    span: int
    slot: int
    n: int


def limits(
    *,
    rate: float | None = None,
    per_minute: int | None = None,
    per_hour: int | None = None,
    per_day: int | None = None,
) -> tuple[Limit, ...]:
    """The limits that these come to; `rate` is in mails a second, None is no limit."""
    found = [
        Limit(span, most)
        for span, most in ((MINUTE, per_minute), (HOUR, per_hour), (DAY, per_day))
        if most is not None
    ]
    if rate is not None:
        span = _RATE_SPAN if rate >= 1 else math.ceil(_RATE_SPAN / rate)
        # what is counted by different limits goes by their spans
        span += span in (MINUTE, HOUR, DAY)
        # a worker keeps to the rate by itself, with a second's worth in hand, and is not to be held up by
        # what counts whole; several together may so pass it by a fifth
        most = rate * (span * (_PIECES + 1) / _PIECES + 1)
        found.insert(0, Limit(span, max(1, int(most)), can_reserve=False))
    return tuple(found)


def slot(span: int, at: float) -> int:
    """The piece of its span that a time, in seconds since 1970, lies in."""
    return int(at * _PIECES // span)


def oldest_slot(span: int, at: float) -> int:
    """The first piece that still counts at that time."""
    return slot(span, at) - _PIECES


def left(
    limits: Iterable[Limit], counted: Sequence[Counted], at: float, *, kept_back: float = 0
) -> int | None:
    """How many mails may go now; None is without limit.

    `kept_back` is the share of a limit that is not for these mails.
    """
    room = [
        for_others(limit, kept_back)
        - sum(
            each.n for each in counted if each.span == limit.span and each.slot >= oldest_slot(limit.span, at)
        )
        for limit in limits
    ]
    return max(0, min(room)) if room else None


def for_others(limit: Limit, kept_back: float) -> int:
    """How many the limit leaves when that share of it is kept back."""
    return int(limit.most * (1 - kept_back)) if limit.can_reserve else limit.most


class Taker(NamedTuple):
    """A relay that could take mails: its weight, and how many at most (None: any number)."""

    weight: int
    most: int | None = None


def split(n: int, takers: Sequence[Taker]) -> list[int]:
    """Share `n` mails out by weight; what one cannot take goes to the others, by weight.

    The sum is `n`, or what all can take together if that is less.
    """
    shares = [0] * len(takers)
    open_ = [number for number, taker in enumerate(takers) if taker.weight > 0]
    while n > 0 and open_:
        total = sum(takers[number].weight for number in open_)
        exact = {number: n * takers[number].weight / total for number in open_}
        full = [number for number in open_ if _room(takers[number]) <= exact[number]]
        if not full:
            rest = n - sum(int(each) for each in exact.values())
            by_fraction = sorted(open_, key=lambda number: int(exact[number]) - exact[number])
            for place, number in enumerate(by_fraction):
                shares[number] = int(exact[number]) + (place < rest)
            break
        for number in full:
            shares[number] = int(_room(takers[number]))
            n -= shares[number]
            open_.remove(number)
    return shares


def _room(taker: Taker) -> float:
    return math.inf if taker.most is None else taker.most
