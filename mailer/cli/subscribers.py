"""`infomail subscribers`: people in and out; one by one in mailer.cli.personal."""

import csv
import enum
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import typer
from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.cli import Refused, barring, proof
from mailer.cli.personal import erase, rectify, show
from mailer.cli.surroundings import AS, JSON, actor, now, open_database, open_house
from mailer.cli.tables import print_table
from subscribers.chain import Chain, Happening, append
from subscribers.importing import COLUMNS, LAYOUT, Provenance, Report, RowReport, import_people
from subscribers.model import Basis, MailingList, Office, Subscriber, Subscription, SubscriptionState
from subscribers.rows import BadFile

app = typer.Typer(no_args_is_help=True, add_completion=False, help="People on the lists.")
app.command()(proof.evidence)
app.command("verify-consents")(proof.verify_consents)
app.command("suppress")(barring.suppress_)
app.command("lift")(barring.lift_)
app.command()(show)
app.command()(rectify)
app.command()(erase)


_FILE = typer.Argument(help=f"CSV or XLSX with the columns {','.join(COLUMNS)}; only email is required.")
_LIST = typer.Option(..., "--list", metavar="KEY", help="Key of the list.")


class ImportBasis(enum.StrEnum):
    CONSENT = Basis.CONSENT.value
    PUBLIC_TASK = Basis.PUBLIC_TASK.value
    PRIOR_CONSENT = Basis.PRIOR_CONSENT.value


@app.command("import")
def import_(
    file: Path = _FILE,
    list_key: str = _LIST,
    basis: ImportBasis = typer.Option(
        ...,
        help="consent: each gets a confirmation mail; public-task: officers, active at once; "
        "prior-consent: consented elsewhere, wait for `imports release` by a second person.",
    ),
    source: str = typer.Option("", help="Who gave us the data; the people are told (Art. 14 GDPR)."),
    informed: str = typer.Option(
        "", help="When and how they were told already; else their first issue tells."
    ),
    given_on: datetime = typer.Option(
        None, formats=["%Y-%m-%d"], metavar="DATE", help="prior-consent: when they consented."
    ),
    wording: Path = typer.Option(None, metavar="FILE", help="prior-consent: the text they agreed to."),
    proof: Path = typer.Option(None, metavar="FILE", help="prior-consent: a document that proves it."),
    columns: list[str] = typer.Option(
        [], "--map", metavar="NAME=COLUMN", help="What a column of the file means; NAME= leaves it out."
    ),
    charset: str = typer.Option("", help="Charset of the file; found out where it is not given."),
    sheet: str = typer.Option("", metavar="NAME", help="Sheet of a workbook; the first if not given."),
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
                provenance=Provenance(
                    source=_one_line("--source", source),
                    informed=_one_line("--informed", informed),
                    given_on=given_on.date() if given_on else None,
                    wording=wording.read_text(encoding="utf-8").strip() if wording else "",
                    proof_name=proof.name if proof else "",
                    proof=proof.read_bytes() if proof else None,
                ),
                layout=replace(LAYOUT, mapping=_mapping(columns), charset=charset, sheet=sheet),
                strict=strict,
                dry_run=dry_run,
                tell=told.row,
            )
        except BadFile as problem:
            told.refusal(problem)
            raise Refused(f"{file}: {problem}") from None
        except UnicodeDecodeError:
            raise Refused(f"{wording}: not UTF-8") from None
        except OSError as error:
            raise Refused(f"{error.filename or file}: {error.strerror or error}") from None
    told.end(file, report)


@app.command()
def export(list_key: str = _LIST, who: str = AS) -> None:
    """The active people of a list as CSV on stdout, in the columns that import reads."""
    with open_database() as database, database.write() as session:
        if session.get(MailingList, list_key) is None:
            raise Refused(f"there is no list {list_key!r}: see `infomail lists list`")
        # on record before the first row is out
        exported = Happening("people.exported", {"list": list_key})
        append(session, Chain.AUDIT, [exported], actor=actor(who), at=now())
    with open_database() as database, database.read() as session:
        writer = csv.writer(sys.stdout)
        writer.writerow(COLUMNS)
        writer.writerows(_people(session, list_key))


def _mapping(columns: list[str]) -> dict[str, str]:
    mapping = {}
    for said in columns:
        # the last = parts them: ours has none
        name, equals, column = said.rpartition("=")
        if not equals or (column and column not in COLUMNS):
            raise Refused(f"--map: expected NAME=COLUMN with a column of {', '.join(COLUMNS)}, got {said!r}")
        mapping[name] = column
    return mapping


def _one_line(option: str, text: str) -> str:
    # it stands in mails and in the record
    if not text.isprintable() or len(text) > 300:
        raise Refused(f"{option}: expected one line of at most 300 characters")
    return text.strip()


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


#: what a spreadsheet takes for the beginning of a formula, full-width signs too; and our own quote
_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r", "'")


def _without_formula(cell: str) -> str:
    """A spreadsheet would run what begins so; import takes the quote off again."""
    return (
        f"'{cell}" if cell.startswith(("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r", "'")) else cell
    )
