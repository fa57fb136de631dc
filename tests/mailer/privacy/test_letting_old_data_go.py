"""Each class of data goes when its time is over, not before, and a second run finds nothing to do."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from mailer.database import Database
from mailer.notices.model import Notice
from mailer.outbox.model import Attempt, Delivery, DeliveryState, Priority
from mailer.privacy.retaining import Retention, is_due, retain
from mailer.receipts.model import Receipt, ReceiptState
from subscribers.addresses import address_hash
from subscribers.chain import Chain, Payload, Record, verify
from subscribers.evidence import Evidence, Wording
from subscribers.model import (
    Basis,
    MailingList,
    Municipality,
    Office,
    Request,
    RequestKind,
    RequestState,
    Role,
    Subscriber,
    Subscription,
    SubscriptionState,
    Suppression,
    SuppressionReason,
)
from subscribers.subscribing import admit, await_confirmation, confirm, leave

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
DAY = timedelta(days=1)
KEY = bytes(32)
KEEP = Retention(
    sign_up_ip=7 * DAY, requests=30 * DAY, receipts=90 * DAY, deliveries=365 * DAY, consent_proof=1095 * DAY
)
NOTHING = dict.fromkeys(
    [
        "sign_ups",
        "people",
        "requests",
        "sign_up_ips",
        "contributions",
        "contributors",
        "proofs",
        "deliveries",
        "receipts",
    ],
    0,
)


@dataclass(frozen=True, slots=True)
class Signed:
    """The rows that a sign-up makes."""

    person: int
    handle: int
    request: int
    notice: int
    delivery: int


@pytest.fixture
def database(either_database: Database) -> Database:
    with either_database.write() as session:
        session.add(Municipality(ags="05999001", name="Musterstadt", kind="Stadt"))
        session.add(MailingList(key="netzwerk", title="Netzwerk", created_at=NOW))
        session.add(MailingList(key="verein", title="Verein", created_at=NOW))
    return either_database


def _retain(database: Database, **options: Any) -> dict[str, int]:
    """What was let go, without the classes that had nothing."""
    counts = retain(database, KEEP, actor="clock", now=NOW, **options)
    assert counts.keys() == NOTHING.keys()
    return {name: count for name, count in counts.items() if count}


def _sign_up(session: Session, name: str, at: datetime, list_key: str = "netzwerk") -> Signed:
    person = admit(session, address=f"{name}@example.org", suppression_key=KEY, now=at)
    await_confirmation(session, subscriber=person, list_key=list_key, now=at)
    request = Request(
        kind=RequestKind.CONFIRM, list_key=list_key, address=person.address, details={"given": "Ina"},
        origin=b"o" * 32, actor="form", created_at=at, state=RequestState.WRITTEN,
    )  # fmt: skip
    session.add(request)
    session.flush()
    notice = Notice(
        kind="confirm", list_key=list_key, request_id=request.id, subscriber_id=person.id, key_id=1,
        subject="Bitte bestätigen", message=f"To: {person.address}".encode(), created_at=at,
    )  # fmt: skip
    session.add(notice)
    session.flush()
    delivery = Delivery(
        notice_id=notice.id, list_key=list_key, subscriber_id=person.id, subscriber_handle=person.handle,
        address=person.address, domain="example.org", priority=Priority.NOTICE, state=DeliveryState.SENT,
        attempts=1, last_reply=f"250 <{person.address}>", settled_at=at,
    )  # fmt: skip
    session.add(delivery)
    session.flush()
    session.add(
        Attempt(
            delivery_id=delivery.id, number=1, at=at, relay="r:25", outcome="sent", code=250,
            reply=f"250 <{person.address}>",
        )
    )  # fmt: skip
    return Signed(person.id, person.handle, request.id, notice.id, delivery.id)


def _confirmed(session: Session, name: str, at: datetime, list_key: str = "netzwerk") -> Signed:
    signed = _sign_up(session, name, at, list_key)
    notice = session.get_one(Notice, signed.notice)
    notice.answered_at = at
    proof = Evidence(Wording("Ich willige ein.", "v1"), "https://form", at, notice.handle, ip="203.0.113.7")
    person = session.get_one(Subscriber, signed.person)
    confirm(session, subscriber=person, list_key=list_key, proof=proof, actor="token:x", now=at)
    return signed


def _leave(session: Session, signed: Signed, at: datetime) -> None:
    leave(
        session, subscriber=session.get_one(Subscriber, signed.person), list_key="netzwerk", through=None,
        source="link", actor="token:x", now=at,
    )  # fmt: skip


def _names(session: Session, name: str) -> bool:
    """Whether any table still names the person."""
    address = f"{name}@example.org"
    texts = [
        *session.scalars(select(Subscriber.address)),
        *session.scalars(select(Request.address)),
        *session.scalars(select(Delivery.address)),
        *session.scalars(select(Delivery.last_reply)),
        *session.scalars(select(Attempt.reply)),
        *(message.decode() for message in session.scalars(select(Notice.message))),
    ]
    return any(address in (text or "") for text in texts)


def test_a_sign_up_that_nobody_confirms_goes_with_all_its_traces(database: Database) -> None:
    with database.write() as session:
        _sign_up(session, "late", NOW - 8 * DAY)
        _sign_up(session, "fresh", NOW - 6 * DAY)
    assert _retain(database, dry_run=True) == {"sign_ups": 1}
    assert _retain(database) == {"sign_ups": 1}
    with database.read() as session:
        assert not _names(session, "late")
        assert _names(session, "fresh")
        # she never was anybody's subscriber: there is nothing to remember of her
        assert session.scalars(select(Suppression)).all() == []
    assert _retain(database) == {}


def test_who_is_known_otherwise_loses_only_the_sign_up(database: Database) -> None:
    with database.write() as session:
        _confirmed(session, "known", NOW - 20 * DAY)
        waiting = _sign_up(session, "known", NOW - 8 * DAY, "verein")
    assert _retain(database) == {"sign_ups": 1, "sign_up_ips": 1}
    with database.read() as session:
        assert session.scalars(select(Subscription.list_key)).all() == ["netzwerk"]
        assert session.get(Request, waiting.request) is None
        assert session.get_one(Notice, waiting.notice).message == b""
        assert session.scalars(select(Subscriber.address)).all() == ["known@example.org"]


def test_an_import_of_prior_consent_waits_for_its_release(database: Database) -> None:
    with database.write() as session:
        held = _sign_up(session, "held", NOW - 20 * DAY)
        session.execute(update(Subscription).values(basis=Basis.PRIOR_CONSENT))
        # what asks for nothing now is a new wish, and not part of what has expired
        session.get_one(Request, held.request).created_at = NOW
    assert _retain(database) == {}


def test_a_new_wish_of_the_same_address_outlives_the_old_one(database: Database) -> None:
    with database.write() as session:
        _sign_up(session, "again", NOW - 8 * DAY)
        session.add(
            Request(
                kind=RequestKind.CONFIRM, list_key="netzwerk", address="again@example.org", details={},
                actor="form", created_at=NOW,
            )
        )  # fmt: skip
    assert _retain(database) == {"sign_ups": 1}
    with database.read() as session:
        new = session.scalars(select(Request).where(Request.state == RequestState.NEW)).one()
        assert new.address == "again@example.org"


def test_answered_requests_lose_what_they_said_but_not_the_way_back(database: Database) -> None:
    with database.write() as session:
        old = _confirmed(session, "old", NOW - 31 * DAY)
        recent = _confirmed(session, "recent", NOW - 29 * DAY)
        goodbye = Request(
            kind=RequestKind.GOODBYE, list_key="netzwerk", subscriber_id=old.person, details={"context": 7},
            actor="token:x", created_at=NOW - 31 * DAY, state=RequestState.WRITTEN,
        )  # fmt: skip
        session.add(goodbye)
        session.flush()
    assert _retain(database) == {"requests": 1, "sign_up_ips": 2}
    with database.read() as session:
        blank = session.get_one(Request, old.request)
        assert (blank.address, blank.details, blank.origin) == ("", {}, None)
        assert session.get_one(Request, recent.request).details == {"given": "Ina"}
        assert session.get_one(Request, goodbye.id).details == {"context": 7}
    assert _retain(database) == {}


def test_a_request_is_kept_while_its_link_may_still_be_confirmed(database: Database) -> None:
    """It came early and its mail could be written late only: the link reads the wording from it."""
    with database.write() as session:
        signed = _sign_up(session, "slow", NOW - 31 * DAY)
        session.get_one(Notice, signed.notice).created_at = NOW - DAY
        session.execute(update(Subscription).values(since=NOW - DAY))
    assert _retain(database) == {}


def test_ip_addresses_of_confirmations_go_and_the_chain_still_verifies(database: Database) -> None:
    with database.write() as session:
        _confirmed(session, "eight", NOW - 8 * DAY)
        _confirmed(session, "six", NOW - 6 * DAY)
    assert _retain(database) == {"sign_up_ips": 1}
    with database.read() as session:
        ips = session.scalars(
            select(Payload.content)
            .join(Record, Record.seq == Payload.seq)
            .where(Record.action == "origin")
            .order_by(Record.seq)
        ).all()
        assert [bool(ip) for ip in ips] == [False, True]
        found = verify(session, Chain.CONSENT)
    assert (found.problems, found.erased) == ([], 1)


def test_proof_of_a_withdrawn_consent_goes_with_the_mail_it_names(database: Database) -> None:
    with database.write() as session:
        left = _confirmed(session, "left", NOW - 1200 * DAY)
        _leave(session, left, NOW - 1096 * DAY)
        # she stays, since she is on another list
        _confirmed(session, "left", NOW - 2 * DAY, "verein")
        recent = _confirmed(session, "recent", NOW - 1200 * DAY)
        _leave(session, recent, NOW - 1094 * DAY)
    counts = _retain(database)
    assert counts["proofs"] == 1
    assert "people" not in counts
    with database.read() as session:
        assert session.get_one(Notice, left.notice).message == b""
        assert session.get_one(Notice, recent.notice).message != b""
        assert verify(session, Chain.CONSENT).problems == []


def test_old_deliveries_become_pseudonyms_and_keep_their_proof(database: Database) -> None:
    with database.write() as session:
        old = _confirmed(session, "old", NOW - 366 * DAY)
        plain = _confirmed(session, "plain", NOW - 366 * DAY)
        session.get_one(Notice, plain.notice).kind = "goodbye"
        session.get_one(Notice, plain.notice).answered_at = None
        recent = _confirmed(session, "recent", NOW - 364 * DAY)
        session.get_one(Delivery, recent.delivery).state = DeliveryState.FAILED
    assert _retain(database)["deliveries"] == 2
    with database.read() as session:
        row = session.get_one(Delivery, old.delivery)
        assert (row.address, row.subscriber_id, row.last_reply) == ("", None, "")
        assert (row.subscriber_handle, row.state) == (old.handle, DeliveryState.SENT)
        replies = select(Attempt.reply).order_by(Attempt.delivery_id)
        assert session.scalars(replies).all() == ["", "", "250 <recent@example.org>"]
        # a confirmation that was answered is part of the proof
        assert session.get_one(Notice, old.notice).message != b""
        assert session.get_one(Notice, plain.notice).message == b""
        assert session.get_one(Delivery, recent.delivery).address == "recent@example.org"
    assert _retain(database) == {}


def test_returned_mails_go_and_what_they_meant_stays(database: Database) -> None:
    with database.write() as session:
        for number, (age, state) in enumerate(
            [
                (91, ReceiptState.APPLIED),
                (91, ReceiptState.UNREAD),
                (91, ReceiptState.NEW),
                (89, ReceiptState.APPLIED),
            ]
        ):
            session.add(
                Receipt(
                    digest=str(number), recipient="bounce@example.org", sender="a@example.org", raw=b"raw",
                    received_at=NOW - age * DAY, state=state, kind="hard", outcome="noted",
                )
            )  # fmt: skip
    assert _retain(database) == {"receipts": 2}
    with database.read() as session:
        rows = session.scalars(select(Receipt).order_by(Receipt.id)).all()
    assert [bool(row.raw) for row in rows] == [False, False, True, True]
    assert (rows[0].kind, rows[0].outcome, rows[0].state) == ("hard", "noted", ReceiptState.APPLIED)
    assert _retain(database) == {}


@pytest.mark.parametrize(
    ("left", "office_ends", "goes"),
    [
        (1096, None, True),
        (1094, None, False),  # the proof of her consent is kept that long
        (1096, 1100, True),
        (1096, 10, False),  # her office ended a while ago, but not so long
        (1096, -10, False),  # she is still in office
    ],
)
def test_people_on_no_list_and_in_no_office_are_reduced_to_the_hash(
    database: Database, left: int, office_ends: int | None, goes: bool
) -> None:
    with database.write() as session:
        signed = _confirmed(session, "gone", NOW - 1200 * DAY)
        _leave(session, signed, NOW - left * DAY)
        if office_ends is not None:
            session.add(
                Office(
                    municipality="05999001", role=Role.CONTACT, subscriber_id=signed.person,
                    starts=date(2020, 1, 1), ends=(NOW - office_ends * DAY).date(),
                )
            )  # fmt: skip
    assert _retain(database).get("people", 0) == goes
    with database.read() as session:
        assert (session.get(Subscriber, signed.person) is None) == goes
        barred = session.scalars(
            select(Suppression.address_hash).where(Suppression.reason == SuppressionReason.ERASED)
        )
        assert barred.all() == ([address_hash(KEY, "gone@example.org")] if goes else [])
        assert verify(session, Chain.CONSENT).problems == []


def test_who_is_on_a_list_stays_however_long(database: Database) -> None:
    with database.write() as session:
        _confirmed(session, "old", NOW - 3000 * DAY)
    assert "people" not in _retain(database)
    with database.read() as session:
        assert session.scalars(select(Subscription.state)).all() == [SubscriptionState.ACTIVE]


def test_a_run_is_on_record_and_the_next_is_due_a_day_later(database: Database) -> None:
    with database.read() as session:
        assert is_due(session, NOW)
    _retain(database, dry_run=True)
    with database.read() as session:
        assert is_due(session, NOW)
    _retain(database)
    with database.read() as session:
        assert not is_due(session, NOW + timedelta(hours=23))
        assert is_due(session, NOW + timedelta(hours=25))
        assert verify(session, Chain.AUDIT).problems == []
