"""After an erasure nothing names the person any more: not a row, not a file, not what comes back late."""

import asyncio
import base64
import quopri
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import LargeBinary, Text, cast, func, select, update

from mailer import clock
from mailer.daemon.worker import drain
from mailer.database import Database
from mailer.installation import Installation
from mailer.issues.compose import compose
from mailer.issues.model import Entry
from mailer.issues.release import act_on
from mailer.issues.workflow import Act
from mailer.outbox import figures
from mailer.outbox.claim import claim
from mailer.outbox.ledger import _without
from mailer.outbox.model import Delivery, Figure
from mailer.outbox.retry import RetryPolicy
from mailer.outbox.settle import Tried, settle
from mailer.privacy.erasing import erase
from mailer.receipts.intake import take
from mailer.receipts.model import Receipt, ReceiptState
from mailer.web.app import create_app
from subscribers.addresses import readable
from subscribers.base import Base
from subscribers.chain import Chain, verify
from subscribers.model import Request, RequestKind, RequestState, Subscriber, Suppression, SuppressionReason
from tests.flow.conftest import NOW, Sink, enrol
from tests.flow.test_people import ask, path_in, text_of
from tests.flow.test_sending import started

#: a domain of one person, with an umlaut, and a local part that stands nowhere else
LOCAL, DOMAIN = "jördis.quitte", "quittengarten-straße.example.org"
TYPED = f"{LOCAL.upper()}@{DOMAIN}"
ADDRESS = f"{LOCAL}@xn--quittengarten-strae-2tb.example.org"
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
                found |= {base64.b64encode(b"x" * shift + data)[4 if shift else 0 : -4] for shift in range(3)}
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
        (
            f"From: MAILER-DAEMON@{DOMAIN}\r\nTo: <{token_of}>\r\nSubject: Undelivered\r\n"
            'MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
            f"--b\r\n\r\nUser <{TYPED}> has a full mailbox\r\n"
            "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x.example.org\r\n\r\n"
            f"Final-Recipient: rfc822; {ADDRESS}\r\nAction: failed\r\nStatus: 4.2.2\r\n\r\n"
            "--b\r\nContent-Type: message/rfc822\r\n\r\n"
        ).encode()
        + sink.mails[ADDRESS][-1].replace(b"\n\n", b"\n\n", 1)
        + b"\r\n--b--\r\n"
    )


def _through_everything(house: Installation, sink: Sink) -> None:
    """She signs up, confirms, gets an issue that bounces, writes back, leaves; and another issue waits."""
    pages = TestClient(create_app(house.settings, house.database), base_url="https://infomail.example.org")

    def work() -> None:
        clock.read_receipts(house, now=_now())
        clock.answer_requests(house, now=_now())
        asyncio.run(drain(house))

    enrol(house, 40)
    assert ask(pages, TYPED) == 200
    work()
    assert ADDRESS in sink.mails, list(sink.mails)
    pages.post(path_in(text_of(sink.mails[ADDRESS][0]), "bestaetigen"), data={"act": "confirm"})
    # she is welcomed first: what bounces below is the last mail she got, and that is to be the issue
    work()
    started(house)
    sink.refuse[ADDRESS] = f"451 4.2.1 <{ADDRESS}> come back later"
    work()
    del sink.refuse[ADDRESS]
    with house.database.write() as session:
        session.query(Delivery).update({"due_at": _now()})
    work()
    with house.database.write() as session:
        # as many servers answer
        session.execute(
            update(Delivery).where(Delivery.address == ADDRESS).values(last_reply=f"250 2.1.5 <{ADDRESS}> OK")
        )
        take(
            session,
            _bounce(sink, sink.senders[ADDRESS]),
            recipient=sink.senders[ADDRESS],
            sender="",
            now=_now(),
        )
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
    leaving = next(
        path_in(mail.decode(), "abmelden") for mail in sink.mails[ADDRESS] if b"/abmelden/" in mail
    )
    _start_another(house)
    assert pages.post(leaving, data={"act": "leave"}).status_code == 200
    clock.answer_requests(house, now=_now())
    assert ask(pages, TYPED) == 200


