"""`infomail entries`: what stands in an issue, and what waits to."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import typer
from sqlalchemy.orm import Session

from mailer.cli import Refused
from mailer.cli.surroundings import AS, DAY, JSON, actor, now, open_database, open_house, print_json
from mailer.cli.tables import print_table
from mailer.feeds.model import Item
from mailer.issues.edit import (
    CannotEdit,
    add_item,
    add_text,
    edit_entry,
    hold_back,
    move,
    pin,
    place,
    reject,
    renew_entry,
)
from mailer.issues.model import Entry, EntryState, Issue, entries_in
from mailer.issues.sources import changed_entries

app = typer.Typer(no_args_is_help=True, add_completion=False, help="What stands in an issue.")

_ENTRIES = typer.Argument(metavar="ENTRY...", help="As `infomail entries list` numbers them.")
_ENTRY = typer.Argument(metavar="ENTRY", help="As `infomail entries list` numbers them.")
_TITLE = typer.Option(None, help="Its title.")
_TEXT = typer.Option(None, metavar="HTML", help="Its text; of HTML what a mail can show.")
_URL = typer.Option(None, help="Where there is more.")
_DEADLINE = typer.Option(None, **DAY, help="Last day to hand something in (Frist).")
_STARTS = typer.Option(None, metavar="TIME", help="When it begins, ISO 8601; a day alone is all day.")
_ENDS = typer.Option(None, metavar="TIME", help="When it ends.")
_LOCATION = typer.Option(None, help="Where it takes place.")
_PLACES = typer.Option(None, "--place", metavar="AGS", help="Only for this area; may be given often.")
_ROLES = typer.Option(None, "--role", metavar="ROLE", help="Only for those in this role; may be given often.")
_INTERNAL = typer.Option(
    None, "--internal/--public", help="For the officers alone: in no archive and no municipal list."
)


@app.command("list")
def list_(issue_id: int = typer.Argument(metavar="ISSUE"), as_json: bool = JSON) -> None:
    """All entries of an issue: placed, suggested, held back, rejected."""
    with open_database() as database, database.read() as session:
        issue = session.get(Issue, issue_id)
        if issue is None:
            raise Refused(f"there is no issue {issue_id}: see `infomail issues list`")
        changed = {entry.id for entry in changed_entries(session, issue)}
        rows = [
            {
                "id": entry.id,
                "state": entry.state,
                "section": entry.section,
                "title": entry.title,
                "source": entry.source,
                "also": entry.also,
                "deadline": entry.deadline,
                "starts": entry.starts,
                "notes": ", ".join(_notes(entry, entry.id in changed)),
            }
            for entry in entries_in(session, issue, *EntryState)
        ]
    if as_json:
        print_json(rows)
    else:
        print_table(rows, "id", "state", "section", "title", "source", "notes")


def _notes(entry: Entry, changed: bool) -> list[str]:
    said = {
        "pinned": entry.pinned,
        "edited": entry.edited_at is not None,
        "internal": entry.internal,
        "passed on": entry.frozen,
        "changed at its source": changed,
    }
    return [note for note, holds in said.items() if holds]


@app.command()
def take(entries: list[int] = _ENTRIES, who: str = AS) -> None:
    """Place what was suggested, held back or rejected, last in its section."""
    _each(entries, place, who)


@app.command("reject")
def reject_(entries: list[int] = _ENTRIES, who: str = AS) -> None:
    """Keep entries out of this and every later issue."""
    _each(entries, reject, who)


@app.command()
def hold(entries: list[int] = _ENTRIES, who: str = AS) -> None:
    """Keep entries for the next issue, where they come first."""
    _each(entries, hold_back, who)


@app.command()
def renew(entries: list[int] = _ENTRIES, who: str = AS) -> None:
    """Let entries say what their feeds say now; what was edited in them is lost."""
    _each(entries, renew_entry, who)


@app.command("pin")
def pin_(
    entries: list[int] = _ENTRIES,
    off: bool = typer.Option(False, "--off", help="No longer."),
    who: str = AS,
) -> None:
    """Let entries stand before the others of their section."""
    _each(entries, partial(pin, pinned=not off), who)


@app.command("move")
def move_(
    entry: int = _ENTRY,
    to: int = typer.Option(..., min=1, help="Its place in the section, from 1."),
    section: str = typer.Option(None, help="Title of another section."),
    who: str = AS,
) -> None:
    """Move an entry to another place."""
    _each([entry], partial(move, to=to, section=section), who)


@app.command()
def edit(
    entry: int = _ENTRY,
    title: str = _TITLE,
    text: str = _TEXT,
    url: str = _URL,
    deadline: date = _DEADLINE,
    starts: str = _STARTS,
    ends: str = _ENDS,
    location: str = _LOCATION,
    places: list[str] = _PLACES,
    roles: list[str] = _ROLES,
    internal: bool = _INTERNAL,
    who: str = AS,
) -> None:
    """Put an entry otherwise; from then on no fetch changes it."""
    with open_house() as house, house.database.write() as session:
        found = _found(session, entry)
        issue = session.get_one(Issue, found.issue_id)
        said = _said(issue.zone, title, text, url, deadline, starts, ends, location, places, roles, internal)
        newsletter = house.plan.newsletters.get(issue.newsletter)
        order = {section.title: section.order for section in newsletter.sections} if newsletter else {}
        by_deadline = order.get(found.section) == "deadline"
        with _refusing():
            edit_entry(session, found, said, by_deadline=by_deadline, actor=actor(who), now=now())


@app.command()
def add(
    issue_id: int = typer.Argument(metavar="ISSUE"),
    section: str = typer.Option(..., help="Title of the section; a new one comes last."),
    item: int = typer.Option(None, help="An item of a feed, as `infomail feeds items` numbers them."),
    title: str = _TITLE,
    text: str = _TEXT,
    url: str = _URL,
    deadline: date = _DEADLINE,
    starts: str = _STARTS,
    ends: str = _ENDS,
    location: str = _LOCATION,
    places: list[str] = _PLACES,
    roles: list[str] = _ROLES,
    internal: bool = _INTERNAL,
    who: str = AS,
) -> None:
    """Add a hand-written entry, or an item of a feed, and print its number."""
    with open_database() as database, database.write() as session:
        issue = session.get(Issue, issue_id)
        if issue is None:
            raise Refused(f"there is no issue {issue_id}: see `infomail issues list`")
        said = _said(issue.zone, title, text, url, deadline, starts, ends, location, places, roles, internal)
        by: dict[str, Any] = {"actor": actor(who), "now": now()}
        with _refusing():
            if item is None:
                added = add_text(session, issue, said, section=section, **by)
            else:
                added = add_item(session, issue, _item(session, item), section=section, **by)
                edit_entry(session, added, said, **by)
    typer.echo(added.id)


def _said(
    zone: str,
    title: str | None,
    text: str | None,
    url: str | None,
    deadline: date | None,
    starts: str | None,
    ends: str | None,
    location: str | None,
    places: list[str] | None,
    roles: list[str] | None,
    internal: bool | None,
) -> dict[str, Any]:
    """What was given of the fields of an entry."""
    given = {
        "title": title, "summary": text, "url": url, "deadline": deadline, "location": location,
        "places": places or None, "roles": roles or None, "internal": internal,
    }  # fmt: skip
    said: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if starts is not None:
        said["starts"], said["all_day"] = _instant("--starts", starts, zone)
    if ends is not None:
        said["ends"], _ = _instant("--ends", ends, zone)
    return said


def _instant(option: str, text: str, zone: str) -> tuple[datetime, bool]:
    """The instant in UTC, and whether only a day was given."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise Refused(f"{option}: expected ISO 8601 such as 2026-12-01T10:00, got {text!r}") from None
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=ZoneInfo(zone))
    return instant.astimezone(UTC), len(text) == len("2026-12-01")


def _each(entries: list[int], act: Callable[..., None], who: str | None) -> None:
    """Do it with all of these entries, or with none."""
    with open_database() as database, database.write() as session:
        for number in entries:
            entry = _found(session, number)
            try:
                act(session, entry, actor=actor(who), now=now())
            except CannotEdit as problem:
                raise Refused(f"entry {number}: {problem}") from None


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except CannotEdit as problem:
        raise Refused(str(problem)) from None


def _item(session: Session, item_id: int) -> Item:
    item = session.get(Item, item_id)
    if item is None:
        raise Refused(f"there is no item {item_id}: see `infomail feeds items`")
    return item


def _found(session: Session, entry_id: int) -> Entry:
    entry = session.get(Entry, entry_id)
    if entry is None:
        raise Refused(f"there is no entry {entry_id}: see `infomail entries list ISSUE`")
    return entry
