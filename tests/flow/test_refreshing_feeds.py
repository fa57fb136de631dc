"""From feeds to items over HTTP: what is new once, and each broken feed for itself."""

import asyncio
import gzip
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from sqlalchemy import select

from mailer import clock
from mailer.database import Database
from mailer.feeds.fetch import Policy
from mailer.feeds.model import Feed, FeedState, Item
from mailer.feeds.refresh import Refreshed, due_feeds, refresh, upsert_feeds
from mailer.installation import Installation
from mailer.schedule import read_plan
from tests.flow.conftest import NOW


def rss(*items: str) -> bytes:
    return (
        f'<?xml version="1.0"?><rss version="2.0"><channel><title>Neues</title>{"".join(items)}</channel></rss>'
    ).encode()


def entry(number: int, title: str = "Titel", text: str = "Text") -> str:
    return (
        f"<item><guid>urn:{number}</guid><title>{title}</title><link>https://www.example.org/{number}</link>"
        f"<description><![CDATA[{text}]]></description></item>"
    )


Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Site:
    """A web server whose pages are functions that write the answer."""

    port: int = 0
    pages: dict[str, Answer] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def offer(self, path: str, body: bytes, *, status: int = 200, etag: str = "") -> None:
        def answer(request: BaseHTTPRequestHandler) -> None:
            if etag and request.headers.get("If-None-Match") == etag:
                request.send_response(304)
                request.end_headers()
                return
            request.send_response(status)
            request.send_header("Content-Type", "application/rss+xml")
            if etag:
                request.send_header("ETag", etag)
            request.send_header("Content-Length", str(len(body)))
            request.end_headers()
            request.wfile.write(body)

        self.pages[path] = answer


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.asked.append(self.path)
            try:
                site.pages[self.path](self)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    site.port = server.server_port
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield site
    server.shutdown()
    server.server_close()
    thread.join()


def plan_of(site: Site, *paths: str, allowed: bool = True) -> str:
    feeds = "".join(
        f'[feed.f{n}]\nurl = "http://127.0.0.1:{site.port}{path}"\nallow_private = {str(allowed).lower()}\n'
        for n, path in enumerate(paths)
    )
    return f'timezone = "Europe/Berlin"\n[newsletter.n]\ntitle = "N"\nlist = "l"\nsend = "mon 09:00"\n' \
        f'[[newsletter.n.section]]\ntitle = "S"\nfeeds = ["f0"]\n{feeds}'  # fmt: skip


def fetch_all(database: Database, plan: str, **bounds: object) -> dict[str, Refreshed]:
    with database.write() as session:
        upsert_feeds(session, read_plan(plan).feeds.values())
    with database.read() as session:
        feeds = due_feeds(session, None)
    policy = Policy(**bounds)  # type: ignore[arg-type]
    done = asyncio.run(refresh(database, feeds, policy=policy, now=lambda: NOW))
    return {each.feed: each for each in done}


def titles(database: Database) -> list[str]:
    with database.read() as session:
        return list(session.scalars(select(Item.title).order_by(Item.id)))


def test_an_item_is_stored_once_and_follows_its_feed(database: Database, site: Site) -> None:
    site.offer("/f", rss(entry(1, "Eins"), entry(2, "Zwei")))
    plan = plan_of(site, "/f")
    assert (fetch_all(database, plan)["f0"].new, titles(database)) == (2, ["Eins", "Zwei"])
    again = fetch_all(database, plan)["f0"]
    assert (again.new, again.changed) == (0, 0)
    site.offer("/f", rss(entry(2, "Zwei, berichtigt"), entry(3, "Drei")))
    later = fetch_all(database, plan)["f0"]
    assert (later.new, later.changed) == (1, 1)
    assert titles(database) == ["Eins", "Zwei, berichtigt", "Drei"]
    with database.read() as session:
        baseline = {item.identity: item.baseline for item in session.scalars(select(Item))}
    assert baseline == {"urn:1": True, "urn:2": True, "urn:3": False}


def test_what_has_not_changed_is_not_sent_again(database: Database, site: Site) -> None:
    site.offer("/f", rss(entry(1)), etag='"v1"')
    plan = plan_of(site, "/f")
    fetch_all(database, plan)
    assert fetch_all(database, plan)["f0"] == Refreshed("f0")
    with database.read() as session:
        assert session.scalars(select(Feed.state)).one() is FeedState.OK


