"""Whether a relay stands, how fast it may be given mail, and who does its share while it rests."""

import pytest

from mailer.smtp.connection import RelayError
from mailer.smtp.envelope import Outcome, Result
from mailer.smtp.gate import Gate, Pace, on_duty, rest
from mailer.smtp.relay import Relay
from mailer.smtp.replies import About, Reply

SENT = Result(1, Outcome.SENT, None, None, "r:25", "")
REFUSED = Result(1, Outcome.DEFERRED, About.RELAY, None, "r:25", "4.7.0 not now")
LATER = Reply(451, "4.7.1", "try again later")
PUT_OFF = Result(1, Outcome.DEFERRED, About.MESSAGE, LATER, "r:25", str(LATER))
UNMADE = Result(1, Outcome.DEFERRED, About.MESSAGE, None, "r:25", "the message could not be made")
NO_MAILBOX = Result(1, Outcome.FAILED, About.MAILBOX, None, "r:25", "5.1.1 unknown")
UNSURE = Result(1, Outcome.UNSURE, About.RELAY, None, "r:25", "broke")


def gate(number: int = 0, **options: int) -> Gate:
    return Gate(number, Relay(f"r{number}.example.org", 25, **options))  # type: ignore[arg-type]  # numbers all


def trouble(of: Gate) -> RelayError:
    return RelayError(of.relay, "connection refused")


@pytest.mark.parametrize(
    ("failures", "chance", "seconds"),
    [(1, 0.5, 1), (2, 0.5, 2), (3, 0.5, 4), (3, 0.0, 3), (6, 0.5, 32), (7, 0.5, 60), (1000, 0.5, 60)],
)
def test_a_relay_is_left_alone_longer_each_time(failures: int, chance: float, seconds: float) -> None:
    assert rest(failures, chance) == seconds


def test_what_fails_while_it_rests_is_the_same_failure() -> None:
    down = gate()
    for _ in range(50):
        down.has_failed(trouble(down), 0.0)
    assert 0.75 <= down.rest_until <= 1.25


def test_ten_refusals_in_a_row_are_a_failure_and_one_mailbox_that_is_none_is_not() -> None:
    refusing = gate()
    assert not refusing.has_settled([REFUSED] * 9, 0.0)
    assert refusing.is_sound
    assert not refusing.has_settled([NO_MAILBOX], 0.0)
    assert not refusing.has_settled([REFUSED] * 9, 0.0)
    assert refusing.has_settled([REFUSED], 0.0)
    assert not refusing.is_sound


def test_a_relay_that_puts_off_mail_after_mail_is_in_trouble_whatever_it_says_of_them() -> None:
    storming = gate()
    assert storming.has_settled([PUT_OFF] * 10, 0.0)
    assert not storming.is_sound
    storming.has_settled([PUT_OFF], 1000.0)
    assert storming.rest_until > 1001.0
    assert storming.has_settled([SENT], 2000.0)
    assert storming.is_sound


def test_mails_that_cannot_be_made_are_not_the_relays() -> None:
    waiting = gate()
    assert not waiting.has_settled([UNMADE] * 50, 0.0)
    assert waiting.is_sound


def test_a_connection_that_broke_says_neither() -> None:
    breaking = gate()
    assert not breaking.has_settled([REFUSED] * 9, 0.0)
    assert not breaking.has_settled([UNSURE] * 5, 0.0)
    assert breaking.has_settled([REFUSED], 0.0)


def test_whoever_is_in_doubt_gets_one_mail_at_a_time_until_one_was_answered() -> None:
    doubtful = gate()
    doubtful.has_failed(trouble(doubtful), 1.0)  # by the monotonic clock, so long ago
    assert doubtful.lets_through()
    doubtful.under_way = 1
    assert not doubtful.lets_through()
    assert doubtful.has_settled([SENT], 0.0)
    assert doubtful.is_sound
    assert doubtful.lets_through()


@pytest.mark.parametrize(
    ("weights", "down", "expected"),
    [
        ((None, None), (), [1, 0]),  # the second stands by
        ((None, None), (0,), [0, 1]),
        ((3, 1), (), [3, 1]),
        ((3, 1), (0,), [0, 1]),
        ((3, 1, 0), (0,), [0, 1, 0]),
        ((3, 1, 0, 0), (0, 1), [0, 0, 1, 0]),  # of those that stand by, one after the other
        ((3, 1, 0, 0), (0, 1, 2), [0, 0, 0, 1]),
        ((3, 1), (0, 1), [0, 0]),
    ],
)
def test_who_stands_does_the_share_of_who_rests(
    weights: tuple[int | None, ...], down: tuple[int, ...], expected: list[int]
) -> None:
    gates = [
        gate(number) if weight is None else gate(number, weight=weight)
        for number, weight in enumerate(weights)
    ]
    for number in down:
        gates[number].has_failed(trouble(gates[number]), 100.0)
    assert on_duty(gates, 100.5) == expected


def test_whoever_has_rested_is_tried_beside_who_stands_by() -> None:
    gates = [gate(0), gate(1)]
    gates[0].has_failed(trouble(gates[0]), 0.0)
    assert on_duty(gates, 10.0) == [1, 1]
    gates[0].has_settled([SENT], 10.0)
    assert on_duty(gates, 10.0) == [1, 0]


@pytest.mark.parametrize(("rate", "expected"), [(1.0, 11), (5.0, 51), (200.0, 2019), (None, 10_001)])
def test_a_pace_is_kept_over_ten_seconds(rate: float | None, expected: int) -> None:
    pace, went = Pace(rate), 0
    for tick in range(10_001):
        now = 1000 + tick / 1000
        while not pace.delay(now) and (rate is not None or went <= tick):
            pace.count(now)
            went += 1
    assert went == pytest.approx(expected, abs=2)


class _Spent:
    """A connection that ended: by the relay after so many answers, or by us when it had carried its share."""

    def __init__(self, dismissed_after: int | None) -> None:
        self.usable = self.is_worn = dismissed_after is None
        self.dismissed_after = dismissed_after

    def abort(self) -> None:
        pass

    def say_goodbye(self) -> None:
        pass


def test_a_connection_carries_no_more_than_the_relay_took_of_late_and_then_a_few_more_each_time() -> None:
    strict = gate(per_connection=100)
    carried = []
    for spent in (_Spent(40), _Spent(50), _Spent(None), _Spent(None), _Spent(8), *[_Spent(None)] * 30):
        strict.put_back(spent)  # type: ignore[arg-type]  # as much of one as is asked
        carried.append(strict.carries)
    assert carried[:7] == [40, 40, 46, 52, 8, 10, 12]
    assert carried[-1] == 100
