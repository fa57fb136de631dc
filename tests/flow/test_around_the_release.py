"""Weeks around a release, simulated: who is told what and when, what still sends, and what never does."""

import asyncio
import email
import email.policy
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from sqlalchemy import select, update

from mailer import clock
from mailer.daemon.worker import drain
from mailer.feeds.model import Feed, FeedState, Item
from mailer.installation import Installation
from mailer.issues.compose import compose
from mailer.issues.model import Edit, Entry, EntryState, Issue, IssueState
from mailer.issues.release import act_on, approve_alone
from mailer.issues.timing import reschedule
from mailer.issues.workflow import Act, IllegalMove
from mailer.notices.model import Notice
from mailer.outbox.model import Delivery, Priority
from mailer.schedule import read_plan
from subscribers.addresses import address_hash
from subscribers.model import Request, RequestState, Subscriber, SuppressionReason
from subscribers.subscribing import suppress
from tests.flow.conftest import PLAN, Sink, bring_items, enrol

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
#: the first Tuesday, 09:00 in Berlin; drafted five days before
SLOT = datetime(2026, 12, 1, 8, 0, tzinfo=UTC)
DRAFTED = SLOT - 5 * DAY
RELEASED_BY_HAND = """\
notify = ["redaktion@example.org", "freigabe@example.org"]
deputies = ["vertretung@example.org", "redaktion@example.org"]
remind = "1d"
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def desk(request: pytest.FixtureRequest) -> Installation:
    """The installation whose monthly newsletter has staff, with an item and two readers, on both engines."""
    name = {"sqlite": "house", "postgresql": "house_on_postgresql"}[request.param]
    found = planned(request.getfixturevalue(name), RELEASED_BY_HAND)
    enrol(found, 2)
    bring_items(found, 2)
    return found


def planned(house: Installation, lines: str, text: str = PLAN) -> Installation:
    """The installation with these lines in its monthly newsletter."""
    title = 'title = "Infomail"\n'
    return replace(house, plan=read_plan(text.replace(title, title + lines)))


def tick(house: Installation, now: datetime) -> None:
    """A look of the clock at all that is no fetching."""
    clock.compose_due(house, now=now)
    clock.remind(house, now=now)
    clock.start_due(house, now=now)
    clock.answer_requests(house, now=now)


def told(house: Installation) -> list[tuple[str, str]]:
    """Kind and recipient of each notice to staff, in order."""
    with house.database.read() as session:
        rows = session.scalars(select(Notice).order_by(Notice.id))
        return [(row.kind, row.address.partition("@")[0]) for row in rows]


def letter_to(house: Installation, kind: str) -> str:
    """Headers and text of the first notice of a kind, on one line."""
    with house.database.read() as session:
        raw = session.scalars(select(Notice.message).where(Notice.kind == kind)).first()
    assert raw is not None
    mail = email.message_from_bytes(raw, policy=email.policy.default)
    text = mail.get_body(("plain",))
    assert text is not None
    return " ".join(f"{mail['auto-submitted']} {mail['subject']} {text.get_content()}".split())


def monthly(house: Installation) -> Issue:
    with house.database.read() as session:
        return session.scalars(select(Issue).where(Issue.newsletter == "infomail").order_by(Issue.id)).one()


def release(house: Installation, now: datetime, actor: str = "user:2") -> None:
    with house.database.write() as session:
        issue = session.get_one(Issue, monthly(house).id)
        act_on(session, issue, Act.APPROVE, actor=actor, now=now)


def edit(house: Installation, actor: str, title: str) -> None:
    """What the editor's page does: change an entry, and put down who did."""
    with house.database.write() as session:
        issue = session.get_one(Issue, monthly(house).id)
        entry = session.scalars(select(Entry).where(Entry.issue_id == issue.id)).first()
        assert entry is not None
        entry.title = title
        session.add(Edit(issue_id=issue.id, entry_id=entry.id, at=DRAFTED, actor=actor, act="change"))


def weekly_cancelled(house: Installation) -> None:
    """The plan's other newsletter has nothing to do with these tests."""
    with house.database.write() as session:
        for issue in session.scalars(select(Issue).where(Issue.newsletter == "termine")):
            issue.state = IssueState.CANCELLED


