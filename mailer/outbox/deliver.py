"""From deliveries to the next server: claim, fill, send, journal, settle.

Nothing is lost: a try is on record before its bytes leave, each 250 is in the journal before
anything else happens, and what a dead worker had under way is given back. At most what was in
flight at a crash is sent twice, under the same Message-ID.
"""

import asyncio
import contextlib
import re
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import format_datetime
from functools import lru_cache, partial
from pathlib import Path
from typing import NamedTuple
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

#: deliveries claimed at once: what about a second of sending takes, so that a pause is felt within one
_FEWEST, _MOST = 20, 500
#: batches that are claimed and wait, while another one is under way
_AHEAD = 2
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
                release(session, worker=worker)
    return recovered


class _Stamp(NamedTuple):
    """When a batch was claimed: what its mails say as Date, and as the time of their signatures."""

    date: bytes
    seconds: int


class _InHand:
    """Deliveries that were claimed and wait for a connection: the supply of the pool."""

    def __init__(self, envelope_of: Callable[[Claimed, _Stamp], Envelope | None]) -> None:
        self._envelope_of = envelope_of
        self._waiting: deque[tuple[Claimed, _Stamp, float]] = deque()
        self.is_over = False

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, batch: Sequence[Claimed], now: datetime) -> None:
        stamp = _Stamp(format_datetime(now).encode(), int(now.timestamp()))
        # by the monotonic clock: nobody may step it, and the lease must not end under way
        deadline = time.monotonic() + _SEND_WITHIN
        self._waiting.extend((delivery, stamp, deadline) for delivery in batch)

    def next_envelope(self) -> Envelope | None:
        """What had no time left is passed over, and given back when all else is done."""
        while self._waiting:
            delivery, stamp, deadline = self._waiting.popleft()
            if time.monotonic() <= deadline and (envelope := self._envelope_of(delivery, stamp)) is not None:
                return envelope
        return None


