"""What reports mean for an address."""

from datetime import UTC, datetime, timedelta

import pytest

from subscribers.model import SuppressionReason
from subscribers.standing import CameBack, StandingPolicy, Step, Verdict, verdict

NOW = datetime(2026, 5, 4, 8, tzinfo=UTC)
POLICY = StandingPolicy(
    limit=3,
    span=timedelta(days=7),
    within=timedelta(days=90),
    fine_lately=timedelta(days=60),
    settles=timedelta(days=5),
)
HARD = Verdict(Step.SUPPRESSED, SuppressionReason.HARD)


def came_back(kind: str, reason: str, *, days_ago: float = 0, delivery: int = 0) -> CameBack:
    return CameBack(kind, reason, NOW - timedelta(days=days_ago), delivery)


def judged(now: CameBack, *earlier: CameBack, fine_days_ago: float | None = None) -> Verdict:
    fine = None if fine_days_ago is None else NOW - timedelta(days=fine_days_ago)
    return verdict(now, earlier, fine, POLICY)


@pytest.mark.parametrize("reason", ["unknown-user", "unstated"])
def test_an_address_that_was_never_fine_ends_at_the_first_hard_report(reason: str) -> None:
    assert judged(came_back("hard", reason)) == HARD


def test_a_complaint_ends_it_whatever_was_before() -> None:
    complained = Verdict(Step.SUPPRESSED, SuppressionReason.COMPLAINT)
    assert judged(came_back("complaint", ""), fine_days_ago=6) == complained


@pytest.mark.parametrize("reason", ["full", "policy", "spam", "size", "dns", "routing", "later"])
@pytest.mark.parametrize("kind", ["soft", "hard"])
def test_what_speaks_about_today_or_about_us_never_ends_an_address(kind: str, reason: str) -> None:
    earlier = [came_back(kind, reason, days_ago=n, delivery=n) for n in range(1, 80)]
    assert judged(came_back(kind, reason), *earlier) == Verdict(Step.NOTED)


@pytest.mark.parametrize("kind", ["delayed", "autoreply", "unsubscribe", "other", "unheard of"])
def test_what_is_no_failure_means_nothing(kind: str) -> None:
    assert judged(came_back(kind, "")) == Verdict(Step.NOTED)


def test_an_address_that_was_fine_lately_gets_a_second_look() -> None:
    first = came_back("hard", "unknown-user", delivery=2)
    assert judged(first, fine_days_ago=59) == Verdict(Step.SECOND_LOOK)
    assert judged(first, fine_days_ago=61) == HARD
    # the next mail comes back too; the same one a second time says nothing new
    assert judged(first, came_back("hard", "unknown-user", days_ago=7, delivery=1), fine_days_ago=59) == HARD
    again = came_back("hard", "unknown-user", days_ago=1, delivery=2)
    assert judged(first, again, fine_days_ago=59) == Verdict(Step.SECOND_LOOK)


@pytest.mark.parametrize(
    ("days_ago", "deliveries", "expected"),
    [
        ((3.5, 7), (1, 2), HARD),  # three mails over seven days
        ((3.5, 6.9), (1, 2), Verdict(Step.COUNTED)),  # too short a while
        ((3.5, 91), (1, 2), Verdict(Step.COUNTED)),  # one is too old
        ((3.5, 7), (1, 1), Verdict(Step.COUNTED)),  # two reports about one mail
        ((3.5, 7), (1, 0), Verdict(Step.COUNTED)),  # one of them about this mail
    ],
)
def test_soft_reports_count_by_mails_and_span(
    days_ago: tuple[float, ...], deliveries: tuple[int, ...], expected: Verdict
) -> None:
    earlier = [
        came_back("soft", "expired", days_ago=ago, delivery=delivery)
        for ago, delivery in zip(days_ago, deliveries, strict=True)
    ]
    assert judged(came_back("soft", "expired"), *earlier) == expected


def test_a_mail_that_arrived_in_between_starts_the_count_anew() -> None:
    earlier = [came_back("soft", "locked", days_ago=n * 5, delivery=n) for n in range(1, 9)]
    assert judged(came_back("soft", "locked"), *earlier) == HARD
    assert judged(came_back("soft", "locked"), *earlier, fine_days_ago=7) == Verdict(Step.COUNTED)


def test_full_mailboxes_do_not_add_to_what_counts() -> None:
    earlier = [came_back("soft", "full", days_ago=n * 5, delivery=n) for n in range(1, 9)]
    assert judged(came_back("soft", "expired"), *earlier) == Verdict(Step.COUNTED)


def test_a_domain_that_is_gone_for_a_day_is_counted_only() -> None:
    assert judged(came_back("hard", "unknown-host")) == Verdict(Step.COUNTED)
    earlier = [came_back("hard", "unknown-host", days_ago=n * 5, delivery=n) for n in (1, 2)]
    assert judged(came_back("hard", "unknown-host"), *earlier) == HARD
