"""Turns at other people's servers: not all at once, not too fast, not when they asked to be left alone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

#: requests under way at once, over all hosts and to one of them
AT_ONCE, AT_ONE_HOST = 32, 2
LONGEST_REST = timedelta(days=1)


def host_of(url: str) -> str:
    """The host that an address names, lower case; "" where it names none."""
    try:
        return (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return ""


def rests_until(retry_after: str, now: datetime) -> datetime | None:
    """Until when a server wants to be left alone (RFC 9110 section 10.2.3), at most a day; None without."""
    written = retry_after.strip()
    try:
        until = (
            now + timedelta(seconds=int(written)) if written.isdecimal() else parsedate_to_datetime(written)
        )
        until = until if until.tzinfo else until.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return min(until.astimezone(UTC), now + LONGEST_REST) if until > now else None


class Turns:
    """Who may ask now. A host with many feeds keeps them in its own queue and takes nobody else's place.

    `pause` are the seconds between the starts of two requests to one host, `at_one_host` how many may be
    under way there.
    """

    def __init__(self, pause: float, at_one_host: int = AT_ONE_HOST) -> None:
        self.pause = pause
        self.at_one_host = at_one_host
        self.at_once = asyncio.Semaphore(AT_ONCE)
        self.hosts: dict[str, _Host] = {}

    @asynccontextmanager
    async def turn(self, host: str) -> AsyncIterator[None]:
        """Waits for a place at `host` and among all, and holds both."""
        queue = self.hosts.setdefault(host, _Host(self.at_one_host))
        async with queue.places:
            async with queue.starting:
                await asyncio.sleep(queue.next_start - asyncio.get_running_loop().time())
                await self.at_once.acquire()
                queue.next_start = asyncio.get_running_loop().time() + self.pause
            try:
                yield
            finally:
                self.at_once.release()


class _Host:
    def __init__(self, places: int) -> None:
        self.places = asyncio.Semaphore(places)
        self.starting = asyncio.Lock()
        self.next_start = 0.0