NOTIFY = ["redaktion", "freigabe"]
ALL = [*NOTIFY, "vertretung"]


def test_staff_hear_of_the_draft_are_reminded_and_told_of_a_missed_time_each_once(desk: Installation) -> None:
    now = DRAFTED - HOUR
    while now < SLOT + 2 * DAY:
        tick(desk, now)
        now += 30 * MINUTE
    kinds = [kind for kind, _ in told(desk)]
    assert kinds == ["draft-ready"] * 2 + ["reminder"] * 3 + ["overdue"] * 3
    assert [to for kind, to in told(desk) if kind == "draft-ready"] == NOTIFY
    assert [to for kind, to in told(desk) if kind == "reminder"] == ALL
    assert [to for kind, to in told(desk) if kind == "overdue"] == ALL
    assert monthly(desk).told == ["draft-ready", "reminder", "overdue"]
    with desk.database.read() as session:
        of_staff = session.scalars(select(Delivery).where(Delivery.notice_id.is_not(None)))
        assert {each.priority for each in of_staff} == {Priority.NOTICE}
        bulk = select(Delivery).where(Delivery.issue_id == monthly(desk).id)
        assert session.scalars(bulk).all() == [], "what nobody released is never sent"


def test_a_mail_to_staff_goes_out_like_any_other_and_a_barred_address_gets_none(
    desk: Installation, sink: Sink
) -> None:
    with desk.database.write() as session:
        suppress(
            session, address_hash=address_hash(desk.suppression_key, "freigabe@example.org"),
            reason=SuppressionReason.STAFF, actor="t", now=DRAFTED,
        )  # fmt: skip
    tick(desk, DRAFTED)
    asyncio.run(drain(desk))
    assert sink.accepted() == {"redaktion@example.org": 1}
    (mail,) = sink.mails["redaktion@example.org"]
    assert b"Auto-Submitted: auto-generated" in mail
    assert sink.senders["redaktion@example.org"].startswith("bounce+")


def test_mails_to_staff_are_kept_no_longer_than_any_other(house: Installation) -> None:
    here = planned(house, RELEASED_BY_HAND)
    enrol(here, 1)
    bring_items(here, 1)
    tick(here, DRAFTED)
    with time_machine.travel(DRAFTED, tick=True):
        asyncio.run(drain(here))
    clock.retain(here, now=DRAFTED + 3 * 366 * DAY)
    with here.database.read() as session:
        for column in (Notice.address, Delivery.address, Request.address):
            assert set(session.scalars(select(column))) <= {"", None}
        assert set(session.scalars(select(Notice.message))) == {b""}


def test_a_mail_to_staff_shows_the_issue_and_what_is_open(desk: Installation) -> None:
    tick(desk, DRAFTED)
    drafted = letter_to(desk, "draft-ready")
    for said in (
        "auto-generated Entwurf fertig: Infomail Nr. 1/2026",
        "Dienstag, 1. Dezember 2026, 09:00 Uhr",
        "Die Ausgabe ist noch nicht zur Prüfung eingereicht.",
        "2 Personen würden sie zurzeit erhalten.",
        "Neues",
        "* Meldung 0",
        f"infomail issues approve {monthly(desk).id}",
    ):
        assert said in drafted
    with desk.database.write() as session:
        feed = session.get_one(Feed, "neues")
        feed.state, feed.problem, feed.broken_since = FeedState.BROKEN, "HTTP 503", SLOT - 3 * DAY
        session.add(
            Entry(
                issue_id=monthly(desk).id, section="Neues", section_position=0, position=9, title="Spät",
                state=EntryState.SUGGESTED,
            )
        )  # fmt: skip
        act_on(session, session.get_one(Issue, monthly(desk).id), Act.SUBMIT, actor="user:1", now=DRAFTED)
    tick(desk, SLOT - DAY)
    reminded = letter_to(desk, "reminder")
    for said in (
        "Erinnerung, noch nicht freigegeben: Infomail",
        "zur Prüfung eingereicht und noch nicht freigegeben",
        "1 neue Meldung seit ",
        "nicht lesbar seit Samstag, 28. November 2026: HTTP 503",
    ):
        assert said in reminded
    assert "Spät" not in reminded


