"""JSON Feed 1.0 and 1.1 (https://www.jsonfeed.org/version/1.1/)."""

import html
import json
from collections.abc import Collection
from datetime import date, datetime
from typing import Any

from mailer.feeds.dates import read_date
from mailer.feeds.deadlines import day_of, deadline_of
from mailer.feeds.identity import identify
from mailer.feeds.markup import absolute_links, absolute_url, plain
from mailer.feeds.parsed import MOST_ITEMS, MOST_TAGS, NotAFeed, ParsedFeed, ParsedItem, Problems


def read_json_feed(body: bytes, url: str, known: Collection[str], problems: Problems) -> ParsedFeed:
    try:
        read = json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise NotAFeed("JSON that cannot be read") from error
    if not isinstance(read, dict) or "jsonfeed.org/version/" not in _text(read, "version"):
        raise NotAFeed("JSON, but no JSON Feed")
    base = absolute_url(_text(read, "home_page_url"), url) or url
    entries = read.get("items")
    if not isinstance(entries, list):
        problems.note("the feed has no list of items")
        entries = []
    if len(entries) > MOST_ITEMS:
        raise NotAFeed("too many items")
    if (
        sum(_text(entry, "content_html").count("<") for entry in entries if isinstance(entry, dict))
        > MOST_TAGS
    ):
        raise NotAFeed("too much markup")
    items = [_item(entry, base, problems) for entry in entries if isinstance(entry, dict)]
    if len(items) < len(entries):
        problems.note("items that are no objects were dropped")
    title = plain(_text(read, "title"), markup=False)
    return ParsedFeed("jsonfeed", title, identify(items, known, problems), tuple(problems.lines))


def _item(entry: dict[str, Any], base: str, problems: Problems) -> ParsedItem:
    title = plain(_text(entry, "title"), markup=False)
    if not title:
        problems.note("items without title")
    link = next((u for key in ("url", "external_url") if (u := absolute_url(_text(entry, key), base))), "")
    text = html.escape(_text(entry, "content_text") or _text(entry, "summary"), quote=False)
    tags = entry.get("tags")
    words = (
        (plain(tag, markup=False) for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else ()
    )
    summary = absolute_links(_text(entry, "content_html"), base) or text
    return ParsedItem(
        identity=_text(entry, "id"),
        title=title,
        url=link,
        summary=summary,
        published=_date(entry, "date_published", problems),
        updated=_date(entry, "date_modified", problems),
        starts=None,
        ends=None,
        location="",
        categories=tuple(dict.fromkeys(word for word in words if word)),
        deadline=_deadline(entry, problems) or deadline_of(title, summary),
    )


def _deadline(entry: dict[str, Any], problems: Problems) -> date | None:
    """An extension, whose name begins with an underscore: `_deadline`, or `deadline` within `_infomail`."""
    ours = entry.get("_infomail")
    written = _text(entry, "_deadline") or (_text(ours, "deadline") if isinstance(ours, dict) else "")
    day = day_of(written)
    if written and day is None:
        problems.note(f"unreadable deadline: {written[:40]!r}")
    return day


def _text(entry: dict[str, Any], key: str) -> str:
    """The value as text: numbers occur as id (section "Items"). Lone surrogates, which JSON can write, go."""
    value = entry.get(key)
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return ""
    return str(value).encode("utf-8", "replace").decode().replace("\0", "").strip()


def _date(entry: dict[str, Any], key: str, problems: Problems) -> datetime | None:
    written = _text(entry, key)
    instant = read_date(written)
    if written and instant is None:
        problems.note(f"unreadable date: {written[:40]!r}")
    return instant
