"""The demo's own feeds, served over HTTP on loopback; each run offers new items.

They look the way municipal systems write them: RSS 2.0 of a TYPO3 news extension, of the
Government Site Builder with its German dates, of Contao; and iCalendar for what has a date.
"""

import contextlib
import threading
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

from icalendar import Calendar, Event

from mailer.schedule import Plan

#: items that each run adds to a feed
_EACH_RUN = 3
_WEEKDAYS = ("Mo", "Di", "Mi", "Do", "Fr", "Sa", "So")
_MONTHS = ("Jan", "Feb", "Mär", "Apr", "Mai", "Jun", "Jul", "Aug", "Sep", "Okt", "Nov", "Dez")


@dataclass(frozen=True, slots=True)
class Sample:
    """One item that a feed offers."""

    title: str
    text: str
    published: datetime
    starts: datetime | None
    hours: float
    place: str


@contextlib.contextmanager
def serve_feeds(plan: Plan, *, run: int, now: datetime) -> Iterator[None]:
    """Serve the feeds of the plan at their own addresses (one port of loopback) until the block ends.

    `run` counts from 0; run n offers the items of all runs before it, too.
    """
    samples = tomllib.loads((files("mailer.demo") / "samples.toml").read_text(encoding="utf-8"))
    pages: dict[str, tuple[str, bytes]] = {}
    port = 0
    for place, feed in enumerate(plan.feeds.values()):
        address = urlsplit(feed.url)
        port = address.port or port
        offered = _offered(samples.get(feed.key, samples["any"])["items"], run, now)
        site = f"https://www.example.org/{feed.key}"
        pages[address.path] = _written(address.path, place, feed.title or feed.key, site, offered, now)
    server = ThreadingHTTPServer(("127.0.0.1", port), _handler(pages))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _offered(items: Sequence[Mapping[str, Any]], run: int, now: datetime) -> list[Sample]:
    offered = []
    for n in range((run + 1) * _EACH_RUN):
        series, place = divmod(n, len(items))
        item = items[place]
        day = (now + timedelta(days=item.get("in_days", 0))).date()
        offered.append(
            Sample(
                title=f"{item['title']} ({series + 1}. Folge)" if series else item["title"],
                text=item["text"],
                published=now - timedelta(hours=2 + n),
                starts=datetime.combine(day, time.fromisoformat(item["time"]), now.tzinfo)
                if "in_days" in item
                else None,
                hours=item.get("hours", 1),
                place=item.get("place", ""),
            )
        )
    return offered


def _written(
    path: str, place: int, title: str, site: str, samples: Sequence[Sample], now: datetime
) -> tuple[str, bytes]:
    if any(sample.starts for sample in samples):
        return "text/calendar; charset=utf-8", _icalendar(title, site, samples, now)
    write = (_typo3, _gsb, _contao)[place % 3]
    items = "\n".join(write(n, site, sample) for n, sample in enumerate(samples))
    return "application/rss+xml", _rss(title, site, items)


def _rss(title: str, site: str, items: str) -> bytes:
    return f"""<?xml version="1.0" encoding="utf-8"?>
<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel>
<title>{escape(title)}</title><link>{site}</link><description/><language></language>
{items}
</channel></rss>""".encode()


def _typo3(n: int, site: str, sample: Sample) -> str:
    return f"""<item><guid isPermaLink="false">news-{n}</guid>
<pubDate>{format_datetime(sample.published)}</pubDate><title>{escape(sample.title)}</title>
<link>{site}/detail/meldung-{n}?no_cache=1&amp;cHash=0{n}</link>
<description>{escape(sample.text)}</description>
<content:encoded><![CDATA[<p class="bodytext">{sample.text}</p>]]></content:encoded></item>"""


def _gsb(n: int, site: str, sample: Sample) -> str:
    when = sample.published
    day = f"{_WEEKDAYS[when.weekday()]}, {when.day} {_MONTHS[when.month - 1]} {when:%Y %H:%M:%S %z}"
    return f"""<item><title>{escape(sample.title)}</title>
<link>{site}/SharedDocs/Meldungen/DE/meldung{n}.html</link>
<description>{escape(sample.text)}</description><pubDate>{day}</pubDate></item>"""


def _contao(n: int, site: str, sample: Sample) -> str:
    return f"""<item><title>{escape(sample.title)}</title>
<description><![CDATA[<p>{sample.text}</p>]]></description>
<link>{site}/{n}.html</link><pubDate>{format_datetime(sample.published)}</pubDate>
<guid>{site}/{n}.html</guid></item>"""


def _icalendar(title: str, site: str, samples: Sequence[Sample], now: datetime) -> bytes:
    calendar = Calendar()
    calendar.add("prodid", "-//Infomail//demo//DE")
    calendar.add("version", "2.0")
    calendar.add("x-wr-calname", title)
    for n, sample in enumerate(samples):
        event = Event()
        event.add("uid", f"{n}@{urlsplit(site).path.strip('/')}.example.org")
        event.add("dtstamp", now)
        event.add("summary", sample.title)
        event.add("description", sample.text)
        event.add("location", sample.place)
        event.add("url", f"{site}/{n}")
        starts = sample.starts or now
        event.add("dtstart", starts)
        event.add("dtend", starts + timedelta(hours=sample.hours))
        calendar.add_component(event)
    return bytes(calendar.to_ical())


def _handler(pages: Mapping[str, tuple[str, bytes]]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content_type, body = pages.get(self.path, ("text/plain", b""))
            self.send_response(200 if body else 404)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """The demo tells what happened; a line for each request would bury it."""

    return Handler
