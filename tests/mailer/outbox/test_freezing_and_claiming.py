"""The ledger, on both engines: everybody once, one holder at a time, and figures that add up."""

import threading
from collections import Counter
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import func, insert, select, update
from sqlalchemy.exc import IntegrityError

from mailer.database import Database
from mailer.issues.model import Issue, IssueState
from mailer.notices.model import Notice
from mailer.outbox import figures
from mailer.outbox.cancel import cancel_open
from mailer.outbox.claim import Claimed, claim, next_due, release
from mailer.outbox.finish import finish_issues
from mailer.outbox.freeze import EditionMissing, freeze, queue_notices
from mailer.outbox.model import Attempt, Delivery, DeliveryState, Priority, delivery_named
from mailer.outbox.retry import RetryPolicy
from mailer.outbox.settle import Tried, settle
from mailer.render.model import Edition
from subscribers.model import Basis, MailingList, Subscriber, Subscription, SubscriptionState

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
TODAY = date(2026, 11, 23)
LEASE = timedelta(minutes=15)
RETRY = RetryPolicy(jitter=0)


@pytest.fixture
def ledger(either_database: Database) -> Database:
    """An issue that is being sent to ten people, frozen."""
    with either_database.write() as session:
        session.add(MailingList(key="l", title="L", created_at=NOW))
        session.flush()
        session.execute(insert(Subscriber), [_person(n) for n in range(1, 11)])
        session.execute(
            insert(Subscription),
            [
                {
                    "list_key": "l", "subscriber_id": n, "state": SubscriptionState.ACTIVE,
                    "basis": Basis.CONSENT, "since": NOW,
                }
                for n in range(1, 11)
            ],
        )  # fmt: skip
        issue = Issue(
            id=1, newsletter="n", slot=NOW, send_at=NOW, list_key="l", number=1, year=2026, title="T",
            zone="Europe/Berlin", template="issue", subject="S", created_at=NOW, key_id=1, frozen_at=NOW,
            state=IssueState.SENDING,
        )  # fmt: skip
        session.add(issue)
        session.flush()
        session.add(
            Edition(
                id=1, issue_id=1, digest="d", language="de", subject="S", html="", text="", message=b"m",
                created_at=NOW,
            )
        )  # fmt: skip
        session.flush()
        assert freeze(session, issue, lambda _: "d", TODAY) == 10
    return either_database


def _person(n: int) -> dict[str, object]:
    return {
        "id": n, "handle": 2**63 + n, "address": f"p{n}@d{n % 2}.example.org", "address_hash": bytes([n]),
        "domain": f"d{n % 2}.example.org", "created_at": NOW,
    }  # fmt: skip


def take(database: Database, worker: str = "w", limit: int = 100, now: datetime = NOW) -> list[Claimed]:
    with database.write() as session:
        return claim(session, worker=worker, limit=limit, lease_until=now + LEASE, now=now, today=now.date())


def report(
    database: Database,
    claimed: list[Claimed],
    outcome: str,
    *,
    worker: str = "w",
    about: str = "",
    now: datetime = NOW,
) -> int:
    tries = [
        Tried(
            delivery=each.id, attempt=each.attempt, at=now, outcome=outcome, relay="r:25", code=250,
            reply="said", about=about,
        )
        for each in claimed
    ]  # fmt: skip
    with database.write() as session:
        return settle(session, worker=worker, tries=tries, retry=RETRY, now=now).n


def states(database: Database) -> dict[str, int]:
    """How many deliveries are in each state, and the figures say the same."""
    with database.read() as session:
        rows = session.execute(select(Delivery.state, func.count()).group_by(Delivery.state)).all()
        sums = figures.by_state(session, 1)
    counted = {state.value: n for state, n in rows}
    assert sums == counted
    return counted


def test_the_freeze_counts_by_list_and_domain(ledger: Database) -> None:
    assert states(ledger) == {"pending": 10}
    with ledger.read() as session:
        rows = session.execute(select(figures.Figure.domain, figures.Figure.n)).all()
    assert sorted(rows) == [("d0.example.org", 5), ("d1.example.org", 5)]


def test_nobody_is_frozen_twice_into_an_issue(ledger: Database) -> None:
    with pytest.raises(IntegrityError), ledger.write() as session:
        freeze(session, session.get_one(Issue, 1), lambda _: "d", TODAY)
    assert states(ledger) == {"pending": 10}


def test_an_edition_that_is_missing_freezes_nobody(ledger: Database) -> None:
    with pytest.raises(EditionMissing), ledger.write() as session:
        freeze(session, session.get_one(Issue, 1), lambda _: "other", TODAY)
    assert states(ledger) == {"pending": 10}


def test_a_claim_is_counted_and_settled_once(ledger: Database) -> None:
    claimed = take(ledger, limit=4)
    assert [each.id for each in claimed] == sorted(each.id for each in claimed)
    assert {each.attempt for each in claimed} == {1}
    assert states(ledger) == {"pending": 6, "sending": 4}
    assert report(ledger, claimed, "sent") == 4
    assert report(ledger, claimed, "sent") == 0
    assert report(ledger, claimed, "failed", about="mailbox") == 0
    assert states(ledger) == {"pending": 6, "sent": 4}
    with ledger.read() as session:
        assert session.scalar(select(func.count()).select_from(Attempt)) == 4


