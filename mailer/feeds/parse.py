"""Reads a feed, whatever its format.

    RSS 0.9x, 1.0, 2.0, Atom   syndication.py   from the text that xmltext.py mends
    JSON Feed                  jsonfeed.py
    iCalendar                  calendar.py

All return the values of parsed.py, named by identity.py. Nothing here touches network, files or
database, and no document makes it raise anything but NotAFeed.
"""

from collections.abc import Collection
from datetime import UTC, datetime

from mailer.feeds.calendar import read_calendar
from mailer.feeds.jsonfeed import read_json_feed
from mailer.feeds.parsed import NotAFeed, ParsedFeed, ParsedItem, Problems
from mailer.feeds.syndication import read_syndication
from mailer.feeds.xmltext import read_document

__all__ = ["NotAFeed", "ParsedFeed", "ParsedItem", "parse"]

LARGEST = 10_000_000  # bytes


def parse(
    body: bytes,
    *,
    content_type: str = "",
    url: str = "",
    known: Collection[str] = frozenset(),
    now: datetime | None = None,
) -> ParsedFeed:
    """The feed in `body`; raises NotAFeed when there is none.

    `content_type` as the server said it; `url` is where the feed came from and resolves its relative links.
    `known` are the identities of this feed's items on record: give them, and an item keeps the name it has
    there when others that shared its GUID come or go. `now` (default: the clock) bounds repeating events.
    """
    if len(body) > LARGEST:
        raise NotAFeed(f"larger than {LARGEST} bytes")
    problems, now = Problems(), now or datetime.now(UTC)
    match _family(body):
        case "empty":
            raise NotAFeed("empty")
        case "binary":
            raise NotAFeed("compressed or binary data")
        case "json":
            return read_json_feed(body, url, known, problems)
        case "calendar":
            return read_calendar(body, content_type, url, known, now, problems)
        case "xml":
            return read_syndication(read_document(body, content_type, problems), url, known, problems)
        case _:
            raise NotAFeed("neither XML, JSON nor iCalendar")


def _family(body: bytes) -> str:
    """Told by the first bytes: the Content-Type of feeds is text/html or nonsense too often."""
    if body.startswith(_COMPRESSED):
        return "binary"
    start = body[:1024].replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xfe\xff \t\r\n").upper()
    if not start:
        return "empty" if not body.strip() else "binary"
    if start.startswith(b"BEGIN:VCALENDAR"):
        return "calendar"
    if start.startswith((b"{", b"[")):
        return "json"
    return "xml" if b"<" in body[:4096] else "unknown"


_COMPRESSED = (b"\x1f\x8b", b"BZh", b"PK\x03\x04", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"%PDF", b"\x89PNG")
