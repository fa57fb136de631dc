"""`infomail schedule`."""

from datetime import UTC, datetime
from typing import Any

import typer

from mailer import schedule
from mailer.cli import Refused
from mailer.cli.surroundings import JSON, now, print_json, read_settings
from mailer.cli.tables import print_table
from mailer.installation import NotConfigured, load_plan

app = typer.Typer(no_args_is_help=True, add_completion=False, help="When the newsletters are due.")


@app.callback()
def _noun() -> None:
    """Keeps `next` a verb of its own, though it is the only one."""


@app.command("next")
def next_(
    count: int = typer.Option(10, min=1, max=1000, help="How many slots."),
    start: str = typer.Option(None, "--from", metavar="DATE", help="Not now but from this day or time on."),
    as_json: bool = JSON,
) -> None:
    """The coming slots with their shifts and why."""
    try:
        plan = load_plan(read_settings())
    except NotConfigured as problem:
        raise Refused(str(problem)) from None
    after = _instant(start, plan) if start else now()
    slots = [_row(slot, plan) for slot in schedule.coming(plan, now=after, count=count)]
    if as_json:
        print_json({"slots": slots})
    else:
        print_table(slots, "newsletter", "at", "planned", "reason")


def _row(slot: schedule.PlannedSlot, plan: schedule.Plan) -> dict[str, Any]:
    zone = plan.newsletters[slot.newsletter].zone
    return {
        "newsletter": slot.newsletter,
        "at": slot.send_at.astimezone(zone).isoformat() if slot.send_at else None,
        "planned": slot.slot.astimezone(zone).isoformat(),
        "reason": slot.reason,
    }


def _instant(text: str, plan: schedule.Plan) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise Refused(f"--from: expected a date such as 2026-12-01, got {text!r}") from None
    return (instant if instant.tzinfo else instant.replace(tzinfo=plan.timezone)).astimezone(UTC)
