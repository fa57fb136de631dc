"""Approved issues, on their way: rendered, frozen, queued."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import structlog
from jinja2 import TemplateError

from mailer import schedule
from mailer.clock.people import lapse_offices
from mailer.installation import Installation
from mailer.issues.copies import may_go
from mailer.issues.model import Issue, IssueState, issues_of
from mailer.issues.release import act_on, is_approved
from mailer.issues.workflow import Act, IllegalMove, next_state
from mailer.outbox.freeze import EditionMissing, freeze
from mailer.outbox.readers import readers_of
from mailer.render.editions import NotSendable, chooser_of, render_editions
from mailer.render.finish import BadPage
from mailer.render.preflight import imprint_gaps
from mailer.render.selfcontained import NotSelfContained
from mailer.render.stationery import stationery_of
from subscribers.audience import audience_keys

log = structlog.get_logger()

#: people may come onto a list while its issue is rendered: so often it is rendered anew
_RENDERINGS = 5


class NotReady(Exception):
    """The issue cannot be sent; says why."""


def start_due(house: Installation, *, now: datetime) -> list[int]:
    """Start the approved issues whose time has come, within the late window of their newsletter."""
    with house.database.read() as session:
        approved = [issue for issue in issues_of(session, [IssueState.APPROVED]) if may_go(session, issue)]
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

    None where the clock never does: neither plan nor person said a time for it, or the plan knows its
    newsletter no longer.
    """
    newsletter = plan.newsletters.get(issue.newsletter)
    if newsletter is None or not issue.has_time:
        return None
    return issue.send_at, issue.send_at + newsletter.late


def start(house: Installation, issue_id: int, *, actor: str, now: datetime) -> int:
    """Render an approved issue and freeze its audience. Returns the number of deliveries.

    Raises NotReady, and IllegalMove from a state that does not lead to sending.
    """
    with house.database.read() as session:
        if not may_go(session, session.get_one(Issue, issue_id)):
            raise NotReady("the issue that it passes on is not sent yet")
    gaps = imprint_gaps(house.letterhead.imprint)
    if gaps:
        raise NotReady(f"the imprint is not complete (§ 5 DDG): set {', '.join(gaps)}")
    # by whatever way an issue starts, nobody gets it for an office that was hers until yesterday
    lapse_offices(house, now=now)
    for _ in range(_RENDERINGS):
        try:
            _render(house, issue_id, now)
        except (TemplateError, BadPage, NotSelfContained) as problem:
            raise NotReady(f"its template: {problem}") from problem
        except NotSendable as problem:
            raise NotReady(f"preflight: {problem}") from problem
        try:
            return _freeze(house, issue_id, actor, now)
        except EditionMissing:
            continue
    raise NotReady("the audience changed faster than its editions could be rendered")


def _render(house: Installation, issue_id: int, now: datetime) -> None:
    with house.database.read() as session:
        issue = session.get_one(Issue, issue_id)
        readers = readers_of(session, issue)
        keys = audience_keys(session, readers.lists, _day(issue, now), among=readers.among)
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


def _day(issue: Issue, now: datetime) -> date:
    return now.astimezone(ZoneInfo(issue.zone)).date()
