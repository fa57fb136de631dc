"""Offices begin, go on and end; and what ends with them."""

from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import select, update

from mailer.database import Database
from subscribers.chain import Chain, Record, verify
from subscribers.model import (
    Basis,
    Office,
    Request,
    RequestKind,
    Role,
    Subscription,
    Suppression,
    SuppressionReason,
)
from subscribers.model import SubscriptionState as State
from subscribers.offices import appoint, ask_holders, confirm_right, end, lapse, offices_of, roles_in
from tests.subscribers.officers import NOW, PLACES, TODAY, network, office, person

DAY = timedelta(days=1)


@pytest.fixture
def people(either_database: Database) -> Database:
    return network(either_database)


@pytest.mark.parametrize(
    ("starts", "ends", "held"),
    [
        (TODAY, None, True),
        (TODAY, TODAY, True),  # first and last day are both in office
        (TODAY + DAY, None, False),
        (date(2020, 1, 1), TODAY - DAY, False),
    ],
)
def test_an_office_is_held_from_its_first_day_to_its_last(
    people: Database, starts: date, ends: date | None, held: bool
) -> None:
    with people.write() as session:
        somebody = person(session, "a")
        office(session, somebody, starts=starts, ends=ends)
        assert bool(offices_of(session, somebody, TODAY)) is held
        assert roles_in(session, PLACES[0], TODAY) == ({"contact": 1} if held else {})


def test_appointing_twice_gives_one_office_and_leaves_others_where_they_are(people: Database) -> None:
    with people.write() as session:
        before, after = person(session, "before"), person(session, "after")
        theirs = office(session, before)
        said = {
            "municipality": PLACES[0], "role": Role.CONTACT, "starts": TODAY, "actor": "cli:t", "now": NOW,
        }  # fmt: skip
        first = appoint(session, subscriber=after, confirmed=False, **said)  # type: ignore[arg-type]
        second = appoint(session, subscriber=after, confirmed=True, **said)  # type: ignore[arg-type]
        assert first is second
        assert second.confirmed_at == NOW
        assert theirs.ends is None
        assert roles_in(session, PLACES[0], TODAY) == {"contact": 2}
        assert list(session.scalars(select(Record.action))) == ["office.appointed"]


def test_an_announced_end_is_taken_back_by_appointing_anew(people: Database) -> None:
    with people.write() as session:
        somebody = person(session, "a")
        theirs = office(session, somebody, ends=TODAY + DAY)
        same = appoint(
            session, subscriber=somebody, municipality=PLACES[0], role=Role.CONTACT, starts=TODAY,
            confirmed=False, actor="cli:t", now=NOW,
        )  # fmt: skip
        assert same is theirs
        assert theirs.ends is None


def test_ending_is_on_record_once_and_never_before_the_beginning(people: Database) -> None:
    with people.write() as session:
        theirs = office(session, person(session, "a"), starts=TODAY)
        with pytest.raises(ValueError, match="begins on 2026-11-23"):
            end(session, theirs, on=TODAY - DAY, actor="cli:t", now=NOW)
        assert end(session, theirs, on=TODAY, actor="cli:t", now=NOW)
        assert not end(session, theirs, on=TODAY, actor="cli:t", now=NOW)
        records = session.scalars(select(Record)).all()
        assert [(row.action, row.actor) for row in records] == [("office.ended", "cli:t")]
        assert verify(session, Chain.AUDIT).problems == []


def states(database: Database) -> dict[str, State]:
    with database.read() as session:
        rows = session.scalars(select(Subscription))
        return {f"{row.subscriber_id}/{row.list_key}": row.state for row in rows}


