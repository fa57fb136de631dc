"""What came back moves the delivery it belongs to, and the standing of the address.

Only a valid token names a delivery: anybody can write a bounce, and without a token a report
changes nobody's state. What belongs to nobody stays in the queue of the unread, never in the bin.
"""

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mailer.issues.model import Issue
from mailer.outbox import figures
from mailer.outbox.figures import Count
from mailer.outbox.model import Delivery, DeliveryState, Returned, delivery_named
from mailer.receipts.answering import may_be_answered
from mailer.receipts.model import Receipt, ReceiptState
from mailer.receipts.report import Kind, Report, read_report
from mailer.receipts.returnpath import ReturnPath, tokens_in
from subscribers.model import Request, RequestKind, Subscriber, SuppressionReason
from subscribers.standing import CameBack, StandingPolicy, verdict
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
        receipt.state, receipt.outcome = ReceiptState.UNREAD, _suggestion(report)
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
        receipt.outcome = _judge(session, receipt, delivery, subscriber, report)
    elif receipt.kind in _NO_MATTER:
        receipt.state, receipt.outcome = ReceiptState.IGNORED, "an automatic answer"
        if report.left:
            # staff look at it in the queue of what is open; nothing is changed by a mail that says so
            receipt.state, receipt.outcome = ReceiptState.UNREAD, _LEFT
    else:
        receipt.state, receipt.outcome = ReceiptState.UNREAD, "nobody can tell what it says"
    if subscriber is None:
        # what comes late about somebody erased must not bring her address back
        receipt.raw, receipt.sender, receipt.recipient = b"", "", ""


_LEFT = "says that she left: ask who follows her"


def _suggestion(report: Report) -> str:
    """What staff may make of a report that nobody can vouch for; without an address."""
    said = ", ".join(each for each in (str(report.kind), _reason(report)) if each)
    return "no valid token" if report.kind is Kind.OTHER else f"no valid token; reads like: {said}"


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


def _judge(
    session: Session, receipt: Receipt, delivery: Delivery, subscriber: Subscriber | None, report: Report
) -> str:
    """Decide about the address; the outcome is the evidence of each step, and names no address."""
    if subscriber is None:
        return "the person is erased"
    reason = _reason(report)
    at = receipt.received_at
    decided = verdict(
        CameBack(receipt.kind, reason, at, delivery.id),
        _came_back(session, subscriber, receipt),
        _last_fine(session, subscriber, delivery, at),
        StandingPolicy(),
    )
    if decided.bars is not None:
        suppress(
            session,
            address_hash=subscriber.address_hash,
            reason=decided.bars,
            actor=f"{_ACTOR}:{receipt.id}",
            now=at,
        )
    if decided.bars is SuppressionReason.COMPLAINT:
        # counted as a complaint, so not through the issue as well
        leave(
            session,
            subscriber=subscriber,
            list_key=delivery.list_key,
            through=None,
            source="complaint",
            actor=_ACTOR,
            now=at,
        )
    return f"{decided.step}: {reason or receipt.kind}"


def _reason(report: Report) -> str:
    """Why the gravest recipient failed; our mails go to one person each."""
    reasons = [each.reason for each in report.recipients if each.kind is report.kind and each.reason]
    return str(reasons[0]) if reasons else ""


def _came_back(session: Session, subscriber: Subscriber, receipt: Receipt) -> list[CameBack]:
    rows = session.execute(
        select(Receipt.kind, Receipt.outcome, Receipt.received_at, Receipt.delivery_id)
        .join(Delivery, Delivery.id == Receipt.delivery_id)
        .where(
            Delivery.subscriber_id == subscriber.id,
            Receipt.kind.in_(["hard", "soft"]),
            Receipt.state == ReceiptState.APPLIED,
            Receipt.id != receipt.id,
        )
    ).all()
    # as _judge wrote it
    return [
        CameBack(row.kind, row.outcome.partition(": ")[2], row.received_at, row.delivery_id) for row in rows
    ]


def _last_fine(session: Session, subscriber: Subscriber, delivery: Delivery, at: datetime) -> datetime | None:
    """When the last mail was sent to the person that has had time to come back and did not."""
    return session.scalar(
        select(func.max(Delivery.settled_at)).where(
            Delivery.subscriber_id == subscriber.id,
            Delivery.address == delivery.address,
            Delivery.id != delivery.id,
            Delivery.state == DeliveryState.SENT,
            Delivery.returned == Returned.NONE,
            Delivery.settled_at <= at - StandingPolicy().settles,
        )
    )
