"""Which feeds an HTML page announces.

First what it says for machines, `<link rel="alternate">` (RSS Advisory Board, "RSS Autodiscovery"), then
links that plainly are feeds. The page is searched, not parsed: it may be broken, and four of its tags matter.
"""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass

from mailer.feeds.markup import absolute_url, plain

MOST = 20
_LONGEST = 1_000_000  # characters of a page


@dataclass(frozen=True, slots=True)
class Candidate:
    """A feed that a page announces. `type` is a media type, "" where the page does not say it."""

    url: str
    title: str
    type: str


def announced(page: str, url: str) -> tuple[Candidate, ...]:
    """The feeds that the page at `url` announces, at most 20, each once, the surest first."""
    base, links, anchors = url, [], []
    for tag, fields, text in _tags(page[:_LONGEST]):
        match tag:
            case "base":
                base = absolute_url(fields.get("href", ""), url) or base
            case "link":
                links.append((fields, fields.get("title", "")))
            case "a":
                anchors.append((fields, text or fields.get("title", "")))
    told = [
        (f, t) for f, t in links if "alternate" in f.get("rel", "").lower().split() and _type(f) in _TYPES
    ]
    told += [(f, t) for f, t in anchors if _type(f) in _TYPES[:-1] or _IS_FEED.search(f.get("href", ""))]
    found: dict[str, Candidate] = {}
    written = set[str]()
    for fields, title in told:
        address = _WEBCAL.sub("https://", fields.get("href", "").strip())
        if address in written:
            continue
        written.add(address)
        whole = absolute_url(address, base).partition("#")[0]
        if whole:
            found.setdefault(whole, Candidate(whole, plain(title, markup=True)[:200], _type(fields)))
        if len(found) == MOST:
            break
    return tuple(found.values())


def asks_to_log_in(page: str) -> bool:
    """Whether the page has a field for a password."""
    return any(
        tag == "input" and f.get("type", "").lower() == "password" for tag, f, _ in _tags(page[:_LONGEST])
    )


_TYPES = (
    "application/rss+xml",
    "application/atom+xml",
    "application/rdf+xml",
    "application/feed+json",
    "text/calendar",
    "application/json",
)
#: TYPO3's EXT:news offers its feed as page type 9818; webcal is what browsers hand to calendars
_IS_FEED = re.compile(
    r"^\s*webcal:|\.(?:rss|atom|rdf|ics)(?:[?#]|$)|(?:rss|atom|feed)[\w-]{0,20}\.(?:xml|json|php|aspx?)(?:[?#]|$)"
    r"|/(?:rss|atom|feeds?)/?(?:[?#]|$)|[?&](?:type=(?:9818|100|rss)|feed=(?:rss2?|atom|rdf)|format=(?:feed|rss|atom|ics))(?:[&#]|$)",
    re.I,
)
_WEBCAL = re.compile(r"^webcals?://", re.I)
_PIECE = re.compile(
    r"(?P<hidden><!--|<script\b|<style\b|<template\b)|<(?P<tag>link|a|base|input)(?=\s)(?P<fields>[^<>]*)>",
    re.I,
)
_FIELD = re.compile(r"""([\w:-]{1,40})\s{0,9}=\s{0,9}(?:"([^"]*)"|'([^']*)'|([^\s"'=<>`]+))""")
_ENDS = {"<!--": "-->", "<script": "</script", "<style": "</style", "<template": "</template"}


def _tags(page: str) -> Iterator[tuple[str, dict[str, str], str]]:
    """Name, attributes and, of a link, what can be read on it. Linear, however much is unclosed."""
    at, unclosed, lower = 0, set[str](), page.lower()
    while piece := _PIECE.search(page, at):
        at = piece.end()
        if hidden := piece["hidden"]:
            close = -1 if hidden.lower() in unclosed else lower.find(_ENDS[hidden.lower()], at)
            if close < 0:
                unclosed.add(hidden.lower())
            at = max(at, close)
            continue
        fields: dict[str, str] = {}
        for name, *values in _FIELD.findall(piece["fields"]):
            fields.setdefault(name.lower(), html.unescape("".join(values)))
        tag = piece["tag"].lower()
        text = ""
        if tag == "a":
            text = page[at : at + 300]
            text = text[: end.start()] if (end := re.search(r"</a", text, re.I)) else ""
        yield tag, fields, text


def _type(fields: dict[str, str]) -> str:
    return fields.get("type", "").partition(";")[0].strip().lower()
