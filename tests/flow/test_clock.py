"""The clock selects and pushes; the keys make a second one harmless."""

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from mailer import clock
from mailer.installation import Installation, load_plan
from mailer.issues.compose import compose
from mailer.issues.model import Issue, IssueState
from mailer.issues.release import act_on
from mailer.issues.workflow import Act
from mailer.outbox.model import Delivery
from tests.flow.conftest import PLAN, bring_items, enrol

#: Monday, 07:30 in Berlin
SLOT = datetime(2026, 11, 23, 6, 30, tzinfo=UTC)


def issues(house: Installation) -> list[tuple[str, datetime, IssueState]]:
    with house.database.read() as session:
        rows = session.scalars(select(Issue).order_by(Issue.newsletter, Issue.slot))
        return [(row.newsletter, row.slot, row.state) for row in rows]


def at(house: Installation, now: datetime) -> None:
    clock.compose_due(house, now=now)
    clock.start_due(house, now=now)


def test_two_clocks_at_once_make_one_issue_and_one_delivery_each(house: Installation) -> None:
    enrol(house, 10)
    bring_items(house, 1)
    barrier = threading.Barrier(4)
    failures: list[BaseException] = []

    def tick() -> None:
        barrier.wait()
        try:
            at(house, SLOT)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=tick) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert issues(house) == [("termine", SLOT, IssueState.SENDING)]
    with house.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Delivery)) == 10


@pytest.mark.parametrize(
    ("late", "made"),
    [(timedelta(0), 1), (timedelta(hours=5, minutes=59), 1), (timedelta(hours=6, minutes=1), 0)],
)
def test_a_missed_slot_is_caught_up_within_its_late_window_only(
    house: Installation, late: timedelta, made: int
) -> None:
    bring_items(house, 1)
    at(house, SLOT + late)
    assert len(issues(house)) == made


def test_after_a_long_downtime_one_issue_catches_up_and_not_three(house: Installation) -> None:
    bring_items(house, 9)  # a section takes eight
    at(house, SLOT)
    later = SLOT + timedelta(weeks=3)
    at(house, later)
    assert [slot for _, slot, _ in issues(house) if slot <= later and _ is not None][-1] == later
    assert [slot for name, slot, _ in issues(house) if name == "termine"] == [SLOT, later]


def test_what_needs_a_release_is_composed_and_never_sent_without(house: Installation) -> None:
    enrol(house, 1)
    first_tuesday = datetime(2026, 12, 1, 8, 0, tzinfo=UTC)
    for now in (first_tuesday - timedelta(days=5), first_tuesday, first_tuesday + timedelta(hours=1)):
        at(house, now)
        composed = [each for each in issues(house) if each[0] == "infomail"]
        assert composed == [("infomail", first_tuesday, IssueState.DRAFT)]


def test_what_is_outside_the_plan_waits_for_somebody_to_send_it(house: Installation) -> None:
    enrol(house, 1)
    bring_items(house, 1)
    with house.database.write() as session:
        newsletter = house.plan.newsletters["infomail"]
        issue = compose(session, newsletter, slot=SLOT, send_at=SLOT, special=True, actor="cli:t", now=SLOT)
        act_on(session, issue, Act.APPROVE, actor="user:1", now=SLOT)
    for now in (SLOT, SLOT + timedelta(seconds=5), SLOT + timedelta(hours=1)):
        assert clock.start_due(house, now=now) == []
    assert issues(house) == [("infomail", SLOT, IssueState.APPROVED)]
    assert clock.start(house, issue.id, actor="user:1", now=SLOT + timedelta(days=1)) == 1


def test_a_holiday_moves_the_sending_and_never_the_slot(house: Installation, tmp_path: Path) -> None:
    plan = tmp_path / "schedule.toml"
    plan.write_text('no_send_days = { country = "DE", region = "NW" }\n' + PLAN, encoding="utf-8")
    moved = Installation(
        house.settings, house.database, load_plan(house.settings), house.letterhead, house.signing,
        house.suppression_key, house.fetching, house.signer,
    )  # fmt: skip
    bring_items(moved, 1)
    easter_monday = datetime(2027, 3, 29, 5, 30, tzinfo=UTC)
    at(moved, easter_monday)
    assert [each for each in issues(moved) if each[0] == "termine"] == []
    tuesday = easter_monday + timedelta(days=1)
    at(moved, tuesday)
    assert ("termine", easter_monday, IssueState.SENDING) in issues(moved)


def test_an_issue_without_entries_never_goes_out_by_itself(house: Installation) -> None:
    enrol(house, 1)
    for now in (SLOT, SLOT + timedelta(minutes=1)):
        at(house, now)
        assert issues(house) == [("termine", SLOT, IssueState.CANCELLED)]


def test_a_newsletter_whose_list_is_missing_waits(house: Installation) -> None:
    with house.database.write() as session:
        session.execute(select(1))
        session.connection().exec_driver_sql("DELETE FROM lists")
    at(house, SLOT)
    assert issues(house) == []