def test_what_was_subscribed_for_an_office_ends_with_the_last_one_and_nothing_else_does(
    people: Database,
) -> None:
    yesterday, tomorrow = TODAY - DAY, TODAY + DAY
    with people.write() as session:
        over = person(session, "over")
        office(session, over, ends=yesterday)
        office(session, over, role=Role.DEPUTY, ends=date(2024, 1, 1))
        still = person(session, "still")
        office(session, still, ends=yesterday)
        office(session, still, role=Role.HEAD)
        last_day = person(session, "last-day")
        office(session, last_day, ends=TODAY)
        between = person(session, "between")
        office(session, between, ends=yesterday)
        office(session, between, PLACES[1], starts=tomorrow)
        agreed = person(session, "agreed", basis=Basis.CONSENT)
        office(session, agreed, ends=yesterday)
        of_the_state = person(session, "of-the-state")
        guest = person(session, "guest-in-two-towns")
        office(session, guest, role=Role.GUEST, ends=yesterday)
        office(session, guest, PLACES[1], role=Role.GUEST)
        kept = [still.id, last_day.id, between.id, agreed.id, of_the_state.id, guest.id]
        ended = over.id
    for expected in (1, 0):  # the second time there is nothing left
        with people.write() as session:
            assert lapse(session, today=TODAY, actor="clock", now=NOW) == expected
    found = states(people)
    # she did not leave, so nothing says that she must not be appointed again
    assert f"{ended}/netzwerk" not in found
    assert found == {f"{key}/netzwerk": State.ACTIVE for key in kept}
    with people.read() as session:
        assert [(row.action, row.actor) for row in session.scalars(select(Record))] == [("lapsed", "clock")]
        # nobody is told good-bye who only changed her office
        assert session.scalars(select(Request)).all() == []


def test_a_guests_place_is_no_ground_to_write_on_to_who_was_an_officer(people: Database) -> None:
    with people.write() as session:
        somebody = person(session, "signed-up-first")
        office(session, somebody, role=Role.GUEST)
        office(session, somebody, role=Role.CONTACT, ends=TODAY - DAY)
        assert lapse(session, today=TODAY, actor="clock", now=NOW) == 1


def asked(database: Database, now: datetime) -> list[str]:
    with database.write() as session:
        count = ask_holders(session, today=now.date(), actor="clock", now=now)
        rows = session.scalars(select(Request).order_by(Request.id.desc()).limit(count)).all()
        assert {row.kind for row in rows} <= {RequestKind.STILL_RIGHT}
        return sorted(f"{row.subscriber_id}:{row.details['office']}" for row in rows)


def test_holders_are_asked_and_reminded_and_an_answer_ends_it(people: Database) -> None:
    with people.write() as session:
        somebody = person(session, "a")
        theirs = office(session, somebody)
        name = f"{somebody.id}:{theirs.id}"
    mails = [day for day in range(60) if asked(people, NOW + day * DAY) == [name]]
    assert mails == [0, 14, 28]
    answered = NOW + 60 * DAY
    with people.write() as session:
        confirm_right(session, session.get_one(Office, theirs.id), actor="token:x", now=answered)
    assert asked(people, answered + 364 * DAY) == []
    assert asked(people, answered + 365 * DAY) == [name]


def test_only_who_gets_mail_is_asked(people: Database) -> None:
    with people.write() as session:
        left = person(session, "left", state=State.UNSUBSCRIBED)
        never = person(session, "never", state=None)
        barred = person(session, "barred")
        session.add(Suppression(address_hash=b"barred", reason=SuppressionReason.HARD, at=NOW, actor="t"))
        paused = person(session, "paused")
        session.execute(
            update(Subscription)
            .where(Subscription.subscriber_id == paused.id)
            .values(paused_until=TODAY + DAY)
        )
        guest, gone, new = (person(session, name) for name in ("guest", "gone", "new"))
        for each in (left, never, barred, paused):
            office(session, each)
        office(session, guest, role=Role.GUEST)
        office(session, gone, ends=TODAY - DAY)
        office(session, new, starts=TODAY)
        municipal = person(session, "municipal", list_key="ort")
        right = office(session, municipal)
        expected = f"{municipal.id}:{right.id}"
    assert asked(people, NOW) == [expected]


def test_a_run_asks_a_few_and_a_day_not_many_and_reminders_come_first(people: Database) -> None:
    with people.write() as session:
        for n in range(230):
            office(session, person(session, f"p{n}"))
        first = session.scalars(select(Office).order_by(Office.id.desc())).first()
        assert first is not None
        first.asked, first.asked_at = 1, NOW - 14 * DAY
        reminded = f"{first.subscriber_id}:{first.id}"
    runs = [asked(people, NOW + timedelta(minutes=n)) for n in range(12)]
    assert reminded in runs[0]
    assert [len(run) for run in runs] == [20] * 10 + [0, 0]
    assert len(asked(people, NOW + DAY + timedelta(minutes=30))) == 20
    # nobody was asked twice
    assert len({name for run in runs for name in run}) == 200
