"""Which member nobody is reached in, since when, and why."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.database import Database
from subscribers.coverage import Covered, Reason, Standing, coverage
from subscribers.model import (
    Membership,
    MembershipState,
    Office,
    Request,
    RequestKind,
    RequestState,
    Role,
    Subscription,
    Suppression,
    SuppressionReason,
)
from subscribers.model import SubscriptionState as State
from tests.subscribers.officers import NOW, PLACES, TODAY, network, office, person

HERE = PLACES[0]
BERLIN = ZoneInfo("Europe/Berlin")
#: half an hour into 1 June in Berlin
JUNE = datetime(2026, 5, 31, 22, 30, tzinfo=UTC)
Case = Callable[[Session], object]


@pytest.fixture
def people(either_database: Database) -> Database:
    return network(either_database)


def found(database: Database) -> Covered:
    with database.read() as session:
        return next(row for row in coverage(session, zone=BERLIN, now=NOW) if row.ags == HERE)


def nobody(session: Session) -> None:
    pass


def contact(session: Session) -> None:
    office(session, person(session, "a"))


def deputy_alone(session: Session) -> None:
    office(session, person(session, "a"), role=Role.DEPUTY)


def mailbox_alone(session: Session) -> None:
    office(session, person(session, "a"), role=Role.MAILBOX)


def head_and_guest(session: Session) -> None:
    office(session, person(session, "a"), role=Role.HEAD)
    office(session, person(session, "b"), role=Role.GUEST)


def elsewhere(session: Session) -> None:
    office(session, person(session, "a"), PLACES[1])


def only_on_the_municipal_list(session: Session) -> None:
    office(session, person(session, "a", list_key="ort"))


def unsubscribed(session: Session) -> None:
    office(session, person(session, "a", state=State.UNSUBSCRIBED, since=JUNE))


def suppressed(reason: SuppressionReason) -> Case:
    def case(session: Session) -> None:
        contact(session)
        session.add(Suppression(address_hash=b"a", reason=reason, at=JUNE, actor="t"))

    return case


def bounced_and_left_later(session: Session) -> None:
    office(session, person(session, "a"), ends=date(2026, 8, 31))
    session.add(Suppression(address_hash=b"a", reason=SuppressionReason.HARD, at=JUNE, actor="t"))


def left(session: Session) -> None:
    office(session, person(session, "a"), ends=date(2026, 5, 31))


def lapsed(session: Session) -> None:
    """The clock ends the subscription in the first hour after the office."""
    office(session, person(session, "a", state=None), ends=date(2026, 5, 31))


def two_in_turn(session: Session) -> None:
    """The last of them left the place empty."""
    office(session, person(session, "a"), ends=date(2023, 12, 31))
    office(session, person(session, "b", state=State.UNSUBSCRIBED, since=JUNE), starts=date(2024, 1, 1))


def one_of_two(session: Session) -> None:
    left(session)
    office(session, person(session, "b"), role=Role.DEPUTY)


def came_suppressed(session: Session) -> None:
    """The address was barred before she came into the office."""
    office(session, person(session, "a"), starts=date(2026, 9, 1))
    session.add(Suppression(address_hash=b"a", reason=SuppressionReason.HARD, at=JUNE, actor="t"))


def not_confirmed_yet(session: Session) -> None:
    office(session, person(session, "a", state=State.PENDING))


def begins_later(session: Session) -> None:
    left(session)
    office(session, person(session, "b"), starts=TODAY + timedelta(days=1))


def invited(age: timedelta, state: RequestState = RequestState.WRITTEN, role: str = "contact") -> Case:
    def case(session: Session) -> None:
        left(session)
        session.add(
            Request(
                kind=RequestKind.INVITE, list_key="netzwerk", address="neu@example.org", actor="t",
                created_at=NOW - age, state=state, details={"ags": HERE, "role": role},
            )
        )  # fmt: skip

    return case


def silent(asked: int, days: int) -> Case:
    def case(session: Session) -> None:
        contact(session)
        theirs = session.scalars(select(Office)).one()
        theirs.asked, theirs.asked_at = asked, NOW - timedelta(days=days)

    return case


def pausing(until: date) -> Case:
    def case(session: Session) -> None:
        contact(session)
        session.scalars(select(Subscription)).one().paused_until = until

    return case


_UNCOVERED, _JUNE = Standing.UNCOVERED, date(2026, 6, 1)


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        (contact, (Standing.COVERED, None, None)),
        (deputy_alone, (Standing.COVERED, None, None)),
        (mailbox_alone, (Standing.COVERED, None, None)),
        (one_of_two, (Standing.COVERED, None, None)),
        (nobody, (_UNCOVERED, Reason.NEVER, date(2020, 1, 1))),  # since it is a member
        (head_and_guest, (_UNCOVERED, Reason.NEVER, date(2020, 1, 1))),
        (elsewhere, (_UNCOVERED, Reason.NEVER, date(2020, 1, 1))),
        (only_on_the_municipal_list, (_UNCOVERED, Reason.NEVER, date(2020, 1, 1))),
        (unsubscribed, (_UNCOVERED, Reason.UNSUBSCRIBED, _JUNE)),
        (suppressed(SuppressionReason.HARD), (_UNCOVERED, Reason.BOUNCED, _JUNE)),
        (suppressed(SuppressionReason.COMPLAINT), (_UNCOVERED, Reason.COMPLAINED, _JUNE)),
        (suppressed(SuppressionReason.STAFF), (_UNCOVERED, Reason.BARRED, _JUNE)),
        (bounced_and_left_later, (_UNCOVERED, Reason.BOUNCED, _JUNE)),
        (left, (_UNCOVERED, Reason.LEFT, _JUNE)),
        (lapsed, (_UNCOVERED, Reason.LEFT, _JUNE)),
        (two_in_turn, (_UNCOVERED, Reason.UNSUBSCRIBED, _JUNE)),
        (came_suppressed, (_UNCOVERED, Reason.BOUNCED, date(2026, 9, 1))),
        (not_confirmed_yet, (_UNCOVERED, Reason.PENDING, date(2020, 1, 1))),
        (begins_later, (_UNCOVERED, Reason.UPCOMING, _JUNE)),
        (invited(timedelta(days=6)), (_UNCOVERED, Reason.PENDING, _JUNE)),
        (invited(timedelta(days=8)), (_UNCOVERED, Reason.LEFT, _JUNE)),  # the link is dead
        (invited(timedelta(days=1), RequestState.DROPPED), (_UNCOVERED, Reason.LEFT, _JUNE)),
        (invited(timedelta(days=1), role="head"), (_UNCOVERED, Reason.LEFT, _JUNE)),
        (silent(1, 100), (Standing.COVERED, None, None)),
        (silent(3, 13), (Standing.COVERED, None, None)),
        (silent(3, 14), (Standing.UNCONFIRMED, None, date(2026, 11, 9))),
        (pausing(TODAY + timedelta(days=9)), (Standing.PAUSED, None, date(2026, 12, 2))),
        (pausing(TODAY), (Standing.COVERED, None, None)),  # the pause is over
    ],
)
def test_each_way_to_be_reached_or_not(
    people: Database, case: Case, expected: tuple[Standing, Reason | None, date | None]
) -> None:
    with people.write() as session:
        case(session)
    row = found(people)
    assert (row.standing, row.reason, row.since) == expected


def test_the_worst_come_first_and_of_these_the_longest_so(people: Database) -> None:
    with people.write() as session:
        office(session, person(session, "a"), PLACES[0])
        office(session, person(session, "b"), PLACES[1], ends=date(2026, 1, 31))
        office(session, person(session, "c"), PLACES[2], ends=date(2025, 1, 31))
    with people.read() as session:
        rows = coverage(session, zone=BERLIN, now=NOW)
    assert [row.ags for row in rows] == [PLACES[2], PLACES[1], PLACES[0]]


def test_only_members_of_today_are_expected_to_be_reached(people: Database) -> None:
    with people.write() as session:
        session.add(Membership(ags=PLACES[0], state=MembershipState.LEFT, since=TODAY))
        session.add(Membership(ags=PLACES[1], state=MembershipState.LEFT, since=TODAY + timedelta(days=1)))
    with people.read() as session:
        assert [row.ags for row in coverage(session, zone=BERLIN, now=NOW)] == [PLACES[1], PLACES[2]]