def test_two_workers_at_once_never_hold_the_same_delivery(ledger: Database) -> None:
    held: dict[str, list[int]] = {"a": [], "b": []}
    barrier = threading.Barrier(2)

    def work(name: str) -> None:
        barrier.wait()
        while claimed := take(ledger, worker=name, limit=2):
            held[name] += [each.id for each in claimed]

    threads = [threading.Thread(target=work, args=[name]) for name in held]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(held["a"] + held["b"]) == Counter(range(1, 11))
    assert states(ledger) == {"sending": 10}


def test_a_worker_past_its_lease_loses_its_deliveries_and_can_settle_none(ledger: Database) -> None:
    slow = take(ledger, worker="slow")
    assert take(ledger, worker="quick", now=NOW + LEASE - timedelta(seconds=1)) == []
    taken = take(ledger, worker="quick", now=NOW + LEASE + timedelta(seconds=1))
    assert {each.attempt for each in taken} == {2}
    assert report(ledger, slow, "sent", worker="slow") == 0
    assert report(ledger, taken, "sent", worker="quick") == 10
    assert states(ledger) == {"sent": 10}


def test_what_a_dead_worker_held_is_given_back(ledger: Database) -> None:
    report(ledger, take(ledger, worker="dead", limit=3)[:1], "sent", worker="dead")
    with ledger.write() as session:
        assert release(session, worker="dead") == 2
    assert states(ledger) == {"pending": 9, "sent": 1}


def test_a_deferred_delivery_is_due_after_its_wait_and_not_before(ledger: Database) -> None:
    report(ledger, take(ledger), "deferred", about="mailbox")
    with ledger.read() as session:
        assert next_due(session) == NOW + RETRY.waits[0]
    assert take(ledger, now=NOW + RETRY.waits[0] - timedelta(seconds=1)) == []
    again = take(ledger, now=NOW + RETRY.waits[0])
    assert len(again) == 10
    report(ledger, again, "unsure")
    assert states(ledger) == {"deferred": 10}


def test_a_recipient_is_given_up_at_the_end_of_the_waits_but_never_for_the_relays_sake(
    ledger: Database,
) -> None:
    with ledger.write() as session:
        session.execute(update(Delivery).values(attempts=len(RETRY.waits)))
    claimed = take(ledger)
    report(ledger, claimed[:5], "deferred", about="mailbox")
    report(ledger, claimed[5:], "deferred", about="relay")
    assert states(ledger) == {"failed": 5, "deferred": 5}


def test_an_issue_is_sent_when_nothing_of_it_is_open_and_not_before(ledger: Database) -> None:
    claimed = take(ledger)
    for part, finished in ((claimed[:9], []), (claimed[9:], [1])):
        report(ledger, part, "sent")
        with ledger.write() as session:
            assert finish_issues(session, now=NOW) == finished
    with ledger.read() as session:
        assert session.get_one(Issue, 1).state is IssueState.SENT


def test_a_notice_overtakes_bulk_and_is_queued_once(ledger: Database) -> None:
    with ledger.write() as session:
        session.add(
            Notice(
                handle=77, kind="confirm", list_key="l", subscriber_id=3, key_id=1, subject="S",
                message=b"whole", created_at=NOW,
            )
        )  # fmt: skip
        session.flush()
        assert queue_notices(session) == 1
        assert queue_notices(session) == 0
    first = take(ledger, limit=1)[0]
    assert (first.message, first.address, first.context) == (b"whole", "p3@d1.example.org", 77)
    with ledger.read() as session:
        named = delivery_named(session, 77, first.subscriber)
        assert named is not None
        assert (named.id, named.priority) == (first.id, Priority.NOTICE)
        assert delivery_named(session, 78, first.subscriber) is None


def test_an_erased_person_is_skipped(ledger: Database) -> None:
    with ledger.write() as session:
        session.delete(session.get_one(Subscriber, 5))
    assert len(take(ledger)) == 9
    with ledger.read() as session:
        row = session.scalars(select(Delivery).where(Delivery.state == DeliveryState.SKIPPED)).one()
        assert (row.reason, row.subscriber_id, row.attempts) == ("erased", None, 0)
    assert states(ledger) == {"sending": 9, "skipped": 1}


def test_cancelling_ends_what_nobody_has_under_way(ledger: Database) -> None:
    claimed = take(ledger, limit=3)
    report(ledger, claimed[:1], "deferred", about="mailbox")
    with ledger.write() as session:
        assert cancel_open(session, 1, actor="user:1", now=NOW) == 8
    assert states(ledger) == {"sending": 2, "skipped": 8}
    report(ledger, claimed[1:], "sent")
    assert states(ledger) == {"sent": 2, "skipped": 8}
