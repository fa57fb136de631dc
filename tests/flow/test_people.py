"""How people come, stay and go: over the pages, by mail, and by what their servers say."""

import asyncio
import email
import email.policy
import hashlib
import re
import smtplib
import socket
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mailer import clock
from mailer.clock import answer_requests
from mailer.installation import Installation, open_arrivals
from mailer.issues.model import Issue
from mailer.notices.model import Notice
from mailer.outbox.model import Delivery, Returned
from mailer.receipts.intake import serve_intake, take
from mailer.receipts.listening import Speaks
from mailer.receipts.model import Receipt, ReceiptState
from mailer.web.app import create_app
from subscribers.addresses import address_hash
from subscribers.evidence import Proof, of_person
from subscribers.model import (
    Basis,
    MailingList,
    Request,
    RequestKind,
    Subscriber,
    Subscription,
    Suppression,
    SuppressionReason,
)
from subscribers.model import SubscriptionState as State
from subscribers.subscribing import ask_for_welcome
from tests.flow.conftest import Sink, enrol
from tests.flow.test_sending import composed, started

BASE = "https://infomail.example.org"


@pytest.fixture
def pages(house: Installation) -> TestClient:
    return TestClient(create_app(house.settings, house.database), base_url=BASE)


def state_of(house: Installation, address: str) -> State | None:
    with house.database.read() as session:
        return session.scalar(
            select(Subscription.state).join(Subscriber).where(Subscriber.address == address)
        )


def text_of(raw: bytes) -> str:
    body = email.message_from_bytes(raw, policy=email.policy.default).get_body(("plain",))
    assert body is not None
    content: str = body.get_content()
    return content


def path_in(text: str, route: str) -> str:
    found = re.search(rf"{BASE}(/{route}/[a-z2-7]+)", text)
    assert found, text
    return found[1]


def ask(pages: TestClient, address: str) -> int:
    form = pages.get("/anmelden/netzwerk").text
    version = re.search(r'name="wording" value="([^"]+)"', form)
    assert version
    return pages.post("/anmelden/netzwerk", data={"email": address, "wording": version[1]}).status_code


def test_from_the_form_to_the_issue_and_out_and_back_again(
    house: Installation, pages: TestClient, work: Callable[[], None], sink: Sink
) -> None:
    assert ask(pages, "Neu@Example.org") == 200
    work()
    confirmation = text_of(sink.mails["neu@example.org"][0])
    link = path_in(confirmation, "bestaetigen")
    assert state_of(house, "neu@example.org") is State.PENDING
    pages.get(link)
    assert state_of(house, "neu@example.org") is State.PENDING
    assert pages.post(link, data={"act": "confirm"}).status_code == 200
    assert state_of(house, "neu@example.org") is State.ACTIVE
    with house.database.read() as session:
        (proof,) = _proofs(session)
        notice = session.scalars(select(Notice)).one()
    said = proof.content
    assert said is not None
    assert " ".join(said["wording"].split()) in " ".join(confirmation.split())
    assert said["wording_version"]
    assert said["source"].endswith("/anmelden/netzwerk")
    assert datetime.fromisoformat(said["requested_at"]) <= proof.at
    assert said["notice"] == f"{notice.handle:016x}"
    assert said["mail_sha256"] == hashlib.sha256(notice.message).hexdigest()
    assert notice.answered_at is not None

    work()
    raw = sink.mails["neu@example.org"][1]
    assert b"List-Unsubscribe-Post: List-Unsubscribe=One-Click" in raw
    welcome = text_of(raw)
    assert "Willkommen" in welcome
    # what the plan sends to the list, with how often it says so itself
    comes = " ".join(welcome.split())
    assert "Infomail, in der Regel einmal im Monat - Termine, in der Regel einmal in der Woche" in comes
    assert pages.get(path_in(welcome, "abmelden")).status_code == 200
    assert pages.get("/einstellungen").status_code == 200
    assert "https://infomail.example.org/einstellungen" in welcome.split()

    started(house)
    work()
    mail = sink.mails["neu@example.org"][2].decode()
    leave = path_in(mail, "abmelden")
    assert pages.post(leave, data={"act": "leave"}).status_code == 200
    assert state_of(house, "neu@example.org") is State.UNSUBSCRIBED
    work()
    undo = path_in(text_of(sink.mails["neu@example.org"][3]), "rueckgaengig")
    assert pages.post(undo, data={"act": "undo"}).status_code == 200
    assert state_of(house, "neu@example.org") is State.ACTIVE
    with house.database.read() as session:
        acts = [proof.action for proof in _proofs(session)]
    assert acts == ["granted", "withdrawn", "granted"]


