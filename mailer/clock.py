"""What is due, and who does it: the clock selects and pushes, the stages do the work.

Every function may be called as often as one likes: the keys in the database make a second
clock, or a second call, change nothing.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import structlog
from jinja2 import TemplateError
from sqlalchemy.exc import IntegrityError

from mailer import schedule
from mailer.feeds import refresh as feeds
from mailer.feeds.model import Feed
from mailer.installation import Installation, retention
from mailer.issues.compose import compose
from mailer.issues.model import Issue, IssueState, entries_of, issues_of, last_slot
from mailer.issues.release import act_on, is_approved
from mailer.issues.workflow import Act, IllegalMove, next_state
from mailer.notices.letter import Desk
from mailer.notices.write import write_notices
from mailer.outbox.freeze import EditionMissing, freeze, queue_notices
from mailer.privacy import retaining
from mailer.receipts.apply import apply_receipts
from mailer.render.editions import chooser_of, render_editions
from mailer.render.mjml import BadMjml, NotSelfContained
from mailer.render.preflight import imprint_gaps
from mailer.render.stationery import stationery_of
from subscribers import offices
from subscribers.audience import audience_keys, lists_of_newsletter
from subscribers.model import MailingList

log = structlog.get_logger()

#: people may come onto a list while its issue is rendered: so often it is rendered anew
_RENDERINGS = 5


class NotReady(Exception):
    """The issue cannot be sent; says why."""


@dataclass(frozen=True, slots=True)
class Ticked:
    """What one round of the clock did."""

    feeds: list[feeds.Refreshed]
    composed: list[int]
    started: list[int]
    #: subscriptions that ended with an office, and questions whether one is still right
    lapsed: int
    asked: int
    notices: int
    receipts: int
    retained: dict[str, int]


async def tick(house: Installation, *, now: datetime) -> Ticked:
    """Everything that is due, once, in the order of the river."""
    return Ticked(
        lapsed=lapse_offices(house, now=now),
        asked=ask_holders(house, now=now),
        feeds=await refresh_feeds(house, now=now),
        composed=compose_due(house, now=now),
        started=start_due(house, now=now),
        notices=answer_requests(house, now=now),
        receipts=read_receipts(house, now=now),
        retained=retain(house, now=now),
    )


def sync_feeds(house: Installation) -> None:
    """Bring the feeds of the plan into the table."""
    with house.database.write() as session:
        feeds.upsert_feeds(session, house.plan.feeds.values())


async def refresh_feeds(house: Installation, *, now: datetime | None) -> list[feeds.Refreshed]:
    """Fetch the feeds that are due; all of them where `now` is None."""
    due = await asyncio.to_thread(_due_feeds, house, now)
    return await feeds.refresh(house.database, due, policy=house.fetching, now=lambda: datetime.now(UTC))


def _due_feeds(house: Installation, now: datetime | None) -> list[Feed]:
    with house.database.read() as session:
        return feeds.due_feeds(session, now)


def compose_due(
    house: Installation, *, now: datetime, newsletters: Iterable[schedule.Newsletter] | None = None
) -> list[int]:
    """Compose the issues whose time has come; those that need no release are approved by the clock."""
    composed = []
    for newsletter in house.plan.newsletters.values() if newsletters is None else newsletters:
        while planned := _next_due(house, newsletter, now):
            try:
                composed.append(_compose(house, newsletter, planned, now))
            except IntegrityError:
                continue  # another clock was first, and the key (newsletter, slot) is taken
    return composed


def _next_due(
    house: Installation, newsletter: schedule.Newsletter, now: datetime
) -> schedule.PlannedSlot | None:
    with house.database.read() as session:
        if session.get(MailingList, newsletter.list) is None:
            return None
        last = last_slot(session, newsletter.key)
    return schedule.due(newsletter, house.plan, now, last)


def _compose(
    house: Installation, newsletter: schedule.Newsletter, planned: schedule.PlannedSlot, now: datetime
) -> int:
    with house.database.write() as session:
        issue = compose(
            session,
            newsletter,
            slot=planned.slot,
            send_at=planned.send_at or planned.slot,
            actor="clock",
            now=now,
        )
        if issue.state is IssueState.DRAFT and planned.send_at is None:
            act_on(session, issue, Act.CANCEL, actor="clock", now=now)
        elif issue.state is IssueState.DRAFT and newsletter.release == "none":
            if entries_of(session, issue):
                act_on(session, issue, Act.APPROVE, actor="clock", now=now)
            else:  # the plan sends with few items (too_few), but there is not one
                act_on(session, issue, Act.CANCEL, actor="clock", now=now)
                log.warning("issue.empty", issue=issue.id)
        return issue.id


def start_due(house: Installation, *, now: datetime) -> list[int]:
    """Start the approved issues whose time has come, within the late window of their newsletter."""
    with house.database.read() as session:
        approved = issues_of(session, [IssueState.APPROVED])
    started = []
    for issue in approved:
        window = start_window(house.plan, issue)
        if window and window[0] <= now <= window[1]:
            try:
                start(house, issue.id, actor="clock", now=now)
            except IllegalMove:
                continue  # another clock was first
            except NotReady as reason:
                log.warning("issue.not_started", issue=issue.id, reason=str(reason))
                continue
            except Exception:
                # one issue that cannot be started must not stop the others
                log.exception("issue.broken", issue=issue.id)
                continue
            started.append(issue.id)
    return started


def start_window(plan: schedule.Plan, issue: Issue) -> tuple[datetime, datetime] | None:
    """First and last instant at which the clock starts this issue, once it is released.

    None where the clock never does: the plan says no time for it, so somebody must.
    """
    newsletter = plan.newsletters.get(issue.newsletter)
    if issue.special or newsletter is None:
        return None
    return issue.send_at, issue.send_at + newsletter.late


def start(house: Installation, issue_id: int, *, actor: str, now: datetime) -> int:
    """Render an approved issue and freeze its audience. Returns the number of deliveries.

    Raises NotReady, and IllegalMove from a state that does not lead to sending.
    """
    gaps = imprint_gaps(house.letterhead.imprint)
    if gaps:
        raise NotReady(f"the imprint is not complete (§ 5 DDG): set {', '.join(gaps)}")
    # by whatever way an issue starts, nobody gets it for an office that was hers until yesterday
    lapse_offices(house, now=now)
    for _ in range(_RENDERINGS):
        try:
            _render(house, issue_id, now)
        except (TemplateError, BadMjml, NotSelfContained) as problem:
            raise NotReady(f"its template: {problem}") from problem
        try:
            return _freeze(house, issue_id, actor, now)
        except EditionMissing:
            continue
    raise NotReady("the audience changed faster than its editions could be rendered")


def _render(house: Installation, issue_id: int, now: datetime) -> None:
    with house.database.read() as session:
        issue = session.get_one(Issue, issue_id)
        lists = lists_of_newsletter(session, issue.list_key, issue.newsletter)
        keys = audience_keys(session, lists, _day(issue, now))
    render_editions(
        house.database, issue_id, keys, letterhead=house.letterhead, signing=house.signing, now=now
    )


def _freeze(house: Installation, issue_id: int, actor: str, now: datetime) -> int:
    stationery = stationery_of(house.letterhead)
    with house.database.write() as session:
        issue = session.get_one(Issue, issue_id, with_for_update=True)
        if issue.state is IssueState.APPROVED and not is_approved(session, issue):
            raise NotReady("the issue was edited after its release: release it again")
        next_state(issue.state, Act.START)
        issue.key_id, issue.frozen_at = house.signing.primary_id, now
        chooser = chooser_of(session, issue, stationery)
        frozen = freeze(session, issue, chooser.digest, _day(issue, now))
        # last, since others who have something to put on record wait from here on
        act_on(session, issue, Act.START, actor=actor, now=now)
        return frozen


def lapse_offices(house: Installation, *, now: datetime) -> int:
    """End what was subscribed on the ground of an office that is over."""
    lapsed = 0
    today = now.astimezone(house.plan.timezone).date()
    while True:
        with house.database.write() as session:
            count = offices.lapse(session, today=today, actor="clock", now=now)
        if not count:
            return lapsed
        lapsed += count


def ask_holders(house: Installation, *, now: datetime) -> int:
    """Ask those whose turn it is whether their office is still right."""
    today = now.astimezone(house.plan.timezone).date()
    with house.database.write() as session:
        return offices.ask_holders(session, today=today, actor="clock", now=now)


def answer_requests(house: Installation, *, now: datetime) -> int:
    """Write the notices that people's requests call for, and queue them."""
    desk = Desk(house.letterhead, house.signing, house.suppression_key, house.plan.timezone)
    answered = 0
    while True:
        with house.database.write() as session:
            count = write_notices(session, desk, now=now)
            if not count:
                return answered
            queue_notices(session)
        answered += count


def read_receipts(house: Installation, *, now: datetime) -> int:
    """Apply what came back."""
    applied = 0
    while True:
        with house.database.write() as session:
            count = apply_receipts(
                session,
                return_path=house.letterhead.return_path,
                signing=house.signing,
                now=now,
            )
        if not count:
            return applied
        applied += count


def retain(house: Installation, *, now: datetime) -> dict[str, int]:
    """Erase what has been kept long enough, once a day; how much it was, by class."""
    with house.database.read() as session:
        if not retaining.is_due(session, now):
            return {}
    counts = retaining.retain(house.database, retention(house.settings), actor="clock", now=now)
    log.info("privacy.retained", **counts)
    return counts


def _day(issue: Issue, now: datetime) -> date:
    return now.astimezone(ZoneInfo(issue.zone)).date()
