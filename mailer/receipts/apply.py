"""What came back moves the delivery it belongs to, and the standing of the address.

Only a valid token names a delivery: anybody can write a bounce, and without a token a report
changes nobody's state. What belongs to nobody stays in the queue of the unread, never in the bin.
"""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.issues.model import Issue
from mailer.outbox import figures
from mailer.outbox.figures import Count
from mailer.outbox.model import Delivery, Returned, delivery_named
from mailer.receipts.answering import may_be_answered
from mailer.receipts.model import Receipt, ReceiptState
from mailer.receipts.report import Report, read_report
from mailer.receipts.returnpath import ReturnPath, tokens_in
from subscribers.model import Request, RequestKind, Subscriber
from subscribers.standing import StandingPolicy, verdict
from subscribers.subscribing import leave, suppress
from subscribers.tokens import BadToken, Keys, Purpose, verify

_BATCH = 50
_ACTOR = "receipts"

#: kind of report -> what it makes of a delivery; a graver one stays when a lesser one follows
_RETURNED = {
    "delayed": Returned.DELAYED,
    "soft": Returned.BOUNCED,
    "hard": Returned.BOUNCED,
    "complaint": Returned.COMPLAINED,
}
_GRAVITY = list(Returned)
_NO_MATTER = {"autoreply"}


def apply_receipts(session: Session, *, return_path: ReturnPath, signing: Keys, now: datetime) -> int:
    """Apply the oldest new receipts; returns how many were looked at. None is applied twice."""
    receipts = session.scalars(
        select(Receipt)
        .where(Receipt.state == ReceiptState.NEW)
        .order_by(Receipt.id)
        .limit(_BATCH)
        .with_for_update(skip_locked=True)
    ).all()
    for receipt in receipts:
        _apply(session, receipt, return_path, signing, now)
        session.flush()
    return len(receipts)


def _apply(session: Session, receipt: Receipt, return_path: ReturnPath, signing: Keys, now: datetime) -> None:
    report = read_report(receipt.raw)
    found = _delivery(session, receipt, report, return_path, signing)
    receipt.kind = str(report.kind)
    if found is None:
        receipt.state, receipt.outcome = ReceiptState.UNREAD, "no valid token"
        return
    purpose, delivery = found
    receipt.delivery_id = delivery.id
    receipt.state = ReceiptState.APPLIED
    # by her handle: old deliveries have lost the row id, and the links in old mails work all the same
    subscriber = session.scalar(select(Subscriber).where(Subscriber.handle == delivery.subscriber_handle))
    if purpose is Purpose.UNSUBSCRIBE:
        receipt.kind = "unsubscribe"
        receipt.outcome = _unsubscribe(session, receipt, delivery, subscriber, now)
    elif receipt.kind in _RETURNED:
        _returned(session, delivery, _RETURNED[receipt.kind])
        receipt.outcome = _judge(session, receipt, subscriber, now)
    elif receipt.kind in _NO_MATTER:
        receipt.state, receipt.outcome = ReceiptState.IGNORED, "an automatic answer"
    else:
        receipt.state, receipt.outcome = ReceiptState.UNREAD, "nobody can tell what it says"
    if subscriber is None:
        # what comes late about somebody erased must not bring her address back
        receipt.raw, receipt.sender, receipt.recipient = b"", "", ""


def _delivery(
    session: Session, receipt: Receipt, report: Report, return_path: ReturnPath, signing: Keys
) -> tuple[Purpose, Delivery] | None:
    """The delivery that a valid token names: in the address first, then in what the mail returns."""
    addressed = return_path.token_in(receipt.recipient)
    if addressed is not None:
        return _named(session, addressed, (Purpose.BOUNCE, Purpose.UNSUBSCRIBE), signing)
    # unsubscribe mails carry their token in the subject where the address is fixed
    places = [report.envelope_id, *report.references, report.subject]
    for token in tokens_in(places):
        found = _named(session, token, (Purpose.BOUNCE, Purpose.MESSAGE_ID, Purpose.UNSUBSCRIBE), signing)
        if found:
            return found
    return None


def _named(
    session: Session, text: str, purposes: tuple[Purpose, ...], signing: Keys
) -> tuple[Purpose, Delivery] | None:
    for purpose in purposes:
        try:
            token = verify(signing, text, purpose)
        except BadToken:
            continue
        delivery = delivery_named(session, token.context, token.subject)
        return (purpose, delivery) if delivery else None
    return None


def _unsubscribe(
    session: Session, receipt: Receipt, delivery: Delivery, subscriber: Subscriber | None, now: datetime
) -> str:
    if subscriber is None:
        return "the person is erased"
    issue = session.get(Issue, delivery.issue_id) if delivery.issue_id else None
    left = leave(
        session,
        subscriber=subscriber,
        list_key=delivery.list_key,
        through=issue.handle if issue else None,
        source="mail",
        actor=_ACTOR,
        now=now,
    )
    if not left:
        return "had left before"
    if issue is not None and may_be_answered(receipt.raw, receipt.sender):
        _say_goodbye(session, delivery, subscriber, issue.handle, now)
    return "left"


def _say_goodbye(
    session: Session, delivery: Delivery, subscriber: Subscriber, through: int, now: datetime
) -> None:
    """To the address on record, never to whoever wrote: she hears of it and can take it back."""
    session.add(
        Request(
            kind=RequestKind.GOODBYE,
            list_key=delivery.list_key,
            subscriber_id=subscriber.id,
            details={"context": through, "lists": delivery.list_key},
            actor=_ACTOR,
            created_at=now,
        )
    )


def _returned(session: Session, delivery: Delivery, returned: Returned) -> None:
    if _GRAVITY.index(returned) <= _GRAVITY.index(delivery.returned):
        return
    if delivery.issue_id is not None:
        changes = [(_count(delivery, returned), 1)]
        if delivery.returned is not Returned.NONE:
            changes.append((_count(delivery, delivery.returned), -1))
        figures.add(session, _ACTOR, changes)
    delivery.returned = returned


def _count(delivery: Delivery, returned: Returned) -> Count:
    assert delivery.issue_id is not None
    return Count(
        delivery.issue_id,
        delivery.list_key,
        delivery.municipality,
        delivery.domain,
        delivery.relay,
        f"returned:{returned}",
        "",
    )


def _judge(session: Session, receipt: Receipt, subscriber: Subscriber | None, now: datetime) -> str:
    if subscriber is None:
        return "the person is erased"
    earlier = session.scalars(
        select(Receipt.received_at)
        .join(Delivery, Delivery.id == Receipt.delivery_id)
        .where(Delivery.subscriber_id == subscriber.id, Receipt.kind == "soft", Receipt.id != receipt.id)
    ).all()
    reason = verdict(receipt.kind, earlier, now, StandingPolicy())
    if reason is None:
        return "noted"
    suppress(session, address_hash=subscriber.address_hash, reason=reason, actor=_ACTOR, now=now)
    return f"suppressed: {reason}"
