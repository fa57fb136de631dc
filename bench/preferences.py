"""Server time of a person's own page among a million: `python bench/preferences.py [--people N]`.

Makes a throw-away SQLite database as bench/freeze.py does, gives one person in the midst of them a
fresh link, and asks the application in this process, without a network, for the pages behind it.
Prints medians of 50 beside a page that reads nothing (the imprint) in the same run. Exit code 1 if
a page takes 20 ms or more.
"""

import argparse
import base64
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from freeze import fill
from pydantic import SecretStr
from sqlalchemy import select
from starlette.testclient import TestClient

from mailer.database import Database
from mailer.notices.model import Notice
from mailer.schema import upgrade
from mailer.settings import Settings
from mailer.web.app import create_app
from subscribers.model import Subscriber
from subscribers.tokens import Keys, Purpose, sign

_RUNS = 50
_MILLISECONDS = 20.0


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--people", type=int, default=1_000_000)
    people: int = parser.parse_args().people
    keys = "1:" + base64.b64encode(bytes(range(32))).decode()
    settings = Settings(_env_file=None, secret_keys=SecretStr(keys), sender_name="Amt für Beispiele")
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{Path(folder) / 'bench.sqlite'}")
        upgrade(database)
        with database.write() as session:
            fill(session, people)
        token = _fresh_link(database, Keys.parse(keys), people // 2 + 1)
        with TestClient(create_app(settings, database)) as client:
            slow = _bench(client, f"/einstellungen/{token}", people)
        database.close()
    return int(slow)


def _fresh_link(database: Database, keys: Keys, number: int) -> str:
    with database.write() as session:
        person = session.scalars(select(Subscriber).where(Subscriber.id == number)).one()
        notice = Notice(
            kind="preferences", list_key="netzwerk", subscriber_id=person.id, key_id=1, subject="",
            message=b"", created_at=datetime.now(UTC),
        )  # fmt: skip
        session.add(notice)
        session.flush()
        return sign(keys, Purpose.PREFERENCES, notice.handle, person.handle)


def _bench(client: TestClient, page: str, people: int) -> bool:
    profile = {
        "act": "save",
        "title": "",
        "given": "Erika",
        "family": "Muster",
        "language": "de",
        "format": "both",
    }
    forms = ("frau", "herr")
    acts: dict[str, Callable[[int], int]] = {
        "GET page": lambda _: client.get(page).status_code,
        "POST save": lambda n: client.post(page, data=profile | {"form": forms[n % 2]}).status_code,
        "POST pause": lambda n: (
            client.post(
                page, data={"act": "pause", "list": "netzwerk", "months": ("1", "3")[n % 2]}
            ).status_code
        ),
        "GET hand over": lambda _: client.get(f"{page}/wechsel").status_code,
        "GET own data": lambda _: client.get(f"{page}/daten").status_code,
    }
    yardstick = _median(lambda _: client.get("/impressum").status_code)
    slow = False
    for name, act in acts.items():
        took = _median(act)
        slow |= took >= _MILLISECONDS
        print(f"{name}: {took:.1f} ms among {people} people; the imprint {yardstick:.1f} ms")
    return slow


def _median(act: Callable[[int], int]) -> float:
    """Milliseconds, the median of some runs after one to warm up."""
    times = []
    for n in range(_RUNS + 1):
        began = time.perf_counter()
        status = act(n)
        times.append((time.perf_counter() - began) * 1000)
        assert status == 200, status
    return statistics.median(times[1:])


if __name__ == "__main__":
    sys.exit(main())
