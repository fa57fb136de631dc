"""Two Infomails whose people are each other's addresses for leaving: nothing goes round and round."""

import asyncio
import contextlib
import smtplib
import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import select, update

from mailer import clock
from mailer.daemon.worker import drain
from mailer.installation import Installation, open_arrivals, open_installation
from mailer.issues.model import Issue
from mailer.outbox.model import Delivery
from mailer.receipts.intake import serve_intake
from mailer.receipts.listening import Speaks
from mailer.receipts.model import Receipt
from mailer.settings import Settings
from subscribers.model import MailingList, Subscriber, Subscription, SubscriptionState
from subscribers.tokens import Purpose, sign
from tests.flow.conftest import NOW, Sink, enrol
from tests.flow.test_sending import started


@pytest.fixture
def other_house(house: Installation, tmp_path: Path, migrated_sqlite: Path) -> Iterator[Installation]:
    """A second installation, at example.net, with keys of its own."""
    path = tmp_path / "other.sqlite"
    path.write_bytes(migrated_sqlite.read_bytes())
    settings = Settings(
        database_url=SecretStr(f"sqlite:///{path}"),
        spool=tmp_path / "other-spool",
        secret_keys=SecretStr("1:b3RoZXJvdGhlcm90aGVyb3RoZXJvdGhlcm90aGVyb3Q="),
        return_path="bounce+{token}@example.net",
        message_id_domain="example.net",
        sender_address="infomail@example.net",
    )
    with open_installation(settings) as opened:
        with opened.database.write() as session:
            session.add(MailingList(key="netzwerk", title="Anderes", created_at=NOW))
        yield opened


def _leaving(house: Installation) -> str:
    """The address that unsubscribes the one person of this installation, through its issue."""
    with house.database.read() as session:
        context = session.scalars(select(Issue.handle)).one()
        subject = session.scalars(select(Subscriber.handle)).one()
    token = sign(house.signing, Purpose.UNSUBSCRIBE, context, subject)
    return house.letterhead.return_path.address(token)


def _readdress(house: Installation, address: str) -> None:
    with house.database.write() as session:
        session.execute(update(Subscriber).values(address=address))
        session.execute(update(Delivery).values(address=address))


def _relaying_to(house: Installation, port: int) -> Installation:
    urls = SecretStr(f"smtp://127.0.0.1:{port}?starttls=off")
    return replace(house, settings=house.settings.model_copy(update={"smtp_urls": urls}))


async def _run(houses: tuple[Installation, Installation], mail: bytes, recipient: str) -> None:
    """Give a mail to the second installation, and let both go on until nothing is left to do."""
    doors = [socket.create_server(("127.0.0.1", 0)) for _ in houses]
    ports = [door.getsockname()[1] for door in doors]
    first, second = _relaying_to(houses[0], ports[1]), _relaying_to(houses[1], ports[0])

    def hand_over() -> None:
        if mail:
            with smtplib.SMTP("127.0.0.1", ports[1]) as client:
                client.sendmail("someone@example.net", [recipient], mail)

    async with contextlib.AsyncExitStack() as stack:
        for house, door in zip((first, second), doors, strict=True):
            intake = serve_intake(
                house.database, open_arrivals(house.settings), house.letterhead.return_path,
                [(door, Speaks.SMTP)], now=_now,
            )  # fmt: skip
            await stack.enter_async_context(intake)
        await asyncio.to_thread(hand_over)
        for _ in range(4):
            for house in (first, second):
                await drain(house)
                await asyncio.sleep(0.3)  # what was taken is in the database within this time
                await asyncio.to_thread(clock.read_receipts, house, now=_now())
                await asyncio.to_thread(clock.answer_requests, house, now=_now())


def _came_in(house: Installation) -> list[tuple[str, str]]:
    with house.database.read() as session:
        return [(row.kind, row.outcome) for row in session.scalars(select(Receipt).order_by(Receipt.id))]


def _state(house: Installation) -> SubscriptionState:
    with house.database.read() as session:
        return session.scalars(select(Subscription.state)).one()


@pytest.fixture
def entangled(
    house: Installation, other_house: Installation, sink: Sink
) -> tuple[Installation, Installation]:
    """Each has one person, whose address is the other's address for leaving. The second has sent its issue
    (before her address was that), the first is about to."""
    for each in (house, other_house):
        enrol(each, 1)
        started(each)
    asyncio.run(drain(_relaying_to(other_house, sink.port)))
    leaving, other_leaving = _leaving(house), _leaving(other_house)
    _readdress(house, other_leaving)
    _readdress(other_house, leaving)
    return house, other_house


def test_an_issue_that_unsubscribes_elsewhere_is_the_only_mail(
    entangled: tuple[Installation, Installation],
) -> None:
    asyncio.run(_run(entangled, b"", ""))
    # the issue made the second installation unsubscribe its person: a list sent it, so nobody is answered
    assert _came_in(entangled[1]) == [("unsubscribe", "left")]
    assert _came_in(entangled[0]) == []


def test_a_persons_leaving_is_answered_once_and_the_answer_by_nobody(
    entangled: tuple[Installation, Installation],
) -> None:
    first, second = entangled
    with first.database.write() as session:  # no issue of its own this time
        session.execute(update(Delivery).values(state="sent"))
    asyncio.run(_run(entangled, b"Subject: unsubscribe\r\n\r\n", _leaving(second)))
    assert _came_in(second) == [("unsubscribe", "left")]
    # the goodbye mail arrived, and says itself that a program sent it
    assert _came_in(first) == [("unsubscribe", "left")]
    assert (_state(first), _state(second)) == (SubscriptionState.UNSUBSCRIBED,) * 2


def _now() -> datetime:
    return datetime.now(UTC)