def test_two_clocks_at_once_tell_each_person_once(desk: Installation) -> None:
    clock.compose_due(desk, now=DRAFTED)
    barrier = threading.Barrier(3)
    failures: list[BaseException] = []

    def look() -> None:
        barrier.wait()
        try:
            clock.remind(desk, now=DRAFTED)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    clock.answer_requests(desk, now=DRAFTED)
    assert told(desk) == [("draft-ready", name) for name in NOTIFY]


def test_after_a_downtime_only_the_gravest_mail_is_sent(desk: Installation) -> None:
    tick(desk, DRAFTED)
    tick(desk, SLOT + 8 * HOUR)
    assert [kind for kind, _ in told(desk)] == ["draft-ready"] * 2 + ["overdue"] * 3
    late = letter_to(desk, "overdue")
    assert "Die Freigabe allein genügt nicht mehr" in late


@pytest.mark.parametrize(
    "lines", ["", RELEASED_BY_HAND + 'release = "none"\n', 'deputies = ["v@example.org"]\n']
)
def test_nobody_is_told_of_what_needs_no_release_or_has_no_staff(house: Installation, lines: str) -> None:
    lines = lines.replace('remind = "1d"', 'remind = "0m"') if "none" in lines else lines
    here = planned(house, lines)
    enrol(here, 1)
    bring_items(here, 1)
    for now in (DRAFTED, SLOT - DAY, SLOT, SLOT + HOUR):
        tick(here, now)
    assert told(here) == []


def test_a_release_before_its_time_ends_the_reminding_and_sends_in_time(desk: Installation) -> None:
    tick(desk, DRAFTED)
    release(desk, DRAFTED + DAY)
    for now in (SLOT - DAY, SLOT - MINUTE):
        tick(desk, now)
        assert monthly(desk).state is IssueState.APPROVED
    tick(desk, SLOT)
    assert monthly(desk).state is IssueState.SENDING
    assert [kind for kind, _ in told(desk)] == ["draft-ready"] * 2


def test_a_reminder_that_the_release_overtook_is_not_written(desk: Installation) -> None:
    tick(desk, DRAFTED)
    clock.remind(desk, now=SLOT - DAY)
    release(desk, SLOT - DAY)
    clock.answer_requests(desk, now=SLOT - DAY)
    assert [kind for kind, _ in told(desk)] == ["draft-ready"] * 2
    with desk.database.read() as session:
        dropped = session.scalars(select(Request).where(Request.state == RequestState.DROPPED))
        assert {row.outcome for row in dropped} == {"approved"}


@pytest.mark.parametrize(("late", "sends"), [(MINUTE, True), (6 * HOUR, True), (6 * HOUR + MINUTE, False)])
def test_a_release_within_the_late_window_sends_at_once_and_after_it_the_clock_never_does(
    desk: Installation, late: timedelta, sends: bool
) -> None:
    for now in (DRAFTED, SLOT - DAY, SLOT):
        tick(desk, now)
    assert "bis zu diesem Zeitpunkt freigeben: Dienstag, 1. Dezember 2026, 15:00 Uhr." in letter_to(
        desk, "overdue"
    )
    release(desk, SLOT + late)
    for after in (timedelta(0), DAY, 20 * DAY):
        weekly_cancelled(desk)
        tick(desk, SLOT + late + after)
    assert monthly(desk).state is (IssueState.SENDING if sends else IssueState.APPROVED)


def test_after_the_window_staff_choose_a_time_from_which_a_new_one_counts(desk: Installation) -> None:
    for now in (DRAFTED, SLOT, SLOT + DAY):
        tick(desk, now)
    chosen = SLOT + 2 * DAY
    with desk.database.write() as session:
        issue = session.get_one(Issue, monthly(desk).id)
        with pytest.raises(IllegalMove, match="a time that is over"):
            reschedule(session, issue, SLOT, actor="user:1", now=SLOT + DAY)
        reschedule(session, issue, chosen, actor="user:1", now=SLOT + DAY)
    assert (monthly(desk).slot, monthly(desk).send_at) == (SLOT, chosen)
    tick(desk, SLOT + DAY + MINUTE)
    assert [kind for kind, _ in told(desk)][-3:] == ["reminder"] * 3, "the new time is reminded of"
    release(desk, chosen + 5 * HOUR)
    tick(desk, chosen + 5 * HOUR)
    assert monthly(desk).state is IssueState.SENDING


