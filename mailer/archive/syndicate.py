"""Feeds of ours, as Atom (RFC 4287) and JSON Feed 1.1. A leaf: values in, bytes out."""

import json
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from xml.etree.ElementTree import Element, SubElement, register_namespace, tostring

_ATOM = "http://www.w3.org/2005/Atom"
_XML = "http://www.w3.org/XML/1998/namespace"
#: what no XML 1.0 document may hold, not even escaped (XML 1.0 2.2)
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Article:
    """One thing in a feed. `html` is clean; texts may be ""."""

    id: str
    title: str
    url: str
    html: str
    published: datetime
    updated: datetime
    language: str
    #: who it is from, where that is not who makes the feed
    source: str = ""
    category: str = ""
    deadline: date | None = None


@dataclass(frozen=True, slots=True)
class Syndicated:
    """A feed; all addresses are absolute, and each feed has an `id` of its own (`urn`)."""

    id: str
    title: str
    #: who makes it
    author: str
    #: its page, and the folder that feed.atom and feed.json stand in
    page: str
    folder: str
    language: str
    articles: Sequence[Article]

    @property
    def updated(self) -> datetime:
        """When anything in it changed last; where there is nothing, nothing ever did."""
        return max((each.updated for each in self.articles), default=datetime.fromtimestamp(0, UTC))


def urn(name: str) -> str:
    """An identifier (RFC 9562 5.5) that stays the same wherever the service moves."""
    return uuid.uuid5(_OURS, name).urn


def atom(feed: Syndicated) -> bytes:
    """The feed as an Atom document."""
    register_namespace("", _ATOM)
    root = Element(f"{{{_ATOM}}}feed", {f"{{{_XML}}}lang": feed.language})
    _add(root, "id", feed.id)
    _add(root, "title", feed.title)
    _add(root, "updated", _instant(feed.updated))
    _add(_add(root, "author"), "name", feed.author)
    _add(root, "link", rel="self", type="application/atom+xml", href=f"{feed.folder}/feed.atom")
    _add(root, "link", rel="alternate", type="text/html", href=feed.page)
    _add(root, "generator", "Infomail")
    for article in feed.articles:
        entry = _add(root, "entry")
        if article.language != feed.language:
            entry.set(f"{{{_XML}}}lang", article.language)
        _add(entry, "id", article.id)
        # a title is a must and may be empty (4.2.14)
        _add(entry, "title", article.title)
        _add(entry, "published", _instant(article.published))
        _add(entry, "updated", _instant(article.updated))
        _add(entry, "link", rel="alternate", href=article.url)
        if article.source:
            _add(_add(entry, "author"), "name", article.source)
        if article.category:
            _add(entry, "category", term=article.category)
        _add(entry, "content", article.html, type="html")
    written: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return written


def json_feed(feed: Syndicated) -> bytes:
    """The feed as a JSON Feed document."""
    document = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": feed.title,
        "home_page_url": feed.page,
        "feed_url": f"{feed.folder}/feed.json",
        "language": feed.language,
        "authors": [{"name": feed.author}],
        "items": [_item(article) for article in feed.articles],
    }
    return json.dumps(document, ensure_ascii=False, indent=1).encode("utf-8", "replace")


#: the root of our identifiers: a random number, made once
_OURS = uuid.UUID("5d0f4a0e-6f0b-4c43-9a55-0f4f0a4d8f6e")


def _item(article: Article) -> dict[str, object]:
    item: dict[str, object] = {
        "id": article.id,
        "url": article.url,
        "title": article.title,
        "content_html": article.html,
        "date_published": _instant(article.published),
        "date_modified": _instant(article.updated),
        "language": article.language,
    }
    if article.source:
        item["authors"] = [{"name": article.source}]
    if article.category:
        item["tags"] = [article.category]
    if article.deadline:
        # an extension, as our own reader understands it
        item["_infomail"] = {"deadline": article.deadline.isoformat()}
    return item


def _add(parent: Element, name: str, text: str = "", **attributes: str) -> Element:
    child = SubElement(
        parent, f"{{{_ATOM}}}{name}", {key: _NOT_XML.sub("", value) for key, value in attributes.items()}
    )
    if text:
        child.text = _NOT_XML.sub("", text)
    return child


def _instant(moment: datetime) -> str:
    """RFC 3339, to the second and in UTC."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
