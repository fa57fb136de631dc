"""Write down what became of tries: state, attempt and figures in one transaction.

Fenced: a result counts only while the delivery is still `sending`, by this worker, at this try.
So a result that comes late, twice, or out of a journal already replayed changes nothing.

A group is one UPDATE and one INSERT, whatever its size: its rows travel as one parameter, in JSON.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from mailer.outbox import figures, tallies
from mailer.outbox.claim import IN_DOUBT
from mailer.outbox.domains import Trouble, trouble_after
from mailer.outbox.model import Attempt, Delivery, DeliveryState
from mailer.outbox.resting import remember, troubles
from mailer.outbox.retry import RetryPolicy, draw, wait
from subscribers.base import among
from subscribers.model import InDoubt, MailingList, Subscriber, SuppressionReason
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

    @property
    def is_unmade(self) -> bool:
        """Whether the mail could not even be made."""
        return self.code == 0 and self.outcome == "deferred" and self.about == "message"


class Settled(NamedTuple):
    """What one group came to."""

    #: how many tries counted
    n: int
    #: of each issue: how many of its mails were sent, and how many failed for good or could not be made
    verdicts: dict[int, tuple[int, int]]


#: a refusal at once that says for certain that nobody reads there; of a bare 550 one cannot tell
#: whether it means the mailbox or us
_NO_SUCH_MAILBOX = frozenset({"5.1.1", "5.1.6", "5.1.10", "5.2.1"})
#: deferrals that are about one mailbox alone, and say nothing of its domain (RFC 3463 3.3)
_OF_ONE_MAILBOX = "4.2."
#: tries after which a mail that cannot be made is held
_UNMADE = 3


def settle(
    session: Session,
    *,
    worker: str,
    tries: Sequence[Tried],
    retry: RetryPolicy,
    now: datetime,
    troubled: Collection[str] = (),
) -> Settled:
    """Settle these tries of this worker. `troubled` are domains that are known to defer."""
    ends = {(tried.delivery, tried.attempt): _end(tried, retry, now) for tried in tries}
    _hold_some(session, tries, ends)
    by_try = {(tried.delivery, tried.attempt): tried for tried in tries}
    spell = _Spelling(session)
    rows = json.dumps([(*key, *spell.end(end)) for key, end in ends.items()])
    counted = [_Counted._make(row) for row in session.execute(spell.update, {"worker": worker, "rows": rows})]
    if not counted:
        return Settled(0, {})
    pairs = [(row, by_try[row.id, row.attempts], ends[row.id, row.attempts]) for row in counted]
    session.execute(
        spell.insert, {"rows": json.dumps([spell.attempt(tried, row) for row, tried, _ in pairs])}
    )
    figures.add(session, worker, _ended(pairs))
    verdicts = _verdicts(pairs)
    for issue, (sent, _) in verdicts.items():
        if sent:
            tallies.add(session, f"issue:{issue}", tallies.PACE_SPAN, now.timestamp(), sent)
    _note_domains(session, pairs, troubled, now)
    for row, tried, _ in pairs:
        if tried.outcome == "failed" and tried.enhanced in _NO_SUCH_MAILBOX:
            _suppress(session, row.subscriber_id, worker, now)
    return Settled(len(counted), verdicts)


class _Counted(NamedTuple):
    """A delivery that a try counts for."""

    id: int
    attempts: int
    issue_id: int | None
    list_key: str
    municipality: str
    domain: str
    subscriber_id: int | None


class _End(NamedTuple):
    """What a try makes of its delivery."""

    state: DeliveryState
    reason: str
    due_at: datetime | None
    relay: str
    reply: str
    settled_at: datetime | None


def _end(tried: Tried, retry: RetryPolicy, now: datetime) -> _End:
    if tried.outcome == "sent":
        return _End(DeliveryState.SENT, "", None, tried.relay, tried.reply, tried.at)
    if tried.outcome == "failed":
        return _End(DeliveryState.FAILED, tried.about, None, tried.relay, tried.reply, tried.at)
    # no reply after the last byte: the mail may have arrived, but must not be lost
    delay = wait(retry, tried.attempt, relay_trouble=tried.about == "relay", chance=draw())
    if delay is None:
        return _End(DeliveryState.FAILED, "gave-up", None, tried.relay, tried.reply, tried.at)
    return _End(DeliveryState.DEFERRED, "", now + delay, tried.relay, tried.reply, None)


def _hold_some(session: Session, tries: Sequence[Tried], ends: dict[tuple[int, int], _End]) -> None:
    """Those that may have arrived, where their list says so, and those that could not be made three times."""
    held: dict[int, str] = {}
    if unsure := [tried.delivery for tried in tries if tried.outcome == "unsure"]:
        query = (
            select(Delivery.id)
            .join(MailingList, MailingList.key == Delivery.list_key)
            .where(
                among(session, Delivery.id, unsure),
                Delivery.issue_id.is_not(None),
                MailingList.in_doubt == InDoubt.HOLD,
            )
        )
        held |= dict.fromkeys(session.scalars(query), IN_DOUBT)
    if unmade := [tried.delivery for tried in tries if tried.is_unmade]:
        again = (
            select(Attempt.delivery_id)
            .where(among(session, Attempt.delivery_id, unmade), Attempt.outcome == "unmade")
            .group_by(Attempt.delivery_id)
            .having(func.count() >= _UNMADE - 1)
        )
        held |= dict.fromkeys(session.scalars(again), "unmade")
    for key in [key for key in ends if key[0] in held]:
        ends[key] = ends[key]._replace(
            state=DeliveryState.HELD, reason=held[key[0]], due_at=None, settled_at=None
        )


_Pairs = Sequence[tuple[_Counted, Tried, _End]]


def _ended(pairs: _Pairs) -> Iterable[tuple[figures.Count, int]]:
    for row, _, end in pairs:
        if end.settled_at is not None and (issue := row.issue_id) is not None:
            where = (issue, row.list_key, row.municipality, row.domain)
            yield figures.Count(*where, end.relay, end.state, end.reason), 1


def _verdicts(pairs: _Pairs) -> dict[int, tuple[int, int]]:
    sums: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    for row, tried, end in pairs:
        if row.issue_id is not None and (end.state is not DeliveryState.DEFERRED or tried.is_unmade):
            sums[row.issue_id][end.state is not DeliveryState.SENT] += 1
    return {issue: (sent, failed) for issue, (sent, failed) in sums.items()}


def _note_domains(session: Session, pairs: _Pairs, troubled: Collection[str], now: datetime) -> None:
    """Remember which domains defer, and forget those that take mail again."""
    deferred = Counter(
        row.domain
        for row, tried, _ in pairs
        if tried.outcome == "deferred"
        and tried.about == "mailbox"
        and not tried.enhanced.startswith(_OF_ONE_MAILBOX)
    )
    if not deferred and not troubled:
        return
    taken = {row.domain for row, tried, _ in pairs if tried.outcome == "sent"}
    known = troubles(session)
    for domain in deferred.keys() | (taken & known.keys()):
        before, is_taken = known.get(domain, Trouble()), domain in taken
        after = trouble_after(before, deferred=deferred[domain], taken=is_taken, now=now, chance=draw())
        remember(session, domain, after)


class _Spelling:
    """How each engine takes rows apart that come in JSON, and the times in them."""

    def __init__(self, session: Session) -> None:
        self._is_sqlite = session.get_bind().dialect.name == "sqlite"
        self.update, self.insert = _SQLITE if self._is_sqlite else _POSTGRESQL
        self._times: dict[datetime, str] = {}

    def end(self, end: _End) -> tuple[object, ...]:
        due_at = end.due_at and self.time(end.due_at)
        settled_at = end.settled_at and self.time(end.settled_at)
        return end.state, end.reason, due_at, end.relay, end.reply, settled_at

    def attempt(self, tried: Tried, row: _Counted) -> tuple[object, ...]:
        # erased while her mail was in flight: servers like to name the address in their answer
        reply = tried.reply if row.subscriber_id is not None else ""
        outcome = "unmade" if tried.is_unmade else tried.outcome
        return tried.delivery, tried.attempt, self.time(tried.at), tried.relay, outcome, tried.code, reply

    def time(self, at: datetime) -> str:
        """As subscribers.base.Utc stores it. Many results come at the same time."""
        if (text := self._times.get(at)) is None:
            utc = at.astimezone(UTC)
            text = utc.strftime("%Y-%m-%d %H:%M:%S.%f") if self._is_sqlite else utc.isoformat()
            self._times[at] = text
        return text


_SQLITE = (
    text(
        "UPDATE deliveries SET state = r.value ->> 2, reason = r.value ->> 3, due_at = r.value ->> 4,"
        " relay = r.value ->> 5, settled_at = r.value ->> 7, lease_until = NULL,"
        " last_reply = CASE WHEN subscriber_id IS NULL THEN '' ELSE r.value ->> 6 END"
        " FROM json_each(:rows) AS r"
        " WHERE deliveries.id = r.value ->> 0 AND attempts = r.value ->> 1"
        " AND state = 'sending' AND worker = :worker"
        " RETURNING id, attempts, issue_id, list_key, municipality, domain, subscriber_id"
    ),
    text(
        "INSERT INTO attempts (delivery_id, number, at, relay, outcome, code, reply)"
        " SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6"
        " FROM json_each(:rows)"
    ),
)
_POSTGRESQL = (
    text(
        "UPDATE deliveries SET state = r.value ->> 2, reason = r.value ->> 3,"
        " due_at = (r.value ->> 4)::timestamptz, relay = r.value ->> 5,"
        " settled_at = (r.value ->> 7)::timestamptz, lease_until = NULL,"
        " last_reply = CASE WHEN subscriber_id IS NULL THEN '' ELSE r.value ->> 6 END"
        " FROM json_array_elements(CAST(:rows AS json)) AS r (value)"
        " WHERE deliveries.id = (r.value ->> 0)::bigint AND attempts = (r.value ->> 1)::integer"
        " AND state = 'sending' AND worker = :worker"
        " RETURNING id, attempts, issue_id, list_key, municipality, domain, subscriber_id"
    ),
    text(
        "INSERT INTO attempts (delivery_id, number, at, relay, outcome, code, reply)"
        " SELECT (value ->> 0)::bigint, (value ->> 1)::integer, (value ->> 2)::timestamptz, value ->> 3,"
        " value ->> 4, (value ->> 5)::integer, value ->> 6"
        " FROM json_array_elements(CAST(:rows AS json)) AS r (value)"
    ),
)


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
