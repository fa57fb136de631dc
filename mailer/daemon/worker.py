"""The process that delivers."""

import os
import secrets
import socket
from datetime import UTC, datetime

import structlog

from mailer.daemon.signals import stop_at_end_of_stdin, stop_signal
from mailer.installation import Installation, domain_limits, open_pool
from mailer.outbox.deliver import Worker
from mailer.outbox.ledger import recover
from mailer.outbox.retry import RetryPolicy
from mailer.planfile import Standing

log = structlog.get_logger()


def _now() -> datetime:
    return datetime.now(UTC)


def make_worker(house: Installation) -> Worker:
    """A worker of this installation, after dead ones' journals have been replayed."""
    recover(house.database, house.settings.spool, retry=RetryPolicy(), now=_now())
    return Worker(
        name=f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}",
        database=house.database,
        pool=open_pool(house.settings),
        spool=house.settings.spool,
        keys=house.signing,
        letterhead=house.letterhead,
        now=_now,
        zone=house.plan.timezone,
        signer=house.signer,
        domain_limits=domain_limits(house.settings),
        error_rate=house.settings.error_rate,
    )


async def drain(house: Installation) -> None:
    """Deliver until nothing is due now."""
    worker = make_worker(house)
    try:
        await worker.drain()
    finally:
        await worker.close()


async def run_worker(house: Installation, *, as_child: bool = False) -> None:
    """Deliver until told to stop; a child also stops when its parent is gone."""
    stop = stop_signal()
    if as_child:
        await stop_at_end_of_stdin(stop)
    worker = make_worker(house)
    log.info("worker.started", worker=worker.name)

    def take_up(changed: Installation) -> None:
        worker.zone = changed.plan.timezone

    try:
        async with Standing(house, taken_up=take_up, logs=not as_child).followed():
            await worker.run(stop)
    finally:
        await worker.close()
        log.info("worker.stopped", worker=worker.name)
