"""`infomail issues approve`, `reschedule`, `send`, ...: what moves an issue, and corrects one that is out."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import typer
from sqlalchemy.orm import Session

from mailer import clock
from mailer.cli import Refused
from mailer.cli.preflight import refuse_blocked
from mailer.cli.surroundings import AS, actor, now, open_database, open_house
from mailer.database import Database
from mailer.installation import Installation
from mailer.issues.correct import correct, correction_of
from mailer.issues.model import EntryState, Issue, entries_in
from mailer.issues.release import act_on, approve_alone
from mailer.issues.sources import changed_entries, silent_sources, source_keys
from mailer.issues.timing import reschedule as put_off
from mailer.issues.workflow import Act, IllegalMove
from mailer.outbox.cancel import cancel_open
from mailer.outbox.readers import count_readers
from mailer.schedule import Newsletter, Plan

ISSUE = typer.Argument(metavar="ID", help="The issue, as `infomail issues list` numbers them.")


def submit(issue_id: int = ISSUE, who: str = AS) -> None:
    """Hand a draft in for its release; it takes no more suggestions."""
    with open_database() as database:
        _act(database, issue_id, Act.SUBMIT, who)


def revise(issue_id: int = ISSUE, who: str = AS) -> None:
    """Make a draft again of what was handed in or released."""
    with open_database() as database:
        _act(database, issue_id, Act.REVISE, who)


def approve(
    issue_id: int = ISSUE,
    emergency: bool = typer.Option(
        False, "--emergency", help="Alone, although you edited it; all others who look after it are told."
    ),
    reason: str = typer.Option("", help="With --emergency: why, for the record and the others."),
    who: str = AS,
) -> None:
    """Release an issue as it is now, and say when it goes out; any later edit takes the release back.

    Whoever edited it cannot.
    """
    if bool(reason) != emergency:
        raise Refused("--emergency and --reason belong together")
    with open_house() as house:
        with house.database.read() as session:
            found(session, issue_id)
        refuse_blocked(house, issue_id)
        issue = (
            _approve_alone(house, issue_id, reason, who)
            if emergency
            else _act(house.database, issue_id, Act.APPROVE, who)
        )
        typer.echo(_after_release(house.plan, issue), err=True)
        newsletter = house.plan.newsletters.get(issue.newsletter)
        with house.database.read() as session:
            for line in what_waits(session, newsletter, issue) if newsletter else ():
                typer.echo(line, err=True)


def _approve_alone(house: Installation, issue_id: int, reason: str, who: str | None) -> Issue:
    with house.database.read() as session:
        issue = found(session, issue_id)
        newsletter = house.plan.newsletters.get(issue.newsletter)
        people = count_readers(session, issue, now().astimezone(house.plan.timezone).date())
    if newsletter is None:
        raise Refused(f"issue {issue_id}: the plan has no newsletter {issue.newsletter!r} any more")
    with house.database.write() as session:
        issue = found(session, issue_id)
        try:
            approve_alone(
                session, issue, newsletter, reason=reason, people=people, actor=actor(who), now=now()
            )
        except IllegalMove as error:
            raise Refused(f"issue {issue_id}: {error}") from None
    typer.echo(f"issue {issue_id} is {issue.state}")
    return issue


def _after_release(plan: Plan, issue: Issue) -> str:
    send = f"run `infomail issues send {issue.id}`"
    window = clock.start_window(plan, issue)
    if window is None:
        return f"the clock does not send it: {send}"
    planned = issue.send_at.astimezone(ZoneInfo(issue.zone)).isoformat(timespec="minutes")
    if now() > window[1]:
        return f"its time, {planned}, is over: {send}"
    return f"goes out at {planned}, by the clock" if now() < window[0] else "goes out now, by the clock"


def reschedule(
    issue_id: int = ISSUE,
    at: str = typer.Option(..., help="When it is to go out, ISO 8601."),
    who: str = AS,
) -> None:
    """Say when an issue goes out that is not under way; then the clock sends it, once it is released."""
    with open_house() as house:
        chosen = instant("--at", at, house)
        with house.database.write() as session:
            issue = found(session, issue_id)
            try:
                put_off(session, issue, chosen, actor=actor(who), now=now())
            except IllegalMove as error:
                raise Refused(f"issue {issue_id}: {error}") from None
    planned = chosen.astimezone(ZoneInfo(issue.zone)).isoformat(timespec="minutes")
    typer.echo(f"issue {issue_id} is {issue.state}, its time {planned}")


def send(issue_id: int = ISSUE, who: str = AS) -> None:
    """Freeze the audience of a released issue and queue its mails now; print how many."""
    with open_house() as house:
        with house.database.read() as session:
            found(session, issue_id)
        try:
            typer.echo(clock.start(house, issue_id, actor=actor(who), now=now()))
        except (clock.NotReady, IllegalMove) as error:
            raise Refused(f"issue {issue_id}: {error}") from None


def pause(issue_id: int = ISSUE, who: str = AS) -> None:
    """Stop sending; what is on its way arrives, the rest waits."""
    with open_database() as database:
        _act(database, issue_id, Act.PAUSE, who)


def resume(issue_id: int = ISSUE, who: str = AS) -> None:
    """Go on sending a paused issue."""
    with open_database() as database:
        _act(database, issue_id, Act.RESUME, who)


def cancel(issue_id: int = ISSUE, who: str = AS) -> None:
    """End an issue; what is not sent yet (it must be paused) never is."""
    with open_database() as database:
        _act(database, issue_id, Act.CANCEL, who)


def correct_(
    issue_id: int = ISSUE,
    text: str = typer.Option(..., help="What was wrong and what is right; an empty line parts paragraphs."),
    mail: bool = typer.Option(
        False, "--mail", help="Compose an issue that tells everybody who got it; print its id."
    ),
    who: str = AS,
) -> None:
    """Put a correction above the page of an issue that is out."""
    with open_database() as database, database.write() as session:
        issue = found(session, issue_id)
        try:
            correct(session, issue, text, actor=actor(who), now=now())
        except IllegalMove as error:
            raise Refused(f"issue {issue_id}: {error}") from None
        composed = correction_of(session, issue, actor=actor(who), now=now()) if mail else None
    if composed:
        typer.echo(composed.id)
    told = f"; {composed.subject!r} is a draft: release and send it" if composed else ""
    typer.echo(f"the page of issue {issue_id} shows the correction{told}", err=True)


def _act(database: Database, issue_id: int, act: Act, who: str | None) -> Issue:
    with database.write() as session:
        issue = found(session, issue_id)
        try:
            act_on(session, issue, act, actor=actor(who), now=now())
        except IllegalMove as error:
            raise Refused(f"issue {issue_id}: {error}") from None
        if act is Act.CANCEL:
            cancel_open(session, issue.id, actor=actor(who), now=now())
    typer.echo(f"issue {issue_id} is {issue.state}")
    return issue


def found(session: Session, issue_id: int) -> Issue:
    """The issue of this number. Raises Refused."""
    issue = session.get(Issue, issue_id)
    if issue is None:
        raise Refused(f"there is no issue {issue_id}: see `infomail issues list`")
    return issue


def instant(option: str, text: str, house: Installation) -> datetime:
    """The time that an option names; without an offset it is one of the plan's zone. Raises Refused."""
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise Refused(f"{option}: expected ISO 8601 such as 2026-12-01T09:00, got {text!r}") from None
    if parsed.tzinfo is None:
        parsed = parsed.replace(tzinfo=house.plan.timezone)
    return parsed.astimezone(UTC)


def what_waits(session: Session, newsletter: Newsletter, issue: Issue) -> list[str]:
    """What whoever edits or releases the issue should know, a line each."""
    lines = []
    if waiting := len(entries_in(session, issue, EntryState.SUGGESTED)):
        since = issue.created_at.astimezone(newsletter.zone)
        what = "1 suggestion" if waiting == 1 else f"{waiting} suggestions"
        lines.append(f"{what} since {since:%A, %d %B, %H:%M}: `infomail entries list {issue.id}`")
    for entry in changed_entries(session, issue):
        lines.append(f"changed at its source: entry {entry.id}, {entry.title}")
    sources = [] if issue.special else source_keys(session, newsletter)
    for source in silent_sources(session, sources, issue):
        last = f"since {source.since.astimezone(newsletter.zone):%d %B %Y}" if source.since else "yet"
        what = f"cannot be read {last}: {source.title} ({source.problem})"
        lines.append(what if source.problem else f"nothing new {last}: {source.title}")
    return lines
