"""`infomail issues watch`: how far an issue is."""

import time
from typing import Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from mailer.cli.releasing import ISSUE, found
from mailer.cli.surroundings import JSON, now, open_house, print_json
from mailer.installation import Installation, relays
from mailer.issues.model import IssueState
from mailer.outbox.capacity import quotas_of
from mailer.outbox.progress import Progress as Reading
from mailer.outbox.progress import progress

_EVERY = 0.5
_ENDS = (IssueState.SENT, IssueState.CANCELLED)


def watch(issue_id: int = ISSUE, as_json: bool = JSON) -> None:
    """Show how far an issue is until it is sent; in a pipe, and as JSON, only how far it is now."""
    with open_house() as house:
        console = Console()
        reading = _read(house, issue_id)
        if as_json:
            print_json(_row(reading))
        elif not console.is_terminal:
            typer.echo(_line(reading))
        else:
            _follow(house, issue_id, reading, console)


def _follow(house: Installation, issue_id: int, reading: Reading, console: Console) -> None:
    bar = Progress(
        BarColumn(None),
        TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.description}"),
        console=console,
    )
    with bar:
        task = bar.add_task(_line(reading), total=reading.frozen)
        while reading.state not in _ENDS:
            done = reading.frozen - reading.open
            bar.update(task, description=_line(reading), total=reading.frozen, completed=done)
            time.sleep(_EVERY)
            reading = _read(house, issue_id)
        bar.update(task, description=_line(reading), completed=reading.frozen)


def _read(house: Installation, issue_id: int) -> Reading:
    with house.database.read() as session:
        issue = found(session, issue_id)
        return progress(session, issue, now(), quotas_of(session, relays(house.settings), now()))


def _line(reading: Reading) -> str:
    done = reading.frozen - reading.open
    parts = [f"{reading.state}: {done} of {reading.frozen}"]
    parts += [
        f"{n} {state}"
        for state in ("failed", "skipped", "deferred", "held")
        if (n := reading.counts.get(state))
    ]
    if reading.open and reading.rate:
        parts.append(f"{reading.rate:.1f}/s")
    if reading.remaining is not None:
        parts.append(f"{reading.remaining} to go")
    return ", ".join(parts)


def _row(reading: Reading) -> dict[str, Any]:
    return {
        "state": reading.state,
        "recipients": reading.frozen,
        "open": reading.open,
        **{
            state: reading.counts.get(state, 0) for state in ("sent", "failed", "skipped", "deferred", "held")
        },
        "rate": round(reading.rate, 2),
        "remaining": None if reading.remaining is None else int(reading.remaining.total_seconds()),
    }
