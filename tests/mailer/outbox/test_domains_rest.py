"""A domain that defers one after another rests, and one with a limit gets no more than that."""

from datetime import UTC, datetime, timedelta

import pytest

from mailer.outbox.domains import DomainLimit, Trouble, Turns, parse_limits, trouble_after

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def after(
    trouble: Trouble | None, deferred: int, *, taken: bool = False, now: datetime = NOW
) -> Trouble | None:
    return trouble_after(trouble or Trouble(), deferred=deferred, taken=taken, now=now, chance=0.5)


def test_four_deferrals_are_bad_luck_and_five_in_a_row_are_a_rest() -> None:
    four = after(None, 4)
    assert four == Trouble(4)
    assert after(four, 1) == Trouble(5, 1, NOW + 5 * MINUTE)


def test_one_mail_that_is_taken_ends_it() -> None:
    assert after(Trouble(50, 3, NOW), 4, taken=True) is None


@pytest.mark.parametrize(
    ("rests", "minutes"), [(1, 10), (2, 20), (3, 40), (4, 60), (5, 120), (6, 240), (99, 240)]
)
def test_each_rest_is_longer_up_to_four_hours(rests: int, minutes: int) -> None:
    assert after(Trouble(5, rests, NOW), 1) == Trouble(6, rests + 1, NOW + minutes * MINUTE)


def test_answers_to_what_was_under_way_make_no_rest_longer() -> None:
    resting = Trouble(5, 1, NOW + MINUTE)
    assert after(resting, 20) == Trouble(25, 1, NOW + MINUTE)


def turns(*, troubles: dict[str, Trouble] | None = None, rate: float | None = None, left: int = 0) -> Turns:
    limited = {"d": rate} if rate is not None else {}
    return Turns(NOW, troubles=troubles or {}, left=dict.fromkeys(limited, left), rates=limited)


def test_who_rests_gets_nothing_until_then() -> None:
    turn = turns(troubles={"d": Trouble(5, 1, NOW + 5 * MINUTE), "e": Trouble(3)})
    assert turn.domains == {"d"}
    assert turn.wait("d") == NOW + 5 * MINUTE


def test_after_a_rest_five_find_out_and_the_others_wait() -> None:
    turn = turns(troubles={"d": Trouble(5, 1, NOW - MINUTE)})
    waits = [turn.wait("d") for _ in range(8)]
    assert waits == [None] * 5 + [NOW + 2 * MINUTE] * 3
    # the next claims let nobody through meanwhile, and what the five hear counts
    probing = Trouble(5, 1, NOW + 2 * MINUTE, probing=True)
    assert turn.probed == {"d": probing}
    assert turns(troubles=turn.probed).wait("d") == NOW + 2 * MINUTE
    assert after(probing, 5) == Trouble(10, 2, NOW + 10 * MINUTE)
    assert after(probing, 0, taken=True) is None


def test_what_is_over_a_rate_waits_for_its_turn_one_after_the_other() -> None:
    turn = turns(rate=2.0, left=3)
    waits = [turn.wait("d") for _ in range(6)]
    half = timedelta(seconds=0.5)
    assert waits == [None, None, None, NOW + half, NOW + 2 * half, NOW + 3 * half]
    assert turn.taken == {"d": 3}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("example.org connections=2", {"example.org": DomainLimit(2, None)}),
        (
            " Example.ORG rate=0.5 connections=1 , example.net rate=10,",
            {"example.org": DomainLimit(1, 0.5), "example.net": DomainLimit(None, 10.0)},
        ),
    ],
)
def test_limits_are_read(text: str, expected: dict[str, DomainLimit]) -> None:
    assert parse_limits(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "example.org", "example.org speed=2", "example.org rate=", "example.org rate=-1", "example.org rate=0",
        "example.org connections=0", "example.org connections=1.5", "example.org rate=1 rate=2",
    ],
)  # fmt: skip
def test_mistakes_in_limits_are_named(text: str) -> None:
    with pytest.raises(ValueError, match="got"):
        parse_limits(text)
