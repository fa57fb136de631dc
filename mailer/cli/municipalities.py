"""`infomail municipalities`: the register."""

from pathlib import Path

import typer
from sqlalchemy import select

from mailer.cli import Refused
from mailer.cli.surroundings import JSON, now, open_database, print_json
from mailer.cli.tables import print_table
from subscribers.model import MembershipState, Municipality
from subscribers.register import BadRegister, current, import_register

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="The register of municipalities and their membership."
)


@app.command("list")
def list_(
    members: bool = typer.Option(False, "--members", help="Only the members of the network."),
    as_json: bool = JSON,
) -> None:
    """Every body of the register, with its membership if it has one."""
    with open_database() as database, database.read() as session:
        steps = {step.ags: step for step in session.scalars(current(now().date()))}
        bodies = session.scalars(select(Municipality).order_by(Municipality.ags)).all()
    rows: list[dict[str, object]] = []
    for body in bodies:
        step = steps.get(body.ags)
        row: dict[str, object] = {
            "ags": body.ags,
            "name": body.name,
            "kind": body.kind,
            "district": body.district,
            "region": body.region,
            "membership": step.state.value if step else "",
        }
        if not members:
            rows.append(row)
        elif step and step.state is MembershipState.MEMBER:
            # what is inferred or undated says so wherever members are shown
            rows.append(row | {"since": step.since, "note": step.note})
    if as_json:
        print_json(rows)
    else:
        more = ("since", "note") if members else ()
        print_table(rows, "ags", "name", "kind", "district", "region", "membership", *more)


@app.command("import")
def import_(
    path: Path = typer.Argument(help="Folder with municipalities.csv and members.csv, or the first alone."),
) -> None:
    """Bring the register up to these files; nothing is deleted."""
    with open_database() as database, database.write() as session:
        try:
            done = import_register(session, path)
        except BadRegister as problem:
            raise Refused(str(problem)) from None
    typer.echo(f"{done.added} added, {done.changed} changed, {done.unchanged} as before")
