"""Workers on PostgreSQL are woken; what is announced is heard after its COMMIT, and again after a lost connection."""

import asyncio

import pytest
from sqlalchemy import text

from mailer.database import Database
from mailer.outbox import news
from mailer.outbox.news import announce, heard


async def _within(event: asyncio.Event, seconds: float) -> bool:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
    event.clear()
    return True


def test_what_is_announced_is_heard_when_it_is_committed_and_no_sooner(postgresql_database: Database) -> None:
    async def listen() -> None:
        event = asyncio.Event()
        async with heard(postgresql_database, event):
            assert await _within(event, 5)  # it listens now
            with postgresql_database.write() as session:
                announce(session)
                session.flush()
                assert not await _within(event, 0.2)
            assert await _within(event, 5)

    asyncio.run(listen())


def test_a_lost_connection_is_made_anew(
    postgresql_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(news, "_AGAIN", 0.05)

    async def listen() -> None:
        event = asyncio.Event()
        async with heard(postgresql_database, event):
            assert await _within(event, 5)
            with postgresql_database.write() as session:
                session.execute(
                    text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'")
                )
            assert await _within(event, 5)
            with postgresql_database.write() as session:
                announce(session)
            assert await _within(event, 5)

    asyncio.run(listen())


def test_sqlite_announces_nothing_and_waits_for_nobody(database: Database) -> None:
    async def listen() -> None:
        event = asyncio.Event()
        async with heard(database, event):
            with database.write() as session:
                announce(session)
            assert not await _within(event, 0.1)

    asyncio.run(listen())
