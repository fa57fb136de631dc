"""From deliveries to the next server: claim, fill, send, journal, settle.

Nothing is lost: a try is on record before its bytes leave, each 250 is in the journal before
anything else happens, and what a dead worker had under way is given back. At most what was in
flight at a crash is sent twice, under the same Message-ID.
"""

import asyncio
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import format_datetime
from functools import lru_cache, partial
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import select

from mailer.database import Database
from mailer.outbox import journal
from mailer.outbox.claim import Claimed, claim, next_due, release
from mailer.outbox.journal import Accepted, Journal
from mailer.outbox.retry import RetryPolicy
from mailer.outbox.settle import Tried, finish_issues, settle
from mailer.render.dkim import Signer
from mailer.render.letterhead import Letterhead
from mailer.render.message import Prepared, Slot, header_value, salutation, text_only
from mailer.render.model import Edition
from mailer.smtp import Envelope, Outcome, Pool, Result
from subscribers.salutation import salutation as salutation_of
from subscribers.tokens import Keys, Purpose, sign

_BATCH = 500
_LEASE = timedelta(minutes=15)
#: seconds after which no further mail of a batch is begun; a single one may take the rest of the lease
_SEND_WITHIN = 300.0
#: results are settled in groups of this many, or after this many seconds
_GROUP = 100
_GROUP_SECONDS = 0.25
#: seconds to sleep when nothing is due
_IDLE = 1.0


def recover(database: Database, spool: Path, *, retry: RetryPolicy, now: datetime) -> int:
    """Settle what dead workers' journals say was accepted, then give back what else they had under way.

    Returns the number of accepted deliveries the database did not know of.
    """
    recovered = 0
    with journal.of_the_dead(spool) as dead:
        for worker, records in dead:
            tries = [_accepted(record) for record in records]
            with database.write() as session:
                recovered += settle(session, worker=worker, tries=tries, retry=retry, now=now)
                release(session, worker=worker, actor=worker)
    return recovered


