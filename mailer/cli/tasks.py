"""`infomail tasks`: what people told us that somebody must look at."""

import typer

from mailer.cli import Refused
from mailer.cli.surroundings import AS, JSON, actor, now, open_database, print_json
from mailer.cli.tables import print_table
from subscribers.model import Task
from subscribers.tasks import finish, tasks

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="What people told us that somebody must look at."
)


@app.command("list")
def list_(
    municipality: str = typer.Option(None, metavar="AGS", help="Only what is about this municipality."),
    done: bool = typer.Option(False, "--all", help="Also what is done."),
    as_json: bool = JSON,
) -> None:
    """The open tasks, the oldest first."""
    with open_database() as database, database.read() as session:
        rows = [
            {
                "id": found.task.id,
                "kind": found.task.kind.value,
                "ags": found.task.municipality or "",
                "municipality": found.municipality.name if found.municipality else "",
                "address": found.subscriber.address,
                "created_at": found.task.created_at,
                "done_at": found.task.done_at,
                "done_by": found.task.done_by,
            }
            for found in tasks(session, municipality=municipality, done=done)
        ]
    if as_json:
        print_json(rows)
    else:
        more = ("done_at", "done_by") if done else ()
        print_table(rows, "id", "kind", "ags", "municipality", "address", "created_at", *more)


@app.command()
def done(number: int = typer.Argument(metavar="ID"), who: str = AS) -> None:
    """Somebody has looked at it; a second time changes nothing."""
    with open_database() as database, database.write() as session:
        task = session.get(Task, number)
        if task is None:
            raise Refused(f"there is no task {number}: see `infomail tasks list --all`")
        finish(session, task, actor=actor(who), now=now())
