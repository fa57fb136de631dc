"""The whole river on one machine, by itself: feeds, issue, mails, and what comes back.

Everything is the real thing but the other side: the feeds, the inbox and those who answer are
the demo's. A run that was cut off is carried on by the next one.
"""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import uvicorn
from sqlalchemy import func, select

from mailer import clock, schedule
from mailer.daemon.worker import drain
from mailer.demo import returns
from mailer.demo.feeds import serve_feeds
from mailer.demo.people import write_people
from mailer.demo.place import feeds_on_loopback, only_one, settings_for
from mailer.inbox import serve_inbox
from mailer.installation import (
    Installation,
    NotConfigured,
    listen_on,
    open_arrivals,
    open_installation,
)
from mailer.issues.compose import compose
from mailer.issues.model import Issue, IssueState, entries_of, issues_of, last_slot
from mailer.issues.release import act_on
from mailer.issues.workflow import Act
from mailer.outbox import figures
from mailer.outbox.model import Delivery, DeliveryState
from mailer.receipts.intake import serve_intake, store_arrivals
from mailer.receipts.listening import Speaks
from mailer.render.model import Edition
from mailer.settings import Settings
from mailer.setup import set_up
from mailer.web.app import create_app
from subscribers.importing import Provenance, import_people
from subscribers.model import Basis, Municipality, Subscription
from subscribers.register import members
from subscribers.tokens import Purpose, sign

_ACTOR = "cli:demo"
#: municipalities the recipients come from
_MUNICIPALITIES = 12


@dataclass(frozen=True, slots=True)
class Account:
    """What a run of the demo came to; the paths are absolute."""

    issue: int
    editions: int
    recipients: int
    sent: int
    failed: int
    bounced: int
    complained: int
    unsubscribed: int
    seconds: float
    inbox: str
    preview: str
    database: str


def run(folder: Path, recipients: int, tell: Callable[[str], None]) -> Account:
    """Run the demo in `folder`. Raises NotConfigured when another one runs there."""
    started = time.monotonic()
    with only_one(folder):
        set_up(folder, overrides=settings_for(folder), now=datetime.now(UTC))
        with contextlib.chdir(folder):
            feeds_on_loopback(Path("schedule.toml"))
            with open_installation(Settings()) as house:
                demo = _Demo(house, recipients, tell)
                issue = asyncio.run(demo.run())
                return demo.account(issue, time.monotonic() - started)


