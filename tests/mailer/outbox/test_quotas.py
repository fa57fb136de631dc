"""How much may go now, and over which relay."""

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.outbox.quota import (
    DAY,
    HOUR,
    MINUTE,
    Counted,
    Limit,
    Taker,
    left,
    limits,
    slot,
    split,
)

AT = 1_700_000_000.0


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ()),
        ({"per_hour": 1000}, (Limit(HOUR, 1000),)),
        ({"per_minute": 60, "per_day": 5}, (Limit(MINUTE, 60), Limit(DAY, 5))),
        ({"rate": 50.0}, (Limit(10, 591, False),)),  # ten seconds, what counts whole, and a second in hand
        ({"rate": 0.5}, (Limit(20, 11, False),)),  # over the time that ten of them take
        ({"rate": 0.03}, (Limit(334, 10, False),)),
        ({"rate": 1 / 6, "per_minute": 9}, (Limit(61, 11, False), Limit(MINUTE, 9))),  # counted apart
    ],
)
def test_options_come_to_limits(options: dict[str, float], expected: tuple[Limit, ...]) -> None:
    assert limits(**options) == expected  # type: ignore[arg-type]  # whole numbers are numbers


@pytest.mark.parametrize(
    ("counted", "kept_back", "expected"),
    [
        ([], 0, 100),
        ([(0, 30)], 0, 70),
        ([(0, 30), (-5, 30)], 0, 40),
        ([(-12, 30)], 0, 70),  # the piece that lies in the hour by a part counts whole
        ([(-13, 30)], 0, 100),  # and the one before it is over
        ([(0, 130)], 0, 0),  # a limit that was lowered meanwhile
        ([(0, 30)], 0.05, 65),  # 95 of the hundred are for bulk
        ([(0, 96)], 0.05, 0),
    ],
)
def test_what_went_in_the_last_hour_is_not_left(
    counted: list[tuple[int, int]], kept_back: float, expected: int
) -> None:
    now = slot(HOUR, AT)
    went = [Counted(HOUR, now + piece, n) for piece, n in counted]
    assert left([Limit(HOUR, 100)], [*went, Counted(DAY, now, 10**6)], AT, kept_back=kept_back) == expected


def test_the_narrowest_limit_counts_and_without_one_there_is_none() -> None:
    both = [Limit(MINUTE, 50), Limit(HOUR, 100)]
    assert left(both, [], AT) == 50
    assert left(both, [Counted(HOUR, slot(HOUR, AT), 80)], AT) == 20
    assert left([], [], AT) is None


@given(
    st.integers(1, 40),
    st.lists(st.tuples(st.floats(0, 30), st.integers(1, 50)), max_size=60),
)
def test_no_stretch_of_a_span_ever_brings_more_than_the_limit_and_little_is_given_away(
    most: int, wishes: list[tuple[float, int]]
) -> None:
    """Whoever takes what is left whenever she likes, over and over, stays within it."""
    limit, at = Limit(MINUTE, most), AT
    counted: Counter[int] = Counter()
    went: list[tuple[float, int]] = []
    for pause, wish in wishes:
        at += pause
        known = [Counted(MINUTE, piece, n) for piece, n in counted.items()]
        n = min(wish, left([limit], known, at) or 0)
        within = sum(each for when, each in went if when > at - MINUTE)
        assert within + n <= most
        longer = sum(each for when, each in went if when > at - MINUTE * 13 / 12 - 1e-6)
        assert n >= min(wish, most - longer)  # what a longer stretch leaves is given
        counted[slot(MINUTE, at)] += n
        went.append((at, n))


@pytest.mark.parametrize(
    ("n", "takers", "expected"),
    [
        (100, [(1, None)], [100]),
        (100, [(3, None), (1, None)], [75, 25]),
        (10, [(1, None), (1, None), (1, None)], [4, 3, 3]),
        (100, [(3, 30), (1, None)], [30, 70]),  # 45 that the first cannot take go to the second
        (100, [(1, 10), (1, 20), (2, None)], [10, 20, 70]),
        (100, [(1, 10), (1, 20)], [10, 20]),  # 70 wait
        (100, [(0, None), (1, None)], [0, 100]),  # whoever stands by gets none
        (100, [(0, None)], [0]),
        (0, [(1, None)], [0]),
    ],
)
def test_mails_are_shared_out_by_weight(
    n: int, takers: list[tuple[int, int | None]], expected: list[int]
) -> None:
    assert split(n, [Taker(*taker) for taker in takers]) == expected


@given(
    st.integers(0, 1000),
    st.lists(st.builds(Taker, st.integers(0, 9), st.none() | st.integers(0, 300)), max_size=6),
)
def test_all_that_can_be_taken_is_shared_out_and_nobody_gets_more_than_she_takes(
    n: int, takers: list[Taker]
) -> None:
    shares = split(n, takers)
    rooms = [math.inf if taker.most is None else taker.most for taker in takers if taker.weight]
    assert sum(shares) == min(n, sum(rooms))
    for share, taker in zip(shares, takers, strict=True):
        assert 0 <= share <= (math.inf if taker.most is None else taker.most)
        assert taker.weight or not share
    free = [(share, taker) for share, taker in zip(shares, takers, strict=True) if share != taker.most]
    for share, taker in free:
        for other, than in free:
            # by weight, but for what cannot be cut
            assert (
                taker.weight == 0 or than.weight == 0 or share / taker.weight <= (other + 1) / than.weight + 1
            )
