"""How long the audience of a million takes to freeze: `python bench/freeze.py [--people N] [--url URL]`.

Makes a throw-away database (SQLite in a temporary folder, or an empty PostgreSQL one at --url) with
N active subscribers, a tenth of them officers, one in a hundred suppressed, one in a hundred paused;
freezes an issue for them, and prints the time beside that of a bare INSERT .. SELECT of as many
rows into a table of the same width, in the same run. Medians of three. Exit code 1 if deliveries
took more than one statement, or their number is wrong.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import delete, event, text
from sqlalchemy.orm import Session

from mailer.database import Database
from mailer.issues.model import Issue, IssueState
from mailer.outbox.freeze import freeze
from mailer.outbox.model import Delivery, Figure
from mailer.render.model import Edition, EditionAudience
from mailer.schema import upgrade
from subscribers.model import MailingList, Municipality

_RUNS = 3
_TODAY = date(2026, 11, 23)
_NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
_MUNICIPALITIES = 400

#: a column of numbers from 1 to :n, as each engine makes one
_SERIES = {
    "sqlite": "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < :n) ",
    "postgresql": "WITH s(n) AS (SELECT * FROM generate_series(1, :n)) ",
}
_HASH = {
    "sqlite": "CAST(printf('%032d', n) AS BLOB)",
    "postgresql": "convert_to(lpad(n::text, 32, '0'), 'UTF8')",
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--people", type=int, default=1_000_000)
    parser.add_argument("--url", help="an empty PostgreSQL database; it is filled and left so")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        database = Database(arguments.url or f"sqlite:///{Path(folder) / 'bench.sqlite'}")
        try:
            return _bench(database, arguments.people)
        finally:
            database.close()


def _bench(database: Database, people: int) -> int:
    upgrade(database)
    began = time.perf_counter()
    with database.write() as session:
        issue = fill(session, people)
    print(f"{people} people made in {time.perf_counter() - began:.1f} s ({database.engine.dialect.name})")
    expected = people - len(range(100, people + 1, 100)) - len(range(99, people + 1, 100))
    times, bare = [], []
    failed = False
    for _ in range(_RUNS):
        with database.write() as session:
            for table in (Delivery, Figure, EditionAudience):
                session.execute(delete(table))
        began = time.perf_counter()
        with _statements(database, "INSERT INTO deliveries") as inserts, database.write() as session:
            frozen = freeze(session, session.get_one(Issue, issue), lambda _: "digest", _TODAY)
        times.append(time.perf_counter() - began)
        failed |= frozen != expected or len(inserts) != 1
        bare.append(_timed(lambda: _bare(database, expected)))
        print(
            f"  frozen {frozen} in {times[-1]:.2f} s by {len(inserts)} statement; bare copy {bare[-1]:.2f} s"
        )
    took, yardstick = statistics.median(times), statistics.median(bare)
    print(
        f"freeze {expected} deliveries: {took:.2f} s, {expected / took:,.0f} rows/s,"
        f" {took / yardstick:.1f} times a bare INSERT .. SELECT"
    )
    return int(failed)


def fill(session: Session, people: int) -> int:
    """Everything an issue needs; returns its id."""
    session.add(MailingList(key="netzwerk", title="Netzwerk", created_at=_NOW))
    session.flush()
    session.add_all(
        Municipality(ags=f"05{n:06}", name=f"Musterort {n}", kind="Stadt") for n in range(_MUNICIPALITIES)
    )
    issue = Issue(
        newsletter="infomail", slot=_NOW, send_at=_NOW, list_key="netzwerk", state=IssueState.APPROVED,
        number=1, year=2026, title="Infomail", zone="Europe/Berlin", template="issue", subject="Nr. 1",
        created_at=_NOW, key_id=1,
    )  # fmt: skip
    session.add(issue)
    session.flush()
    session.add(
        Edition(
            issue_id=issue.id, digest="digest", language="de", subject="Nr. 1", html="", text="",
            message=b"", created_at=_NOW,
        )
    )  # fmt: skip
    session.flush()
    engine = session.get_bind().dialect.name
    values: dict[str, Any] = {
        "n": people, "now": _NOW.replace(tzinfo=None) if engine == "sqlite" else _NOW,
        "later": _TODAY + timedelta(days=30), "today": _TODAY, "places": _MUNICIPALITIES,
    }  # fmt: skip
    pad = (
        "printf('05%06d', n % :places)" if engine == "sqlite" else "'05' || lpad((n % :places)::text, 6, '0')"
    )
    for into, what in (
        (
            "subscribers (id, handle, address, address_hash, domain, form, title, given, family, language,"
            " format, created_at)",
            f"SELECT n, n, 'person' || n || '@example.org', {_HASH[engine]}, 'example.org', 'neutral', '',"
            " '', '', CASE n % 50 WHEN 0 THEN 'en' ELSE 'de' END, 'both', :now FROM s",
        ),
        (
            "subscriptions (list_key, subscriber_id, state, basis, since, paused_until)",
            "SELECT 'netzwerk', n, 'active', 'public-task', :now,"
            " CASE n % 100 WHEN 99 THEN :later END FROM s",
        ),
        (
            "offices (municipality, role, subscriber_id, starts, asked)",
            f"SELECT {pad}, 'contact', n, :today, 0 FROM s WHERE n % 10 = 1",
        ),
        (
            "suppressions (address_hash, reason, at, actor)",
            f"SELECT {_HASH[engine]}, 'hard', :now, 'bench' FROM s WHERE n % 100 = 0",
        ),
    ):
        statement = f"INSERT INTO {into} {_SERIES[engine]} {what}"
        if engine == "postgresql":
            statement = statement.replace(":later END", "CAST(:later AS date) END")
        session.execute(text(statement), {name: values[name] for name in values if f":{name}" in statement})
    if engine == "postgresql":
        session.execute(text("ANALYZE"))
    return issue.id


def _bare(database: Database, rows: int) -> None:
    """As many rows of the same columns, out of nothing, with no index but the key."""
    with database.write() as session:
        session.execute(text("DROP TABLE IF EXISTS bare"))
        session.execute(text("CREATE TABLE bare AS SELECT * FROM deliveries WHERE 1 = 0"))
        session.execute(text("INSERT INTO bare SELECT * FROM deliveries LIMIT :n"), {"n": rows})


def _timed(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


@contextmanager
def _statements(database: Database, beginning: str) -> Iterator[list[str]]:
    """The statements that begin so, as they are sent to the database."""
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        if statement.startswith(beginning):
            seen.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(database.engine, "before_cursor_execute", note)


if __name__ == "__main__":
    sys.exit(main())