def test_whoever_leaves_by_the_welcome_mail_is_off_and_nobody_is_welcomed_twice_a_day_or_when_gone(
    house: Installation, pages: TestClient, work: Callable[[], None], sink: Sink
) -> None:
    ask(pages, "neu@example.org")
    work()
    link = path_in(text_of(sink.mails["neu@example.org"][0]), "bestaetigen")
    for _ in range(2):
        pages.post(link, data={"act": "confirm"})
        work()
    assert sink.accepted() == {"neu@example.org": 2}
    leave = path_in(text_of(sink.mails["neu@example.org"][1]), "abmelden")
    assert pages.post(leave, data={"act": "leave"}).status_code == 200
    assert state_of(house, "neu@example.org") is State.UNSUBSCRIBED
    with house.database.write() as session:
        person = session.scalars(select(Subscriber).where(Subscriber.address == "neu@example.org")).one()
        assert not ask_for_welcome(
            session, subscriber=person, lists=["netzwerk"], actor="t", now=datetime.now(UTC)
        )
        # as if she had left before the mail was written
        later = datetime.now(UTC) + timedelta(days=2)
        assert ask_for_welcome(session, subscriber=person, lists=["netzwerk"], actor="t", now=later)
        # another list on the same day is another matter
        session.add(MailingList(key="vereine", title="Vereinsbrief", created_at=later))
        session.flush()
        assert ask_for_welcome(
            session, subscriber=person, lists=["netzwerk", "vereine"], actor="t", now=later
        )
        noted = session.scalars(select(Request.details).order_by(Request.id.desc()).limit(2))
        assert [details["lists"] for details in noted] == ["vereine", "netzwerk"]
    work()
    with house.database.read() as session:
        last = session.scalars(select(Request).order_by(Request.id.desc())).first()
        assert last is not None
        assert (last.kind, last.outcome) == (RequestKind.WELCOME, "left")


def test_one_confirmation_mail_an_address_and_day(
    house: Installation, pages: TestClient, work: Callable[[], None], sink: Sink
) -> None:
    for _ in range(3):
        ask(pages, "neu@example.org")
    work()
    assert sink.accepted() == {"neu@example.org": 1}


@pytest.mark.parametrize(
    ("reason", "mails"),
    [
        (SuppressionReason.HARD, 0),
        (SuppressionReason.COMPLAINT, 0),
        (SuppressionReason.STAFF, 0),
        (SuppressionReason.ERASED, 1),  # erasing bars imports, not the person's own wish
    ],
)
def test_a_suppressed_address_is_not_written_to_by_a_sign_up(
    house: Installation,
    pages: TestClient,
    work: Callable[[], None],
    sink: Sink,
    reason: SuppressionReason,
    mails: int,
) -> None:
    with house.database.write() as session:
        hashed = address_hash(house.suppression_key, "neu@example.org")
        session.add(Suppression(address_hash=hashed, reason=reason, at=datetime.now(UTC), actor="t"))
    ask(pages, "neu@example.org")
    work()
    assert sum(sink.accepted().values()) == mails
    if mails:
        link = path_in(text_of(sink.mails["neu@example.org"][0]), "bestaetigen")
        pages.post(link, data={"act": "confirm"})
        with house.database.read() as session:
            assert session.scalar(select(func.count()).select_from(Suppression)) == 0


def test_a_request_that_cannot_be_written_stops_no_other(
    house: Installation, pages: TestClient, work: Callable[[], None], sink: Sink
) -> None:
    with house.database.write() as session:
        session.add(
            MailingList(key="kaputt", title="K", reply_to="größe@example.org", created_at=datetime.now(UTC))
        )
        session.flush()
        session.add(
            Request(
                kind="confirm",
                list_key="kaputt",
                address="eins@example.org",
                actor="form",
                created_at=datetime.now(UTC),
            )
        )
    ask(pages, "zwei@example.org")
    work()
    assert sink.accepted() == {"zwei@example.org": 1}
    with house.database.read() as session:
        outcomes = session.execute(select(Request.state, Request.outcome).order_by(Request.id)).all()
    assert outcomes == [("new", "broken: NonASCIILocalPartDefect"), ("written", "")]

    with house.database.write() as session:
        session.get_one(MailingList, "kaputt").reply_to = "info@example.org"
    answer_requests(house, now=datetime.now(UTC) + timedelta(minutes=11))
    work()
    assert sink.accepted() == {"zwei@example.org": 1, "eins@example.org": 1}


def test_a_stranger_puts_no_words_into_the_confirmation_mail(
    house: Installation, work: Callable[[], None], sink: Sink
) -> None:
    with house.database.write() as session:
        session.add(
            Request(
                kind="confirm", list_key="netzwerk", address="opfer@example.org", actor="form",
                details={"given": "Kaufen Sie", "family": "https://evil.example.net"}, created_at=datetime.now(UTC),
            )
        )  # fmt: skip
    work()
    assert "evil" not in sink.mails["opfer@example.org"][0].decode()


def report(sink: Sink, address: str, *, action: str = "failed", status: str = "5.1.1") -> tuple[str, bytes]:
    """What the server of this address answers to the last mail: return path and report."""
    return sink.senders[address], (
        "From: MAILER-DAEMON@example.org\r\nSubject: Undelivered\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type="delivery-status"; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nsorry\r\n"
        "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.org\r\n\r\n"
        f"Final-Recipient: rfc822; {address}\r\nAction: {action}\r\nStatus: {status}\r\n\r\n"
        "--b--\r\n"
    ).encode()


