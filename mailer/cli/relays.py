"""`infomail relays`: what goes where, how fast, and how much of it is allowed."""

import re
from typing import Any

import typer
from sqlalchemy.orm import Session

from mailer.cli import Refused
from mailer.cli.surroundings import AS, JSON, actor, now, open_house, print_json
from mailer.cli.tables import print_table
from mailer.installation import relays
from mailer.outbox.quota import MINUTE, left
from mailer.outbox.shares import limits_of
from mailer.outbox.tallies import counted, rates, set_rate
from mailer.smtp import Relay
from subscribers.chain import Chain, Happening, append

app = typer.Typer(no_args_is_help=True, add_completion=False, help="The servers that mails are given to.")


@app.command("list")
def list_(as_json: bool = JSON) -> None:
    """The relays, their limits, and what they may get now."""
    with open_house() as house, house.database.read() as session:
        rows = [_row(session, number, relay) for number, relay in enumerate(relays(house.settings))]
    if as_json:
        print_json(rows)
    else:
        print_table(
            rows, "relay", "weight", "connections", "rate", "per_minute", "per_hour", "per_day", "left"
        )


@app.command("rate")
def rate_(
    relay: str = typer.Argument(help="HOST:PORT, as `infomail relays list` names it."),
    rate: str = typer.Argument(help="Mails a second, or `default` for what the settings say."),
    who: str = AS,
) -> None:
    """Send slower or faster over a relay from now on; workers heed it within a second."""
    if rate != "default" and not (re.fullmatch(r"\d{1,6}(\.\d{1,3})?", rate) and float(rate)):
        raise Refused(f"expected mails a second such as 50 or 0.5, or `default`, got {rate!r}")
    with open_house() as house, house.database.write() as session:
        known = [each.name for each in relays(house.settings)]
        if relay not in known:
            raise Refused(f"there is no relay {relay!r}: {', '.join(known)}")
        set_rate(session, relay, None if rate == "default" else float(rate))
        said = Happening("relay.rate", {"relay": relay, "rate": rate})
        append(session, Chain.AUDIT, [said], actor=actor(who), at=now())
    typer.echo(f"{relay}: {rate}")


def _row(session: Session, number: int, relay: Relay) -> dict[str, Any]:
    set_by_staff = rates(session)
    subject = f"relay:{relay.name}"
    limits = [limit for limit in limits_of(relay, set_by_staff) if limit.span >= MINUTE]
    return {
        "relay": relay.name,
        "weight": relay.weight if relay.weight is not None else int(number == 0),
        "connections": relay.connections,
        "rate": set_by_staff.get(relay.name, relay.rate),
        "per_minute": relay.per_minute,
        "per_hour": relay.per_hour,
        "per_day": relay.per_day,
        "left": left(limits, counted(session, [subject])[subject], now().timestamp()),
    }
