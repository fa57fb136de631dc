"""What becomes of tries: in the journal at once, with the database in groups.

A 250 is in the journal before anything else happens. What the database is not told yet is at most a group
(see mailer.outbox.settle) for as long as the database answers, and all that was under way when it does not;
it waits here, and the journal keeps it past the death of the process.
"""

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import structlog

from mailer.database import Database
from mailer.outbox import journal
from mailer.outbox.claim import Claimed, doubt
from mailer.outbox.halt import ErrorRates, halt
from mailer.outbox.insist import insist
from mailer.outbox.journal import Accepted, Journal
from mailer.outbox.model import Delivery
from mailer.outbox.retry import RetryPolicy
from mailer.outbox.settle import Tried, settle
from mailer.smtp import Outcome, Result

log = structlog.get_logger()

#: results are settled in groups of this many, or after this many seconds
_GROUP = 100
GROUP_SECONDS = 0.25


def recover(database: Database, spool: Path, *, retry: RetryPolicy, now: datetime) -> int:
    """Settle what dead workers' journals say was accepted, then decide about what else they had under way.

    Returns the number of accepted deliveries the database did not know of.
    """
    recovered = 0
    with journal.of_the_dead(spool) as dead:
        for worker, records in dead:
            tries = [_accepted(record) for record in records]
            with database.write() as session:
                recovered += settle(session, worker=worker, tries=tries, retry=retry, now=now).n
                doubt(session, Delivery.worker == worker)
    return recovered


@dataclass
class Ledger:
    """One worker's. Raises OSError where the disk refuses the journal."""

    worker: str
    database: Database
    spool: Path
    now: Callable[[], datetime]
    retry: RetryPolicy
    errors: ErrorRates
    #: domains that were known to defer at the last claim
    troubled: frozenset[str] = frozenset()
    _journal: Journal = field(init=False)
    _tries: list[Tried] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self._journal = Journal(self.spool, self.worker)

    @property
    def has_room(self) -> bool:
        """Whether the journal can take what may be accepted of all that is claimed now."""
        return self._journal.has_room

    @property
    def is_group(self) -> bool:
        """Whether so much waits that the database should be told now."""
        return len(self._tries) >= _GROUP

    def take(self, results: Sequence[Result]) -> None:
        """At once, in the event loop: what was accepted is in the journal before all else."""
        now = self.now()
        tries: list[Tried] = []
        accepted: list[Accepted] = []
        for result in results:
            delivery = delivery_of(result)
            tried = _tried(delivery, result, now)
            tries.append(tried)
            if result.outcome is Outcome.SENT:
                reply = _without(delivery.address, tried.reply)
                accepted.append(Accepted(tried.delivery, tried.attempt, now, tried.relay, reply))
        try:
            if accepted:
                self._journal.append(accepted)
        finally:
            # a full disk ends this, but what is known is still settled
            self._tries += tries

    def take_unsignable(self, delivery: Claimed) -> None:
        """Of this delivery not even an envelope can be made."""
        reply = f"signing key {delivery.key_id} is missing from INFOMAIL_SECRET_KEYS"
        self._tries.append(
            Tried(delivery.id, delivery.attempt, self.now(), "failed", "", 0, reply, "message")
        )

    async def settle(self, stop: asyncio.Event) -> None:
        """Tell the database what was taken so far; this waits while it is away, a while past `stop`."""
        # taken here, in the loop that appends: a thread might swap the list under an append
        tries, self._tries = self._tries, []
        if not tries:
            return
        self._journal.roll()
        for at in range(0, len(tries), _GROUP):
            await insist(stop, self._settle, tries[at : at + _GROUP])
        self._journal.settled(all_of_it=not self._tries)

    def close(self) -> bool:
        """Let go of the journal. Returns whether the database has everything; else the next start replays."""
        return self._journal.close()

    def _settle(self, tries: Sequence[Tried]) -> None:
        self._journal.sync()
        now = self.now()
        with self.database.write() as session:
            done = settle(
                session, worker=self.worker, tries=tries, retry=self.retry, now=now, troubled=self.troubled
            )
            for issue, (sent, failed) in done.verdicts.items():
                reason = self.errors.add(issue, sent, failed)
                if reason and halt(session, issue, reason, actor=f"worker:{self.worker}", now=now):
                    log.error("issue.halted", issue=issue, reason=reason)


def delivery_of(result: Result) -> Claimed:
    """The delivery that this is the result of."""
    assert isinstance(result.key, Claimed)
    return result.key


def _tried(delivery: Claimed, result: Result, now: datetime) -> Tried:
    reply = result.reply
    return Tried(
        delivery=delivery.id,
        attempt=delivery.attempt,
        at=now,
        outcome=result.outcome,
        relay=result.relay,
        code=reply.code if reply else 0,
        reply=result.problem or str(reply),
        about=result.about or "",
        enhanced=(reply.enhanced if reply else None) or "",
    )


def _without(address: str, reply: str) -> str:
    """The reply without the recipient it may name: no erasure could reach into a journal."""
    if "@" not in reply:
        return reply
    return re.sub(re.escape(address), "<recipient>", reply, flags=re.IGNORECASE)


def _accepted(record: Accepted) -> Tried:
    return Tried(
        delivery=record.delivery,
        attempt=record.attempt,
        at=record.at,
        outcome="sent",
        relay=record.relay,
        code=250,
        reply=record.reply,
        about="",
    )
