"""What staff are owed about an issue, by the clock on the wall: due Tue 1 Dec 09:00, remind = 1d."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as some

from mailer.issues.model import IssueState
from mailer.issues.reminding import owed, recipients
from mailer.schedule import Newsletter, read_plan
from subscribers.model import RequestKind

AT = datetime(2026, 12, 1, 8, 0, tzinfo=UTC)
READY, REMINDER, OVERDUE = RequestKind.DRAFT_READY, RequestKind.REMINDER, RequestKind.OVERDUE


def newsletter(*lines: str) -> Newsletter:
    plan = read_plan(
        'timezone = "Europe/Berlin"\n[newsletter.n]\ntitle = "N"\nlist = "l"\nsend = "first tue 09:00"\n'
        + "\n".join(lines)
        + '\n[[newsletter.n.section]]\ntitle = "S"\nfeeds = ["a"]\n[feed.a]\nurl = "https://a.example.org/"\n'
    )
    return plan.newsletters["n"]


STAFFED = newsletter(
    'notify = ["a@example.org", "b@example.org"]', 'deputies = ["c@example.org", "a@example.org"]'
)


def asked(now: datetime, told: list[str] | None = None, **changes: object) -> RequestKind | None:
    given: dict[str, object] = {
        "state": IssueState.DRAFT, "released": False, "postponed": False, "send_at": AT, "told": told or [],
    }  # fmt: skip
    return owed(STAFFED, now=now, **(given | changes))  # type: ignore[arg-type]  # by name, as the clock does


@pytest.mark.parametrize(
    ("now", "told", "expected"),
    [
        ("2026-11-26 08:00", [], READY),
        ("2026-11-26 08:00", [READY], None),
        ("2026-11-30 07:59", [READY], None),
        ("2026-11-30 08:00", [READY], REMINDER),
        ("2026-11-30 08:00", [READY, REMINDER], None),
        ("2026-12-01 07:59", [READY, REMINDER], None),
        ("2026-12-01 08:00", [READY, REMINDER], OVERDUE),
        ("2026-12-01 08:00", [READY, REMINDER, OVERDUE], None),
        ("2027-01-01 08:00", [READY, REMINDER, OVERDUE], None),
        # nothing ran: one mail says it all
        ("2026-11-30 12:00", [], REMINDER),
        ("2026-11-30 12:00", [REMINDER], None),
        ("2026-12-02 12:00", [], OVERDUE),
        ("2026-12-02 12:00", [READY], OVERDUE),
        ("2026-12-02 12:00", [OVERDUE], None),
    ],
)
def test_each_mail_has_its_time_and_is_sent_once(
    now: str, told: list[RequestKind], expected: RequestKind | None
) -> None:
    assert asked(datetime.fromisoformat(now + "+00:00"), [kind.value for kind in told]) == expected


@pytest.mark.parametrize(
    ("state", "released", "postponed", "expected"),
    [
        (IssueState.DRAFT, False, False, REMINDER),
        (IssueState.DRAFT, False, True, None),  # waits for more items
        (IssueState.REVIEW, False, False, REMINDER),
        (IssueState.APPROVED, True, False, None),
        (IssueState.APPROVED, False, False, REMINDER),  # edited since
        (IssueState.SENDING, True, False, None),
        (IssueState.PAUSED, True, False, None),
        (IssueState.SENT, True, False, RequestKind.ISSUE_SENT),
        (IssueState.CANCELLED, False, False, None),
    ],
)
def test_what_waits_for_a_release_or_is_sent_is_worth_a_mail(
    state: IssueState, released: bool, postponed: bool, expected: RequestKind | None
) -> None:
    now = AT - timedelta(hours=3)
    assert asked(now, state=state, released=released, postponed=postponed) == expected


@pytest.mark.parametrize(
    ("after", "told", "expected"),
    [
        # STAFFED says nothing of `late`: it is six hours
        ("5:59", [], None),
        ("6:01", [], RequestKind.MISSED),
        ("6:01", [RequestKind.MISSED], None),
        ("6:01", [RequestKind.OVERDUE], RequestKind.MISSED),
    ],
)
@pytest.mark.parametrize("release", ['release = "required"', 'release = "none"'])
def test_what_was_released_and_did_not_go_out_within_its_window_is_told_once(
    release: str, after: str, told: list[RequestKind], expected: RequestKind | None
) -> None:
    hours, minutes = map(int, after.split(":"))
    found = owed(
        newsletter('notify = ["a@example.org"]', release), state=IssueState.APPROVED, released=True,
        postponed=False, send_at=AT, told=[kind.value for kind in told],
        now=AT + timedelta(hours=hours, minutes=minutes),
    )  # fmt: skip
    assert found == expected


def test_that_an_issue_is_sent_is_told_once_with_and_without_a_release_and_to_notify_alone() -> None:
    for lines in (('release = "none"', 'draft = "5d"'), ()):
        said = newsletter('notify = ["a@example.org"]', *lines)
        for told, expected in (([], RequestKind.ISSUE_SENT), (["issue-sent"], None)):
            found = owed(
                said, state=IssueState.SENT, released=True, postponed=False, send_at=None, told=told, now=AT
            )
            assert found == expected
    assert recipients(STAFFED, RequestKind.ISSUE_SENT) == ["a@example.org", "b@example.org"]


def test_an_issue_without_a_time_is_nobodys_delay() -> None:
    assert asked(AT + timedelta(days=9), send_at=None) is None


@pytest.mark.parametrize(
    "lines",
    [
        ('deputies = ["c@example.org"]',),
        ('notify = ["a@example.org"]', 'release = "none"', 'draft = "5d"'),
    ],
)
def test_without_staff_or_without_a_release_there_is_no_mail(lines: tuple[str, ...]) -> None:
    for now in (AT - timedelta(days=5), AT):
        found = owed(
            newsletter(*lines), state=IssueState.DRAFT, released=False, postponed=False, send_at=AT, told=[],
            now=now,
        )  # fmt: skip
        assert found is None


def test_deputies_hear_of_all_but_the_draft_and_nobody_hears_twice() -> None:
    assert recipients(STAFFED, READY) == ["a@example.org", "b@example.org"]
    for kind in (REMINDER, OVERDUE, RequestKind.EMERGENCY):
        assert recipients(STAFFED, kind) == ["a@example.org", "b@example.org", "c@example.org"]


@given(some.lists(some.integers(0, 9 * 24 * 60), min_size=1, max_size=30))
def test_whenever_the_clock_looks_mails_come_in_order_and_the_last_one_always(minutes: list[int]) -> None:
    told: list[str] = []
    kinds = [READY.value, REMINDER.value, OVERDUE.value]
    for minute in sorted(minutes):
        found = asked(AT - timedelta(days=5) + timedelta(minutes=minute), told)
        told += [found.value] if found else []
    assert all(kinds.index(before) < kinds.index(after) for before, after in pairwise(told))
    assert (OVERDUE.value in told) == (max(minutes) >= 5 * 24 * 60)