def _start_another(house: Installation) -> None:
    later = NOW + timedelta(days=1)
    with house.database.write() as session:
        issue = compose(
            session,
            house.plan.newsletters["infomail"],
            slot=later,
            send_at=later,
            special=True,
            actor="cli:t",
            now=later,
        )
        session.add(
            Entry(issue_id=issue.id, section="S", section_position=0, position=0, title="T", places=[])
        )
        session.flush()
        act_on(session, issue, Act.APPROVE, actor="user:1", now=later)
    clock.start(house, issue.id, actor="user:1", now=later)


def _sums(database: Database) -> dict[int, dict[str, int]]:
    """What the figures say of each issue, having been checked against the deliveries themselves."""
    with database.read() as session:
        counted: dict[int, dict[str, int]] = {}
        rows = session.execute(
            select(Delivery.issue_id, Delivery.state, Delivery.returned, func.count())
            .where(Delivery.issue_id.is_not(None))
            .group_by(Delivery.issue_id, Delivery.state, Delivery.returned)
        )
        for issue, state, returned, n in rows:
            sums = counted.setdefault(issue, {})
            sums[state] = sums.get(state, 0) + n
            if returned != "none":
                sums[f"returned:{returned}"] = sums.get(f"returned:{returned}", 0) + n
        assert {issue: figures.by_state(session, issue) for issue in counted} == counted
        below_zero = (
            select(Figure.domain)
            .group_by(Figure.issue_id, Figure.domain, Figure.relay, Figure.state, Figure.reason)
            .having(func.sum(Figure.n) < 0)
        )
        assert session.scalars(below_zero).all() == []
    return counted


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
    if engine == "house":
        assert any(_named_in(data) for name, data in _files(tmp_path).items() if "infomail.sqlite" in name)

    gone = erase(house.database, ADDRESS, suppression_key=house.suppression_key, actor="cli:test", now=_now())

    assert gone["people"] == 1
    assert {name: _named_in(data) for name, data in _columns(house.database).items() if _named_in(data)} == {}
    assert {name: _named_in(data) for name, data in _files(tmp_path).items() if _named_in(data)} == {}
    with house.database.read() as session:
        assert session.scalars(select(Suppression.reason)).all() == [SuppressionReason.ERASED]
        assert [verify(session, chain).problems for chain in Chain] == [[], []]
        assert session.scalar(select(func.count()).select_from(Subscriber)) == 40
    first, second = (sums for _, sums in sorted(_sums(house.database).items()))
    assert first == {"sent": 41, "returned:bounced": 1}
    assert second == {"pending": 40, "skipped": 1}
    asyncio.run(drain(house))
    assert _sums(house.database)[2] == {"sent": 40, "skipped": 1}
    # asked to confirm, welcomed, sent the first issue, and nothing since
    assert sink.accepted()[ADDRESS] == 3
    # a second time there is nothing to do
    assert not _erase(house)


def _erase(house: Installation, address: str = ADDRESS) -> dict[str, int]:
    return erase(house.database, address, suppression_key=house.suppression_key, actor="cli:test", now=_now())


def _claimed(house: Installation) -> int:
    """One mail of hers is in the hands of a worker."""
    enrol(house, 1)
    started(house)
    with house.database.write() as session:
        (mail,) = claim(
            session, worker="w", limit=1, lease_until=_now() + timedelta(minutes=1), now=_now(),
            today=_now().date(),
        )  # fmt: skip
    return mail.id


