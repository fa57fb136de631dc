"""From an approved issue to the next server, through everything between, and with everything that breaks."""

import asyncio
import csv
import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from mailer import clock
from mailer.cli.deliveries import deliveries
from mailer.daemon.worker import drain
from mailer.installation import Installation
from mailer.issues.compose import compose
from mailer.issues.model import Entry, Issue, IssueState
from mailer.issues.release import act_on
from mailer.issues.workflow import Act, IllegalMove
from mailer.outbox import figures
from mailer.outbox.model import Attempt, Delivery, DeliveryState
from subscribers.model import Subscriber, Suppression, SuppressionReason
from subscribers.subscribing import leave, suppress
from tests.flow.conftest import NOW, Sink, enrol


def composed(house: Installation, *, approve: bool = True) -> int:
    newsletter = house.plan.newsletters["infomail"]
    with house.database.write() as session:
        issue = compose(session, newsletter, slot=NOW, send_at=NOW, special=True, actor="cli:t", now=NOW)
        entry = Entry(
            issue_id=issue.id, section="Neues", section_position=0, position=0, title="Ein Titel",
            summary="<p>Text</p>", url="https://www.example.org/1", places=[],
        )  # fmt: skip
        session.add(entry)
        session.flush()
        if approve:
            act_on(session, issue, Act.APPROVE, actor="user:1", now=NOW)
        return issue.id


def started(house: Installation) -> int:
    issue = composed(house)
    clock.start(house, issue, actor="user:1", now=NOW)
    return issue


def states(house: Installation) -> dict[str, int]:
    with house.database.read() as session:
        rows = session.execute(select(Delivery.state, func.count()).group_by(Delivery.state)).all()
        issue = session.scalars(select(Issue.id).order_by(Issue.id.desc())).first()
        assert issue is not None
        sums = figures.by_state(session, issue)
    counted = {state.value: n for state, n in rows}
    assert {name: n for name, n in sums.items() if not name.startswith("returned:")} == counted
    return counted


def test_everybody_gets_one_mail_and_the_issue_is_sent(house: Installation, sink: Sink) -> None:
    people = enrol(house, 30)
    issue = started(house)
    asyncio.run(drain(house))
    assert sink.accepted() == dict.fromkeys(people, 1)
    assert states(house) == {"sent": 30}
    with house.database.read() as session:
        assert session.get_one(Issue, issue).state is IssueState.SENT
        assert session.scalar(select(func.count()).select_from(Attempt)) == 30


def test_two_workers_on_one_postgresql_share_the_work_and_double_nobody(
    house_on_postgresql: Installation, sink: Sink
) -> None:
    house = house_on_postgresql
    people = enrol(house, 200)
    started(house)

    async def both() -> None:
        await asyncio.gather(drain(house), drain(house))

    asyncio.run(both())
    assert sink.accepted() == dict.fromkeys(people, 1)
    assert states(house) == {"sent": 200}


def test_what_was_not_approved_is_not_sent(house: Installation) -> None:
    enrol(house, 1)
    issue = composed(house, approve=False)
    with pytest.raises(IllegalMove):
        clock.start(house, issue, actor="user:1", now=NOW)


def test_an_edit_after_the_release_voids_it(house: Installation) -> None:
    enrol(house, 1)
    issue = composed(house)
    with house.database.write() as session:
        session.query(Entry).one().title = "Ein anderer Titel"
    with pytest.raises(clock.NotReady, match="edited"):
        clock.start(house, issue, actor="user:1", now=NOW)


def test_a_second_start_changes_nothing(house: Installation, sink: Sink) -> None:
    people = enrol(house, 3)
    issue = started(house)
    with pytest.raises(IllegalMove):
        clock.start(house, issue, actor="user:1", now=NOW)
    asyncio.run(drain(house))
    assert sink.accepted() == dict.fromkeys(people, 1)


def test_who_left_or_was_suppressed_after_the_freeze_is_skipped(house: Installation, sink: Sink) -> None:
    people = enrol(house, 4)
    started(house)
    with house.database.write() as session:
        first, second = session.scalars(select(Subscriber).order_by(Subscriber.id).limit(2)).all()
        leave(session, subscriber=first, list_key="netzwerk", through=None, source="page", actor="t", now=NOW)
        suppress(
            session,
            address_hash=second.address_hash,
            reason=SuppressionReason.STAFF,
            actor="user:1",
            now=NOW,
        )
    asyncio.run(drain(house))
    assert sink.accepted() == dict.fromkeys(people[2:], 1)
    with house.database.read() as session:
        query = select(Delivery.reason).where(Delivery.state == DeliveryState.SKIPPED).order_by(Delivery.id)
        assert session.scalars(query).all() == ["unsubscribed", "suppressed"]
    assert states(house) == {"sent": 2, "skipped": 2}


def test_a_refused_mailbox_fails_and_is_suppressed_and_the_rest_arrives(
    house: Installation, sink: Sink
) -> None:
    people = enrol(house, 3)
    sink.refuse[people[1]] = "550 5.1.1 no such user"
    started(house)
    asyncio.run(drain(house))
    assert sink.accepted() == {people[0]: 1, people[2]: 1}
    assert states(house) == {"sent": 2, "failed": 1}
    with house.database.read() as session:
        assert [row.reason for row in session.scalars(select(Suppression))] == [SuppressionReason.HARD]


def test_a_relay_that_blocks_us_suppresses_nobody(house: Installation, sink: Sink) -> None:
    people = enrol(house, 3)
    sink.refuse = dict.fromkeys(people, "550 Access denied - blocked using a list")
    started(house)
    asyncio.run(drain(house))
    assert states(house) == {"failed": 3}
    with house.database.read() as session:
        assert session.scalars(select(Suppression)).all() == []


