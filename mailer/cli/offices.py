"""`infomail offices`: who holds which office."""

from datetime import date

import typer
from sqlalchemy import select

from mailer.cli import Refused
from mailer.cli.surroundings import AS, DAY, JSON, actor, now, open_house, print_json
from mailer.cli.tables import print_table
from subscribers.addresses import BadAddress, normalise
from subscribers.model import Municipality, Office, Role, Subscriber
from subscribers.offices import appoint, end, offices_in

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Offices, and who holds them.")

_COLUMNS = ("id", "municipality", "role", "address", "from", "to", "confirmed_at")


@app.command("list")
def list_(
    municipality: str = typer.Option(None, metavar="AGS", help="Only the offices there."),
    as_json: bool = JSON,
) -> None:
    """The offices that are held, and those that begin later."""
    with open_house() as house, house.database.read() as session:
        today = now().astimezone(house.plan.timezone).date()
        rows = [
            {
                "id": office.id,
                "municipality": office.municipality,
                "role": office.role.value,
                "address": address,
                "from": office.starts,
                "to": office.ends,
                "confirmed_at": office.confirmed_at,
            }
            for office, address in offices_in(session, municipality, today)
        ]
    if as_json:
        print_json(rows)
    else:
        print_table(rows, *_COLUMNS)


@app.command()
def add(
    address: str = typer.Argument(help="Of somebody who is on record."),
    municipality: str = typer.Option(..., metavar="AGS", help="Where."),
    role: Role = typer.Option(..., help="The office."),
    starts: date = typer.Option(None, "--from", help="First day; today if not given.", **DAY),
    who: str = AS,
) -> None:
    """Give a person an office and print its id. Nobody else's office ends by this."""
    try:
        normalised = normalise(address)
    except BadAddress as problem:
        raise Refused(f"{address}: {problem}") from None
    with open_house() as house, house.database.write() as session:
        subscriber = session.scalar(select(Subscriber).where(Subscriber.address == normalised))
        if subscriber is None:
            raise Refused(
                f"nobody here has the address {normalised}: bring her in by `infomail subscribers import`"
            )
        if session.get(Municipality, municipality) is None:
            raise Refused(f"{municipality!r} is not in the register: see `infomail municipalities list`")
        office = appoint(
            session,
            subscriber=subscriber,
            municipality=municipality,
            role=role,
            starts=starts or now().astimezone(house.plan.timezone).date(),
            confirmed=False,
            actor=actor(who),
            now=now(),
        )
        typer.echo(str(office.id))


@app.command("end")
def end_(
    number: int = typer.Argument(metavar="ID"),
    on: date = typer.Option(..., help="Last day in office.", **DAY),
    who: str = AS,
) -> None:
    """Set the last day of an office. What was subscribed on its ground alone ends with it, by the clock."""
    with open_house() as house, house.database.write() as session:
        office = session.get(Office, number)
        if office is None:
            raise Refused(f"there is no office {number}: see `infomail offices list`")
        try:
            end(session, office, on=on, actor=actor(who), now=now())
        except ValueError as problem:
            raise Refused(str(problem)) from None
