"""The roles that share a process: `serve`, `web`, `clock`, `intake`."""

import asyncio

import typer

from mailer import clock as timing
from mailer.cli import Refused
from mailer.cli.surroundings import now, open_house
from mailer.daemon.serve import serve as serve_roles
from mailer.installation import NotConfigured
from mailer.logs import write_logs


def serve() -> None:
    """Run pages, clock, intake and delivery together."""
    _serve()


def web() -> None:
    """Run the pages alone."""
    _serve(timer=False, intake=False, worker=False)


def intake() -> None:
    """Run the intake of bounces alone."""
    _serve(web=False, timer=False, worker=False)


def clock(
    once: bool = typer.Option(False, "--once", help="Do what is due and exit, for cron."),
) -> None:
    """Run the clock alone: fetch, compose and start what is due, and remind staff."""
    if not once:
        _serve(web=False, intake=False, worker=False)
        return
    write_logs()
    with open_house() as house:
        timing.sync_feeds(house)
        done = asyncio.run(timing.tick(house, now=now()))
    typer.echo(
        f"{len(done.feeds)} feeds, {len(done.composed)} composed, {done.reminded} told, "
        f"{len(done.started)} started, "
        f"{done.lapsed} lapsed, {done.asked} asked, {done.notices} notices, {done.receipts} receipts"
    )


def _serve(**roles: bool) -> None:
    write_logs()
    with open_house() as house:
        try:
            asyncio.run(serve_roles(house, **roles))
        except NotConfigured as problem:
            raise Refused(str(problem)) from None
