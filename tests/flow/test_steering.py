"""What staff do while mails are on their way takes effect within a second, and what goes wrong reaches them."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr
from sqlalchemy import func, select, update

from mailer import clock
from mailer.cli import Refused
from mailer.cli.held import accept_, list_, resend_
from mailer.cli.relays import rate_
from mailer.daemon.worker import drain, make_worker
from mailer.database import Database
from mailer.installation import Installation
from mailer.issues.model import Issue, IssueState
from mailer.issues.release import act_on
from mailer.issues.workflow import Act
from mailer.notices.model import Notice
from mailer.outbox.cancel import cancel_open
from mailer.outbox.freeze import queue_notices
from mailer.outbox.model import Attempt, Delivery, DeliveryState, DomainTrouble
from mailer.outbox.pace import HOUR, Limit, Quota
from mailer.outbox.progress import progress
from mailer.render.message import Slot
from mailer.render.model import Edition
from subscribers.chain import Record
from subscribers.model import InDoubt, MailingList, RequestKind, Subscriber
from tests.flow.conftest import NOW, Sink, enrol
from tests.flow.test_sending import started, states


@contextmanager
def working(house: Installation) -> Iterator[None]:
    """A worker that is at work beside the test."""
    stop, loop = asyncio.Event(), asyncio.new_event_loop()
    failures: list[BaseException] = []

    async def work() -> None:
        worker = make_worker(house)
        try:
            await worker.run(stop)
        finally:
            await worker.close()

    def run() -> None:
        try:
            loop.run_until_complete(work())
        except BaseException as error:
            failures.append(error)
        finally:
            loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(30)
        assert not thread.is_alive()
    assert not failures


def until(holds: Callable[[], bool], within: float = 15) -> None:
    deadline = time.monotonic() + within
    while not holds():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.02)


def count(sink: Sink) -> int:
    return sum(sink.accepted().values())


@pytest.fixture
def slow(house: Installation) -> Installation:
    """The installation with a pace of 20 mails a second."""
    urls = f"{house.settings.smtp_urls.get_secret_value()}&rate=20"
    return replace(house, settings=house.settings.model_copy(update={"smtp_urls": SecretStr(urls)}))


def act(house: Installation, issue: int, what: Act) -> None:
    with house.database.write() as session:
        act_on(session, session.get_one(Issue, issue), what, actor="user:1", now=NOW)
        if what is Act.CANCEL:
            cancel_open(session, issue, actor="user:1", now=NOW)


def test_a_pause_and_a_resume_are_felt_within_a_second(slow: Installation, sink: Sink) -> None:
    people = enrol(slow, 120)
    issue = started(slow)
    with working(slow):
        until(lambda: count(sink) >= 10)
        act(slow, issue, Act.PAUSE)
        time.sleep(1)
        paused = count(sink)
        time.sleep(1)
        assert count(sink) == paused < 60
        # whoever was not begun was not tried
        until(lambda: states(slow) == {"sent": paused, "pending": 120 - paused})
        with slow.database.read() as session:
            tried = session.scalar(select(func.sum(Delivery.attempts)))
        assert tried == paused
        act(slow, issue, Act.RESUME)
        until(lambda: count(sink) > paused, within=1.5)
        until(lambda: count(sink) == 120)
    assert sink.accepted() == dict.fromkeys(people, 1)


def test_what_was_cancelled_leaves_the_hand_and_is_skipped(slow: Installation, sink: Sink) -> None:
    enrol(slow, 120)
    issue = started(slow)
    with working(slow):
        until(lambda: count(sink) >= 5)
        act(slow, issue, Act.PAUSE)
        act(slow, issue, Act.CANCEL)
        until(lambda: set(states(slow)) == {"sent", "skipped"})
    sent = states(slow)["sent"]
    assert sent == count(sink) < 60
    assert states(slow)["skipped"] == 120 - sent


def test_a_rate_that_staff_set_is_felt_within_a_second(slow: Installation, sink: Sink) -> None:
    enrol(slow, 400)
    started(slow)
    with working(slow):
        until(lambda: count(sink) >= 10)
        rate_(f"127.0.0.1:{sink.port}", "400", "carla")
        time.sleep(1)
        before = count(sink)
        time.sleep(1)
        assert count(sink) - before > 60  # twenty a second was what the settings say
        rate_(f"127.0.0.1:{sink.port}", "1", "carla")
        time.sleep(1)
        before = count(sink)
        time.sleep(1)
        assert count(sink) - before <= 2


def test_a_notice_overtakes_what_was_claimed_before_it(slow: Installation, sink: Sink) -> None:
    enrol(slow, 200)
    started(slow)
    with working(slow):
        until(lambda: count(sink) >= 10)
        with slow.database.write() as session:
            message = (
                b"From: a@example.org\r\nTo: late@example.org\r\nMessage-ID: <1@example.org>\r\n\r\nhello\r\n"
            )
            session.add(
                Notice(
                    kind="confirm", list_key="netzwerk", address="late@example.org", address_handle=1, key_id=1,
                    subject="s", message=message, created_at=NOW,
                )
            )  # fmt: skip
            session.flush()
            queue_notices(session)
        until(lambda: sink.accepted()["late@example.org"] == 1, within=2)
        assert count(sink) < 100


def test_progress_tells_the_pace_and_the_time_that_is_left(slow: Installation, sink: Sink) -> None:
    enrol(slow, 200)
    issue = started(slow)
    with working(slow):
        until(lambda: count(sink) >= 40)
        until(lambda: states(slow).get("sent", 0) >= 30)
    with slow.database.write() as session:
        row = session.get_one(Issue, issue)
        now = datetime.now(UTC)
        row.frozen_at = now - timedelta(seconds=2)
        reading = progress(session, row, now)
        sent = reading.counts["sent"]
        assert (reading.frozen, reading.open) == (200, 200 - sent)
        assert reading.rate == pytest.approx(sent / 2)
        assert reading.remaining == timedelta(seconds=round((200 - sent) / (sent / 2)))
        # the limits of the relays make it take longer: 10 at once, and then 10 an hour
        limited = progress(session, row, now, [Quota((Limit(10, HOUR),))])
        assert limited.remaining == timedelta(hours=(200 - sent - 1) // 10)
        # nothing went for a minute
        assert progress(session, row, now + timedelta(minutes=2)).remaining is None


def test_an_issue_that_fails_too_often_pauses_and_staff_are_told_once(
    house: Installation, sink: Sink
) -> None:
    people = enrol(house, 60)
    sink.refuse = dict.fromkeys(people[:15], "550 5.1.1 no such mailbox")
    issue = started(house)
    with_staff = with_notify(house)
    asyncio.run(drain(with_staff))
    with house.database.read() as session:
        halted = session.get_one(Issue, issue)
        assert halted.state is IssueState.PAUSED
        failed, of = map(int, halted.halted.split("/"))
    assert failed >= 10
    assert failed * 5 >= of
    assert clock.alarm(with_staff, now=NOW) == 1
    assert clock.alarm(with_staff, now=NOW) == 0
    assert clock.answer_requests(with_staff, now=NOW) == 1
    with house.database.read() as session:
        notice = session.scalars(select(Notice).where(Notice.kind == RequestKind.HALTED)).one()
        assert f"{failed} von {of}".encode() in notice.message.replace(b"=\r\n", b"")
    act(with_staff, issue, Act.RESUME)
    asyncio.run(drain(with_staff))
    assert {recipient for recipient in sink.accepted() if recipient in people} == set(people[15:])


def with_notify(house: Installation) -> Installation:
    newsletter = replace(house.plan.newsletters["infomail"], notify=("redaktion@example.org",))
    return replace(
        house, plan=replace(house.plan, newsletters={**house.plan.newsletters, "infomail": newsletter})
    )


def later(database: Database) -> None:
    """Whatever waits for its next try is due now."""
    with database.write() as session:
        session.execute(update(Delivery).where(Delivery.due_at.is_not(None)).values(due_at=NOW))


def test_a_mail_that_cannot_be_made_three_times_is_held_alone(house: Installation, sink: Sink) -> None:
    people = enrol(house, 3)
    started(house)
    with house.database.write() as session:
        edition = session.scalars(select(Edition)).one()
        session.add(
            Edition(
                id=2, issue_id=1, digest="torn", language="de", subject="S", html="", text="", created_at=NOW,
                # a mark that stands for no slot
                message=edition.message.replace(Slot.DATE.value, b"\0?\0"),
            )
        )  # fmt: skip
        session.flush()
        session.execute(update(Delivery).where(Delivery.address == people[1]).values(edition_id=2))
    for tries in (1, 2, 3):
        assert states(house).get("held", 0) == 0
        asyncio.run(drain(house))
        later(house.database)
        with house.database.read() as session:
            assert session.scalar(select(func.count()).where(Attempt.outcome == "unmade")) == tries
    assert states(house) == {"sent": 2, "held": 1}
    assert set(sink.accepted()) == {people[0], people[2]}
    assert clock.alarm(with_notify(house), now=NOW) == 1
    accept_(1, None, "carla")
    assert states(house) == {"sent": 2, "failed": 1}
    asyncio.run(drain(house))
    with house.database.read() as session:
        assert session.get_one(Issue, 1).state is IssueState.SENT


@pytest.fixture
def in_doubt(house: Installation) -> list[str]:
    """Four people, of whom a worker of another host had three under way when it was lost; the list holds."""
    people = enrol(house, 4)
    started(house)
    with house.database.write() as session:
        session.get_one(MailingList, "netzwerk").in_doubt = InDoubt.HOLD
        for lost in session.scalars(select(Delivery).order_by(Delivery.id).limit(3)):
            lost.state, lost.worker, lost.attempts, lost.lease_until = (
                DeliveryState.SENDING,
                "elsewhere",
                1,
                NOW,
            )
    return people


def test_what_a_lost_host_had_under_way_waits_for_staff_where_the_list_says_so(
    house: Installation, sink: Sink, in_doubt: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(drain(house))
    assert states(house) == {"sent": 1, "held": 3}
    assert clock.alarm(with_notify(house), now=NOW) == 1
    list_(1, False)
    held = [line.split("\t")[:3] for line in capsys.readouterr().out.splitlines()]
    assert [(address, reason) for _, address, reason in held] == [(each, "in-doubt") for each in in_doubt[:3]]
    resend_(1, [int(held[0][0])], "carla")
    assert states(house) == {"sent": 1, "held": 2, "pending": 1}
    accept_(1, None, "carla")
    assert states(house) == {"sent": 3, "pending": 1}
    with pytest.raises(Refused, match="none of these"):
        resend_(1, None, "carla")
    asyncio.run(drain(house))
    assert sink.accepted() == {in_doubt[0]: 1, in_doubt[3]: 1}
    with house.database.read() as session:
        assert session.get_one(Issue, 1).state is IssueState.SENT
        told = session.scalars(select(Record.action).order_by(Record.seq)).all()
    assert [action for action in told if "held" in action] == ["issue.held-resent", "issue.held-accepted"]


def test_what_a_lost_host_had_under_way_goes_once_more_where_the_list_does_not_mind(
    house: Installation, sink: Sink, in_doubt: list[str]
) -> None:
    with house.database.write() as session:
        session.get_one(MailingList, "netzwerk").in_doubt = InDoubt.RESEND
    asyncio.run(drain(house))
    assert sink.accepted() == dict.fromkeys(in_doubt, 1)


def test_a_domain_that_defers_everybody_rests_and_the_others_get_theirs(
    house: Installation, sink: Sink
) -> None:
    people = enrol(house, 60)
    with house.database.write() as session:
        slow = session.scalars(select(Subscriber).order_by(Subscriber.id).limit(40)).all()
        for person in slow:
            person.domain = "slow.example"
    sink.refuse = dict.fromkeys(people[:40], "450 4.1.0 later")
    started(house)
    asyncio.run(drain(house))
    assert states(house) == {"sent": 20, "deferred": 40}
    with house.database.read() as session:
        resting = session.get_one(DomainTrouble, "slow.example")
        assert resting.rests == 1
        tried = session.scalar(select(func.count()).select_from(Attempt).where(Attempt.outcome == "deferred"))
    # afterwards a few find out, and the others are not tried
    with house.database.write() as session:
        session.get_one(DomainTrouble, "slow.example").rest_until = NOW
    later(house.database)
    asyncio.run(drain(house))
    with house.database.read() as session:
        again = session.scalar(select(func.count()).select_from(Attempt).where(Attempt.outcome == "deferred"))
        assert session.get_one(DomainTrouble, "slow.example").rests == 2
    assert again is not None
    assert tried is not None
    assert again - tried == 5
    # and when it takes mail again, it is well
    sink.refuse = {}
    with house.database.write() as session:
        session.get_one(DomainTrouble, "slow.example").rest_until = NOW
    for _ in range(2):
        later(house.database)
        asyncio.run(drain(house))
    assert states(house) == {"sent": 60}
    with house.database.read() as session:
        assert session.get(DomainTrouble, "slow.example") is None
