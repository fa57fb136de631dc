"""The role `worker`, which loads nothing of the others."""

import asyncio
import gc

import typer
from sqlalchemy import func, or_, select

from mailer.cli import Refused
from mailer.cli.surroundings import open_house, print_json
from mailer.daemon.children import run_workers
from mailer.daemon.worker import drain as drain_outbox
from mailer.daemon.worker import run_worker
from mailer.installation import Installation
from mailer.issues.model import Issue, IssueState
from mailer.logs import write_logs
from mailer.outbox.claim import next_due
from mailer.outbox.model import Delivery, DeliveryState


def worker(
    drain: bool = typer.Option(False, "--drain", help="Deliver until nothing is due now, and exit."),
    as_json: bool = typer.Option(False, "--json", help="With --drain: print the counts as JSON."),
    processes: int = typer.Option(
        1, "--processes", min=1, max=64, help="How many processes deliver, for relays that outrun one."
    ),
    child: bool = typer.Option(False, "--child", hidden=True),
) -> None:
    """Deliver what the outbox holds."""
    write_logs()
    if processes > 1:
        if drain:
            raise typer.BadParameter("--drain is one process's work")
        with open_house():  # what is wrong with the settings is said once, before any process starts
            pass
        asyncio.run(run_workers(processes))
        return
    with open_house() as house:
        _spare_the_collector()
        if not drain:
            asyncio.run(run_worker(house, as_child=child))
            return
        asyncio.run(drain_outbox(house))
        _report(house, as_json)


def _spare_the_collector() -> None:
    """What stands by now stays, and what a mail makes goes with it: there is little to be collected."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000)


def _report(house: Installation, as_json: bool) -> None:
    """Exit code 1 with the counts when something is pending, deferred or held."""
    with house.database.read() as session:
        rows = session.execute(
            select(Delivery.state, func.count())
            .outerjoin(Issue, Issue.id == Delivery.issue_id)
            .where(
                Delivery.settled_at.is_(None),
                # what is paused is pending because somebody wants it to be
                or_(
                    Delivery.state.in_([DeliveryState.DEFERRED, DeliveryState.HELD]),
                    Delivery.notice_id.is_not(None),
                    Issue.state == IssueState.SENDING,
                ),
            )
            .group_by(Delivery.state)
        )
        left = {state.value: n for state, n in rows}
        due = next_due(session)
    if as_json:
        counts = {state: left.get(state, 0) for state in ("pending", "deferred", "held")}
        print_json({**counts, "next": due})
    if left:
        said = ", ".join(f"{n} {state}" for state, n in sorted(left.items()))
        until = (
            f"; next try at {due.astimezone(house.plan.timezone).isoformat(timespec='seconds')}"
            if due
            else ""
        )
        raise Refused(f"not everything is delivered: {said}{until}")
