"""When the last mail is expected to be out, by the limits of relays and by what was seen."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.outbox.pace import DAY, HOUR, MINUTE, SECOND, Limit, Quota, expected_end

START = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
#: ten a second, three hundred a minute, five thousand an hour
RELAY = (Limit(10, SECOND), Limit(300, MINUTE), Limit(5_000, HOUR))


def seconds(people: int, *quotas: Quota, pace: float | None = None) -> float | None:
    end = expected_end(people, START, pace, quotas)
    return None if end is None else (end - START).total_seconds()


@pytest.mark.parametrize(
    ("people", "limits", "after"),
    [
        # what fits into the first span goes at once
        (10, (Limit(10, SECOND),), 0),
        (11, (Limit(10, SECOND),), 1),
        (100, (Limit(10, SECOND),), 9),
        (300, (Limit(100, HOUR),), 2 * 3600),
        # ten a second fill the minute in thirty; the next ones wait for its end
        (300, RELAY[:2], 29),
        (301, RELAY[:2], 60),
        (600, RELAY[:2], 60 + 29),
        # sixteen minutes of 300 and one of 200 fill the hour
        (5_000, RELAY, 16 * 60 + 19),
        (5_001, RELAY, 3600),
        # the short limit is the narrower one: the hour never fills
        (7_200, (Limit(1, SECOND), Limit(5_000, HOUR)), 7_199),
        (3_600, (Limit(1, SECOND), Limit(1_000_000, DAY)), 3_599),
        # what is used up comes back when its span is over
        (10, (Limit(10, MINUTE, used=4),), 60),
        (6, (Limit(10, MINUTE, used=4),), 0),
        (1, (Limit(10, DAY, used=10),), 86_400),
        (1, (Limit(10, DAY, used=25),), 86_400),
    ],
)
def test_the_end_is_when_the_last_mail_has_passed_all_limits(
    people: int, limits: tuple[Limit, ...], after: float
) -> None:
    assert seconds(people, Quota(limits)) == after


def test_relays_share_the_work() -> None:
    slow, quick = Quota((Limit(1, SECOND),)), Quota((Limit(3, SECOND),))
    # four a second together: 40 of them in the seconds 0 to 9
    assert seconds(40, slow, quick) == 9
    # a relay that is used up for the day leaves it to the other
    assert seconds(30, Quota((Limit(100, DAY, used=100),)), quick) == 9


def test_without_a_limit_the_pace_of_late_tells_and_without_that_nothing_does() -> None:
    assert seconds(60, pace=2.0) == 30
    assert seconds(60, Quota(), pace=2.0) == 30
    assert seconds(60) is None
    assert seconds(60, Quota()) is None
    # one relay without a limit takes what the others do not
    assert seconds(60, Quota((Limit(1, HOUR),)), Quota()) is None
    assert seconds(0, Quota((Limit(1, HOUR),)), pace=2.0) is None


def test_a_wide_limit_makes_nothing_quicker_than_it_was() -> None:
    assert seconds(600, Quota((Limit(50_000, DAY),)), pace=2.0) == 300
    assert seconds(600, Quota((Limit(1, SECOND),)), pace=2.0) == 599


@pytest.mark.parametrize("wrong", [(0, HOUR, 0), (1, timedelta(0), 0), (1, HOUR, -1)])
def test_a_limit_that_lets_nothing_pass_is_none(wrong: tuple[int, timedelta, int]) -> None:
    with pytest.raises(ValueError, match="at least one"):
        Limit(*wrong)


_LIMITS = st.builds(Limit, st.integers(1, 50), st.sampled_from([SECOND, MINUTE, HOUR]), st.integers(0, 60))
_QUOTAS = st.lists(
    st.builds(Quota, st.lists(_LIMITS, min_size=1, max_size=3).map(tuple)), min_size=1, max_size=3
)


@given(st.integers(1, 300), _QUOTAS)
def test_more_people_are_never_done_earlier_and_one_relay_more_delays_nobody(
    people: int, quotas: list[Quota]
) -> None:
    end = seconds(people, *quotas)
    assert end is not None
    more = seconds(people + 1, *quotas)
    assert more is not None
    assert more >= end
    helped = seconds(people, *quotas, Quota((Limit(5, SECOND),)))
    assert helped is not None
    assert helped <= end


@given(st.integers(1, 300), st.lists(_LIMITS, min_size=1, max_size=3))
def test_no_span_holds_more_than_its_limit(people: int, limits: list[Limit]) -> None:
    end = seconds(people, Quota(tuple(limits)))
    assert end is not None
    for limit in limits:
        # in (end / per) + 1 spans at most so many can have gone, the used ones among them
        spans = end // limit.per.total_seconds() + 1
        assert people <= max(0, limit.most - limit.used) + (spans - 1) * limit.most
