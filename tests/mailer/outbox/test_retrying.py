"""When a deferred mail is tried again: arithmetic in a table."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.outbox.retry import RetryPolicy, wait

POLICY = RetryPolicy()
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.mark.parametrize(
    ("attempts", "relay_trouble", "chance", "expected"),
    [
        (1, False, 0.5, MINUTE),
        (1, False, 0.0, 0.9 * MINUTE),
        (2, False, 0.5, 5 * MINUTE),
        (3, False, 0.5, 15 * MINUTE),
        (8, False, 0.5, HOUR),
        (14, False, 0.5, 4 * HOUR),
        (28, False, 0.5, 4 * HOUR),
        (29, False, 0.5, None),  # the 28 waits are used up
        (1, True, 0.5, MINUTE),
        (500, True, 0.5, 5 * MINUTE),  # our own relay's trouble fails nobody
    ],
)
def test_waits_grow_and_end(
    attempts: int, relay_trouble: bool, chance: float, expected: timedelta | None
) -> None:
    assert wait(POLICY, attempts, relay_trouble=relay_trouble, chance=chance) == expected


def test_a_recipient_is_given_up_within_three_days() -> None:
    waits = sum(POLICY.waits, timedelta())  # 21 minutes, 2, 6 and 60 hours
    assert waits == timedelta(hours=68, minutes=21) < timedelta(days=3)


@given(attempts=st.integers(1, 60), chance=st.floats(0, 1, exclude_max=True), relay=st.booleans())
def test_no_wait_is_negative_or_over_its_jitter(attempts: int, chance: float, relay: bool) -> None:
    found = wait(POLICY, attempts, relay_trouble=relay, chance=chance)
    assert found is None or MINUTE * 0.9 <= found <= 4 * HOUR * 1.1
