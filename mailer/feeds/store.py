"""From what a feed said to its rows: each entry once, known again under a new name, held where it is a flood.

What takes time, cleaning above all, is done by `prepare`, before anybody holds the write lock.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import unescape
from textwrap import shorten

import nh3
from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.feeds.flood import is_flood
from mailer.feeds.model import Feed, Item, ItemState
from mailer.feeds.parsed import ParsedItem
from mailer.render.sanitize import clean_html

#: characters of a summary that are looked at; more of it reaches no reader
_LONGEST = 50_000
#: characters of the title that an item without one gets from its text
_TITLE = 80


@dataclass(frozen=True, slots=True)
class Prepared:
    """An entry with the title and the clean summary (HTML) that readers see, and the digest of both."""

    parsed: ParsedItem
    title: str
    summary: str
    digest: str


@dataclass(frozen=True, slots=True)
class Stored:
    """How many items are new and changed, and how many of the new ones are held as a flood."""

    new: int = 0
    changed: int = 0
    held: int = 0


def prepare(items: Iterable[ParsedItem], base_url: str) -> tuple[Prepared, ...]:
    """The entries a reader could see something of, ready to be stored. Pure, and takes its time."""
    ready = []
    for parsed in items:
        summary = clean_html(parsed.summary[:_LONGEST], base_url=parsed.url or base_url)
        title = parsed.title or shorten(unescape(nh3.clean(summary, tags=set())), _TITLE, placeholder=" …")
        if title:
            digest = digest_of(title, summary, parsed.starts, parsed.ends, parsed.location)
            ready.append(Prepared(parsed, title, summary, digest))
    return tuple(ready)


def upsert_items(session: Session, feed: Feed, items: Sequence[Prepared], now: datetime) -> Stored:
    """Bring what the feed says into its items."""
    known = {item.identity: item for item in session.scalars(select(Item).where(Item.feed_key == feed.key))}
    on_record = len(known)
    _rename(known, items)
    fresh = [one for one in items if one.parsed.identity not in known]
    flood = is_flood(on_record=on_record, new=len(fresh), known=len(items) - len(fresh))
    changed = 0
    for one in items:
        item = known.get(one.parsed.identity)
        if item is None:
            item = Item(feed_key=feed.key, identity=one.parsed.identity, first_seen_at=now)
            item.baseline, item.state = on_record == 0, ItemState.HELD if flood else ItemState.FREE
            session.add(item)
        elif item.digest != one.digest or item.deadline != one.parsed.deadline:
            changed += 1
        _write(item, one, feed, now)
    return Stored(new=len(fresh), changed=changed, held=len(fresh) if flood else 0)


def _rename(known: dict[str, Item], items: Sequence[Prepared]) -> None:
    """Let an entry whose identity is new be the item that said the same and has left the feed."""
    left = _by_digest(known.values(), without={one.parsed.identity for one in items})
    for one in items:
        if one.parsed.identity not in known and left[one.digest]:
            item = left[one.digest].pop()
            del known[item.identity]
            item.identity = one.parsed.identity
            known[item.identity] = item


def _by_digest(items: Iterable[Item], *, without: Collection[str]) -> dict[str, list[Item]]:
    """Those with other identities by their digest, the newest of each last."""
    found: dict[str, list[Item]] = defaultdict(list)
    for item in sorted(items, key=lambda item: item.id):
        if item.identity not in without:
            found[item.digest].append(item)
    return found


def _write(item: Item, one: Prepared, feed: Feed, now: datetime) -> None:
    parsed = one.parsed
    item.title, item.url, item.summary, item.digest = one.title, parsed.url, one.summary, one.digest
    item.published, item.updated, item.deadline = parsed.published, parsed.updated, parsed.deadline
    item.starts, item.ends, item.all_day = parsed.starts, parsed.ends, parsed.all_day
    item.location, item.categories = parsed.location, list(parsed.categories)
    item.places, item.municipality, item.internal = list(feed.places), feed.municipality, feed.internal
    item.fetched_at = now


def digest_of(title: str, summary: str, starts: datetime | None, ends: datetime | None, location: str) -> str:
    """SHA-256 in hex of what a reader sees; equal for the same text brought by two feeds."""
    seen = [title, summary, str(starts), str(ends), location]
    return hashlib.sha256(json.dumps(seen, ensure_ascii=False).encode()).hexdigest()
