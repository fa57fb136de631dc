"""The promises of mailer.database, on both engines."""

import re
import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, StatementError

from mailer.database import Database
from mailer.schema import is_current, upgrade
from subscribers.base import Base
from subscribers.model import MailingList, Municipality, Subscriber

NOW = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)


def test_a_migrated_database_says_it_is_current_and_an_empty_one_does_not(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/empty.sqlite")
    assert not is_current(database)
    upgrade(database)
    assert is_current(database)
    database.close()


def test_migrations_make_the_same_sqlite_schema_as_the_metadata(database: Database, tmp_path: Path) -> None:
    fresh = Database(f"sqlite:///{tmp_path}/fresh.sqlite")
    with fresh.engine.begin() as connection:
        Base.metadata.create_all(connection)
    assert _sqlite_schema(database) == _sqlite_schema(fresh)
    fresh.close()


def _sqlite_schema(database: Database) -> dict[str, list[str]]:
    query = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name <> 'alembic_version'"
    with database.engine.connect() as connection:
        rows = connection.execute(text(query)).all()
    # ALTER TABLE quotes names and puts new columns behind the last; constraints may stand in another order
    return {
        name: sorted(filter(None, re.split(r",? *\n\t?|, (?=\w+ [A-Z])", sql.replace('"', ""))))
        for name, sql in rows
    }


def test_migrations_make_the_same_postgresql_schema_as_the_metadata(
    postgresql_database: Database, postgresql: str
) -> None:
    migrated = _postgresql_schema(postgresql_database)
    with postgresql_database.engine.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA public")
        Base.metadata.create_all(connection)
    assert migrated == _postgresql_schema(postgresql_database)
    assert len(migrated) > 100


def _postgresql_schema(database: Database) -> set[tuple[str, ...]]:
    queries = (
        """SELECT table_name, column_name, data_type, is_nullable, coalesce(column_default, ''),
                  coalesce(character_maximum_length::text, '')
           FROM information_schema.columns
           WHERE table_schema = 'public' AND table_name <> 'alembic_version'""",
        """SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
           WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text <> 'alembic_version'""",
        """SELECT tablename, indexname, indexdef FROM pg_indexes
           WHERE schemaname = 'public' AND tablename <> 'alembic_version'""",
    )
    with database.engine.connect() as connection:
        return {tuple(row) for query in queries for row in connection.execute(text(query))}


def test_a_reading_session_cannot_write(either_database: Database) -> None:
    with pytest.raises(DBAPIError, match=r"(?i)read-?only"), either_database.read() as session:
        session.add(Municipality(ags="99", name="Nirgendwo", kind="Stadt"))
        session.flush()
    with either_database.write() as session:
        session.add(Municipality(ags="99", name="Irgendwo", kind="Stadt"))
    with either_database.read() as session:
        assert session.get(Municipality, "99") is not None


def test_a_writing_session_that_raises_leaves_nothing(either_database: Database) -> None:
    with pytest.raises(ZeroDivisionError), either_database.write() as session:
        session.add(Municipality(ags="99", name="Nirgendwo", kind="Stadt"))
        session.flush()
        raise ZeroDivisionError
    with either_database.read() as session:
        assert session.get(Municipality, "99") is None


def test_two_writers_on_sqlite_wait_for_each_other_instead_of_failing(database: Database) -> None:
    with database.write() as session:
        session.add(Municipality(ags="1", name="0", kind="Stadt"))

    def count_up() -> None:
        for _ in range(20):
            with database.write() as session:
                row = session.get_one(Municipality, "1")
                row.name = str(int(row.name) + 1)

    threads = [threading.Thread(target=count_up) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as session:
        assert session.get_one(Municipality, "1").name == "80"


def test_sqlite_keeps_its_promises_by_these_settings(database: Database) -> None:
    with database.engine.connect() as connection:
        settings = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_instants_come_back_in_utc_whatever_zone_they_went_in_with(either_database: Database) -> None:
    berlin_summer = timezone(timedelta(hours=2))
    with either_database.write() as session:
        session.add(MailingList(key="l", title="L", created_at=NOW.astimezone(berlin_summer)))
    with either_database.read() as session:
        stored = session.get_one(MailingList, "l").created_at
    assert stored == NOW
    assert stored.utcoffset() == timedelta(0)


def test_a_naive_datetime_is_refused(database: Database) -> None:
    with pytest.raises(StatementError, match="naive"), database.write() as session:
        session.add(MailingList(key="l", title="L", created_at=NOW.replace(tzinfo=None)))


@pytest.mark.parametrize("handle", [0, 1, 2**63 - 1, 2**63, 2**64 - 1])
def test_handles_keep_all_64_bits(either_database: Database, handle: int) -> None:
    with either_database.write() as session:
        session.add(
            Subscriber(
                handle=handle, address="a@example.org", address_hash=b"", domain="example.org", created_at=NOW
            )
        )
    with either_database.read() as session:
        assert [row.handle for row in session.query(Subscriber)] == [handle]