def test_scripts_never_reach_the_table_and_an_item_without_a_title_gets_one(
    database: Database, site: Site
) -> None:
    evil = "<p onclick='x()'>Hallo<script>alert(1)</script><img src=https://tracker.example.net/x></p>"
    site.offer(
        "/f",
        rss(
            entry(1, text=evil),
            entry(2, title="", text='<p>Nur <a href="https://www.example.org/x">Text</a> &amp; mehr</p>'),
            entry(3, "", ""),
        ),
    )
    fetch_all(database, plan_of(site, "/f"))
    with database.read() as session:
        items = session.scalars(select(Item).order_by(Item.id)).all()
    assert [item.title for item in items] == ["Titel", "Nur Text & mehr"]
    assert items[0].summary == "<p>Hallo</p>"


def endless(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.end_headers()
    for _ in range(1000):
        request.wfile.write(b" " * 10_000)
        time.sleep(0.01)


def gzip_bomb(request: BaseHTTPRequestHandler) -> None:
    body = gzip.compress(b" " * 50_000_000)
    request.send_response(200)
    request.send_header("Content-Encoding", "gzip")
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)


def inward(request: BaseHTTPRequestHandler) -> None:
    request.send_response(302)
    request.send_header("Location", "http://localhost:1/secret")
    request.end_headers()


def test_each_broken_feed_marks_itself_and_the_others_go_on(database: Database, site: Site) -> None:
    site.offer("/good", rss(entry(1, "Gut")))
    site.offer("/html", b"<!doctype html><html><body>Wartung</body></html>")
    site.offer("/empty", b"")
    site.offer("/gone", b"", status=404)
    site.offer("/large", rss(*(entry(n, "x" * 100_000) for n in range(500))))
    site.pages |= {"/endless": endless, "/bomb": gzip_bomb, "/inward": inward}
    paths = ["/good", "/html", "/empty", "/gone", "/large", "/endless", "/bomb", "/inward"]
    begun = time.monotonic()
    done = fetch_all(database, plan_of(site, *paths), total_seconds=2.0)
    assert time.monotonic() - begun < 15
    problems = {path: done[f"f{n}"].problem for n, path in enumerate(paths)}
    assert problems.pop("/good") == ""
    assert all(problems.values())
    assert titles(database) == ["Gut"]
    with database.read() as session:
        states = {feed.key: feed for feed in session.scalars(select(Feed))}
    assert states["f0"].state is FeedState.OK
    for n, path in enumerate(paths[1:], start=1):
        assert states[f"f{n}"].state is FeedState.BROKEN, path
        assert states[f"f{n}"].problem
        assert states[f"f{n}"].failures == 1
        assert states[f"f{n}"].next_at > NOW  # type: ignore[operator]


def test_a_private_address_is_asked_only_where_the_plan_allows_that_host(
    database: Database, site: Site
) -> None:
    site.offer("/f", rss(entry(1)))
    assert fetch_all(database, plan_of(site, "/f", allowed=False))["f0"].problem
    assert site.asked == []
    assert fetch_all(database, plan_of(site, "/f"))["f0"].problem == ""


def test_a_feed_is_due_after_its_time_and_a_broken_one_later_each_time(
    database: Database, site: Site
) -> None:
    plan = plan_of(site, "/nowhere")
    site.offer("/nowhere", b"", status=500)
    waits = []
    for _ in range(3):
        fetch_all(database, plan)
        with database.read() as session:
            feed = session.scalars(select(Feed)).one()
            assert feed.next_at is not None
            waits.append((feed.next_at - NOW).total_seconds() / feed.every)
            assert due_feeds(session, NOW) == []
            assert due_feeds(session, feed.next_at) == [feed]
    assert waits == [1, 2, 4]


def test_a_feed_that_the_plan_drops_is_fetched_no_more(database: Database, site: Site) -> None:
    site.offer("/a", rss(entry(1)))
    site.offer("/b", rss(entry(2)))
    fetch_all(database, plan_of(site, "/a", "/b"))
    assert set(fetch_all(database, plan_of(site, "/a"))) == {"f0"}


def test_the_clock_refreshes_what_is_due(house: Installation) -> None:
    clock.sync_feeds(house)
    done = asyncio.run(clock.refresh_feeds(house, now=datetime.now(UTC)))
    assert [each.feed for each in done] == ["neues"]
    assert done[0].problem
    assert asyncio.run(clock.refresh_feeds(house, now=datetime.now(UTC))) == []
