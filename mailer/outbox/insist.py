"""Do what the database refuses for now again until it is done: the record is repeated, never the mail.

A restart, a lost connection or a full disk passes by. What was under way may or may not have been
committed, so only what changes nothing the second time is handed in here: settling is fenced by
worker and try, giving back and finishing look at states.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import structlog
from sqlalchemy.exc import DBAPIError

from mailer.database import is_passing

log = structlog.get_logger()

#: seconds between two tries, doubled each time up to the last; going on is a matter of seconds
_FIRST, _LAST = 0.1, 2.0
#: seconds that a worker who is told to stop still tries; the journal keeps what is not written by then
_AT_THE_END = 10.0

_Given = ParamSpec("_Given")
_Found = TypeVar("_Found")


async def insist(
    stop: asyncio.Event, act: Callable[_Given, _Found], *args: _Given.args, **kwargs: _Given.kwargs
) -> _Found:
    """What `act` returns, done in a thread, however often the database is away.

    Raises what else is wrong at once, and what is passing when it has not passed soon after `stop`.
    """
    loop = asyncio.get_running_loop()
    wait, until = _FIRST, None
    while True:
        try:
            found = await asyncio.to_thread(act, *args, **kwargs)
        except DBAPIError as error:
            if not is_passing(error):
                raise
            if stop.is_set():
                until = until or loop.time() + _AT_THE_END
                if loop.time() > until:
                    raise
            if wait == _FIRST:
                log.error("database.away", reason=str(error.orig).strip().partition("\n")[0])
            if stop.is_set():
                await asyncio.sleep(wait)
            else:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), wait)
            wait = min(2 * wait, _LAST)
        else:
            if wait > _FIRST:
                log.info("database.back")
            return found
