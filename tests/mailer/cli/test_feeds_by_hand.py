"""`infomail feeds`: what staff look at and settle."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from sqlalchemy import update

from mailer.database import Database
from mailer.feeds.model import Feed, FeedState, Item, ItemState
from tests.mailer.cli.conftest import Infomail

KEY = "engagiert-in-nrw-netzwerk"
PAGE = """<!doctype html><title>Stadt</title><link rel="alternate" type="application/rss+xml" title="Presse" href="/rss">
<a href="/t.ics">Termine</a>"""
RSS = "<rss version='2.0'><channel><title>Presse</title></channel></rss>"


@pytest.fixture
def site() -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = {"/": PAGE, "/rss": RSS, "/leer": "<html></html>"}.get(self.path, "")
            self.send_response(200 if body else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_page_shows_the_feeds_it_announces(infomail: Infomail, site: str) -> None:
    ran = infomail("feeds", "discover", f"{site}/", "--allow-private", "--json")
    assert json.loads(ran.out) == [
        {"url": f"{site}/rss", "title": "Presse", "type": "application/rss+xml"},
        {"url": f"{site}/t.ics", "title": "Termine", "type": ""},
    ]


def test_a_feed_is_its_own_answer(infomail: Infomail, site: str) -> None:
    ran = infomail("feeds", "discover", f"{site}/rss", "--allow-private", "--json")
    assert json.loads(ran.out) == [{"url": f"{site}/rss", "title": "Presse", "type": "text/html"}]


def test_what_cannot_be_discovered_is_refused_in_one_line(infomail: Infomail, site: str) -> None:
    empty = infomail("feeds", "discover", f"{site}/leer", "--allow-private")
    assert (empty.code, empty.err) == (1, f"infomail: {site}/leer: announces no feed\n")
    inside = infomail("feeds", "discover", f"{site}/")
    assert (inside.code, inside.out) == (1, "")
    assert "is not allowed" in inside.err
    assert infomail("feeds", "discover", "http://[::1", "--allow-private").code == 1


def test_held_entries_are_listed_settled_and_on_record(folder: Path, items: None, infomail: Infomail) -> None:
    database = Database(f"sqlite:///{folder}/infomail.sqlite")
    since = datetime(2026, 11, 20, 8, tzinfo=UTC)
    with database.write() as session:
        session.execute(update(Item).values(state=ItemState.HELD))
        session.execute(update(Feed).values(state=FeedState.BROKEN, broken_since=since, problem="gone"))
    database.close()

    def listed() -> dict[str, object]:
        rows = json.loads(infomail("feeds", "list", "--json").out)
        return next(row for row in rows if row["key"] == KEY)

    before = listed()
    assert (before["items"], before["held"]) == (3, 3)
    assert (before["state"], before["problem"]) == ("broken", "gone")
    assert before["broken_since"] == "2026-11-20T08:00:00+00:00"
    assert infomail("feeds", "accept", KEY, "--as", "anna").out == "3 entries accepted\n"
    assert listed()["held"] == 0
    (record,) = json.loads(infomail("audit", "list", "--action", "feed.", "--json").out)
    assert (record["action"], record["actor"]) == ("feed.accept", "cli:anna")
    again = infomail("feeds", "dismiss", KEY)
    assert (again.code, again.err) == (1, f"infomail: no entry of {KEY} is held\n")
    unknown = infomail("feeds", "dismiss", "unbekannt")
    assert (unknown.code, unknown.err) == (
        1,
        "infomail: there is no feed unbekannt: see `infomail feeds list`\n",
    )


def test_a_feed_of_a_municipality_is_added_beside_the_plan_and_stays_when_that_changes(
    infomail: Infomail,
) -> None:
    added = infomail(
        "feeds",
        "add",
        "koeln",
        "--url",
        "https://www.example.org/k.xml",
        "--municipality",
        "05315000",
        "--as",
        "b",
    )
    assert (added.code, added.err) == (0, "")
    listed = {feed["key"]: feed for feed in json.loads(infomail("feeds", "list", "--json").out)}
    assert listed["koeln"]["state"] == "new"  # although the plan does not name it
    assert infomail("feeds", "end", "koeln").code == 0
    listed = {feed["key"]: feed for feed in json.loads(infomail("feeds", "list", "--json").out)}
    assert listed["koeln"]["state"] == "inactive"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["add", "Köln", "--url", "https://www.example.org/"], "expected a key"),
        (["add", "k", "--url", "file:///etc/passwd"], "neither http nor https"),
        (["add", "k", "--url", "http://127.0.0.1/"], "not in the public Internet"),
        (["add", "k", "--url", "https://www.example.org/", "--municipality", "0"], "not in the register"),
        (["end", "engagiert-in-nrw-netzwerk"], "no feed 'engagiert-in-nrw-netzwerk' was added by staff"),
    ],
)
def test_a_feed_that_cannot_be_is_refused_in_one_line(
    infomail: Infomail, command: list[str], said: str
) -> None:
    ran = infomail("feeds", *command)
    assert ran.code == 1
    assert said in ran.err
    assert ran.err.count("\n") == 1
