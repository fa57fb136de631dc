"""Whoever was stopped amid a transaction holds nobody up: what is locked is passed by, and free in time."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import DBAPIError

from mailer.database import Database, is_passing
from mailer.notices.model import Notice
from mailer.outbox.claim import claim
from mailer.outbox.freeze import queue_notices
from mailer.outbox.model import Delivery
from subscribers.model import MailingList

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
LEASE = timedelta(minutes=15)


def take(database: Database, worker: str, now: datetime) -> list[int]:
    with database.write() as session:
        # a wait for a lock would be one without end
        if database.engine.dialect.name == "postgresql":
            session.execute(text("SET LOCAL lock_timeout = '2s'"))
        claimed = claim(session, worker=worker, limit=10, lease_until=now + LEASE, now=now, today=now.date())
        return [each.id for each in claimed]


def test_what_is_locked_is_left_and_the_rest_past_its_lease_is_taken(postgresql_database: Database) -> None:
    database = postgresql_database
    with database.write() as session:
        session.add(MailingList(key="l", title="L", created_at=NOW))
        session.flush()
        session.execute(
            insert(Notice),
            [
                {
                    "kind": "confirm", "list_key": "l", "address": f"p{n}@example.org", "address_handle": n,
                    "handle": n, "key_id": 1, "subject": "S", "message": b"m", "created_at": NOW,
                }
                for n in range(3)
            ],
        )  # fmt: skip
        assert queue_notices(session) == 3
    first, *others = take(database, "slow", NOW)
    with database.write() as stopped:
        stopped.execute(select(Delivery.id).where(Delivery.id == first).with_for_update())
        assert take(database, "quick", NOW + 2 * LEASE) == others
    assert take(database, "quick", NOW + 2 * LEASE) == [first]


def test_a_transaction_that_is_left_lying_is_ended_and_that_passes_by(postgresql: str) -> None:
    database = Database(f"{postgresql}&options=-c%20idle_in_transaction_session_timeout%3D100")
    with pytest.raises(DBAPIError) as ended, database.write() as session:
        session.execute(select(1))
        with database.engine.connect() as other:
            other.exec_driver_sql("SELECT pg_sleep(0.5)")
        session.execute(select(1))
    assert is_passing(ended.value)
    database.close()


def test_by_default_such_a_transaction_ends_before_a_lease_does(postgresql_database: Database) -> None:
    with postgresql_database.read() as session:
        limit = session.scalar(text("SHOW idle_in_transaction_session_timeout"))
    assert limit == "5min"
    assert timedelta(minutes=5) < LEASE
