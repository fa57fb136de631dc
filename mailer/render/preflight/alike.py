"""Whether the text part says what the HTML says, and the other way round: titles, links, dates."""

import re
from collections.abc import Iterator, Sequence
from datetime import date
from functools import lru_cache
from urllib.parse import quote

from babel.dates import get_month_names

from mailer.render.preflight.finding import Finding, Shown, cut
from mailer.render.preflight.page import Page

_WEB = ("http://", "https://")
_BEYOND = re.compile(r"[^\x00-\x7f]+")
_URL = re.compile(r"https?://[^\s<>\"]+")
_SPACES = re.compile(r"\s+")
#: month in words, German or English -> its number
_MONTHS = {
    name.lower(): number
    for locale in ("de", "en")
    for number, name in get_month_names("wide", locale=locale).items()
}
_DAY = re.compile(rf"\b(\d{{1,2}})\.?\s+({'|'.join(_MONTHS)})\s+(\d{{4}})\b", re.IGNORECASE)
_TIME = re.compile(r"(?<![\d:.])(?:[01]?\d|2[0-3]):[0-5]\d(?![\d:])")


def alike(page: Page, text: str, shown: Sequence[Shown]) -> Iterator[Finding]:
    """What one part says and the other does not."""
    yield from _titles(page, text, shown)
    yield from _links(page, text, shown)
    yield from _dates(page, text, shown)


def _titles(page: Page, text: str, shown: Sequence[Shown]) -> Iterator[Finding]:
    plain, rich = _flat(text), _flat(page.words)
    for _, heading in page.headings:
        if _flat(heading) not in plain:
            yield Finding("text-lacks", {"found": cut(heading)})
    for each in shown:
        title = _flat(each.title)
        if title in plain and title not in rich:
            yield Finding("html-lacks", {"found": cut(f"{each.number}. {each.title}")})


def _links(page: Page, text: str, shown: Sequence[Shown]) -> Iterator[Finding]:
    short = {_ascii(each.url): _ascii(each.short_url) for each in shown}
    under = {_ascii(link.url): link.under for link in page.links if link.url.startswith(_WEB)}
    plain = _ascii(text)
    for url in sorted(under):
        if url not in plain and short.get(url, url) not in plain:
            yield Finding("text-lacks", {"found": url[:100]}, where=under[url])
    known = under.keys() | set(short.values())
    for url in dict.fromkeys(match[0] for match in _URL.finditer(plain)):
        # a sentence may end behind it, and a line within it
        if url.rstrip(".,;:!?)") not in known and not any(each.startswith(url) for each in known):
            yield Finding("html-lacks", {"found": url[:100]})


def _ascii(text: str) -> str:
    """Letters beyond ASCII as the HTML has them in its addresses (RFC 3987 3.1)."""
    return text if text.isascii() else _BEYOND.sub(lambda found: quote(found[0], errors="replace"), text)


def _dates(page: Page, text: str, shown: Sequence[Shown]) -> Iterator[Finding]:
    plain, rich = _moments(text), _moments(page.words)
    came_out = {day for each in shown for day in each.came_out}
    for moment, words in rich.items():
        if moment not in plain and moment not in came_out:
            yield Finding("text-lacks", {"found": words})
    for moment, words in plain.items():
        if moment not in rich:
            yield Finding("html-lacks", {"found": words})


def _moments(text: str) -> dict[date | str, str]:
    """Days and times of day that a text names, each with its words."""
    found: dict[date | str, str] = {match[0].zfill(5): match[0] for match in _TIME.finditer(text)}
    for match in _DAY.finditer(text):
        try:
            day = date(int(match[3]), _MONTHS[match[2].lower()], int(match[1]))
        except ValueError:
            continue
        found[day] = _SPACES.sub(" ", match[0])
    return found


@lru_cache(maxsize=1024)  # what editions share is long, and asked about for each
def _flat(text: str) -> str:
    """Without blanks, since the text part breaks its lines, and without soft hyphens."""
    return _SPACES.sub("", text).replace("\N{SOFT HYPHEN}", "")
