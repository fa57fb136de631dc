"""`infomail issues`: compose and look at; what moves an issue stands in releasing."""

import asyncio
from pathlib import Path
from typing import Any

import typer
from jinja2 import TemplateError
from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.archive.views import views_of
from mailer.cli import Refused, releasing
from mailer.cli.drafts import draft_
from mailer.cli.origins import provenance_, verify_
from mailer.cli.preflight import preflight_
from mailer.cli.releasing import ISSUE, found, instant, what_waits
from mailer.cli.surroundings import (
    AS,
    JSON,
    actor,
    now,
    open_database,
    open_house,
    print_json,
)
from mailer.cli.tables import print_table
from mailer.cli.watching import watch
from mailer.installation import Installation, open_pool
from mailer.issues.begin import NoSuchList
from mailer.issues.compose import NotADraft, compose, suggest
from mailer.issues.copies import copy_issue
from mailer.issues.edit import CannotEdit, edit_issue
from mailer.issues.model import Issue, IssueState, entries_of, issues_of, pictures_of
from mailer.outbox import figures
from mailer.outbox.trial import send_trial
from mailer.render.editions import chooser_of, with_page
from mailer.render.finish import BadPage
from mailer.render.press import Press, Rendered
from mailer.render.selfcontained import NotSelfContained
from mailer.render.stationery import stationery_of
from mailer.smtp import Outcome, Result
from subscribers.addresses import BadAddress, normalise
from subscribers.audience import AudienceKey
from subscribers.model import Role

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Numbers of the newsletters.")
app.command("verify")(verify_)
app.command("preflight")(preflight_)
app.command("provenance")(provenance_)
app.command("watch")(watch)
app.command("draft")(draft_)


@app.command("compose")
def compose_(
    newsletter: str = typer.Argument(help="Key of a newsletter in the schedule."),
    slot: str = typer.Option(
        None, help="Nominal time of its slot, ISO 8601. Without: an issue outside the plan."
    ),
    later: bool = typer.Option(
        False, "--update", help="Offer the draft (of the slot, else the newest) what came since."
    ),
    blank: bool = typer.Option(False, "--blank", help="Choose nothing: a special issue to be written."),
    original: int = typer.Option(None, "--copy", metavar="ID", help="A special issue made from this one."),
    template: str = typer.Option(None, metavar="KIND", help="Another folder below templates/mail."),
    who: str = AS,
) -> None:
    """Choose what is new and print the id of the issue; its state and entries are told on stderr.

    A slot that has an issue gives that one. What --update finds are suggestions: `infomail entries`
    shows and takes them, and nothing in the draft is changed.
    """
    if slot and (blank or original):
        raise Refused("--slot is for issues of the plan: not with --blank or --copy")
    with open_house() as house:
        planned = house.plan.newsletters.get(newsletter)
        if planned is None:
            names = ", ".join(house.plan.newsletters)
            raise Refused(f"there is no newsletter {newsletter!r} in the schedule: {names}")
        at = instant("--slot", slot, house) if slot else now()
        try:
            with house.database.write() as session:
                issue = _newest_draft(session, newsletter) if later and not slot else None
                if issue is None and original:
                    copied = found(session, original)
                    issue = copy_issue(session, planned, copied, actor=actor(who), now=now())
                elif issue is None:
                    issue = compose(
                        session,
                        planned,
                        slot=at,
                        send_at=at,
                        special=slot is None,
                        blank=blank,
                        actor=actor(who),
                        now=now(),
                    )
                if template:
                    issue.template = template
                if later:
                    suggest(session, issue, planned, actor=actor(who), now=now())
                entries = len(entries_of(session, issue))
                more = what_waits(session, planned, issue)
        except (NoSuchList, NotADraft) as error:
            raise Refused(str(error)) from None
    typer.echo(issue.id)
    typer.echo(f"{issue.state}, {entries} {'entry' if entries == 1 else 'entries'}", err=True)
    for line in more:
        typer.echo(line, err=True)


@app.command("list")
def list_(as_json: bool = JSON) -> None:
    """All issues, the latest first."""
    with open_database() as database, database.read() as session:
        rows = [
            _summary(session, issue) for issue in session.scalars(select(Issue).order_by(Issue.id.desc()))
        ]
    if as_json:
        print_json(rows)
    else:
        print_table(rows, "id", "newsletter", "list", "subject", "state", "send_at", "recipients", "sent")


@app.command()
def show(issue_id: int = ISSUE, as_json: bool = JSON) -> None:
    """One issue with its entries and where each came from."""
    with open_database() as database, database.read() as session:
        issue = found(session, issue_id)
        summary = _summary(session, issue) | {
            "postponed": issue.postponed,
            "emergency": issue.emergency,
            "corrects": issue.corrects,
            "correction": issue.correction,
            "archive_views": views_of(session, issue),
        }
        entries = [
            {
                "section": entry.section,
                "title": entry.title,
                "url": entry.url,
                "feed": entry.feed_key,
                "item": entry.item_id,
                "fetched_at": entry.fetched_at,
                "digest": entry.item_digest,
                "starts": entry.starts,
                "location": entry.location,
                "places": entry.places,
            }
            for entry in entries_of(session, issue)
        ]
    if as_json:
        print_json(summary | {"entries": entries})
        return
    print_table([{"name": name, "value": value} for name, value in summary.items()], "name", "value")
    print_table(entries, "section", "title", "feed", "url")


