"""The schedule file while we run: a good change is taken up in one step, a bad one is refused.

The file is looked at, not watched: what it is (mtime, size, inode) says whether it changed. A change
is read when two looks in a row find the same file, so one that is being written, or is gone for a
moment while it is replaced, is left to the next look.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import structlog

from mailer.installation import Installation, NotConfigured, load_plan

log = structlog.get_logger()

#: seconds between two looks
EVERY = 2.0


class Standing:
    """The installation as it stands: `house` is another value once the plan was changed.

    Whoever does several things that must fit together takes `house` once and works on that.
    """

    def __init__(
        self, house: Installation, *, taken_up: Callable[[Installation], object], logs: bool = True
    ) -> None:
        """`taken_up` is called with each changed installation before it stands; if it raises, again later.

        One of several processes on the same file `logs` what becomes of a change.
        """
        self.house = house
        self._taken_up = taken_up
        self._logs = logs
        #: what the file was at the last look, and when it was read last; () is no file's mark
        self._seen: tuple[int, ...] | None = ()
        self._read: tuple[int, ...] | None = ()

    @contextlib.asynccontextmanager
    async def followed(self) -> AsyncIterator[None]:
        """Look every few seconds, as long as this lasts."""
        looking = asyncio.create_task(self._follow())
        try:
            yield
        finally:
            looking.cancel()
            await asyncio.wait({looking})

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            try:
                await asyncio.to_thread(self.look)
            except Exception:
                log.exception("plan.failed")

    def look(self) -> None:
        """Take up what the file says if it changed and has come to rest."""
        mark = self._mark()
        settled, self._seen = mark == self._seen, mark
        if not settled or mark == self._read:
            return
        try:
            plan = load_plan(self.house.settings)
        except NotConfigured as problems:
            if self._mark() == mark:
                self._read = mark
                if self._logs:
                    log.error("plan.refused", problems=str(problems).splitlines())
            return
        if self._mark() != mark:
            return  # it was changed while we read
        if plan != self.house.plan:
            house = replace(self.house, plan=plan)
            self._taken_up(house)
            self.house = house
            if self._logs:
                log.info("plan.taken_up", newsletters=len(plan.newsletters), feeds=len(plan.feeds))
        self._read = mark

    def _mark(self) -> tuple[int, ...] | None:
        """What tells one state of the file from another; None while there is none."""
        try:
            found = self.house.settings.schedule.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino
