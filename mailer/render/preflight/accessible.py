"""WCAG 2.2 AA as far as a machine can tell (BITV 2.0 asks for it)."""

import math
import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise

from mailer.render.colours import ENOUGH, contrast
from mailer.render.preflight.finding import Finding, cut
from mailer.render.preflight.page import Page

#: of large text (1.4.3)
_ENOUGH_LARGE = 3.0
#: words that say nothing of where they lead (2.4.4)
_VAGUE = {
    "hier", "hier klicken", "klicken sie hier", "mehr", "weiter", "weiterlesen", "mehr erfahren", "mehr dazu",
    "zum artikel", "details", "link", "here", "click here", "more", "read more", "learn more", "this link",
    "download",
}  # fmt: skip
_ADDRESS = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)


def accessible(page: Page) -> Iterator[Finding]:
    """What keeps somebody from reading the mail."""
    yield from _structure(page)
    yield from _links(page)
    yield from _contrast(page, dark=False)
    if page.has_dark:
        yield from _contrast(page, dark=True)


def _structure(page: Page) -> Iterator[Finding]:
    if not (page.root.get("lang") or "").strip():
        yield Finding("no-lang")
    if not page.title:
        yield Finding("no-title")
    levels = [level for level, _ in page.headings]
    if levels.count(1) != 1:
        yield Finding("h1", {"count": str(levels.count(1))})
    for (before, _), (level, text) in pairwise(page.headings):
        if level > before + 1:
            yield Finding("heading-skipped", {"found": cut(text), "level": str(level), "before": str(before)})
    for table in page.body.iter("table"):
        if table.get("role") not in ("presentation", "none") and table.find(".//th") is None:
            yield Finding("layout-table", where=page.under(table))
            break


def _links(page: Page) -> Iterator[Finding]:
    targets: dict[str, set[str]] = {}
    for link in page.links:
        if not link.text:
            yield Finding("link-empty", {"url": link.url}, where=link.under)
        elif link.text.lower().strip(" .…»>→") in _VAGUE:
            yield Finding("link-vague", {"found": link.text}, where=link.under)
        elif _ADDRESS.fullmatch(link.text):
            yield Finding("link-bare", {"found": cut(link.text)}, where=link.under)
        elif not link.url.startswith("#"):
            targets.setdefault(link.text.lower(), set()).add(link.url)
    for text, urls in targets.items():
        if len(urls) > 1:
            yield Finding("link-same", {"found": cut(text)})


def _contrast(page: Page, *, dark: bool) -> Iterator[Finding]:
    told = set()
    for run in page.runs(dark=dark):
        pair = run.colour, run.behind
        if pair in told:
            continue
        ratio = _ratio(*pair)
        if ratio < (_ENOUGH_LARGE if run.is_large else ENOUGH):
            told.add(pair)
            yield Finding(
                "contrast-dark" if dark else "contrast",
                {
                    # what falls short by little is not to look as if it were enough
                    "ratio": f"{math.floor(ratio * 100) / 100:.2f}",
                    "found": cut(run.text),
                    "colour": run.colour,
                    "behind": run.behind,
                },
            )


_ratio = lru_cache(maxsize=1024)(contrast)
