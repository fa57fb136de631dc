"""Starts `infomail` with a trap in it: `python -m bench.launch [--kill POINT[=N]] ... -- COMMAND`.

The traps are put around the service's own functions at the start of this process, so that nothing of them
is in the service. With `--kill`, the process dies by SIGKILL at the Nth passing of a point:

    before-freeze, in-freeze, after-freeze          around the transaction that makes the deliveries
    before-lease, in-lease, after-lease             around the transaction that claims
    before-mail, after-mail                         around the bytes that hold the first MAIL
    before-data, after-data                         around DATA, or the first BDAT
    before-dot, after-dot                           around the end of a mail
    before-250, after-250                           around the reading of replies
    before-journal, in-journal, after-journal       around the writing of what was accepted; in: half a record
    before-commit, in-commit, after-commit          around the transaction that settles
    before-finish, after-finish                     around the one that calls an issue sent

`--lease` and `--within` shorten the lease and the time in which a claimed mail may be begun, `--patience` the
time that a relay is waited for, and `--clock` lets the worker's clock run that many times as fast: seconds.
"""

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from mailer import clock
from mailer.clock import starting
from mailer.daemon import worker
from mailer.outbox import deliver, hand, ledger
from mailer.outbox.journal import Journal
from mailer.smtp import connection
from mailer.smtp.connection import Connection, Timeouts

POINTS = (
    "before-freeze", "in-freeze", "after-freeze", "before-lease", "in-lease", "after-lease", "before-mail",
    "after-mail", "before-data", "after-data", "before-dot", "after-dot", "before-250", "after-250",
    "before-journal", "in-journal", "after-journal", "before-commit", "in-commit", "after-commit",
    "before-finish", "after-finish",
)  # fmt: skip


class _Trap:
    def __init__(self, point: str, passings: int) -> None:
        self._point, self._left = point, passings

    def passes(self, point: str) -> None:
        if point == self._point:
            self._left -= 1
            if not self._left:
                os.kill(os.getpid(), signal.SIGKILL)


def _around(owner: Any, name: str, before: Callable[[], None], after: Callable[[], None]) -> None:
    original = getattr(owner, name)

    def trapped(*args: Any, **kwargs: Any) -> Any:
        before()
        found = original(*args, **kwargs)
        after()
        return found

    setattr(owner, name, trapped)


def _set(trap: _Trap) -> None:
    def at(point: str) -> Callable[[], None]:
        return lambda: trap.passes(point)

    nothing = at("")
    _around(starting, "_freeze", at("before-freeze"), at("after-freeze"))
    _around(starting, "freeze", nothing, at("in-freeze"))
    _around(deliver.Worker, "_claim_now", at("before-lease"), at("after-lease"))
    _around(deliver, "claim", nothing, at("in-lease"))
    _around(Connection, "data_received", at("before-250"), nothing)
    _around(deliver.Worker, "_settled", nothing, at("after-250"))
    _around(Journal, "append", at("before-journal"), at("after-journal"))
    _around(ledger.Ledger, "_settle", at("before-commit"), at("after-commit"))
    _around(ledger, "settle", nothing, at("in-commit"))
    _around(deliver.Worker, "_rest", at("before-finish"), at("after-finish"))
    _tear(trap)
    _watch_bytes(trap)


def _tear(trap: _Trap) -> None:
    write = os.pwrite

    def half(file: int, data: bytes, offset: int) -> int:
        if data.strip(b"\0"):
            write(file, data[: len(data) // 2], offset)
            trap.passes("in-journal")
        return write(file, data, offset)

    os.pwrite = half  # type: ignore[assignment]  # as the journal calls it


def _watch_bytes(trap: _Trap) -> None:
    made = Connection.connection_made if hasattr(Connection, "connection_made") else None
    assert made is not None, "a connection is a protocol"

    class Watched:
        """A transport that passes the points as bytes go by."""

        def __init__(self, transport: Any) -> None:
            self._transport = transport

        def __getattr__(self, name: str) -> Any:
            return getattr(self._transport, name)

        def write(self, data: bytes) -> None:
            points = [
                point
                for point, marks in (
                    ("mail", (b"MAIL FROM",)),
                    ("data", (b"DATA\r\n", b"BDAT ")),
                    ("dot", (b"\r\n.\r\n", b" LAST\r\n")),
                )
                if any(mark in data for mark in marks)
            ]
            for point in points:
                trap.passes(f"before-{point}")
            self._transport.write(data)
            for point in points:
                trap.passes(f"after-{point}")

    def watched(self: Connection, transport: Any) -> None:
        made(self, transport)
        if self._transport is not None:
            self._transport = Watched(self._transport)  # type: ignore[assignment]  # in its place

    Connection.connection_made = watched  # type: ignore[method-assign]


def main() -> None:
    mine, _, command = " ".join(sys.argv[1:]).partition("--" if sys.argv[1] == "--" else " -- ")
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kill", metavar="POINT[=N]")
    parser.add_argument("--lease", type=float)
    parser.add_argument("--within", type=float)
    parser.add_argument("--patience", type=float)
    parser.add_argument("--clock", type=float, default=1.0)
    arguments = parser.parse_args(mine.split())
    if arguments.kill:
        point, _, passings = arguments.kill.partition("=")
        if point not in POINTS:
            parser.error(f"no such point: {point}")
        _set(_Trap(point, int(passings or 1)))
    if arguments.lease:
        deliver._LEASE = timedelta(seconds=arguments.lease)
    if arguments.within:
        hand._SEND_WITHIN = arguments.within
    if arguments.patience:
        short = Timeouts(*(4 * (arguments.patience,)))
        connection.Timeouts.__init__.__defaults__ = (
            short.opening, short.reply, short.verdict, short.transaction,
        )  # fmt: skip
    if arguments.clock != 1:
        began = time.time()
        worker._now = lambda: datetime.fromtimestamp(began + (time.time() - began) * arguments.clock, UTC)
    sys.argv = ["infomail", *command.split()]
    from mailer.cli import main as infomail

    infomail()


assert clock.start is starting.start  # what is trapped is what the command calls

if __name__ == "__main__":
    main()
