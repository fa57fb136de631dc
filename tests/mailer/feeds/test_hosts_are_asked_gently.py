import asyncio
import itertools
import time
from datetime import UTC, datetime, timedelta

import pytest

from mailer.feeds.hosts import AT_ONCE, Turns, host_of, rests_until

NOW = datetime(2026, 3, 5, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("120", 120),
        (" 0120 ", 120),
        ("Thu, 05 Mar 2026 12:10:00 GMT", 600),
        ("999999", 86_400),  # at most a day
        ("Fri, 05 Mar 2027 12:00:00 GMT", 86_400),
        ("0", None),
        ("Thu, 05 Mar 2026 11:00:00 GMT", None),  # over already
        ("", None),
        ("-5", None),
        ("bald", None),
        ("9" * 60, None),
    ],
)
def test_a_host_rests_as_long_as_it_says(written: str, seconds: int | None) -> None:
    assert rests_until(written, NOW) == (None if seconds is None else NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("url", "host"), [("https://WWW.Example.org:443/a", "www.example.org"), ("http://[::1", ""), ("", "")]
)
def test_the_host_of_an_address_is_its_name_alone(url: str, host: str) -> None:
    assert host_of(url) == host


PAUSE = 0.5


def test_one_host_is_asked_by_two_at_a_time_and_not_in_one_breath() -> None:
    turns_begun: list[float] = []
    most = under_way = 0

    async def ask(turns: Turns) -> None:
        nonlocal most, under_way
        async with turns.turn("a.example"):
            turns_begun.append(time.monotonic())
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(2.5 * PAUSE)
            under_way -= 1

    async def all_of_them() -> None:
        turns = Turns(PAUSE)
        await asyncio.gather(*(ask(turns) for _ in range(3)))

    asyncio.run(all_of_them())
    gaps = [later - earlier for earlier, later in itertools.pairwise(turns_begun)]
    assert all(gap > 0.95 * PAUSE for gap in gaps)
    assert most == 2


def test_a_host_with_many_feeds_keeps_no_other_waiting() -> None:
    async def ask(turns: Turns, host: str) -> str:
        async with turns.turn(host):
            await asyncio.sleep(0.01)
        return host

    async def race() -> float:
        turns = Turns(PAUSE)
        crowd = [asyncio.create_task(ask(turns, "crowded.example")) for _ in range(2 * AT_ONCE)]
        await asyncio.sleep(0)
        started = time.monotonic()
        await asyncio.gather(*(ask(turns, f"{n}.example") for n in range(2 * AT_ONCE)))
        took = time.monotonic() - started
        for one in crowd:
            one.cancel()
        await asyncio.gather(*crowd, return_exceptions=True)
        return took

    assert asyncio.run(race()) < PAUSE
