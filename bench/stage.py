"""A throw-away installation with an issue that is frozen for N people, and the worker that sends it.

Everything goes the way it goes in service: the issue is composed, approved, rendered and frozen, and the
worker is a process of its own (`infomail worker`), so it can be killed, stopped and measured from outside.
"""

import base64
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, select, text

from bench.judge import read_account
from mailer import clock
from mailer.database import Database
from mailer.installation import Installation, open_installation
from mailer.issues.compose import compose
from mailer.issues.model import Entry, Issue, IssueState
from mailer.issues.release import act_on
from mailer.issues.workflow import Act
from mailer.outbox import figures
from mailer.outbox.model import Attempt, Delivery
from mailer.schema import upgrade
from mailer.settings import Settings
from subscribers.model import MailingList

_PLAN = """\
timezone = "Europe/Berlin"
[newsletter.infomail]
title = "Infomail"
list = "netzwerk"
send = "first tue 09:00"
too_few = { below = 0, then = "send" }
[[newsletter.infomail.section]]
title = "Neues"
feeds = ["neues"]
[feed.neues]
url = "http://127.0.0.1:9/feed.xml"
allow_private = true
"""
_WORDS = "Wer sich in seiner Kommune für andere einsetzt, soll dafür gute Bedingungen finden. "
#: a column of numbers from 1 to :n, as each engine makes one
_SERIES = {
    "sqlite": "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < :n) ",
    "postgresql": "WITH s(n) AS (SELECT * FROM generate_series(1, :n)) ",
}
_HASH = {
    "sqlite": "CAST(printf('%032d', n) AS BLOB)",
    "postgresql": "convert_to(lpad(n::text, 32, '0'), 'UTF8')",
}
#: people are of fifty domains
_DOMAIN = "'d' || (n % 50) || '.example.org'"


@dataclass
class Stage:
    folder: Path
    environment: dict[str, str]
    issue: int = 0
    people: int = 0

    @property
    def spool(self) -> Path:
        return self.folder / "spool"

    def worker(self, *more: str, tricks: Sequence[str] = ()) -> subprocess.Popen[bytes]:
        """`infomail worker MORE`; with tricks, under bench.launch."""
        return self.command("worker", *more, tricks=tricks)

    def command(self, *words: str, tricks: Sequence[str] = ()) -> subprocess.Popen[bytes]:
        """`infomail WORDS`, started; what it says is in worker.log of the folder."""
        module = ["bench.launch", *tricks, "--"] if tricks else ["mailer"]
        with (self.folder / "worker.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", *module, *words],
                cwd=self.folder, env=self.environment,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    def copy(self, folder: Path, relays: str) -> "Stage":
        """The same on SQLite in another folder, sending to other relays."""
        shutil.copytree(self.folder, folder)
        environment = {
            name: value.replace(str(self.folder), str(folder)) for name, value in self.environment.items()
        }
        environment["INFOMAIL_SMTP_URLS"] = relays
        return Stage(folder, environment, issue=self.issue, people=self.people)

    def drain(self) -> int:
        """Send until nothing is due; the exit code."""
        return self.worker("--drain").wait()

    def is_sent(self) -> bool:
        """Whether the ledger calls the issue sent."""
        database = self.database()
        try:
            with database.read() as session:
                return session.get_one(Issue, self.issue).state is IssueState.SENT
        finally:
            database.close()

    def database(self) -> Database:
        return Database(self.environment["INFOMAIL_DATABASE_URL"])


