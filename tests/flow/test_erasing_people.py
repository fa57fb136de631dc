"""After an erasure nothing names the person any more: not a row, not a file, not what comes back late."""

import asyncio
import base64
import quopri
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import LargeBinary, Text, cast, func, select
from sqlalchemy.orm import Session

from mailer import clock, daemon
from mailer.database import Database
from mailer.installation import Installation
from mailer.outbox import figures
from mailer.outbox.claim import claim
from mailer.outbox.deliver import recover
from mailer.outbox.journal import Accepted, Journal
from mailer.outbox.model import Delivery, DeliveryState, Figure
from mailer.outbox.retry import RetryPolicy
from mailer.outbox.settle import Tried, settle
from mailer.privacy.erasing import erase
from mailer.receipts.forget import mentions
from mailer.receipts.intake import take
from mailer.receipts.model import Receipt, ReceiptState
from mailer.web.app import create_app
from subscribers.addresses import readable
from subscribers.base import Base
from subscribers.chain import Chain, Record, verify
from subscribers.model import Request, RequestKind, RequestState, Subscriber, Suppression, SuppressionReason
from tests.flow.conftest import Sink, enrol
from tests.flow.test_people import ask, path_in, text_of
from tests.flow.test_sending import composed, started, states

#: a domain of one person, with an umlaut, and a local part that stands nowhere else
LOCAL, DOMAIN = "jördis.quitte", "quittengarten-straße.example.org"
TYPED = f"{LOCAL.upper()}@{DOMAIN}"
ADDRESS = f"{LOCAL}@xn--quittengarten-strae-m4b.example.org"
#: what the test's own mail server wrote down
_OF_THE_PEER = {"accepted.log"}


def _now() -> datetime:
    return datetime.now(UTC)


def _spellings() -> set[bytes]:
    """The address and its parts as files may spell them."""
    found: set[bytes] = set()
    for text in (LOCAL, ADDRESS, readable(ADDRESS), DOMAIN, ADDRESS.partition("@")[2]):
        for cased in (text, text.upper()):
            for data in (cased.encode(), cased.encode("latin-1")):
                found |= {data, quopri.encodestring(data)}
                # base64 of the same bytes begins at any of three places in a group of four letters
                found |= {
                    base64.b64encode(b"x" * shift + data)[4 if shift else 0 : -4] for shift in range(3)
                }
            found.add(cased.encode("unicode_escape").replace(b"\\x", b"\\u00"))
    return found


def _named_in(data: bytes) -> list[bytes]:
    return [spelled for spelled in _spellings() if spelled in data]


def _files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in _OF_THE_PEER
    }


def _columns(database: Database) -> dict[str, bytes]:
    """All that stands in the columns of text and bytes."""
    found = {}
    with database.engine.connect() as connection:
        for table in Base.metadata.sorted_tables:
            for column in table.columns:
                if isinstance(column.type, LargeBinary):
                    rows = connection.scalars(select(column))
                else:
                    rows = connection.scalars(select(cast(column, Text)))
                found[f"{table.name}.{column.name}"] = b"\n".join(
                    row if isinstance(row, bytes) else str(row).encode() for row in rows if row is not None
                )
    return found


def _bounce(sink: Sink, token_of: str) -> bytes:
    """A report that returns her mail, as her server would write it."""
    return (
        f"From: MAILER-DAEMON@{DOMAIN}\r\nTo: <{token_of}>\r\nSubject: Undelivered\r\n"
        'MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        f"--b\r\n\r\nUser <{TYPED}> has a full mailbox\r\n"
        "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x.example.org\r\n\r\n"
        f"Final-Recipient: rfc822; {ADDRESS}\r\nAction: failed\r\nStatus: 4.2.2\r\n\r\n"
        "--b\r\nContent-Type: message/rfc822\r\n\r\n"
    ).encode() + sink.mails[ADDRESS][-1].replace(b"\n\n", b"\n\n", 1) + b"\r\n--b--\r\n"


