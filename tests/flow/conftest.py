"""A small installation, and a server that keeps its own account of what it accepted."""

import asyncio
import base64
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session
from sqlalchemy import insert

from mailer import clock
from mailer.daemon.worker import drain
from mailer.database import Database
from mailer.feeds.model import Feed, Item
from mailer.installation import Installation, open_installation
from mailer.settings import Settings
from subscribers.addresses import address_hash
from subscribers.model import Basis, MailingList, Subscriber, Subscription, SubscriptionState
from tests.flow.site import Site, serving

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)

PLAN = """\
timezone = "Europe/Berlin"
[newsletter.infomail]
title = "Infomail"
list = "netzwerk"
send = "first tue 09:00"
too_few = { below = 0, then = "send" }
[[newsletter.infomail.section]]
title = "Neues"
feeds = ["neues"]
[newsletter.termine]
title = "Termine"
list = "netzwerk"
send = "mon 07:30"
release = "none"
too_few = { below = 0, then = "send" }
[[newsletter.termine.section]]
title = "Termine"
feeds = ["neues"]
[feed.neues]
url = "http://127.0.0.1:9/feed.xml"
allow_private = true
"""


@dataclass
class Sink:
    """An SMTP server on loopback that writes down (Message-ID, recipient), synced, before its 250."""

    path: Path
    port: int = 0
    #: recipient -> reply to its RCPT
    refuse: dict[str, str] = field(default_factory=dict)
    #: raw mails by recipient
    mails: dict[str, list[bytes]] = field(default_factory=dict)
    #: envelope sender of the last mail by recipient
    senders: dict[str, str] = field(default_factory=dict)

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.original_content or b""
        message_id = next(line for line in content.split(b"\r\n") if line.lower().startswith(b"message-id:"))
        with self.path.open("ab") as log:
            log.write(message_id + b" " + envelope.rcpt_tos[0].encode() + b"\n")
            log.flush()
            os.fsync(log.fileno())
        self.senders[envelope.rcpt_tos[0]] = envelope.mail_from or ""
        self.mails.setdefault(envelope.rcpt_tos[0], []).append(content)
        return "250 2.0.0 OK"

    def accepted(self) -> Counter[str]:
        """How often each recipient was accepted, by the sink's own account."""
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        return Counter(line.rpartition(" ")[2] for line in lines)


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[Sink]:
    made = Sink(tmp_path / "accepted.log")
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(
        loop.create_server(lambda: SMTP(made, enable_SMTPUTF8=True, loop=loop), "127.0.0.1", 0)
    )
    made.port = server.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield made
    loop.call_soon_threadsafe(server.close)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.run_until_complete(_cancelled(asyncio.all_tasks(loop)))
    loop.close()


async def _cancelled(tasks: set[asyncio.Task[object]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
def environment(tmp_path: Path, sink: Sink) -> dict[str, str]:
    """The settings of an installation in `tmp_path`, as the environment gives them."""
    (tmp_path / "schedule.toml").write_text(PLAN, encoding="utf-8")
    key = base64.b64encode(b"k" * 32).decode()
    values = {
        "DATABASE_URL": f"sqlite:///{tmp_path}/infomail.sqlite",
        "SCHEDULE": f"{tmp_path}/schedule.toml",
        "SPOOL": f"{tmp_path}/spool",
        "PUBLIC_URL": "https://infomail.example.org",
        "SECRET_KEYS": f"1:{key}",
        "SUPPRESSION_KEY": key,
        "SMTP_URLS": f"smtp://127.0.0.1:{sink.port}?starttls=off&connections=2",
        "RETURN_PATH": "bounce+{token}@example.org",
        "MESSAGE_ID_DOMAIN": "example.org",
        "SENDER_ADDRESS": "infomail@example.org",
        "SENDER_NAME": "Geschäftsstelle",
        "SENDER_STREET": "Musterstraße 1",
        "SENDER_CITY": "00000 Musterstadt",
        "SENDER_EMAIL": "info@example.org",
        "SENDER_RESPONSIBLE": "Erika Muster",
    }
    return {f"INFOMAIL_{name}": value for name, value in values.items()}


@pytest.fixture
def house(
    environment: dict[str, str], database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Installation]:
    """The installation, on the database of the fixture `database`."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    with database.write() as session:
        session.add(MailingList(key="netzwerk", title="Netzwerk", created_at=NOW))
    with open_installation(Settings()) as opened:
        yield opened


@pytest.fixture
def house_on_postgresql(
    environment: dict[str, str],
    postgresql: str,
    postgresql_database: Database,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Iterator[Installation]:
    """The installation on a PostgreSQL of its own."""
    for name, value in (environment | {"INFOMAIL_DATABASE_URL": postgresql}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    with postgresql_database.write() as session:
        session.add(MailingList(key="netzwerk", title="Netzwerk", created_at=NOW))
    with open_installation(Settings()) as opened:
        yield opened


def enrol(house: Installation, count: int) -> list[str]:
    """Put `count` people on the list; their addresses."""
    addresses = [f"p{n}@example.org" for n in range(count)]
    with house.database.write() as session:
        session.execute(
            insert(Subscriber),
            [
                {
                    "address": address,
                    "address_hash": address_hash(house.suppression_key, address),
                    "domain": "example.org",
                    "created_at": NOW,
                }
                for address in addresses
            ],
        )
        ids = session.query(Subscriber.id).all()
        session.execute(
            insert(Subscription),
            [
                {
                    "list_key": "netzwerk",
                    "subscriber_id": row.id,
                    "state": SubscriptionState.ACTIVE,
                    "basis": Basis.PUBLIC_TASK,
                    "since": NOW,
                }
                for row in ids
            ],
        )
    return addresses


def bring_items(house: Installation, count: int) -> None:
    """What an earlier fetch of the plan's feed brought."""
    with house.database.write() as session:
        session.add(Feed(key="neues", url="http://127.0.0.1:9/feed.xml", every=3600))
        session.add_all(
            Item(
                feed_key="neues", identity=f"urn:{n}", title=f"Meldung {n}", digest=f"{n}",
                first_seen_at=NOW, fetched_at=NOW,
            )
            for n in range(count)
        )  # fmt: skip


@pytest.fixture
def work(house: Installation) -> Callable[[], None]:
    """What the clock and a worker do about requests and receipts."""

    def work() -> None:
        clock.read_receipts(house, now=datetime.now(UTC))
        clock.answer_requests(house, now=datetime.now(UTC))
        asyncio.run(drain(house))

    return work


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as made:
        yield made