@pytest.mark.parametrize(
    ("outcome", "after", "in_the_end"),
    [
        ("sent", "sent", "sent"),
        ("failed", "failed", "failed"),
        ("deferred", "deferred", "skipped"),  # nobody tries again for somebody who is gone
    ],
)
def test_a_mail_in_flight_is_settled_and_keeps_no_word_of_its_answer(
    house: Installation, outcome: str, after: str, in_the_end: str
) -> None:
    mail = _claimed(house)
    _erase(house, "p0@example.org")
    reply = "550 5.1.1 <p0@example.org>: who?"
    tried = Tried(mail, 1, _now(), outcome, "relay:25", 550, reply, "mailbox", "5.1.1")
    with house.database.write() as session:
        assert settle(session, worker="w", tries=[tried], retry=RetryPolicy(), now=_now()).n == 1
    assert _sums(house.database) == {1: {after: 1}}
    assert not [name for name, data in _columns(house.database).items() if b"p0@" in data]
    with house.database.write() as session:
        session.execute(update(Delivery).values(due_at=_now() - timedelta(days=1)))
    asyncio.run(drain(house))
    assert _sums(house.database) == {1: {in_the_end: 1}}


def test_what_comes_back_after_the_erasure_is_counted_and_not_kept(house: Installation, sink: Sink) -> None:
    enrol(house, 1)
    started(house)
    asyncio.run(drain(house))
    _erase(house, "p0@example.org")
    back = sink.senders["p0@example.org"]
    with house.database.write() as session:
        raw = b"From: MAILER-DAEMON@x\r\nSubject: failure\r\n\r\n<p0@example.org>: 550 5.1.1 user unknown\r\n"
        take(session, raw, recipient=back, sender="", now=_now())
    clock.read_receipts(house, now=_now())
    with house.database.read() as session:
        receipt = session.scalars(select(Receipt)).one()
    assert (receipt.state, receipt.outcome) == (ReceiptState.APPLIED, "the person is erased")
    assert (receipt.raw, receipt.recipient) == (b"", "")
    assert _sums(house.database) == {1: {"sent": 1, "returned:bounced": 1}}


def test_an_address_that_is_no_subscriber_is_erased_from_requests_and_reports(house: Installation) -> None:
    with house.database.write() as session:
        session.add(
            Request(
                kind=RequestKind.CONFIRM, list_key="netzwerk", address="new@example.org",
                details={"given": "Neu"}, origin=b"o" * 32, actor="form", created_at=NOW,
            )
        )  # fmt: skip
        take(session, b"To: NEW@example.org\r\n\r\n", recipient="x@example.org", sender="", now=NOW)
        take(session, b"To: renew@example.org\r\n\r\n", recipient="x@example.org", sender="", now=NOW)
    assert _erase(house, "new@example.org") == {"requests": 1, "receipts": 1}
    clock.answer_requests(house, now=_now())
    with house.database.read() as session:
        request = session.scalars(select(Request)).one()
        assert (request.state, request.outcome) == (RequestState.DROPPED, "erased")
        assert (request.address, request.details, request.origin) == ("", {}, None)
        assert [bool(raw) for raw in session.scalars(select(Receipt.raw).order_by(Receipt.id))] == [
            False,
            True,
        ]
        assert session.scalars(select(Suppression.reason)).all() == [SuppressionReason.ERASED]


def test_who_is_not_known_at_all_leaves_no_hash_either(house: Installation) -> None:
    assert not _erase(house, "nobody@example.org")
    with house.database.read() as session:
        assert session.scalars(select(Suppression)).all() == []


def test_a_journal_holds_no_address_even_if_the_answer_names_it() -> None:
    assert _without("a.b@example.org", "250 2.1.5 <A.B@Example.org>: accepted, queued as a@b") == (
        "250 2.1.5 <<recipient>>: accepted, queued as a@b"
    )
    assert _without("a.b@example.org", "250 OK") == "250 OK"


def test_others_stay_as_they_are(house: Installation) -> None:
    enrol(house, 3)
    started(house)
    _erase(house, "p1@example.org")
    with house.database.read() as session:
        left = session.scalars(select(Delivery.address).order_by(Delivery.id)).all()
        assert sorted(left) == ["", "p0@example.org", "p2@example.org"]
        # the domain is that of others too: two of three mails are still counted by it
        assert session.scalar(select(func.sum(Figure.n)).where(Figure.domain == "example.org")) == 2
    assert _sums(house.database) == {1: {"pending": 2, "skipped": 1}}