def _through_everything(house: Installation, sink: Sink) -> None:
    """She signs up, confirms, gets an issue that bounces, writes back, leaves; and another issue waits."""
    pages = TestClient(create_app(house.settings, house.database), base_url="https://infomail.example.org")

    def work() -> None:
        clock.read_receipts(house, now=_now())
        clock.answer_requests(house, now=_now())
        asyncio.run(daemon.drain(house))

    enrol(house, 40)
    assert ask(pages, TYPED) == 200
    work()
    assert ADDRESS in sink.mails, list(sink.mails)
    pages.post(path_in(text_of(sink.mails[ADDRESS][0]), "bestaetigen"), data={"act": "confirm"})
    started(house)
    sink.refuse[ADDRESS] = f"451 4.2.1 <{ADDRESS}> come back later"
    work()
    del sink.refuse[ADDRESS]
    with house.database.write() as session:
        session.query(Delivery).update({"due_at": _now()})
    work()
    with house.database.write() as session:
        take(session, _bounce(sink, sink.senders[ADDRESS]), recipient=sink.senders[ADDRESS], sender="", now=_now())
        # nobody can tell whose these are, but both name her
        unread = f"Subject: =?utf-8?b?{base64.b64encode(ADDRESS.encode()).decode()}?=\r\n\r\nhello\r\n"
        take(session, unread.encode(), recipient="bounce@example.org", sender=ADDRESS, now=_now())
        body = base64.encodebytes(("Wer ist " * 30 + TYPED).encode())
        unread = b"Subject: x\r\nContent-Transfer-Encoding: base64\r\n\r\n" + body
        take(session, unread, recipient="bounce@example.org", sender="", now=_now())
        # a colleague named her to a form
        session.add(
            Request(
                kind=RequestKind.CONFIRM, list_key="netzwerk", address="colleague@example.org",
                details={"about": readable(ADDRESS)}, actor="form", created_at=_now(),
                state=RequestState.WRITTEN,
            )
        )  # fmt: skip
    work()
    (leaving,) = [path_in(mail.decode(), "abmelden") for mail in sink.mails[ADDRESS] if b"/abmelden/" in mail][:1]
    ask(pages, TYPED)
    assert pages.post(leaving, data={"act": "leave"}).status_code == 200
    work()
    assert pages.post(leaving, data={"act": "leave"}).status_code == 200
    started(house)
    (house.settings.spool).mkdir(exist_ok=True)


@pytest.mark.parametrize("engine", ["house", "house_on_postgresql"])
def test_nothing_names_her_in_any_row_or_file_after_her_erasure(
    engine: str, request: pytest.FixtureRequest, sink: Sink, tmp_path: Path
) -> None:
    house: Installation = request.getfixturevalue(engine)
    _through_everything(house, sink)
    before = _columns(house.database)
    naming = {name for name, data in before.items() if _named_in(data)}
    # the search finds her where she is: else it would prove nothing
    assert naming >= {
        "subscribers.address", "subscribers.domain", "requests.address", "requests.details", "notices.message",
        "deliveries.address", "deliveries.domain", "deliveries.last_reply", "attempts.reply", "figures.domain",
        "receipts.raw", "receipts.sender",
    }  # fmt: skip

    gone = erase(
        house.database, ADDRESS, suppression_key=house.suppression_key, actor="cli:test", now=_now()
    )

    assert gone["people"] == 1
    assert {name: _named_in(data) for name, data in _columns(house.database).items() if _named_in(data)} == {}
    assert {name: _named_in(data) for name, data in _files(tmp_path).items() if _named_in(data)} == {}
    with house.database.read() as session:
        assert session.scalars(select(Suppression.reason)).all() == [SuppressionReason.ERASED]
        assert [verify(session, chain).problems for chain in Chain] == [[], []]
        assert session.scalar(select(func.count()).select_from(Subscriber)) == 40
    states(house)
    asyncio.run(daemon.drain(house))
    assert _open(house) == 0
    states(house)
    # a second time there is nothing to do
    again = erase(house.database, ADDRESS, suppression_key=house.suppression_key, actor="cli:test", now=_now())
    assert not again
