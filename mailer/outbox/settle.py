"""Write down what became of tries: state, attempt and figures in one transaction.

Fenced: a result counts only while the delivery is still `sending`, by this worker, at this try.
So a result that comes late, twice, or out of a journal already replayed changes nothing.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple, cast

from sqlalchemy import Table, bindparam, exists, insert, select, update
from sqlalchemy.orm import Session

from mailer.issues.model import Issue, IssueState
from mailer.issues.workflow import Act, next_state
from mailer.outbox import figures
from mailer.outbox.model import Attempt, Delivery, DeliveryState
from mailer.outbox.retry import RetryPolicy, draw, wait
from mailer.render.model import EditionAudience
from subscribers.chain import Chain, Happening, append
from subscribers.evidence import INFORMED
from subscribers.model import Subscriber, Subscription, SuppressionReason
from subscribers.subscribing import suppress


class Tried(NamedTuple):
    """The result of one try. `outcome`: sent, deferred, failed or unsure; `code` 0 when no reply came.

    `about` says what a refusal was about: mailbox, message or relay.
    """

    delivery: int
    attempt: int
    at: datetime
    outcome: str
    relay: str
    code: int
    reply: str
    about: str
    #: enhanced status code of the reply (RFC 3463), or ""
    enhanced: str = ""


#: a refusal at once that says for certain that nobody reads there; of a bare 550 one cannot tell
#: whether it means the mailbox or us
_NO_SUCH_MAILBOX = frozenset({"5.1.1", "5.1.6", "5.1.10", "5.2.1"})

_ATTEMPTS = cast(Table, Attempt.__table__)


def settle(
    session: Session, *, worker: str, tries: Sequence[Tried], retry: RetryPolicy, now: datetime
) -> int:
    """Settle these tries of this worker. Returns how many counted."""
    open_ = {
        row.id: row
        for row in session.execute(
            select(
                Delivery.id, Delivery.attempts, Delivery.issue_id, Delivery.list_key, Delivery.municipality,
                Delivery.domain, Delivery.subscriber_id,
            )
            .where(
                Delivery.id.in_([tried.delivery for tried in tries]),
                Delivery.worker == worker,
                Delivery.state == DeliveryState.SENDING,
            )
            .with_for_update()
        )
    }  # fmt: skip
    counted = {
        tried.delivery: tried
        for tried in tries
        if (row := open_.get(tried.delivery)) and row.attempts == tried.attempt
    }
    if not counted:
        return 0
    for number, tried in counted.items():
        if open_[number].subscriber_id is None:
            # erased while her mail was in flight: servers like to name the address in their answer
            counted[number] = tried._replace(reply="")
    rows = [_outcome(tried, retry, now) for tried in counted.values()]
    connection = session.connection()
    connection.execute(_UPDATE, rows)
    # past the ORM, which would look at each row once more
    connection.execute(insert(_ATTEMPTS), [_attempt(tried) for tried in counted.values()])
    figures.add(session, worker, _changes(open_, rows))
    for tried in counted.values():
        if tried.outcome == "failed" and tried.enhanced in _NO_SUCH_MAILBOX:
            _suppress(session, open_[tried.delivery].subscriber_id, worker, now)
    return len(counted)


def finish_issues(session: Session, *, now: datetime) -> list[int]:
    """Call those issues sent that were frozen and have nothing open left."""
    finished = []
    for issue in session.scalars(select(Issue).where(Issue.state == IssueState.SENDING)):
        if issue.frozen_at is not None and figures.is_done(session, issue.id):
            issue.state = next_state(issue.state, Act.FINISH)
            issue.sent_at = now
            _note_informed(session, issue, now)
            finished.append(issue.id)
    return finished


def _note_informed(session: Session, issue: Issue, now: datetime) -> None:
    """Whoever got this issue knows now where her data comes from, if it was the one that said so."""
    telling = select(EditionAudience.import_id).where(
        EditionAudience.issue_id == issue.id, EditionAudience.import_id != 0
    )
    imports = session.scalars(telling.distinct().order_by(EditionAudience.import_id)).all()
    if not imports:
        return
    got = exists().where(
        Delivery.issue_id == issue.id,
        Delivery.subscriber_id == Subscription.subscriber_id,
        Delivery.list_key == Subscription.list_key,
        Delivery.state == DeliveryState.SENT,
    )
    informed = update(Subscription).where(
        Subscription.import_id.in_(imports), Subscription.informed_at.is_(None), got
    )
    told: Any = session.execute(
        informed.values(informed_at=now),
        execution_options={"preserve_rowcount": True, "synchronize_session": False},
    )
    if not told.rowcount:
        return
    said = {"issue": f"{issue.handle:016x}", "imports": list(imports), "people": told.rowcount}
    append(session, Chain.CONSENT, [Happening(INFORMED, said)], actor="worker", at=now)


_UPDATE = (
    update(Delivery)
    .where(Delivery.id == bindparam("b_id"))
    .values(
        state=bindparam("b_state"),
        reason=bindparam("b_reason"),
        due_at=bindparam("b_due_at"),
        relay=bindparam("b_relay"),
        last_reply=bindparam("b_last_reply"),
        settled_at=bindparam("b_settled_at"),
        lease_until=None,
    )
)


def _outcome(tried: Tried, retry: RetryPolicy, now: datetime) -> dict[str, Any]:
    state, reason, due_at = DeliveryState.SENT, "", None
    if tried.outcome == "failed":
        state, reason = DeliveryState.FAILED, tried.about
    elif tried.outcome != "sent":
        # no reply after the last byte: the mail may have arrived, but must not be lost
        delay = wait(retry, tried.attempt, relay_trouble=tried.about == "relay", chance=draw())
        if delay is None:
            state, reason = DeliveryState.FAILED, "gave-up"
        else:
            state, due_at = DeliveryState.DEFERRED, now + delay
    return {
        "b_id": tried.delivery,
        "b_state": state,
        "b_reason": reason,
        "b_due_at": due_at,
        "b_relay": tried.relay,
        "b_last_reply": tried.reply,
        "b_settled_at": None if state is DeliveryState.DEFERRED else tried.at,
    }


def _attempt(tried: Tried) -> dict[str, Any]:
    return {
        "delivery_id": tried.delivery,
        "number": tried.attempt,
        "at": tried.at,
        "relay": tried.relay,
        "outcome": tried.outcome,
        "code": tried.code,
        "reply": tried.reply,
    }


def _changes(open_: dict[int, Any], rows: Sequence[dict[str, Any]]) -> Iterable[tuple[figures.Count, int]]:
    for row in rows:
        delivery, state = open_[row["b_id"]], row["b_state"]
        if state is not DeliveryState.DEFERRED and delivery.issue_id is not None:
            yield (
                figures.Count(
                    delivery.issue_id, delivery.list_key, delivery.municipality, delivery.domain,
                    row["b_relay"], state, row["b_reason"],
                ),
                1,
            )  # fmt: skip


def _suppress(session: Session, subscriber_id: int | None, worker: str, now: datetime) -> None:
    subscriber = session.get(Subscriber, subscriber_id) if subscriber_id else None
    if subscriber is not None:
        suppress(
            session,
            address_hash=subscriber.address_hash,
            reason=SuppressionReason.HARD,
            actor=f"worker:{worker}",
            now=now,
        )
