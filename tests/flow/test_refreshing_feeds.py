"""From feeds to items over HTTP: what is new once, and each broken feed for itself."""

import asyncio
import gzip
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler

from sqlalchemy import select

from mailer import clock
from mailer.database import Database
from mailer.feeds.fetch import Policy
from mailer.feeds.model import Feed, FeedState, Item
from mailer.feeds.refresh import Refreshed, due_feeds, refresh, upsert_feeds
from mailer.installation import Installation
from mailer.schedule import read_plan
from tests.flow.conftest import NOW
from tests.flow.site import Site


def rss(*items: str) -> bytes:
    return (
        f'<?xml version="1.0"?><rss version="2.0"><channel><title>Neues</title>{"".join(items)}</channel></rss>'
    ).encode()


def entry(number: int, title: str = "Titel", text: str = "Text") -> str:
    return (
        f"<item><guid>urn:{number}</guid><title>{title}</title><link>https://www.example.org/{number}</link>"
        f"<description><![CDATA[{text}]]></description></item>"
    )


def plan_of(site: Site, *paths: str, allowed: bool = True) -> str:
    feeds = "".join(
        f'[feed.f{n}]\nurl = "http://127.0.0.1:{site.port}{path}"\nallow_private = {str(allowed).lower()}\n'
        for n, path in enumerate(paths)
    )
    return f'timezone = "Europe/Berlin"\n[newsletter.n]\ntitle = "N"\nlist = "l"\nsend = "mon 09:00"\n' \
        f'[[newsletter.n.section]]\ntitle = "S"\nfeeds = ["f0"]\n{feeds}'  # fmt: skip


def fetch_all(database: Database, plan: str, at: datetime = NOW, **bounds: object) -> dict[str, Refreshed]:
    with database.write() as session:
        upsert_feeds(session, read_plan(plan).feeds.values())
    with database.read() as session:
        feeds = due_feeds(session, None)
    policy = Policy(**bounds)  # type: ignore[arg-type]
    done = asyncio.run(refresh(database, feeds, policy=policy, now=lambda: at))
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


def feed_row(database: Database, key: str = "f0") -> Feed:
    with database.read() as session:
        return session.get_one(Feed, key)


def test_a_broken_feed_says_why_and_since_when_until_it_answers_again(database: Database, site: Site) -> None:
    plan = plan_of(site, "/f")
    site.offer("/f", b"", status=410)
    fetch_all(database, plan, at=NOW)
    fetch_all(database, plan, at=NOW + timedelta(days=1))
    broken = feed_row(database)
    assert (broken.problem, broken.broken_since) == ("the server answered 410: gone for good", NOW)
    site.offer("/f", rss(entry(1)))
    fetch_all(database, plan, at=NOW + timedelta(days=2))
    mended = feed_row(database)
    assert (mended.problem, mended.broken_since, mended.failures) == ("", None, 0)


def test_a_page_in_the_place_of_a_feed_is_named_with_the_feed_it_announces(
    database: Database, site: Site
) -> None:
    link = '<link rel="alternate" type="application/rss+xml" href="/rss.xml">'
    site.offer("/page", f"<!doctype html><html><head>{link}</head></html>".encode())
    site.offer("/login", b'<html><form><input type="password"></form></html>')
    done = fetch_all(database, plan_of(site, "/page", "/login"))
    at = f"http://127.0.0.1:{site.port}"
    assert done["f0"].problem == f"an HTML page, not a feed; it announces {at}/rss.xml"
    assert done["f1"].problem == "a log-in page, not a feed"


def test_a_feed_that_moved_for_good_is_read_and_says_where_it_is(database: Database, site: Site) -> None:
    def moved(request: BaseHTTPRequestHandler) -> None:
        request.send_response(301)
        request.send_header("Location", "/new")
        request.end_headers()

    site.pages["/old"] = moved
    site.offer("/new", rss(entry(1)))
    assert fetch_all(database, plan_of(site, "/old"))["f0"].new == 1
    assert feed_row(database).problem == f"moved for good to http://127.0.0.1:{site.port}/new"


def test_a_host_that_wants_to_be_left_alone_is_left_alone_with_all_its_feeds(
    database: Database, site: Site
) -> None:
    def tired(request: BaseHTTPRequestHandler) -> None:
        request.send_response(503)
        request.send_header("Retry-After", "7200")
        request.end_headers()

    site.pages["/busy"] = tired
    site.offer("/f", rss(entry(1)))
    done = fetch_all(database, plan_of(site, "/busy", "/f", "/f"))
    assert done["f0"].problem == "the server answered 503: not available for now"
    assert "wants to be left alone until 10:00 UTC" in done["f2"].problem
    assert len(site.asked) <= 2
    with database.read() as session:
        assert due_feeds(session, NOW + timedelta(minutes=119)) == []
        assert len(due_feeds(session, NOW + timedelta(minutes=120))) == 3
    assert feed_row(database, "f2").state is FeedState.NEW  # not its fault


def test_an_address_that_is_none_breaks_only_its_own_feed(database: Database, site: Site) -> None:
    site.offer("/f", rss(entry(1)))
    plan = plan_of(site, "/f", "/f")
    with database.write() as session:
        upsert_feeds(session, read_plan(plan).feeds.values())
        session.get_one(Feed, "f0").url = "http://[::1"
    with database.read() as session:
        feeds = due_feeds(session, None)
    done = asyncio.run(refresh(database, feeds, policy=Policy(), now=lambda: NOW))
    assert [(one.problem, one.new) for one in done] == [("not a web address", 0), ("", 1)]


def test_many_slow_hosts_are_asked_at_once(database: Database) -> None:
    hosts = [f"127.0.1.{n}" for n in range(1, 31)]

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(0.3)
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + rss(entry(1)))
        writer.close()

    async def all_of_them() -> list[Refreshed]:
        first = await asyncio.start_server(slow, hosts[0], 0)
        port = first.sockets[0].getsockname()[1]
        async with first, await asyncio.start_server(slow, hosts[1:], port):
            with database.write() as session:
                session.add_all(
                    Feed(key=host, url=f"http://{host}:{port}/", every=3600, allow_private=True)
                    for host in hosts
                )
            with database.read() as session:
                feeds = due_feeds(session, None)
            return await refresh(database, feeds, policy=Policy(), now=lambda: NOW)

    began = time.monotonic()
    assert [one.new for one in asyncio.run(all_of_them())] == [1] * 30
    assert time.monotonic() - began < 30 * 0.3 / 2


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