def test_a_delivery_whose_signing_key_is_gone_fails_by_name_and_stops_no_other(
    house: Installation, sink: Sink
) -> None:
    people = enrol(house, 2)
    issue = started(house)
    with house.database.write() as session:
        session.get_one(Issue, issue).key_id = 9
    asyncio.run(drain(house))
    assert sink.accepted() == {}
    with house.database.read() as session:
        replies = session.scalars(select(Delivery.last_reply)).all()
    assert replies == ["signing key 9 is missing from INFOMAIL_SECRET_KEYS"] * len(people)
    assert states(house) == {"failed": 2}


@pytest.mark.parametrize("key_is_gone", [False, True])
def test_the_rows_of_an_issue_outlive_the_key_that_signed_it(
    house: Installation, capsys: pytest.CaptureFixture[str], key_is_gone: bool
) -> None:
    people = enrol(house, 2)
    issue = started(house)
    if key_is_gone:
        with house.database.write() as session:
            session.get_one(Issue, issue).key_id = 9
    deliveries(issue, as_json=False, as_csv=True)
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert [(row["address"], row["message_id"] == "") for row in rows] == [
        (address, key_is_gone) for address in people
    ]


def test_a_deferred_recipient_waits_and_is_tried_again(house: Installation, sink: Sink) -> None:
    people = enrol(house, 2)
    sink.refuse[people[0]] = "451 4.7.1 greylisted"
    started(house)
    asyncio.run(drain(house))
    assert states(house) == {"sent": 1, "deferred": 1}
    sink.refuse.clear()
    with house.database.write() as session:
        waiting = session.scalars(select(Delivery).where(Delivery.state == DeliveryState.DEFERRED)).one()
        assert waiting.due_at is not None
        waiting.due_at -= timedelta(hours=1)
    asyncio.run(drain(house))
    assert sink.accepted() == dict.fromkeys(people, 1)
    assert states(house) == {"sent": 2}


def test_a_dead_relay_loses_nobody(
    house: Installation, sink: Sink, environment: dict[str, str], tmp_path: Path
) -> None:
    people = enrol(house, 5)
    started(house)
    dead = environment | {"INFOMAIL_SMTP_URLS": "smtp://127.0.0.1:1?starttls=off"}
    answer = subprocess.run(
        [sys.executable, "-m", "mailer", "worker", "--drain"],
        env=os.environ | dead, capture_output=True, text=True, cwd=tmp_path,
    )  # fmt: skip
    assert answer.returncode == 1
    assert answer.stderr.splitlines()[-1] == "infomail: not everything is delivered: 5 pending"
    assert states(house) == {"pending": 5}
    with house.database.read() as session:
        # that was no try of anybody's
        assert set(session.scalars(select(Delivery.attempts))) == {0}
        assert session.scalars(select(Attempt)).all() == []
    asyncio.run(drain(house))
    assert sink.accepted() == dict.fromkeys(people, 1)


def test_a_pause_stops_and_a_resume_goes_on(house: Installation, sink: Sink) -> None:
    people = enrol(house, 3)
    issue = started(house)
    with house.database.write() as session:
        act_on(session, session.get_one(Issue, issue), Act.PAUSE, actor="user:1", now=NOW)
    asyncio.run(drain(house))
    assert not sink.accepted()
    with house.database.write() as session:
        act_on(session, session.get_one(Issue, issue), Act.RESUME, actor="user:1", now=NOW)
    asyncio.run(drain(house))
    assert sink.accepted() == dict.fromkeys(people, 1)


def test_a_database_that_refuses_to_settle_doubles_nobody(house: Installation, sink: Sink) -> None:
    """As a disk that fills up while mails are accepted: the journal knows what the database does not."""
    people = enrol(house, 250)
    started(house)
    with house.database.write() as session:
        session.connection().exec_driver_sql(
            "CREATE TRIGGER full BEFORE UPDATE ON deliveries WHEN NEW.state = 'sent' "
            "BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
        )
    with pytest.raises(DBAPIError, match="full"):
        asyncio.run(drain(house))
    assert sink.accepted()
    with house.database.write() as session:
        session.connection().exec_driver_sql("DROP TRIGGER full")
    asyncio.run(drain(house))
    accepted = sink.accepted()
    assert set(accepted) == set(people)
    # what was in flight on the two connections when the first group failed
    assert sum(accepted.values()) - 250 <= 2
    assert states(house) == {"sent": 250}


def test_a_worker_killed_in_the_middle_loses_nobody_and_doubles_at_most_what_was_in_flight(
    house: Installation, sink: Sink, environment: dict[str, str], tmp_path: Path
) -> None:
    people = enrol(house, 600)
    started(house)
    kills = 0
    for _ in range(3):
        worker = subprocess.Popen(
            [sys.executable, "-m", "mailer", "worker"], env=os.environ | environment, cwd=tmp_path,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        before = sum(sink.accepted().values())
        deadline = time.monotonic() + 20
        while sum(sink.accepted().values()) < before + 60 and time.monotonic() < deadline:
            time.sleep(0.01)
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        kills += 1
    assert 0 < len(sink.accepted()) < 600
    asyncio.run(drain(house))
    accepted = sink.accepted()
    assert set(accepted) == set(people)
    # two connections, one message in flight on each, at each kill
    assert sum(accepted.values()) - 600 <= 2 * kills
    assert states(house) == {"sent": 600}
