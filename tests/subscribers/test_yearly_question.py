"""When an office is asked about: a table, and what holds for any history."""

import itertools
from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscribers.yearly import MAILS, PATIENCE, YEAR, Step, is_unconfirmed, next_step

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("starts", "confirmed", "asked", "asked_at", "step"),
    [
        # days ago, or None
        (364, None, 0, None, Step.NOTHING),
        (365, None, 0, None, Step.ASK),
        (2000, None, 0, None, Step.ASK),
        (-30, None, 0, None, Step.NOTHING),  # begins in a month
        (2000, 364, 0, None, Step.NOTHING),  # said so less than a year ago
        (2000, 365, 0, None, Step.ASK),
        (100, 400, 0, None, Step.NOTHING),  # the later of the two counts: came back since
        (2000, None, 1, 13, Step.NOTHING),
        (2000, None, 1, 14, Step.REMIND),
        (2000, None, 2, 13, Step.NOTHING),  # 14 + 13 = 27 days after the question
        (2000, None, 2, 14, Step.REMIND),  # 28
        (2000, None, 3, 13, Step.NOTHING),  # 41
        (2000, None, 3, 14, Step.UNCONFIRMED),  # 42
        (2000, None, 3, 364, Step.UNCONFIRMED),
        (2000, None, 3, 365, Step.ASK),  # the second year of silence begins
        (2000, None, 4, 1, Step.UNCONFIRMED),  # and nothing is known meanwhile
        (2000, None, 4, 14, Step.REMIND),
        (2000, None, 6, 1, Step.UNCONFIRMED),
    ],
)
def test_the_question_its_reminders_and_what_silence_means(
    starts: int, confirmed: int | None, asked: int, asked_at: int | None, step: Step
) -> None:
    said = NOW - confirmed * DAY if confirmed is not None else None
    last = NOW - asked_at * DAY if asked_at is not None else None
    assert next_step(NOW.date() - starts * DAY, said, asked, last, NOW) is step


@given(
    starts=st.dates(date(2015, 1, 1), date(2030, 1, 1)),
    days=st.lists(st.tuples(st.integers(0, 40), st.booleans()), min_size=1, max_size=80),
)
def test_over_the_years_nobody_is_pressed_and_an_answer_always_counts(
    starts: date, days: list[tuple[int, bool]]
) -> None:
    """The clock looks now and then, for years; sometimes she answers."""
    now = datetime.combine(starts, time(), UTC)
    confirmed: datetime | None = None
    asked, asked_at = 0, None
    mails: list[datetime] = []
    for pause, answers in days:
        now += pause * DAY
        if answers:
            confirmed, asked, asked_at = now, 0, None
            assert next_step(starts, confirmed, asked, asked_at, now) is Step.NOTHING
            assert not is_unconfirmed(asked, asked_at, now)
        step = next_step(starts, confirmed, asked, asked_at, now)
        if step in (Step.ASK, Step.REMIND):
            asked, asked_at = asked + 1, now
            mails.append(now)
            # one mail calls for no other at once, and is no silence yet
            again = next_step(starts, confirmed, asked, asked_at, now)
            assert again is (Step.UNCONFIRMED if asked > MAILS else Step.NOTHING)
        assert (step is Step.UNCONFIRMED) <= is_unconfirmed(asked, asked_at, now)
    assert all(later - earlier >= PATIENCE for earlier, later in itertools.pairwise(mails))
    assert all(mail - datetime.combine(starts, time(), UTC) >= YEAR for mail in mails)
    for first, fourth in zip(mails, mails[MAILS:], strict=False):
        assert fourth - first >= YEAR


@given(st.integers(0, 12), st.integers(0, 800), st.integers(-100, 3000), st.none() | st.integers(0, 3000))
def test_who_was_not_asked_three_times_is_never_unconfirmed(
    asked: int, ago: int, starts: int, confirmed: int | None
) -> None:
    asked_at = NOW - ago * DAY if asked else None
    said = NOW - confirmed * DAY if confirmed is not None else None
    step = next_step(NOW.date() - starts * DAY, said, asked, asked_at, NOW)
    assert (step is Step.UNCONFIRMED) <= (asked >= MAILS)
    assert (step is Step.REMIND) <= (asked % MAILS != 0)