def receive(house: Installation, recipient: str, raw: bytes) -> None:
    with house.database.write() as session:
        take(session, raw, recipient=recipient, sender="", now=datetime.now(UTC))
    clock.read_receipts(house, now=datetime.now(UTC))


def test_a_hard_bounce_suppresses_and_the_next_issue_leaves_her_out(
    house: Installation, work: Callable[[], None], sink: Sink
) -> None:
    first, second = enrol(house, 2)
    started(house)
    work()
    for _ in range(2):  # a replay changes nothing
        receive(house, *report(sink, first))
    with house.database.read() as session:
        delivery = session.scalars(select(Delivery).where(Delivery.address == first)).one()
        assert delivery.returned is Returned.BOUNCED
        assert [row.reason for row in session.scalars(select(Suppression))] == [SuppressionReason.HARD]
        assert session.scalar(select(func.count()).select_from(Receipt)) == 1
    issue = composed_later(house)
    clock.start(house, issue, actor="user:1", now=datetime.now(UTC))
    work()
    assert sink.accepted() == {first: 1, second: 2}


def composed_later(house: Installation) -> int:
    """A second issue: another slot than the first one's."""
    with house.database.write() as session:
        for issue in session.scalars(select(Issue)):
            issue.slot -= timedelta(days=7)
    return composed(house)


@pytest.mark.parametrize(("action", "status"), [("delayed", "4.4.1"), ("delivered", "2.1.5")])
def test_a_delayed_or_good_report_never_suppresses_anybody(
    house: Installation, work: Callable[[], None], sink: Sink, action: str, status: str
) -> None:
    person = enrol(house, 1)[0]
    started(house)
    work()
    for n in range(10):
        sender, raw = report(sink, person, action=action, status=status)
        receive(house, sender, raw + b"%d" % n)
    with house.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Suppression)) == 0


def test_forged_bounces_change_nobodys_state_and_stay_in_sight(
    house: Installation, work: Callable[[], None], sink: Sink
) -> None:
    person = enrol(house, 1)[0]
    started(house)
    work()
    sender, raw = report(sink, person)
    letters = "abcdefghijklmnopqrstuvwxyz234567"
    token = sender.partition("+")[2].partition("@")[0]
    for n in range(300):
        place = n % len(token)
        other = letters[(letters.index(token[place]) + 1 + n // len(token)) % 32]
        receive(house, f"bounce+{token[:place]}{other}{token[place + 1 :]}@example.org", raw)
    with house.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Suppression)) == 0
        assert session.scalars(select(Delivery.returned)).one() is Returned.NONE
        assert set(session.scalars(select(Receipt.state))) == {ReceiptState.UNREAD}


def test_an_unsubscribe_mail_by_lmtp_ends_the_subscription(
    house: Installation, work: Callable[[], None], sink: Sink
) -> None:
    person = enrol(house, 1)[0]
    started(house)
    work()
    mail = sink.mails[person][0].decode()
    found = re.search(r"<mailto:(bounce\+[a-z2-7]+@example\.org)\?", mail)
    assert found
    asyncio.run(_by_lmtp(house, [found[1], "someone@example.net"], b"Subject: unsubscribe\r\n\r\n"))
    clock.read_receipts(house, now=datetime.now(UTC))
    assert state_of(house, person) is State.UNSUBSCRIBED
    with house.database.read() as session:
        assert [row.kind for row in session.scalars(select(Receipt))] == ["unsubscribe"]


async def _by_lmtp(house: Installation, recipients: list[str], raw: bytes) -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    host, port = listening.getsockname()

    def speak() -> None:
        with smtplib.LMTP(host, port) as lmtp:
            refused = lmtp.sendmail("someone@example.net", recipients, raw)
        # no open relay: only addresses of the return path are taken
        assert {address: code for address, (code, _) in refused.items()} == {recipients[1]: 550}

    async with serve_intake(
        house.database,
        open_arrivals(house.settings),
        house.letterhead.return_path,
        [(listening, Speaks.LMTP)],
        now=lambda: datetime.now(UTC),
    ):
        await asyncio.to_thread(speak)


def test_imported_people_are_asked_with_the_wording_and_that_is_the_evidence(
    house: Installation, pages: TestClient, work: Callable[[], None], sink: Sink
) -> None:
    with house.database.write() as session:
        session.add(
            Request(
                kind="confirm", list_key="netzwerk", address="import@example.org", details={"language": "de"},
                actor="cli:t", created_at=datetime.now(UTC),
            )
        )  # fmt: skip
    work()
    text = text_of(sink.mails["import@example.org"][0])
    assert "willige ich ein" in text
    pages.post(path_in(text, "bestaetigen"), data={"act": "confirm"})
    with house.database.read() as session:
        (proof,) = _proofs(session)
        subscription = session.scalars(select(Subscription)).one()
    assert proof.content is not None
    assert "willige ich ein" in proof.content["wording"]
    assert subscription.basis is Basis.CONSENT


def _proofs(session: Session) -> Sequence[Proof]:
    """The evidence about the only person there is."""
    return of_person(session, session.scalars(select(Subscriber.handle)).one())
