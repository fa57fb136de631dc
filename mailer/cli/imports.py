"""`infomail imports`: files of people, and those that wait for a second person."""

import typer
from sqlalchemy import func, select

from mailer.cli import Refused
from mailer.cli.surroundings import AS, JSON, actor, now, open_database, print_json
from mailer.cli.tables import print_table
from subscribers.imports import NotYours, refuse, release
from subscribers.model import Import, Subscription

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Imported files, and their release.")

_ID = typer.Argument(metavar="ID", help="The file, as `infomail imports list` numbers them.")


@app.command("list")
def list_(as_json: bool = JSON) -> None:
    """All files that were imported, the latest first, and how many people each brought."""
    with open_database() as database, database.read() as session:
        people = dict(
            session.execute(
                select(Subscription.import_id, func.count())
                .where(Subscription.import_id.is_not(None))
                .group_by(Subscription.import_id)
            ).all()
        )
        rows = [
            {
                "id": row.id,
                "at": row.created_at,
                "list": row.list_key,
                "file": row.file,
                "sha256": row.digest.hex(),
                "basis": row.basis.value,
                "source": row.source,
                "given_on": row.given_on,
                "state": row.state.value,
                "people": people.get(row.id, 0),
                "by": row.actor,
                "decided_by": row.decided_by,
                "decided_at": row.decided_at,
            }
            for row in session.scalars(select(Import).order_by(Import.id.desc()))
        ]
    if as_json:
        print_json(rows)
    else:
        print_table(rows, "id", "at", "list", "file", "basis", "state", "people", "by", "decided_by")


@app.command("release")
def release_(import_id: int = _ID, who: str = AS) -> None:
    """Let the people of a file get mail. Whoever brought the file cannot do that."""
    with open_database() as database:
        try:
            people = release(database, import_id, actor=actor(who), now=now())
        except NotYours as problem:
            raise Refused(f"import {import_id}: {problem}") from None
    typer.echo(f"{people} people released")


@app.command("refuse")
def refuse_(import_id: int = _ID, who: str = AS) -> None:
    """Take the people of a file off the list again, before anybody got mail."""
    with open_database() as database, database.write() as session:
        try:
            people = refuse(session, import_id, actor=actor(who), now=now())
        except NotYours as problem:
            raise Refused(f"import {import_id}: {problem}") from None
    typer.echo(f"{people} people taken off")