@dataclass
class Worker:
    """Sends what is due. One per process; the journal's lock says that it lives."""

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
    _something: asyncio.Event = field(init=False, default_factory=asyncio.Event)
    _at_once: int = field(init=False, default=_FEWEST)
    #: by the monotonic clock
    _claimed_at: float = field(init=False, default=0.0)

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
        """Deliver until nothing is due; returns how many seconds to sleep before looking again."""
        batch = await asyncio.to_thread(self._claim)
        if not batch:
            return await asyncio.to_thread(self._rest)
        in_hand = _InHand(self._envelope)
        in_hand.add(batch, self.now())
        sending = asyncio.create_task(self.pool.send(in_hand, self._settled))
        sending.add_done_callback(lambda _: self._something.set())
        try:
            while not sending.done():
                await self._go_on(in_hand)
        finally:
            # if settling failed: what is under way is dropped now, not when the process ends
            sending.cancel()
            await asyncio.wait({sending})
        await self._settle_taken()
        await sending
        await asyncio.to_thread(self._give_back)
        return 0.0

    async def _go_on(self, in_hand: _InHand) -> None:
        """Claim ahead of what is sent, and settle what was: one after the other, for both write."""
        if not in_hand.is_over and len(in_hand) <= self._at_once * (_AHEAD - 1):
            began = time.monotonic()
            batch = await asyncio.to_thread(self._claim)
            in_hand.add(batch, self.now())
            in_hand.is_over = not batch
            self.pool.wake()
            self._claimed_at, pace = began, began - self._claimed_at
            self._at_once = min(_MOST, max(_FEWEST, round(self._at_once / max(pace, 0.5))))
        else:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._something.wait(), _GROUP_SECONDS)
        self._something.clear()
        await self._settle_taken()

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
                limit=self._at_once,
                lease_until=now + _LEASE,
                now=now,
                today=now.astimezone(self.zone).date(),
            )

    def _give_back(self) -> None:
        """What the batch had no time for goes back before its lease ends."""
        with self.database.write() as session:
            release(session, worker=self.name)

    def _rest(self) -> float:
        with self.database.write() as session:
            finish_issues(session, now=self.now())
            due = next_due(session)
        if due is None:
            return _IDLE
        return min(_IDLE, max(0.05, (due - self.now()).total_seconds()))

    def _settled(self, results: Sequence[Result]) -> None:
        """At once, in the event loop: what was accepted is in the journal before all else."""
        now = self.now()
        tries = [_tried(result, now) for result in results]
        accepted = [
            Accepted(
                tried.delivery, tried.attempt, now, tried.relay, _without(_of(result).address, tried.reply)
            )
            for result, tried in zip(results, tries, strict=True)
            if result.outcome is Outcome.SENT
        ]
        try:
            if accepted:
                self._journal.append(accepted)
        finally:
            # a full disk ends this, but what is known is still settled
            self._results += tries
        if len(self._results) >= _GROUP:
            self._something.set()

    async def _settle_taken(self) -> None:
        # taken here, in the loop that appends: a thread might swap the list under an append
        tries, self._results = self._results, []
        if not tries:
            return
        self._journal.roll()
        for at in range(0, len(tries), _GROUP):
            await asyncio.to_thread(self._settle, tries[at : at + _GROUP])
        self._journal.settled(all_of_it=not self._results)

    def _settle(self, tries: Sequence[Tried]) -> None:
        self._journal.sync()
        with self.database.write() as session:
            settle(session, worker=self.name, tries=tries, retry=self.retry, now=self.now())

    def _envelope(self, delivery: Claimed, stamp: _Stamp) -> Envelope | None:
        if delivery.key_id not in self.keys.by_id:
            self._results.append(self._unsignable(delivery))
            return None
        bounce = self._sign(Purpose.BOUNCE, delivery)
        return Envelope(
            key=delivery,
            sender=self.letterhead.return_path.address(bounce),
            recipient=delivery.address,
            message=partial(self._fill, delivery, stamp),
            envelope_id=bounce,
            # bulk is made of prepared parts
            canonical=delivery.message is None and delivery.address.isascii(),
        )

    def _unsignable(self, delivery: Claimed) -> Tried:
        reply = f"signing key {delivery.key_id} is missing from INFOMAIL_SECRET_KEYS"
        return Tried(delivery.id, delivery.attempt, self.now(), "failed", "", 0, reply, "message")

    def _fill(self, delivery: Claimed, stamp: _Stamp) -> bytes:
        if (notice := delivery.message) is not None:
            return self.signer.sign(notice, at=stamp.seconds) if self.signer else notice
        assert delivery.edition_id is not None
        as_text, as_html = _salutation(
            delivery.language, delivery.form, delivery.title, delivery.given, delivery.family
        )
        values = {
            Slot.TO: header_value(delivery.address),
            Slot.DATE: stamp.date,
            Slot.MESSAGE_ID: self._sign(Purpose.MESSAGE_ID, delivery).encode(),
            Slot.UNSUBSCRIBE: self._sign(Purpose.UNSUBSCRIBE, delivery).encode(),
            Slot.SALUTATION_TEXT: as_text,
            Slot.SALUTATION_HTML: as_html,
        }
        prepared = self._edition(delivery.edition_id, delivery.text_only)
        message = prepared.fill(values)
        if self.signer is None:
            return message
        return self.signer.sign(message, at=stamp.seconds, relaxed=prepared.relaxed(values))

    def _sign(self, purpose: Purpose, delivery: Claimed) -> str:
        return sign(self.keys, purpose, delivery.context, delivery.subscriber, key_id=delivery.key_id)

    def _load_edition(self, edition: int, as_text_only: bool) -> Prepared:
        with self.database.read() as session:
            message = session.scalars(select(Edition.message).where(Edition.id == edition)).one()
        return Prepared(text_only(message) if as_text_only else message)


def _of(result: Result) -> Claimed:
    assert isinstance(result.key, Claimed)
    return result.key


def _tried(result: Result, now: datetime) -> Tried:
    delivery, reply = _of(result), result.reply
    return Tried(
        delivery=delivery.id,
        attempt=delivery.attempt,
        at=now,
        outcome=result.outcome.value,
        relay=result.relay,
        code=reply.code if reply else 0,
        reply=result.problem or str(reply),
        about=result.about.value if result.about else "",
        enhanced=(reply.enhanced if reply else None) or "",
    )


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