def test_a_special_issue_is_the_clocks_once_somebody_says_a_time(desk: Installation) -> None:
    with desk.database.write() as session:
        newsletter = desk.plan.newsletters["infomail"]
        issue = compose(
            session, newsletter, slot=DRAFTED, send_at=DRAFTED, special=True, actor="cli:t", now=DRAFTED
        )
    assert clock.start_window(desk.plan, issue) is None
    clock.remind(desk, now=DRAFTED + HOUR)
    chosen = DRAFTED + 2 * DAY
    with desk.database.write() as session:
        reschedule(session, session.get_one(Issue, issue.id), chosen, actor="cli:t", now=DRAFTED + HOUR)
    with desk.database.read() as session:
        issue = session.get_one(Issue, issue.id)
        assert clock.start_window(desk.plan, issue) == (chosen, chosen + 6 * HOUR)
    assert clock.start_due(desk, now=chosen) == [], "only once it is approved"
    with desk.database.write() as session:
        act_on(session, session.get_one(Issue, issue.id), Act.APPROVE, actor="cli:u", now=chosen)
    assert clock.start_due(desk, now=chosen - MINUTE) == []
    assert clock.start_due(desk, now=chosen) == [issue.id]


def test_who_edited_an_issue_does_not_release_it_and_composing_is_no_editing(desk: Installation) -> None:
    tick(desk, DRAFTED)
    edit(desk, "user:1", "Anders")
    with pytest.raises(IllegalMove, match="cannot approve an issue that user:1 edited"):
        release(desk, DRAFTED, "user:1")
    release(desk, DRAFTED, "user:2")
    assert monthly(desk).approved_by == "user:2"


def test_an_edit_after_the_release_voids_it_and_the_next_one_follows_the_same_rule(
    desk: Installation,
) -> None:
    tick(desk, DRAFTED)
    release(desk, DRAFTED, "user:2")
    with pytest.raises(IllegalMove, match="cannot approve an issue that is approved"):
        release(desk, DRAFTED, "user:3")
    edit(desk, "user:2", "Nachträglich")
    tick(desk, SLOT - DAY)
    assert "Die Ausgabe wurde nach ihrer Freigabe geändert" in letter_to(desk, "reminder")
    tick(desk, SLOT)
    assert monthly(desk).state is IssueState.APPROVED, "the clock does not send what nobody released"
    with pytest.raises(IllegalMove, match="user:2 edited"):
        release(desk, SLOT, "user:2")
    release(desk, SLOT, "user:3")
    tick(desk, SLOT + MINUTE)
    assert monthly(desk).state is IssueState.SENDING


def test_in_an_emergency_one_person_releases_and_everybody_is_told(desk: Installation) -> None:
    tick(desk, DRAFTED)
    edit(desk, "cli:berta", "Eilmeldung")

    def alone(house: Installation, reason: str) -> None:
        with house.database.write() as session:
            issue = session.get_one(Issue, monthly(house).id)
            newsletter = house.plan.newsletters["infomail"]
            approve_alone(session, issue, newsletter, reason=reason, people=2, actor="cli:berta", now=DRAFTED)

    with pytest.raises(IllegalMove, match="emergency_release is not true"):
        alone(desk, "Frist heute")
    allowed = planned(desk, RELEASED_BY_HAND + "emergency_release = true\n")
    with pytest.raises(IllegalMove, match="without a reason"):
        alone(allowed, " ")
    assert monthly(allowed).state is IssueState.DRAFT
    alone(allowed, "Frist heute")
    clock.answer_requests(allowed, now=DRAFTED)
    assert [to for kind, to in told(allowed) if kind == "emergency"] == ALL
    mail = letter_to(allowed, "emergency")
    for said in (
        "Von einer Person allein freigegeben: Infomail",
        "berta hat diese Ausgabe als Notfall allein freigegeben",
        "> Frist heute",
        "Dienstag, 1. Dezember 2026, 09:00 Uhr",
        f"infomail issues cancel {monthly(allowed).id}",
        "2 Personen würden sie",
    ):
        assert said in mail
    assert (monthly(allowed).emergency, monthly(allowed).approved_by) == ("Frist heute", "cli:berta")
    edit(allowed, "user:9", "Doch anders")
    release(allowed, DRAFTED, "user:2")
    assert monthly(allowed).emergency == "", "what two people saw is no emergency"


