"""Composing from very many feeds: `python bench/compose.py [--feeds N] [--items N]`.

Makes a throw-away SQLite database with that many stored items of so many feeds, an eighth of them told
by two feeds and a third of them dates, half of these over, and composes issues of five sections with a
fifth of the feeds each. Prints the median of five beside reading every item as a whole object, which is
what the plain way would begin with, in the same run. Then renders regional editions as bench/editions.py
does. Exit code 1 if composing, or rendering 60 editions of 40 entries, takes 2 s or more.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import editions
from sqlalchemy import insert, select

from mailer.database import Database
from mailer.feeds.model import Feed, Item
from mailer.issues.compose import compose
from mailer.issues.model import Entry
from mailer.schedule import Newsletter, read_plan
from mailer.schema import upgrade
from subscribers.model import MailingList

_RUNS = 5
_SECONDS = 2.0
_NOW = datetime(2026, 12, 1, 8, 0, tzinfo=UTC)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--feeds", type=int, default=500)
    parser.add_argument("--items", type=int, default=50_000)
    said = parser.parse_args()
    newsletter = _newsletter(said.feeds)
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{Path(folder) / 'bench.sqlite'}")
        upgrade(database)
        _fill(database, said.feeds, said.items)
        _compose(database, newsletter, 0)  # so that there are used items
        composing = _median(lambda n: _compose(database, newsletter, n + 1))
        reading = _median(lambda _: _read_all(database))
        database.close()
    print(f"{said.items:,} items of {said.feeds} feeds")
    print(f"compose           {composing:6.2f} s   (limit {_SECONDS} s)")
    print(f"read all as Item  {reading:6.2f} s   (before anything is chosen)")
    return int(composing >= _SECONDS) | editions.measure(60, 40)


def _newsletter(feeds: int) -> Newsletter:
    keys = [f"f{number}" for number in range(feeds)]
    orders = ('order = "newest"', 'order = "event"\nwithin = "6w"', 'match = { words = ["Ehrenamt"] }',
              'order = "deadline"', 'match = { category = ["Praxis"] }\nmax_age = "12w"')  # fmt: skip
    sections = "".join(
        f'[[newsletter.n.section]]\ntitle = "S{place}"\nfeeds = {keys[place :: len(orders)]!r}\n'
        f"max = 10\n{order}\n"
        for place, order in enumerate(orders)
    )
    plan = (
        'timezone = "Europe/Berlin"\n[newsletter.n]\ntitle = "N"\nlist = "l"\nsend = "mon 09:00"\n' + sections
    )
    plan += "".join(f'[feed.{key}]\nurl = "https://{key}.example.org/"\n' for key in keys)
    # a line of the file may not be as long as this list of keys: one key a line
    return read_plan(plan.replace("', '", '",\n"').replace("['", '["').replace("']", '"]')).newsletters["n"]


def _fill(database: Database, feeds: int, items: int) -> None:
    with database.write() as session:
        session.add(MailingList(key="l", title="L", created_at=_NOW))
        session.add_all(
            Feed(key=f"f{n}", url=f"https://f{n}.example.org/", title=f"Quelle {n}", every=3600)
            for n in range(feeds)
        )
        session.flush()
        rows = [_row(n, feeds) for n in range(items)]
        session.execute(insert(Item), rows)


def _row(n: int, feeds: int) -> dict[str, object]:
    story = n - 1 if n % 8 == 7 else n  # what another feed told just before
    starts = _NOW + timedelta(hours=story % 4000 - 2000) if story % 3 == 0 else None
    return {
        "feed_key": f"f{n % feeds}",
        "identity": f"urn:{n}",
        "title": f"Meldung {story} aus dem {'Ehrenamt' if story % 5 else 'Rathaus'}",
        "url": f"https://www.example.org/aktuelles/{story}?utm_source=f{n % feeds}",
        "summary": f"<p>{'Ein Satz über Engagement. ' * 20}{story}</p>",
        "published": _NOW - timedelta(minutes=story),
        "starts": starts,
        "ends": starts and starts + timedelta(hours=2),
        "categories": ["Praxis"] if story % 7 == 0 else [],
        "first_seen_at": _NOW - timedelta(hours=1),
        "fetched_at": _NOW,
        "digest": f"{story:064x}",
    }


def _compose(database: Database, newsletter: Newsletter, week: int) -> None:
    slot = _NOW + timedelta(weeks=week)
    with database.write() as session:
        issue = compose(session, newsletter, slot=slot, send_at=slot, actor="bench", now=_NOW)
        entries = session.scalars(select(Entry).where(Entry.issue_id == issue.id)).all()
        assert len(entries) == 50, f"{len(entries)} entries"
        assert len({entry.url for entry in entries}) == 50


def _read_all(database: Database) -> None:
    with database.read() as session:
        assert session.scalars(select(Item)).all()


def _median(act: Callable[[int], None]) -> float:
    taken = []
    for n in range(_RUNS):
        begun = time.perf_counter()
        act(n)
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken)


if __name__ == "__main__":
    sys.exit(main())
