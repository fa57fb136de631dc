"""What reports do to a person, by token and without one."""

import hashlib
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from mailer import clock
from mailer.installation import Installation
from mailer.outbox.model import Delivery, DeliveryState, Returned
from mailer.receipts.intake import take
from mailer.receipts.model import Receipt, ReceiptState
from subscribers.model import Subscription, Suppression, SuppressionReason
from subscribers.model import SubscriptionState as State
from tests.flow.conftest import Sink, enrol
from tests.flow.test_people import composed_later
from tests.flow.test_sending import started

_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
_FORGED = 10_000


@pytest.fixture
def written_to(house: Installation, work: Callable[[], None], sink: Sink) -> str:
    """Somebody who has got an issue."""
    person = enrol(house, 1)[0]
    started(house)
    work()
    return person


def received(house: Installation, recipient: str, *mails: bytes) -> None:
    now = datetime.now(UTC)
    with house.database.write() as session:
        for raw in mails:
            take(session, raw, recipient=recipient, sender="", now=now)
    clock.read_receipts(house, now=now)


def failed(address: str, diagnostic: str = "550 5.1.1 User unknown") -> bytes:
    return (
        "From: MAILER-DAEMON@example.org\nSubject: failure notice\n\n"
        f"<{address}>:\n{diagnostic}\n\n--- Below this line is a copy of the message.\n"
    ).encode()


def complaint(address: str) -> bytes:
    return (
        "From: fbl@example.org\nSubject: FW\nContent-Type: multipart/report;\n boundary=b\n\n--b\n"
        f"Content-Type: message/feedback-report\n\nFeedback-Type: abuse\nOriginal-Rcpt-To: {address}\n\n--b--\n"
    ).encode()


def suppressions(house: Installation) -> list[SuppressionReason]:
    with house.database.read() as session:
        return list(session.scalars(select(Suppression.reason)))


def outcomes(house: Installation) -> list[tuple[ReceiptState, str]]:
    with house.database.read() as session:
        rows = session.execute(select(Receipt.state, Receipt.outcome).order_by(Receipt.id)).all()
        return [(row.state, row.outcome) for row in rows]


def test_ten_thousand_forged_reports_suppress_nobody(
    house: Installation, written_to: str, sink: Sink
) -> None:
    local, _, token = sink.senders[written_to].partition("@")[0].partition("+")
    dice, now, raw = random.Random(7), datetime.now(UTC), failed(written_to)
    with house.database.write() as session:
        for number in range(_FORGED):
            # near the right one, and anything
            place = dice.randrange(len(token))
            letter = dice.choice(_LETTERS.replace(token[place], ""))
            near = token[:place] + letter + token[place + 1 :]
            guess = near if number % 2 else "".join(dice.choices(_LETTERS, k=len(token)))
            recipient = f"{local}+{guess}@example.org"
            digest = hashlib.sha256(b"%d" % number).hexdigest()
            session.add(Receipt(digest=digest, recipient=recipient, sender="", raw=raw, received_at=now))
    assert clock.read_receipts(house, now=now) == _FORGED
    assert suppressions(house) == []
    assert set(outcomes(house)) == {(ReceiptState.UNREAD, "no valid token; reads like: hard, unknown-user")}
    with house.database.read() as session:
        assert session.scalars(select(Delivery.returned)).one() is Returned.NONE


def test_a_suppression_names_the_report_that_is_its_evidence(
    house: Installation, written_to: str, sink: Sink
) -> None:
    received(house, sink.senders[written_to], failed(written_to))
    with house.database.read() as session:
        receipt = session.scalars(select(Receipt)).one()
        assert receipt.outcome == "suppressed: unknown-user"
        assert session.scalars(select(Suppression.actor)).one() == f"receipts:{receipt.id}"


@pytest.mark.parametrize(
    "diagnostic", ["552 5.2.2 Mailbox full", "554 5.7.1 rejected as spam", "552 5.3.4 Message too large"]
)
def test_a_hundred_reports_about_today_suppress_nobody(
    house: Installation, written_to: str, sink: Sink, diagnostic: str
) -> None:
    mails = [failed(written_to, diagnostic) + b"%d" % number for number in range(100)]
    received(house, sink.senders[written_to], *mails)
    assert suppressions(house) == []
    assert len({outcome for _, outcome in outcomes(house)}) == 1


def test_a_complaint_leaves_the_list_and_bars_the_address(
    house: Installation, written_to: str, sink: Sink
) -> None:
    received(house, sink.senders[written_to], complaint(written_to))
    assert suppressions(house) == [SuppressionReason.COMPLAINT]
    with house.database.read() as session:
        assert session.scalars(select(Subscription.state)).one() is State.UNSUBSCRIBED


def test_who_was_fine_last_week_gets_a_second_look(
    house: Installation, work: Callable[[], None], written_to: str, sink: Sink
) -> None:
    with house.database.write() as session:
        first = session.scalars(select(Delivery)).one()
        assert first.state is DeliveryState.SENT
        assert first.settled_at is not None
        first.settled_at -= timedelta(days=7)
    later = composed_later(house)
    clock.start(house, later, actor="user:1", now=datetime.now(UTC))
    work()
    received(house, sink.senders[written_to], failed(written_to), failed(written_to) + b"again")
    assert suppressions(house) == []
    assert {outcome for _, outcome in outcomes(house)} == {"second look: unknown-user"}


def test_who_says_that_she_left_waits_for_staff_and_keeps_her_subscription(
    house: Installation, written_to: str, sink: Sink
) -> None:
    raw = (
        f"From: {written_to}\nSubject: Automatische Antwort\nAuto-Submitted: auto-replied\n\n"
        "Ich bin im Ruhestand. Bitte schreiben Sie an nachfolge@example.net.\n"
    ).encode()
    received(house, sink.senders[written_to], raw)
    assert outcomes(house) == [(ReceiptState.UNREAD, "says that she left: ask who follows her")]
    assert suppressions(house) == []
    with house.database.read() as session:
        assert session.scalars(select(Subscription.state)).one() is State.ACTIVE
        assert session.scalar(select(func.count()).select_from(Suppression)) == 0
