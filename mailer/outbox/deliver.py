"""From deliveries to the next server: claim, fill, send, journal, settle.

Nothing is lost: a try is on record before its bytes leave, each 250 is in the journal before
anything else happens, and what a dead worker had under way is given back. At most what was in
flight at a crash is sent twice, under the same Message-ID. While the database is away or the disk is
full nothing is claimed, and what is known waits (mailer.outbox.insist) until it can be written down.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from mailer.database import Database, is_passing
from mailer.outbox import tallies
from mailer.outbox.claim import Claimed, claim, next_due, release
from mailer.outbox.domains import DomainLimit, Turns
from mailer.outbox.fill import Filler
from mailer.outbox.finish import finish_cancelled, finish_issues
from mailer.outbox.halt import ErrorRates
from mailer.outbox.hand import Hand
from mailer.outbox.insist import insist
from mailer.outbox.ledger import GROUP_SECONDS, Ledger, delivery_of
from mailer.outbox.news import heard
from mailer.outbox.orders import Orders, read_orders
from mailer.outbox.quota import left
from mailer.outbox.resting import remember, troubles
from mailer.outbox.retry import RetryPolicy
from mailer.outbox.shares import Dealt, Shares
from mailer.render.dkim import Signer
from mailer.render.letterhead import Letterhead
from mailer.smtp import Pool, Result
from subscribers.tokens import Keys

#: deliveries claimed at once: what about a second of sending takes, so that a pause is felt within one
_FEWEST, _MOST = 20, 500
_LEASE = timedelta(minutes=15)
#: seconds between two looks at what staff want, and for new mail when there was none
_LOOK = 0.4
_IDLE = 1.0
#: seconds between two looks for issues that are done while others go out
_FINISH = 5.0
#: percent of failures that stop an issue
ERROR_RATE = 20


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
    domain_limits: Mapping[str, DomainLimit] = field(default_factory=dict)
    error_rate: int = ERROR_RATE
    _ledger: Ledger = field(init=False)
    _filler: Filler = field(init=False)
    _shares: Shares = field(init=False)
    _hand: Hand = field(init=False)
    _something: asyncio.Event = field(init=False, default_factory=asyncio.Event)
    _stop: asyncio.Event = field(init=False, default_factory=asyncio.Event)
    _at_once: int = field(init=False, default=_FEWEST)
    #: mails that were settled since the last claim
    _done: int = field(init=False, default=0)
    #: by the monotonic clock
    _claimed_at: float = field(init=False, default=0.0)
    _looked_at: float = field(init=False, default=0.0)
    _finished_at: float = field(init=False, default=0.0)
    _claims_from: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        errors = ErrorRates(self.error_rate)
        self._ledger = Ledger(self.name, self.database, self.spool, self.now, self.retry, errors)
        self._filler = Filler(
            self.database, self.keys, self.letterhead, self.signer, self._ledger.take_unsignable
        )
        self._shares = Shares(self.pool.relays)
        self._hand = self._new_hand()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set; then finish what is under way."""
        self._stop = stop
        news = asyncio.Event()
        async with heard(self.database, news):
            while not stop.is_set():
                if delay := await self.step():
                    await _either(stop, news, delay)
                    news.clear()

    async def drain(self) -> None:
        """Work until nothing is due now, or nothing may be sent now."""
        while not await self.step():
            pass

    async def step(self) -> float:
        """Deliver until nothing is due; returns how many seconds to sleep before looking again."""
        if rest := self.pool.rests_for:
            return min(_IDLE, rest)
        await self._look()
        self._hand = self._new_hand()
        if not self._take(*await insist(self._stop, self._claim_afresh)):
            return await insist(self._stop, self._rest)
        sending = asyncio.create_task(self.pool.send(self._hand, self._settled))
        sending.add_done_callback(lambda _: self._something.set())
        try:
            while not sending.done():
                await self._go_on()
        finally:
            # if settling failed: what is under way is dropped now, not when the process ends
            sending.cancel()
            await asyncio.wait({sending})
        await self._ledger.settle(self._stop)
        await sending
        await insist(self._stop, self._give_back)
        return min(_IDLE, self.pool.rests_for)

    async def close(self) -> None:
        """Let go of connections and journal; what is unsent stays for the next worker.

        After a failure to settle, the journal is all that tells what was accepted: then it stays,
        and so do the rows, until the next start has replayed it.
        """
        await self.pool.close()
        if self._ledger.close():
            self._give_back()

    # while mails are on their way

    async def _go_on(self) -> None:
        """Claim ahead of what is sent, and settle what was: one after the other, for both write."""
        hand, now = self._hand, time.monotonic()
        if self._stop.is_set():
            hand.drop(lambda _: True)
            hand.is_over = True
            self.pool.wake()
        elif now - self._looked_at >= _LOOK:
            await self._look()
        if not hand.is_over and self._claim_is_due(now):
            if not await self._claim():
                self._claims_from = time.monotonic() + _IDLE
                hand.is_over |= not len(hand) and not hand.under_way
            self.pool.wake()
        else:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._something.wait(), GROUP_SECONDS)
        self._something.clear()
        await self._ledger.settle(self._stop)

    def _claim_is_due(self, now: float) -> bool:
        is_done = not len(self._hand) and not self._hand.under_way
        if len(self._hand) <= self._at_once and (now >= self._claims_from or is_done):
            return True
        # what one relay does not take is for the others
        return self._shares.are_needed and now - self._claimed_at >= GROUP_SECONDS

    async def _look(self) -> None:
        """See what staff want: what they paused or cancelled leaves the hand, and notices come into it."""
        self._looked_at = time.monotonic()
        if self._looked_at - self._finished_at >= _FINISH:
            await insist(self._stop, self._finish)
        orders = await insist(self._stop, self._read_orders)
        self._shares.set_rates(orders.rates)
        for number, relay in enumerate(self.pool.relays):
            self.pool.set_rate(number, orders.rates.get(relay.name, relay.rate))
        dropped = self._hand.drop(
            lambda each: each.issue_id is not None and each.issue_id not in orders.sending
        )
        if dropped:
            await insist(self._stop, self._give_back, [each.id for each in dropped])
        if orders.has_notices:
            self._claims_from = 0.0
            if len(self._hand) > self._at_once:
                await self._claim(notices_only=True)
                self.pool.wake()

    def _read_orders(self) -> Orders:
        with self.database.read() as session:
            return read_orders(session)

    async def _claim(self, *, notices_only: bool = False) -> bool:
        """Take more into the hand; whether there was any.

        Where the database is away this is not repeated: it may be committed. What is in hand goes out, then
        all else that this worker is said to have is given back.
        """
        if not self._ledger.has_room:
            return False
        try:
            hand = self._hand
            return self._take(
                *await asyncio.to_thread(self._claim_now, len(hand), hand.notices, notices_only)
            )
        except DBAPIError as error:
            if not is_passing(error):
                raise
            self._hand.is_over = True
            return False

    def _take(self, began: float, batch: Sequence[Claimed], dealt: Dealt) -> bool:
        self._shares.apply(dealt)
        self._hand.add(batch, self.now())
        speed = self._done / (began - self._claimed_at)
        self._at_once = min(_MOST, max(_FEWEST, round(speed)))
        self._claimed_at, self._done = began, 0
        return bool(batch)

    def _claim_afresh(self) -> tuple[float, list[Claimed], Dealt]:
        """With nothing in hand: what an earlier claim took without our knowing is given back first."""
        with self.database.write() as session:
            release(session, worker=self.name)
        return self._claim_now(0, 0, False)

    def _claim_now(
        self, waiting: int, notices: int, notices_only: bool
    ) -> tuple[float, list[Claimed], Dealt]:
        began, now = time.monotonic(), self.now()
        at = now.timestamp()
        weights = self.pool.weights
        with self.database.write() as session:
            limit = bulk = self._at_once if waiting <= self._at_once or notices_only else 0
            if self._shares.are_needed:
                room = self._shares.room(session, weights, waiting, at, notices=notices)
                limit = limit if room.all is None else min(limit, room.all)
                bulk = limit if room.bulk is None else min(limit, room.bulk)
            turns = self._turns(session, now)
            batch = (
                claim(
                    session,
                    worker=self.name,
                    limit=limit,
                    bulk=0 if notices_only else bulk,
                    lease_until=now + _LEASE,
                    now=now,
                    today=now.astimezone(self.zone).date(),
                    turns=turns,
                )
                if limit
                else []
            )
            for domain, trouble in turns.probed.items():
                remember(session, domain, trouble)
            for domain, n in turns.taken.items():
                if n:
                    limits = self.domain_limits[domain].limits
                    tallies.add_to_all(session, f"domain:{domain}", limits, at, n)
            dealt = (
                self._shares.deal(session, weights, waiting + len(batch), at)
                if self._shares.are_needed
                else Dealt(())
            )
        self._filler.learn(batch)
        return began, batch, dealt

    def _turns(self, session: Session, now: datetime) -> Turns:
        known = troubles(session)
        self._ledger.troubled = frozenset(known)
        rates = {domain: each.rate for domain, each in self.domain_limits.items() if each.rate is not None}
        counted = tallies.counted(session, [f"domain:{domain}" for domain in rates]) if rates else {}
        room = {
            domain: left(self.domain_limits[domain].limits, counted[f"domain:{domain}"], now.timestamp()) or 0
            for domain in rates
        }
        return Turns(now, troubles=known, left=room, rates=rates)

    def _settled(self, results: Sequence[Result]) -> None:
        """In the event loop, the moment a relay has answered."""
        self._ledger.take(results)
        self._done += len(results)
        self._hand.settled(map(delivery_of, results))
        if self._ledger.is_group or not self._hand.under_way:
            self._something.set()

    # around it

    def _new_hand(self) -> Hand:
        lanes = {
            domain: each.connections
            for domain, each in self.domain_limits.items()
            if each.connections is not None
        }
        return Hand(self._filler.envelope, shares=self._shares, lanes=lanes)

    def _give_back(self, only: Sequence[int] | None = None) -> None:
        """What was not begun goes back before its lease ends."""
        with self.database.write() as session:
            release(session, worker=self.name, only=only)

    def _finish(self) -> None:
        self._finished_at = time.monotonic()
        now = self.now()
        with self.database.write() as session:
            finish_cancelled(session, actor=f"worker:{self.name}", now=now)
            finish_issues(session, now=now)

    def _rest(self) -> float:
        self._finish()
        with self.database.read() as session:
            due = next_due(session)
        if due is None:
            return _IDLE
        return min(_IDLE, max(0.05, (due - self.now()).total_seconds()))


async def _either(stop: asyncio.Event, news: asyncio.Event, within: float) -> None:
    """Until one of them is set, or the time is over."""
    waiting = [asyncio.create_task(event.wait()) for event in (stop, news)]
    await asyncio.wait(waiting, timeout=within, return_when=asyncio.FIRST_COMPLETED)
    for each in waiting:
        each.cancel()