@dataclass
class Worker:
    """Sends what is due, batch by batch. One per process; the journal's lock says that it lives."""

    name: str
    database: Database
    pool: Pool
    spool: Path
    keys: Keys
    letterhead: Letterhead
    now: Callable[[], datetime]
    #: whose midnight ends a pause
    zone: ZoneInfo
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    #: None where the relay signs, or nobody does
    signer: Signer | None = None
    _journal: Journal = field(init=False)
    _results: list[Tried] = field(init=False, default_factory=list)
    _group_is_full: asyncio.Event = field(init=False, default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._journal = Journal(self.spool, self.name)
        self._edition = lru_cache(maxsize=64)(self._load_edition)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set."""
        while not stop.is_set():
            delay = await self.step()
            if delay:
                try:
                    await asyncio.wait_for(stop.wait(), delay)
                except TimeoutError:
                    continue

    async def drain(self) -> None:
        """Work until nothing is due now."""
        while not await self.step():
            pass

    async def step(self) -> float:
        """Deliver one batch; returns how many seconds to sleep before the next."""
        batch = await asyncio.to_thread(self._claim)
        if not batch:
            return await asyncio.to_thread(self._rest)
        sending = asyncio.create_task(self.pool.send(self._envelopes(batch), self._settled))
        try:
            while not sending.done():
                await self._settle_group(sending)
        finally:
            # if settling failed: what is under way is dropped now, not when the process ends
            sending.cancel()
            await asyncio.wait({sending})
        await self._settle_taken()
        await sending
        # everything in it is in the database by now
        self._journal.clear()
        await asyncio.to_thread(self._give_back)
        return 0.0

    async def close(self) -> None:
        """Let go of connections and journal; what is unsent stays for the next worker.

        After a failure to settle, the journal is all that tells what was accepted: then it stays,
        and so do the rows, until the next start has replayed it.
        """
        await self.pool.close()
        if self._journal.close():
            self._give_back()

    def _claim(self) -> list[Claimed]:
        now = self.now()
        with self.database.write() as session:
            return claim(
                session,
                worker=self.name,
                limit=_BATCH,
                lease_until=now + _LEASE,
                now=now,
                today=now.astimezone(self.zone).date(),
            )

    def _give_back(self) -> None:
        """What the batch had no time for goes back before its lease ends."""
        with self.database.write() as session:
            release(session, worker=self.name, actor=self.name)

    def _rest(self) -> float:
        with self.database.write() as session:
            finish_issues(session, now=self.now())
            due = next_due(session)
        if due is None:
            return _IDLE
        return min(_IDLE, max(0.05, (due - self.now()).total_seconds()))

    def _settled(self, result: Result) -> None:
        """One result, at once, in the event loop: what was accepted is in the journal before all else."""
        delivery = result.key
        assert isinstance(delivery, Claimed)
        tried = Tried(
            delivery=delivery.id,
            attempt=delivery.attempt,
            at=self.now(),
            outcome=result.outcome.value,
            relay=result.relay,
            code=result.reply.code if result.reply else 0,
            reply=result.problem or str(result.reply),
            about=result.about.value if result.about else "",
            enhanced=(result.reply.enhanced if result.reply else None) or "",
        )
        try:
            if result.outcome is Outcome.SENT:
                reply = _without(delivery.address, tried.reply)
                self._journal.append(Accepted(tried.delivery, tried.attempt, tried.at, tried.relay, reply))
        finally:
            # a full disk ends this batch, but what is known is still settled
            self._results.append(tried)
        if len(self._results) >= _GROUP:
            self._group_is_full.set()

    async def _settle_group(self, sending: asyncio.Task[None]) -> None:
        full = asyncio.create_task(self._group_is_full.wait())
        await asyncio.wait({sending, full}, timeout=_GROUP_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        full.cancel()
        self._group_is_full.clear()
        await self._settle_taken()

    async def _settle_taken(self) -> None:
        # taken here, in the loop that appends: a thread might swap the list under an append
        tries, self._results = self._results, []
        if tries:
            await asyncio.to_thread(self._settle, tries)

    def _settle(self, tries: Sequence[Tried]) -> None:
        self._journal.sync()
        with self.database.write() as session:
            settle(session, worker=self.name, tries=tries, retry=self.retry, now=self.now())

    def _envelopes(self, batch: Sequence[Claimed]) -> Iterator[Envelope]:
        now = self.now()
        # by the monotonic clock: nobody may step it, and the lease must not end under way
        deadline = time.monotonic() + _SEND_WITHIN
        for delivery in batch:
            if time.monotonic() > deadline:
                return
            if delivery.key_id not in self.keys.by_id:
                self._results.append(self._unsignable(delivery))
                continue
            bounce = self._sign(Purpose.BOUNCE, delivery)
            yield Envelope(
                key=delivery,
                sender=self.letterhead.return_path.address(bounce),
                recipient=delivery.address,
                message=partial(self._fill, delivery, now),
                envelope_id=bounce,
            )

    def _unsignable(self, delivery: Claimed) -> Tried:
        reply = f"signing key {delivery.key_id} is missing from INFOMAIL_SECRET_KEYS"
        return Tried(delivery.id, delivery.attempt, self.now(), "failed", "", 0, reply, "message")

    def _fill(self, delivery: Claimed, now: datetime) -> bytes:
        at = int(now.timestamp())
        if delivery.message is not None:
            return self.signer.sign(delivery.message, at=at) if self.signer else delivery.message
        assert delivery.edition_id is not None
        as_text, as_html = _salutation(
            delivery.language, delivery.form, delivery.title, delivery.given, delivery.family
        )
        values = {
            Slot.TO: header_value(delivery.address),
            Slot.DATE: format_datetime(now).encode(),
            Slot.MESSAGE_ID: self._sign(Purpose.MESSAGE_ID, delivery).encode(),
            Slot.UNSUBSCRIBE: self._sign(Purpose.UNSUBSCRIBE, delivery).encode(),
            Slot.SALUTATION_TEXT: as_text,
            Slot.SALUTATION_HTML: as_html,
        }
        prepared = self._edition(delivery.edition_id, delivery.text_only)
        message = prepared.fill(values)
        if self.signer is None:
            return message
        return self.signer.sign(message, at=at, relaxed=prepared.relaxed(values))

    def _sign(self, purpose: Purpose, delivery: Claimed) -> str:
        return sign(self.keys, purpose, delivery.context, delivery.subscriber, key_id=delivery.key_id)

    def _load_edition(self, edition: int, as_text_only: bool) -> Prepared:
        with self.database.read() as session:
            message = session.scalars(select(Edition.message).where(Edition.id == edition)).one()
        return Prepared(text_only(message) if as_text_only else message)


@lru_cache(maxsize=4096)
def _salutation(*person: object) -> tuple[bytes, bytes]:
    return salutation(salutation_of(*person))  # type: ignore[arg-type]  # as _fill passes them


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
