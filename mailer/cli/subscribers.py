"""`infomail subscribers`: people in and out; one by one in mailer.cli.personal."""

import csv
import enum
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.cli import Refused
from mailer.cli.personal import erase, rectify, show
from mailer.cli.surroundings import AS, JSON, actor, now, open_database, open_house
from mailer.cli.tables import print_table
from subscribers.importing import COLUMNS, Report, RowReport, import_people
from subscribers.model import Basis, MailingList, Office, Subscriber, Subscription, SubscriptionState
from subscribers.rows import BadFile

app = typer.Typer(no_args_is_help=True, add_completion=False, help="People on the lists.")
app.command()(show)
app.command()(rectify)
app.command()(erase)


_FILE = typer.Argument(help=f"CSV with the columns {','.join(COLUMNS)}; only email is required.")
_LIST = typer.Option(..., "--list", metavar="KEY", help="Key of the list.")


class ImportBasis(enum.StrEnum):
    CONSENT = Basis.CONSENT.value
    PUBLIC_TASK = Basis.PUBLIC_TASK.value


@app.command("import")
def import_(
    file: Path = _FILE,
    list_key: str = _LIST,
    basis: ImportBasis = typer.Option(
        ..., help="consent: each gets a confirmation mail; public-task: officers, active at once."
    ),
    dry_run: bool = typer.Option(False, "--dry-run", help="Only report."),
    strict: bool = typer.Option(False, "--strict", help="Import nothing if any row is refused."),
    as_json: bool = JSON,
    who: str = AS,
) -> None:
    """Import people from a file, with a report for each row."""
    told = _Told(as_json)
    with open_house() as house:
        try:
            report = import_people(
                house.database,
                file,
                list_key=list_key,
                basis=Basis(basis.value),
                actor=actor(who),
                suppression_key=house.suppression_key,
                zone=house.plan.timezone,
                now=now(),
                strict=strict,
                dry_run=dry_run,
                tell=told.row,
            )
        except BadFile as problem:
            told.refusal(problem)
            raise Refused(f"{file}: {problem}") from None
        except OSError as error:
            raise Refused(f"{file}: {error.strerror or error}") from None
    told.end(file, report)


@app.command()
def export(list_key: str = _LIST) -> None:
    """The active people of a list as CSV on stdout, in the columns that import reads."""
    with open_database() as database, database.read() as session:
        if session.get(MailingList, list_key) is None:
            raise Refused(f"there is no list {list_key!r}: see `infomail lists list`")
        writer = csv.writer(sys.stdout)
        writer.writerow(COLUMNS)
        writer.writerows(_people(session, list_key))


class _Told:
    """The report of an import as it grows, so that a million rows are never held.

    A reader of our output that has enough (`| head`) ends the report, not the import.
    """

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._rows = 0

    def row(self, row: RowReport) -> None:
        told = {"line": row.line, "email": row.address, "outcome": row.outcome, "problem": row.problem}
        try:
            if self._as_json:
                sys.stdout.write(",\n" if self._rows else '{"rows": [\n')
                sys.stdout.write(json.dumps(told, ensure_ascii=False))
            else:
                print_table([told], "line", "email", "outcome", "problem", heading=False)
        except BrokenPipeError:
            # nobody reads on: the rest goes nowhere, also what Python flushes at its end
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        self._rows += 1

    def end(self, file: Path, report: Report) -> None:
        if self._as_json:
            self._close({"charset": report.charset, "outcomes": report.outcomes})
        else:
            typer.echo(f"{file.name} ({report.charset}): {report}")

    def refusal(self, problem: BadFile) -> None:
        # rows told of already must still read as JSON
        if self._as_json and self._rows:
            self._close({"problem": str(problem)})

    def _close(self, sums: dict[str, Any]) -> None:
        head = "" if self._rows else '{"rows": ['
        sys.stdout.write(f"{head}], {json.dumps(sums, ensure_ascii=False)[1:]}\n")


def _people(session: Session, list_key: str) -> Iterator[tuple[str, ...]]:
    query = (
        select(Subscriber, Office.role, Office.municipality)
        .join(Subscription, Subscription.subscriber_id == Subscriber.id)
        .outerjoin(Office, (Office.subscriber_id == Subscriber.id) & Office.ends.is_(None))
        .where(Subscription.list_key == list_key, Subscription.state == SubscriptionState.ACTIVE)
        .order_by(Subscriber.id, Office.id)
        .execution_options(yield_per=1000)
    )
    last = None
    for person, role, ags in session.execute(query):
        if person.id == last:  # the import's columns have room for one office
            continue
        last = person.id
        cells = (person.address, person.form, person.title, person.given, person.family)
        yield tuple(map(_without_formula, (*cells, role or "", ags or "", person.language)))


def _without_formula(cell: str) -> str:
    """A spreadsheet would run what begins so; import takes the quote off again."""
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r", "'")) else cell