def weekly(house: Installation, release: str, *more: str) -> Installation:
    lines = [f'release = "{release}"', 'too_few = { below = 3, then = "postpone" }', *more]
    text = PLAN.replace('release = "none"\ntoo_few = { below = 0, then = "send" }', "\n".join(lines))
    return replace(house, plan=read_plan('no_send_days = { country = "DE", region = "NW" }\n' + text))


def of_weekly(house: Installation) -> list[tuple[str, str, int]]:
    """Slot and time to go out (weekday, day) and state of the weekly issues, and how many entries each has."""
    with house.database.read() as session:
        found = session.scalars(select(Issue).where(Issue.newsletter == "termine").order_by(Issue.slot))
        return [
            (
                f"{row.slot:%a %d} -> {row.send_at:%a %d}",
                "postponed" if row.postponed and row.state is IssueState.DRAFT else row.state.value,
                len(session.scalars(select(Entry.id).where(Entry.issue_id == row.id)).all()),
            )
            for row in found
        ]


def another_item(house: Installation, name: str, now: datetime) -> None:
    with house.database.write() as session:
        session.add(
            Item(
                feed_key="neues", identity=f"urn:{name}", title=name, digest=name, first_seen_at=now, fetched_at=now
            )
        )  # fmt: skip


#: Monday, 07:30 in Berlin
MONDAY = datetime(2026, 11, 23, 6, 30, tzinfo=UTC)


def test_an_issue_with_too_few_items_waits_day_by_day_and_goes_out_when_there_are_enough(
    house: Installation,
) -> None:
    here = weekly(house, "none")
    enrol(here, 1)
    bring_items(here, 2)
    tick(here, MONDAY)
    assert of_weekly(here) == [("Mon 23 -> Tue 24", "postponed", 2)]
    another_item(here, "drittens", MONDAY + 4 * HOUR)
    tick(here, MONDAY + 5 * HOUR)
    assert of_weekly(here) == [("Mon 23 -> Tue 24", "postponed", 2)], "at its time, not at any"
    tick(here, MONDAY + DAY)
    assert of_weekly(here) == [("Mon 23 -> Tue 24", "sending", 3)]
    tick(here, MONDAY + 7 * DAY)
    assert of_weekly(here)[1] == ("Mon 30 -> Tue 01", "postponed", 0)


def test_an_issue_that_never_fills_is_given_up_before_the_next_which_takes_its_items(
    house: Installation,
) -> None:
    here = weekly(house, "none")
    enrol(here, 1)
    bring_items(here, 2)
    seen = []
    for day in range(8):
        if day == 7:
            another_item(here, "drittens", MONDAY + 7 * DAY)
        for minutes in (0, 1, 400):
            tick(here, MONDAY + day * DAY + minutes * MINUTE)
        seen.append(of_weekly(here)[0][:2])
    assert [day for day, state in seen if state == "postponed"] == [
        "Mon 23 -> Tue 24", "Mon 23 -> Wed 25", "Mon 23 -> Thu 26", "Mon 23 -> Fri 27",
    ]  # fmt: skip
    assert seen[4:] == [("Mon 23 -> Fri 27", "cancelled")] * 4
    assert of_weekly(here)[1:] == [("Mon 30 -> Mon 30", "sending", 3)]


def test_staff_are_told_once_that_an_issue_was_given_up(house: Installation) -> None:
    here = weekly(house, "none", 'draft = "1d"', 'notify = ["redaktion@example.org"]')
    enrol(here, 1)
    bring_items(here, 2)
    for day in range(7):
        for _ in range(2):
            tick(here, MONDAY + day * DAY)
    assert told(here) == [("given-up", "redaktion")]
    said = letter_to(here, "given-up")
    assert "Zu wenige Meldungen, entfällt: Termine Nr. 1/2026" in said
    assert "stehen der nächsten Ausgabe zur Verfügung" in said