@app.command()
def preview(
    issue_id: int = ISSUE,
    folder: Path = typer.Option(Path(), "--to", help="Folder to write the HTML and the text to."),
    language: str = typer.Option("de", help="de or en."),
    places: str = typer.Option("", help="As whom to see it: AGS with commas; without: everything."),
    roles: str = typer.Option("", help="As whom to see it: roles with commas; without: everything."),
) -> None:
    """Write what a reader will see, as HTML and as text, and print where."""
    with open_house() as house:
        rendered = _rendered(house, issue_id, language, places, roles)
    folder.mkdir(parents=True, exist_ok=True)
    for suffix, content in (("html", rendered.html), ("txt", rendered.text)):
        path = folder / f"issue-{issue_id}.{suffix}"
        path.write_text(content, encoding="utf-8")
        typer.echo(path)


@app.command("test-send")
def trial(
    issue_id: int = ISSUE,
    recipients: list[str] = typer.Argument(metavar="ADDRESS...", help="Who gets the trial."),
    language: str = typer.Option("de", help="de or en."),
    places: str = typer.Option("", help="As whom to see it: AGS with commas; without: everything."),
    roles: str = typer.Option("", help="As whom to see it: roles with commas; without: everything."),
) -> None:
    """Send an issue to a few addresses for a look; nothing is recorded."""
    try:
        addresses = [normalise(recipient) for recipient in recipients]
    except BadAddress as problem:
        raise Refused(f"no e-mail address: {problem}") from None
    with open_house() as house:
        rendered = _rendered(house, issue_id, language, places, roles, trial=True)
        results = asyncio.run(_send_trial(house, rendered, addresses, language))
    for result in results:
        typer.echo(f"{result.key}: {result.outcome.value} {result.problem or result.reply}")
    if any(result.outcome is not Outcome.SENT for result in results):
        raise Refused("not every trial was sent")


async def _send_trial(
    house: Installation, rendered: Rendered, addresses: list[str], language: str
) -> list[Result]:
    pool = open_pool(house.settings)
    try:
        return await send_trial(
            pool,
            rendered.message,
            addresses,
            language=language,
            letterhead=house.letterhead,
            signing=house.signing,
            signer=house.signer,
            now=now(),
        )
    finally:
        await pool.close()


@app.command()
def edit(
    issue_id: int = ISSUE,
    subject: str = typer.Option(None, help="The subject of its mails."),
    preheader: str = typer.Option(None, help="What mail programs show beside the subject."),
    editorial: str = typer.Option(None, metavar="HTML", help="Paragraphs above the contents."),
    title: str = typer.Option(None, help="The title that stands in it."),
    easy: str = typer.Option(
        None,
        "--easy-language",
        metavar="HTML",
        help="What it is about in Leichte Sprache, as you wrote it.",
    ),
    who: str = AS,
) -> None:
    """Put an issue otherwise before it is sent; a release is taken back by it."""
    said = {
        "subject": subject,
        "preheader": preheader,
        "editorial": editorial,
        "title": title,
        "easy_language": easy,
    }
    with open_database() as database, database.write() as session:
        issue = found(session, issue_id)
        try:
            fields = {name: value for name, value in said.items() if value is not None}
            edit_issue(session, issue, fields, actor=actor(who), now=now())
        except CannotEdit as problem:
            raise Refused(str(problem)) from None
    typer.echo(f"issue {issue_id} is {issue.state}")


for command in (
    releasing.submit,
    releasing.revise,
    releasing.approve,
    releasing.reschedule,
    releasing.send,
    releasing.pause,
    releasing.resume,
    releasing.cancel,
    releasing.correct_,
):
    app.command(command.__name__.rstrip("_"))(command)


def _newest_draft(session: Session, newsletter: str) -> Issue | None:
    drafts = issues_of(session, [IssueState.DRAFT])
    return next((issue for issue in reversed(drafts) if issue.newsletter == newsletter), None)


def _summary(session: Session, issue: Issue) -> dict[str, Any]:
    sums = figures.by_state(session, issue.id)
    return {
        "id": issue.id,
        "newsletter": issue.newsletter,
        "list": issue.for_list or issue.list_key,
        "number": f"{issue.number}/{issue.year}",
        "subject": issue.subject,
        "state": issue.state,
        "slot": issue.slot,
        "send_at": issue.send_at,
        "approved_by": issue.approved_by,
        "recipients": sum(n for state, n in sums.items() if not state.startswith("returned:")),
        "sent": sums.get("sent", 0),
    }


def _rendered(
    house: Installation, issue_id: int, language: str, places: str, roles: str, *, trial: bool = False
) -> Rendered:
    stationery = stationery_of(house.letterhead)
    with house.database.read() as session:
        issue = found(session, issue_id)
        chooser = chooser_of(session, issue, stationery)
        pictures = pictures_of(session, issue)
    if trial:
        issue.subject = f"[Test] {issue.subject}"  # of this copy: the session is over
    key = AudienceKey(issue.for_list or issue.list_key, language, places, roles or ",".join(Role))
    digest = chooser.digest(key)
    setting = with_page(chooser.setting(key), issue, digest, house.signing)
    try:
        return Press(issue, stationery, pictures).edition(chooser.visible(key), setting, digest)
    except (TemplateError, BadPage, NotSelfContained) as problem:
        raise Refused(f"issue {issue_id}: its template: {problem}") from None
