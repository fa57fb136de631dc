"""How fast many feeds are refreshed: `python bench/refresh.py [--feeds N] [--items N] [--delay MS]`.

Serves N feeds of so many entries itself, each on a host of its own (addresses 127.0.x.y), every answer late
by so many milliseconds as servers far away are, and refreshes them into a fresh SQLite database three times:
all new, all unchanged (304), all with one entry more. Prints seconds, feeds/s and the peak of resident memory
of this process, beside the yardstick of the same run: some of the feeds, one after the other.
Exit code 1 if all at once is not at least three times as fast, or takes more than 300 MB.
"""

import argparse
import asyncio
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mailer.database import Database
from mailer.feeds.fetch import Policy
from mailer.feeds.model import Feed
from mailer.feeds.refresh import Refreshed, due_feeds, refresh
from mailer.schema import upgrade

_TIMES, _MEGABYTES = 3.0, 300.0


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--feeds", type=int, default=500)
    parser.add_argument("--items", type=int, default=40)
    parser.add_argument("--delay", type=int, default=100, metavar="MS")
    parser.add_argument("--one-by-one", type=int, default=50, help="how many feeds the yardstick takes")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        return asyncio.run(_serve(arguments.feeds, arguments.items, arguments.delay / 1000))
    same = [f"--{name}={getattr(arguments, name)}" for name in ("feeds", "items", "delay")]
    server = subprocess.Popen(
        [sys.executable, __file__, "--serve", *same], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    try:
        port = int(server.stdout.readline())
        with tempfile.TemporaryDirectory() as folder:
            return _measure(Path(folder), port, arguments)
    finally:
        server.terminate()
        server.wait()


def _measure(folder: Path, port: int, arguments: argparse.Namespace) -> int:
    alone = arguments.one_by_one
    database = _filled(folder / "one.sqlite", port, alone)
    took = sum(_timed(database, [feed])[0] for feed in _feeds(database))
    database.close()
    each = took / alone
    print(f"one after the other: {alone} feeds in {took:.1f} s, {1 / each:.1f} feeds/s")

    database = _filled(folder / "all.sqlite", port, arguments.feeds)
    speeds = []
    for what, expected in (("new", arguments.items), ("unchanged", 0), ("one entry more", 1)):
        if what == "one entry more":
            with database.write() as session:
                for feed in session.query(Feed):
                    feed.url = feed.url.replace("/feed", "/more")
                    feed.etag = ""
        seconds, done = _timed(database, _feeds(database))
        wrong = [one for one in done if one.problem or one.new != expected]
        if wrong:
            raise SystemExit(f"{len(wrong)} feeds went wrong, the first: {wrong[0]}")
        speeds.append(arguments.feeds / seconds)
        print(f"at once, {what}: {arguments.feeds} feeds in {seconds:.1f} s, {speeds[-1]:.1f} feeds/s")
    database.close()
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    times = speeds[0] * each
    print(f"{times:.1f} times one after the other; {megabytes:.0f} MB at the most")
    return int(times < _TIMES or megabytes > _MEGABYTES)


def _filled(file: Path, port: int, number: int) -> Database:
    database = Database(f"sqlite:///{file}")
    upgrade(database)
    with database.write() as session:
        for n in range(number):
            host = f"127.0.{1 + n // 250}.{1 + n % 250}"
            session.add(
                Feed(key=f"f{n:05}", url=f"http://{host}:{port}/feed", every=3600, allow_private=True)
            )
    return database


def _host(n: int) -> str:
    return f"127.0.{1 + n // 250}.{1 + n % 250}"


def _feeds(database: Database) -> list[Feed]:
    with database.read() as session:
        return due_feeds(session, None)


def _timed(database: Database, feeds: list[Feed]) -> tuple[float, list[Refreshed]]:
    began = time.perf_counter()
    done = asyncio.run(refresh(database, feeds, policy=Policy(), now=lambda: datetime.now(UTC)))
    return time.perf_counter() - began, done


async def _serve(feeds: int, items: int, delay: float) -> int:
    """Many addresses and one port; says which, and ends with its parent."""
    bodies = {"/feed": _feed(0, items), "/more": _feed(1, items)}

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = (await reader.readuntil(b"\r\n\r\n")).decode()
        await asyncio.sleep(delay)
        body = bodies[asked.split()[1]]
        if "if-none-match" in asked.lower():
            writer.write(b"HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n")
        else:
            writer.write(
                b'HTTP/1.1 200 OK\r\nConnection: close\r\nETag: "1"\r\nContent-Type: application/rss+xml\r\n'
                b"Content-Length: %d\r\n\r\n" % len(body) + body
            )
        await writer.drain()
        writer.close()

    first = await asyncio.start_server(answer, _host(0), 0, backlog=100)
    port = first.sockets[0].getsockname()[1]
    others = [_host(n) for n in range(1, feeds)]
    _rest = await asyncio.start_server(answer, others, port) if others else None
    print(port, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    return 0


def _feed(first: int, items: int) -> bytes:
    entries = "".join(
        f"<item><guid>urn:{n}</guid><title>Meldung {n} aus Musterstadt</title><link>https://www.example.org/{n}</link>"
        f"<pubDate>Di, {1 + n % 28:02} Mär 2024 10:00:00 +0100</pubDate>"
        f"<description>&lt;p&gt;{'Der Verein sucht Freiwillige. ' * 12}&lt;/p&gt;</description></item>"
        for n in range(first, first + items)
    )
    return (
        f'<?xml version="1.0"?><rss version="2.0"><channel><title>Neues</title>{entries}</channel></rss>'
    ).encode()


if __name__ == "__main__":
    sys.exit(main())
