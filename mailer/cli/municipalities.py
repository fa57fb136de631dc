"""`infomail municipalities`: the register, membership, and who is reached."""

from datetime import date
from pathlib import Path

import typer
from sqlalchemy import select

from mailer.cli import Refused
from mailer.cli.surroundings import AS, DAY, JSON, actor, now, open_database, open_house, print_json
from mailer.cli.tables import print_table
from subscribers.coverage import Covered, Standing, coverage
from subscribers.membership import history, take_step
from subscribers.model import MembershipState, Municipality
from subscribers.offices import roles_in
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


@app.command()
def step(
    ags: str = typer.Argument(metavar="AGS"),
    state: MembershipState = typer.Argument(help="Where it stands from then on."),
    since: date = typer.Option(..., help="The day of the step.", **DAY),
    round_: str = typer.Option(None, "--round", help="Which signing of the joint declaration."),
    reference: str = typer.Option(None, help="Where the declaration, or the report of it, is found."),
    note: str = typer.Option(None, help="What else is to be known, such as how sure it is."),
    who: str = AS,
) -> None:
    """Put a dated step of a municipality's membership on record; the latest one holds."""
    given = {"round": round_, "reference": reference, "note": note}
    about = {name: text.strip() for name, text in given.items() if text is not None}
    if not all(text.isprintable() for text in about.values()):
        raise Refused("expected texts of one line")
    with open_database() as database, database.write() as session:
        if session.get(Municipality, ags) is None:
            raise Refused(f"{ags!r} is not in the register: see `infomail municipalities list`")
        taken = take_step(
            session, ags=ags, state=state, since=since, about=about, actor=actor(who), now=now()
        )
    if not taken.usual:
        before = taken.before.value if taken.before else "nothing"
        typer.echo(f"infomail: note: {state.value} does not usually follow {before}", err=True)
    typer.echo(taken.outcome.value)


@app.command()
def show(ags: str = typer.Argument(metavar="AGS")) -> None:
    """A municipality with its membership, how many hold each office, and how it is reached, as JSON."""
    with open_house() as house, house.database.read() as session:
        body = session.get(Municipality, ags)
        if body is None:
            raise Refused(f"{ags!r} is not in the register: see `infomail municipalities list`")
        zone = house.plan.timezone
        reached = {row.ags: row for row in coverage(session, zone=zone, now=now())}
        print_json(
            {
                "ags": body.ags,
                "name": body.name,
                "kind": body.kind,
                "district": body.district,
                "region": body.region,
                "membership": [
                    {
                        "state": step.state,
                        "since": step.since,
                        "round": step.round,
                        "reference": step.reference,
                        "note": step.note,
                    }
                    for step in history(session, ags)
                ],
                "offices": roles_in(session, ags, now().astimezone(zone).date()),
                # only members are expected to be reached
                "coverage": _row(reached[ags]) if ags in reached else None,
            }
        )


@app.command("coverage")
def coverage_(
    everything: bool = typer.Option(False, "--all", help="Also the members that are covered."),
    as_json: bool = JSON,
) -> None:
    """The members that nobody is reached in, since when and why; the worst first, then the longest so."""
    with open_house() as house, house.database.read() as session:
        found = coverage(session, zone=house.plan.timezone, now=now())
    rows = [_row(row) for row in found if everything or row.standing is not Standing.COVERED]
    if as_json:
        print_json(rows)
    else:
        print_table(rows, "ags", "name", "standing", "reason", "since")


def _row(covered: Covered) -> dict[str, object]:
    return {
        "ags": covered.ags,
        "name": covered.name,
        "standing": covered.standing.value,
        "reason": covered.reason.value if covered.reason else "",
        "since": covered.since,
    }
