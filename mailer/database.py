"""The database at the edge: engines, and the two kinds of session.

`read()` gives a session that cannot write (handlers of GET and HEAD get this one), `write()`
one that holds the write lock from its first statement and commits at the end of its block.
SQLite upgrades a reader to a writer only if nobody wrote meanwhile and fails with "database
is locked" otherwise, whatever the timeout: hence BEGIN IMMEDIATE for all who mean to write.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.orm import Session

import mailer.archive.model
import mailer.receipts.model  # noqa: F401  the last noun of the river: with it and the next every table is known
import subscribers.chain  # noqa: F401

#: seconds a SQLite writer waits for another one
_BUSY_TIMEOUT = 30
#: seconds that emptying the log waits for readers
_LOG_TIMEOUT = 5
#: a PostgreSQL host that vanished without a word is given up after about 30 seconds, not after hours
_VANISHED = {
    "connect_timeout": 10,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
#: what PostgreSQL is told for each session. After 5 minutes it ends a transaction whose owner has stopped (a
#: suspended machine), so that what it has locked is free again; a lease is longer. And that its disk has no
#: head to move: else it reads the whole of an issue just frozen for each hundred results that are settled
_OPTIONS = "-c idle_in_transaction_session_timeout=300000 -c random_page_cost=1.1"
#: primary result codes of SQLite that pass by: busy, locked, out of memory, I/O error, full, cannot open
_PASSING_SQLITE = frozenset({5, 6, 7, 10, 13, 14})
#: classes of SQLSTATE that do: connection, rolled back (deadlock), resources (disk full), operator
#: intervention (restart), system error; and a transaction that was left lying (25P03)
_PASSING_POSTGRESQL = ("08", "25P03", "40", "53", "57P", "58")


class Database:
    """One database: SQLite (WAL, synchronous=FULL) or PostgreSQL, by its SQLAlchemy URL.

    Raises sqlalchemy.exc.ArgumentError where the URL is none of the two.
    """

    def __init__(self, url: str, *, ca_bundle: str = "") -> None:
        parsed = make_url(url)
        if parsed.drivername == "sqlite":
            # on connections of their own: to be told so makes SQLite prepare all its statements anew
            self.engine, self._reading = _sqlite(parsed, writes=True), _sqlite(parsed, writes=False)
        elif parsed.drivername == "postgresql+psycopg":
            self.engine = _postgresql(parsed, ca_bundle)
            self._reading = self.engine.execution_options(infomail_writes=False)
        else:
            raise ArgumentError(f"no such engine here: {parsed.drivername}")

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that sees one state of the database and cannot change it."""
        with Session(self._reading, autoflush=False, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session that commits when its block ends and rolls back when it raises."""
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            # take the lock now: what the block reads must still hold when it writes
            session.connection()
            yield session

    def empty_log(self) -> bool:
        """Move what SQLite's write-ahead log holds into the file, and cut the log to nothing.

        Until then the log may hold what was erased. False where readers kept it in use for too long;
        True on PostgreSQL, whose autovacuum clears what was erased.
        """
        if self.engine.dialect.name != "sqlite":
            return True
        with self.engine.connect() as connection:
            driver: Any = connection.connection.driver_connection
            driver.execute(f"PRAGMA busy_timeout={_LOG_TIMEOUT * 1000}")
            try:
                ((busy, _, _),) = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            finally:
                driver.execute(f"PRAGMA busy_timeout={_BUSY_TIMEOUT * 1000}")
        return not busy

    def close(self) -> None:
        self.engine.dispose()
        self._reading.dispose()


def is_passing(error: DBAPIError) -> bool:
    """Whether the database is only away or full for now, so that the same transaction may succeed later.

    After such an error nobody knows whether a COMMIT that was under way took effect: what is repeated
    must change nothing the second time.
    """
    if error.connection_invalidated:
        return True
    cause: Any = error.orig
    if isinstance(cause, sqlite3.Error):
        return getattr(cause, "sqlite_errorcode", 0) & 0xFF in _PASSING_SQLITE
    state = getattr(cause, "sqlstate", None)
    # without a state of the server's it is the connection's end, or there was none
    return isinstance(error, OperationalError) if state is None else state.startswith(_PASSING_POSTGRESQL)


# parameters are hidden in errors, since those are logged and parameters are addresses


def _sqlite(url: URL, *, writes: bool) -> Engine:
    engine = create_engine(url, connect_args={"timeout": _BUSY_TIMEOUT}, hide_parameters=True)

    def prepare(connection: Any, _record: Any) -> None:
        # BEGIN is ours to say; sqlite3 would say it late and never IMMEDIATE
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA secure_delete=ON")
        connection.execute("PRAGMA cache_size=-16384")
        # pages that a send writes again and again are moved into the file less often
        connection.execute("PRAGMA wal_autocheckpoint=4096")
        if not writes:
            connection.execute("PRAGMA query_only=ON")

    event.listen(engine, "connect", prepare)
    event.listen(
        engine,
        "begin",
        lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN"),
    )
    return engine


def _postgresql(url: URL, ca_bundle: str) -> Engine:
    # what the URL says comes first, and among options last
    said = url.query.get("options", "")
    options = {"options": f"{_OPTIONS} {said if isinstance(said, str) else ' '.join(said)}"}
    trust = {"sslrootcert": ca_bundle} if ca_bundle else {}
    connect_args = options | {
        name: value for name, value in (_VANISHED | trust).items() if name not in url.query
    }
    engine = create_engine(url, pool_pre_ping=True, connect_args=connect_args, hide_parameters=True)
    event.listen(engine, "begin", _begin_postgresql)
    return engine


def _begin_postgresql(connection: Connection) -> None:
    if not connection.get_execution_options().get("infomail_writes", True):
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
