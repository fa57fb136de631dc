"""RSS 0.9x, 1.0, 2.0 and Atom, read by feedparser from text that xmltext has mended.

feedparser may fetch nothing (it gets bytes in a BytesIO, never an address), must not sanitise (a later
stage does, with one policy for all mail), and must not resolve links inside HTML (it rewrites the markup to
do so; ours changes only the links). All three are arguments of the call: its module globals stay alone.
"""

import html
import io
import re
import warnings
from collections.abc import Collection
from datetime import date, datetime
from typing import Any

import feedparser

from mailer.feeds.dates import read_date
from mailer.feeds.deadlines import day_of, deadline_of
from mailer.feeds.identity import identify
from mailer.feeds.markup import absolute_links, absolute_url, looks_like_html, plain
from mailer.feeds.parsed import MOST_TAGS, NotAFeed, ParsedFeed, ParsedItem, Problems
from mailer.feeds.xmltext import Document


def read_syndication(document: Document, url: str, known: Collection[str], problems: Problems) -> ParsedFeed:
    """`url` is where the feed came from: relative links start there, at the site of RSS, or at xml:base."""
    # no content-location: feedparser would resolve GUIDs, too, and a feed that moves would lose its items
    headers = {"content-type": "application/xml; charset=utf-8"}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of its own deprecations
            read = feedparser.parse(
                io.BytesIO(document.text.encode("utf-8", "replace")),
                response_headers=headers,
                sanitize_html=False,
                resolve_relative_uris=False,
            )
    except Exception as error:  # it raises whatever it happens to run into
        raise NotAFeed(f"unreadable: {type(error).__name__}") from error
    if sum(map(_tags, read.entries)) > MOST_TAGS:
        raise NotAFeed("too much markup")
    kind = _format(document)
    site = absolute_url(_text(read.feed, "link"), url)
    base = (url or site) if kind == "atom" else (site or url)  # RFC 4287 section 4.2.7.1; RSS says nothing
    items = [_item(entry, kind, base, problems) for entry in read.entries]
    title = _plain(read.feed, "title")
    if not title:
        problems.note("the feed has no title")
    return ParsedFeed(kind, title, identify(items, known, problems), tuple(problems.lines))


def _tags(entry: Any) -> int:
    return sum(text.count("<") for text in (_text(entry, "summary"), *_contents(entry)))


def _format(document: Document) -> str:
    """Told by the root element: what feedparser tells depends on any namespace it meets."""
    if document.root in ("feed", "entry"):  # RFC 4287 section 2: an entry may be a document of its own
        return "atom"
    if document.root == "rdf":
        return "rss10" if "http://purl.org/rss/1.0/" in document.head else "rss09x"
    version = re.search(r"\sversion\s*=\s*[\"']\s*([\d.]+)", document.head)
    return "rss09x" if version and version[1].startswith("0.") else "rss20"


def _item(entry: Any, kind: str, base: str, problems: Problems) -> ParsedItem:
    title = _plain(entry, "title")
    if not title:
        problems.note("items without title")
    published = _date(entry, problems, "published", "created")
    updated = _date(entry, problems, "updated")
    if kind != "atom":  # dc:date, which is all that RSS 1.0 has
        published = published or updated
    summary = _summary(entry, base)
    return ParsedItem(
        identity=_text(entry, "id"),
        title=title,
        url=_link(entry, base, problems),
        summary=summary,
        published=published,
        updated=updated,
        starts=_date(entry, problems, *(f"{prefix}_{name}" for prefix in _EVENT for name in _STARTS)),
        ends=_date(entry, problems, *(f"{prefix}_{name}" for prefix in _EVENT for name in _ENDS)),
        location=plain(_first(entry, *(f"{prefix}_location" for prefix in _EVENT)), markup=False),
        categories=_categories(entry),
        deadline=_deadline(entry, problems) or deadline_of(title, " ".join((summary, *_contents(entry)))),
    )


# the RSS event module, and iCalendar's names under the prefixes met
_EVENT, _STARTS, _ENDS = (
    ("ev", "event", "xcal", "cal", "ical"),
    ("startdate", "dtstart"),
    ("enddate", "dtend"),
)


def _text(entry: Any, key: str) -> str:
    # dict.get: feedparser's own maps updated to published, and warns of it
    value = dict.get(entry, key)
    return value.strip() if isinstance(value, str) else ""


def _first(entry: Any, *keys: str) -> str:
    return next((text for key in keys if (text := _text(entry, key))), "")


def _plain(entry: Any, key: str) -> str:
    return plain(_text(entry, key), markup=_type(dict.get(entry, f"{key}_detail")) != "text/plain")


def _type(detail: Any) -> str:
    return str(detail.get("type", "")) if isinstance(detail, dict) else "text/plain"


def _date(entry: Any, problems: Problems, *keys: str) -> datetime | None:
    written = _first(entry, *keys)
    instant = read_date(written)
    if written and instant is None:
        problems.note(f"unreadable date: {' '.join(written[:40].split())!r}")
    return instant


def _deadline(entry: Any, problems: Problems) -> date | None:
    """What an element made for it says, whatever its namespace; feedparser puts the prefix before a _."""
    written = _first(entry, *(key for key in entry if key.rpartition("_")[2] in _DEADLINE))
    day = day_of(written)
    if written and day is None:
        problems.note(f"unreadable deadline: {' '.join(written[:40].split())!r}")
    return day


_DEADLINE = ("deadline", "frist", "applicationdeadline")


def _contents(entry: Any) -> list[str]:
    return [str(content.get("value") or "") for content in dict.get(entry, "content") or ()]


def _link(entry: Any, base: str, problems: Problems) -> str:
    links = dict.get(entry, "links") or ()
    others = [link.get("href", "") for link in links if link.get("rel") == "alternate"]
    own = _text(entry, "link")
    if dict.get(entry, "guidislink") and own == _text(entry, "id") and not _WEB.match(own):
        own = ""  # a GUID that is no address and fails to say isPermaLink="false"
    written = [text for text in (own, *others) if isinstance(text, str) and text.strip()]
    found = next((whole for text in written if (whole := absolute_url(text, base))), "")
    if written and not found:
        problems.note("links that are no web address were dropped")
    return found


_WEB = re.compile(r"(?:https?:/)?/", re.I)


def _summary(entry: Any, base: str) -> str:
    detail = dict.get(entry, "summary_detail")
    markup = _text(entry, "summary")
    if not markup or detail is None:  # without detail it is feedparser's copy of the content
        for content in dict.get(entry, "content") or ():
            if content.get("value"):
                detail, markup = content, str(content["value"])
                break
    kind = _type(detail)
    if kind == "text/plain" and not looks_like_html(markup):
        return html.escape(markup, quote=False)
    inner = detail.get("base") if isinstance(detail, dict) else None
    return absolute_links(markup, absolute_url(str(inner or ""), base) or base)


def _categories(entry: Any) -> tuple[str, ...]:
    tags = dict.get(entry, "tags") or ()
    words = (plain(str(tag.get("label") or tag.get("term") or ""), markup=False) for tag in tags)
    return tuple(dict.fromkeys(word for word in words if word))