def set_up(
    folder: Path,
    *,
    relays: str,
    people: int,
    url: str = "",
    size: int = 30_000,
    started: bool = True,
    hold: bool = False,
    settings: Mapping[str, str] | None = None,
) -> Stage:
    """An installation in `folder`, on the empty PostgreSQL database at `url` or on SQLite.

    relays: as INFOMAIL_SMTP_URLS
    size:   bytes of a mail, about
    hold:   whether the list holds what is in doubt
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "schedule.toml").write_text(_PLAN, encoding="utf-8")
    key = base64.b64encode(b"k" * 32).decode()
    values = {
        "DATABASE_URL": url or f"sqlite:///{folder}/infomail.sqlite",
        "SCHEDULE": f"{folder}/schedule.toml",
        "SPOOL": f"{folder}/spool",
        "PUBLIC_URL": "https://infomail.example.org",
        "SECRET_KEYS": f"1:{key}",
        "SUPPRESSION_KEY": key,
        "SMTP_URLS": relays,
        "RETURN_PATH": "bounce+{token}@example.org",
        "MESSAGE_ID_DOMAIN": "example.org",
        "SENDER_ADDRESS": "infomail@example.org",
        "SENDER_NAME": "Geschäftsstelle",
        "SENDER_STREET": "Musterstraße 1",
        "SENDER_CITY": "00000 Musterstadt",
        "SENDER_EMAIL": "info@example.org",
        "SENDER_RESPONSIBLE": "Erika Muster",
        **(settings or {}),
    }
    environment = {name: value for name, value in os.environ.items() if not name.startswith("INFOMAIL_")}
    environment |= {f"INFOMAIL_{name}": value for name, value in values.items()}
    # the worker is this tree's, wherever it runs
    environment["PYTHONPATH"] = str(Path(__file__).parents[1])
    stage = Stage(folder, environment, people=people)
    database = stage.database()
    upgrade(database)
    _enrol(database, people, hold)
    database.close()
    with opened(stage) as house:
        stage.issue = _composed(house, size)
        if started:
            clock.start(house, stage.issue, actor="cli:bench", now=_now())
    return stage


class opened:  # noqa: N801  reads as a word: with opened(stage) as house
    """The installation of a stage, in this process."""

    def __init__(self, stage: Stage) -> None:
        self._values = {
            name.removeprefix("INFOMAIL_").lower(): value
            for name, value in stage.environment.items()
            if name.startswith("INFOMAIL_")
        }

    def __enter__(self) -> Installation:
        self._open = open_installation(Settings(_env_file=None, **self._values))  # type: ignore[arg-type]  # text
        return self._open.__enter__()

    def __exit__(self, *how: Any) -> None:
        self._open.__exit__(*how)


def _now() -> datetime:
    return datetime.now(UTC)


def _enrol(database: Database, people: int, hold: bool) -> None:
    engine = database.engine.dialect.name
    with database.write() as session:
        chosen = {"in_doubt": "hold"} if hold else {}
        session.add(MailingList(key="netzwerk", title="Netzwerk", created_at=_now(), **chosen))
        session.flush()
        now = _now().replace(tzinfo=None) if engine == "sqlite" else _now()
        for into, what in (
            (
                "subscribers (id, handle, address, address_hash, domain, form, title, given, family,"
                " language, format, created_at)",
                f"SELECT n, n, 'person' || n || '@' || {_DOMAIN}, {_HASH[engine]}, {_DOMAIN},"
                " 'neutral', '', 'Erika', 'Muster', 'de', 'both', :now FROM s",
            ),
            (
                "subscriptions (list_key, subscriber_id, state, basis, since)",
                "SELECT 'netzwerk', n, 'active', 'public-task', :now FROM s",
            ),
        ):
            session.execute(text(f"INSERT INTO {into} {_SERIES[engine]} {what}"), {"n": people, "now": now})
        if engine == "postgresql":
            session.execute(text("ANALYZE"))


def _composed(house: Installation, size: int) -> int:
    now = _now() - timedelta(seconds=5)
    with house.database.write() as session:
        issue = compose(
            session, house.plan.newsletters["infomail"], slot=now, send_at=now, special=True,
            actor="cli:bench", now=now,
        )  # fmt: skip
        # the frame takes about 12,000 bytes, and an entry 2,450
        texts = max(1, (size - 12_000) // 2_450)
        session.add_all(
            Entry(
                issue_id=issue.id, section="Neues", section_position=0, position=number,
                title=f"Meldung {number}", summary=f"<p>{_WORDS * 9}</p>",
                url=f"https://www.example.org/{number}", places=[],
            )
            for number in range(texts)
        )  # fmt: skip
        session.flush()
        act_on(session, issue, Act.APPROVE, actor="user:1", now=now)
        return issue.id


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the judge's account and the ledger say of an issue, held against each other."""

    frozen: int
    #: in the ledger, by state
    states: dict[str, int]
    #: recipients frozen that the judge never took a mail for, though the ledger says sent
    falsely_sent: int
    #: recipients frozen that the judge never took a mail for
    lost: int
    #: mails more than one a recipient
    duplicates: int
    #: recipients whose mails bore different Message-IDs
    renamed: int
    #: duplicates without an attempt of their own on record
    unrecorded: int
    is_called_sent: bool

    @property
    def adds_up(self) -> bool:
        return self.frozen == sum(self.states.values())

    def problems(self, *, most_duplicates: int) -> list[str]:
        """What does not hold, in words; empty when all does."""
        found = []
        if not self.adds_up:
            found.append(f"{self.frozen} frozen, but the states come to {self.states}")
        if self.falsely_sent:
            found.append(f"{self.falsely_sent} are called sent and are not")
        if self.is_called_sent and self.lost:
            found.append(f"finished, and {self.lost} lost")
        if self.duplicates > most_duplicates:
            found.append(f"{self.duplicates} duplicates, allowed {most_duplicates}")
        if self.renamed:
            found.append(f"{self.renamed} duplicates with another Message-ID")
        if self.unrecorded:
            found.append(f"{self.unrecorded} duplicates without a try on record")
        return found


def verdict(stage: Stage, account: Path) -> Verdict:
    """Judge an issue by the account."""
    taken = read_account(account)
    times = Counter(each.recipient for each in taken)
    names: dict[str, set[str]] = {}
    for each in taken:
        names.setdefault(each.recipient, set()).add(each.message_id)
    database = stage.database()
    try:
        with database.read() as session:
            rows = session.execute(
                select(Delivery.address, Delivery.state, Delivery.attempts).where(
                    Delivery.issue_id == stage.issue
                )
            ).all()
            sums = figures.by_state(session, stage.issue)
            state = session.get_one(Issue, stage.issue).state
            tries = session.scalar(select(func.count()).select_from(Attempt)) or 0
    finally:
        database.close()
    states = Counter(row.state.value for row in rows)
    kept = {name: n for name, n in sums.items() if not name.startswith("returned:")}
    assert kept == dict(states), f"figures {kept}, rows {dict(states)}"
    sent = states["sent"]
    assert tries >= sent, f"{sent} sent, {tries} tries on record"
    return Verdict(
        frozen=len(rows),
        states=dict(states),
        falsely_sent=sum(row.state.value == "sent" and not times[row.address] for row in rows),
        lost=sum(not times[row.address] for row in rows),
        duplicates=sum(times.values()) - len(times),
        renamed=sum(len(each) > 1 for each in names.values()),
        # each claim counts a try before a byte leaves
        unrecorded=sum(times[row.address] > row.attempts for row in rows),
        is_called_sent=state is IssueState.SENT,
    )