class _Demo:
    def __init__(self, house: Installation, recipients: int, tell: Callable[[str], None]) -> None:
        self.house = house
        self.recipients = recipients
        self.tell = tell
        newsletters = list(house.plan.newsletters.values())
        by_hand = [each for each in newsletters if each.release == "required"]
        self.by_hand = (by_hand or newsletters)[0]
        self.arrivals = open_arrivals(house.settings)
        self.by_itself = [each for each in newsletters if each.release == "none"]

    async def run(self) -> int:
        """Returns the id of the issue that was released by hand."""
        settings = self.house.settings
        async with (
            serve_inbox(listen_on("INBOX_LISTEN", settings.inbox_listen)),
            serve_intake(
                self.house.database,
                self.arrivals,
                self.house.letterhead.return_path,
                [(listen_on("LMTP_LISTEN", settings.lmtp_listen), Speaks.LMTP)],
                now=_now,
            ),
        ):
            self._import()
            issue = self._interrupted() or await self._compose()
            await self._send(issue)
            await self._hear_back(issue)
            await self._by_clock()
        return issue

    def _import(self) -> None:
        with self.house.database.read() as session:
            every = session.scalars(select(Municipality.ags).order_by(Municipality.ags)).all()
            # municipalities with a feed of their own come first: their people get its items
            own = {feed.municipality or "" for feed in self.house.plan.feeds.values()}.intersection(every)
            places = sorted(own) + (members(session, _now().date()) or list(every))
        path = Path("recipients.csv")
        write_people(path, self.recipients, places[:_MUNICIPALITIES])
        report = import_people(
            self.house.database,
            path,
            list_key=self.by_hand.list,
            basis=Basis.PUBLIC_TASK,
            actor=_ACTOR,
            suppression_key=self.house.suppression_key,
            zone=self.house.plan.timezone,
            now=_now(),
            provenance=Provenance(source="Vorführung mit erfundenen Personen"),
        )
        self.tell(f"recipients: {report}")

    def _interrupted(self) -> int | None:
        """The issue that an earlier run was cut off with."""
        unfinished = [IssueState.DRAFT, IssueState.REVIEW, IssueState.APPROVED, IssueState.SENDING]
        with self.house.database.read() as session:
            mine = [
                issue
                for issue in issues_of(session, unfinished)
                if issue.newsletter == self.by_hand.key and issue.special
            ]
        if mine:
            self.tell(f"carrying on with issue {mine[0].id}, which was cut off")
        return mine[0].id if mine else None

    async def _compose(self) -> int:
        with self.house.database.read() as session:
            run = session.scalar(
                select(func.count()).select_from(Issue).where(Issue.newsletter == self.by_hand.key)
            )
        clock.sync_feeds(self.house)
        with serve_feeds(self.house.plan, run=run or 0, now=_now().astimezone(self.house.plan.timezone)):
            for feed in await clock.refresh_feeds(self.house, now=None):
                self.tell(f"feed {feed.feed}: {feed.problem or f'{feed.new} new items'}")
        now = _now()
        with self.house.database.write() as session:
            issue = compose(session, self.by_hand, slot=now, send_at=now, special=True, actor=_ACTOR, now=now)
        self.tell(f"composed: {issue.subject}")
        return issue.id

    async def _send(self, issue_id: int) -> None:
        with self.house.database.write() as session:
            issue = session.get_one(Issue, issue_id)
            if issue.state in (IssueState.DRAFT, IssueState.REVIEW):
                # a plan of one's own may have sections that take nothing of what the demo's feeds bring
                release = Act.APPROVE if entries_of(session, issue) else Act.CANCEL
                act_on(session, issue, release, actor=_ACTOR, now=_now())
        if issue.state is IssueState.CANCELLED:
            raise NotConfigured(f"schedule.toml: no section of {self.by_hand.key} takes any item of the demo")
        if issue.state is IssueState.APPROVED:
            self.tell(f"frozen: {clock.start(self.house, issue_id, actor=_ACTOR, now=_now())} deliveries")
        await drain(self.house)
        self.tell("delivered")

    async def _hear_back(self, issue_id: int) -> None:
        """A bounce, a complaint and an unsubscribe, of people who have not answered yet."""
        settings = self.house.settings
        mails = returns.arrived(Path("inbox"), self._first_message_ids(issue_id, 3))
        host, _, port = settings.lmtp_listen.rpartition(":")
        for mail, report in zip(mails, (returns.bounce, returns.complaint), strict=False):
            await returns.hand_over(mail, report(mail), host, int(port))
        if len(mails) > 2:
            async with self._pages() as address:
                await returns.unsubscribe(mails[2], settings.public_url, address)
        store_arrivals(self.house.database, self.arrivals)
        clock.read_receipts(self.house, now=_now())
        self.tell("heard back: one bounce, one complaint, one unsubscribe")

    def _first_message_ids(self, issue_id: int, count: int) -> set[str]:
        house = self.house
        with house.database.read() as session:
            issue = session.get_one(Issue, issue_id)
            handles = session.scalars(
                select(Delivery.subscriber_handle)
                .where(Delivery.issue_id == issue_id, Delivery.state == DeliveryState.SENT)
                .order_by(Delivery.id)
                .limit(count)
            ).all()
        domain = house.letterhead.message_id_domain
        tokens = (
            sign(house.signing, Purpose.MESSAGE_ID, issue.handle, handle, key_id=issue.key_id)
            for handle in handles
        )
        return {f"<{token}@{domain}>" for token in tokens}

    @contextlib.asynccontextmanager
    async def _pages(self) -> AsyncIterator[str]:
        """The pages on a port of their own: the one of the mailed links may be taken by `serve`."""
        listening = socket.create_server(("127.0.0.1", 0))
        app = create_app(self.house.settings, self.house.database)
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off"))
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            await serving

    async def _by_clock(self) -> None:
        """The newsletters without a hand go out at their next slot; the clock is told it has come."""
        for newsletter in self.by_itself:
            planned = self._next_slot(newsletter)
            clock.compose_due(self.house, now=planned, newsletters=[newsletter])
            started = clock.start_due(self.house, now=planned)
            await drain(self.house)
            self.tell(f"{newsletter.title}: {len(started)} issue sent by the clock")

    def _next_slot(self, newsletter: schedule.Newsletter) -> datetime:
        with self.house.database.read() as session:
            last = last_slot(session, newsletter.key)
        after = max(last or _now(), _now())
        for planned in schedule.slots(newsletter, self.house.plan, after):
            if planned.send_at is not None:
                return planned.send_at
        raise AssertionError("slots are without end")

    def account(self, issue_id: int, seconds: float) -> Account:
        """What came of it; and the preview, written as a file."""
        with self.house.database.read() as session:
            issue = session.get_one(Issue, issue_id)
            sums = figures.by_state(session, issue_id)
            editions = session.scalars(
                select(Edition)
                .join(Delivery, Delivery.edition_id == Edition.id)
                .where(Edition.issue_id == issue_id)
                .group_by(Edition.id)
                .order_by(func.count().desc())
            ).all()
            left = session.scalar(
                select(func.count())
                .select_from(Subscription)
                .where(Subscription.ended_through == issue.handle)
            )
        preview = Path("preview") / f"issue-{issue_id}.html"
        preview.parent.mkdir(exist_ok=True)
        preview.write_text(editions[0].html if editions else "", encoding="utf-8")
        return Account(
            issue=issue_id,
            editions=len(editions),
            recipients=sum(n for state, n in sums.items() if not state.startswith("returned:")),
            sent=sums.get("sent", 0),
            failed=sums.get("failed", 0),
            bounced=sums.get("returned:bounced", 0),
            complained=sums.get("returned:complained", 0),
            unsubscribed=left or 0,
            seconds=round(seconds, 1),
            inbox=str(Path("inbox").absolute()),
            preview=str(preview.absolute()),
            database=str(Path(self.house.database.engine.url.database or "").absolute()),
        )


def _now() -> datetime:
    return datetime.now(UTC)