def test_where_nobody_is_to_be_notified_no_deputy_hears_that_an_issue_was_given_up(
    house: Installation,
) -> None:
    here = weekly(house, "none", 'draft = "1d"', 'deputies = ["vertretung@example.org"]')
    bring_items(here, 2)
    for day in range(7):
        tick(here, MONDAY + day * DAY)
    assert of_weekly(here)[0][1] == "cancelled"
    assert told(here) == []


def test_staff_are_told_once_that_a_released_issue_missed_its_time(desk: Installation) -> None:
    tick(desk, DRAFTED)
    release(desk, DRAFTED)
    # nothing ran on the day itself
    for _ in range(3):
        tick(desk, SLOT + DAY)
    assert [to for kind, to in told(desk) if kind == "missed"] == ALL
    assert monthly(desk).state is IssueState.APPROVED
    said = letter_to(desk, "missed")
    for words in (
        "Freigegeben, aber nicht versandt: Infomail Nr. 1/2026",
        "Ihr Termin war: Dienstag, 1. Dezember 2026, 09:00 Uhr.",
        "Bis Dienstag, 1. Dezember 2026, 15:00 Uhr wäre sie noch von selbst versandt worden",
        f"infomail issues reschedule {monthly(desk).id} --at JJJJ-MM-TTThh:mm",
        "Die Ausgabe ist freigegeben.",
    ):
        assert words in said


def test_those_to_notify_hear_once_what_became_of_an_issue(desk: Installation, sink: Sink) -> None:
    tick(desk, DRAFTED)
    release(desk, DRAFTED)
    with desk.database.write() as session:
        address = session.scalars(select(Subscriber.address).order_by(Subscriber.id)).first()
        assert address is not None
        session.execute(
            update(Subscriber).where(Subscriber.address == address).values(address="unbekannt@example.org")
        )
    sink.refuse["unbekannt@example.org"] = "550 5.1.1 nobody of that name"
    with time_machine.travel(SLOT, tick=True):
        tick(desk, SLOT)
        asyncio.run(drain(desk))
    # the clock stood still over the holidays: ten days are not too long
    for _ in range(2):
        tick(desk, SLOT + 10 * DAY)
    assert [to for kind, to in told(desk) if kind == "issue-sent"] == NOTIFY
    said = letter_to(desk, "issue-sent")
    for words in (
        "Versandt: Infomail Nr. 1/2026",
        "1 E-Mail hat der nächste Server angenommen.",
        "Nicht zustellbar",
        "- 1: Die Adresse gibt es nicht, oder sie nimmt nichts an",
        "1 Regionalausgabe",
        "Beginn: Dienstag, 1. Dezember 2026, 09:00 Uhr",
        f"infomail deliveries {monthly(desk).id}",
    ):
        assert words in said
    assert "unbekannt" not in said
    tick(desk, SLOT + 30 * DAY)
    assert [to for kind, to in told(desk) if kind == "issue-sent"] == NOTIFY


def test_a_postponed_issue_that_needs_a_release_is_announced_with_its_new_time(house: Installation) -> None:
    here = weekly(house, "required", 'draft = "1d"', 'remind = "1h"', 'notify = ["redaktion@example.org"]')
    bring_items(here, 2)
    tick(here, MONDAY - DAY)
    assert of_weekly(here) == [("Mon 23 -> Tue 24", "postponed", 2)]
    assert told(here) == []
    another_item(here, "drittens", MONDAY - HOUR)
    tick(here, MONDAY)
    assert of_weekly(here) == [("Mon 23 -> Tue 24", "draft", 3)]
    assert told(here) == [("draft-ready", "redaktion")]
    assert "Dienstag, 24. November 2026, 07:30 Uhr" in letter_to(here, "draft-ready")


def test_a_postponed_draft_that_somebody_edited_is_not_filled(house: Installation) -> None:
    here = weekly(house, "none")
    bring_items(here, 2)
    tick(here, MONDAY)
    with here.database.write() as session:
        issue = session.scalars(select(Issue).where(Issue.newsletter == "termine")).one()
        session.add(Edit(issue_id=issue.id, at=MONDAY, actor="user:1", act="change"))
    another_item(here, "drittens", MONDAY)
    tick(here, MONDAY + DAY)
    assert of_weekly(here) == [("Mon 23 -> Wed 25", "postponed", 2)]
