"""WCAG 2.2 AA as far as a machine can tell (BITV 2.0 asks for it)."""

from collections.abc import Iterator
from itertools import pairwise

from mailer.render.colours import ENOUGH, contrast
from mailer.render.preflight.finding import Finding
from mailer.render.preflight.page import Page

#: of large text (1.4.3)
_ENOUGH_LARGE = 3.0
#: words that say nothing of where they lead (2.4.4)
_VAGUE = {
    "hier", "hier klicken", "klicken sie hier", "mehr", "weiter", "weiterlesen", "mehr erfahren", "mehr dazu",
    "zum artikel", "details", "link", "here", "click here", "more", "read more", "learn more", "this link",
    "download",
}  # fmt: skip
_LONGEST = 60


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
    title = page.root.find("head/title")
    if title is None or not (title.text or "").strip():
        yield Finding("no-title")
    levels = [level for level, _ in page.headings]
    if levels.count(1) != 1:
        yield Finding("h1", {"count": str(levels.count(1))})
    for (before, _), (level, text) in pairwise(page.headings):
        if level > before + 1:
            yield Finding(
                "heading-skipped", {"found": _cut(text), "level": str(level), "before": str(before)}
            )
    for table in page.body.iter("table"):
        if table.get("role") not in ("presentation", "none") and table.find(".//th") is None:
            yield Finding("layout-table")
            break


def _links(page: Page) -> Iterator[Finding]:
    targets: dict[str, set[str]] = {}
    for text, url in page.links:
        if not text:
            yield Finding("link-empty", {"url": url})
        elif text.lower().strip(" .…»>→") in _VAGUE:
            yield Finding("link-vague", {"found": text})
        elif not url.startswith("#"):
            targets.setdefault(text.lower(), set()).add(url)
    for text, urls in targets.items():
        if len(urls) > 1:
            yield Finding("link-same", {"found": _cut(text)})


def _contrast(page: Page, *, dark: bool) -> Iterator[Finding]:
    told = set()
    for run in page.runs(dark=dark):
        ratio = contrast(run.colour, run.behind)
        pair = run.colour, run.behind
        if ratio < (_ENOUGH_LARGE if run.is_large else ENOUGH) and pair not in told:
            told.add(pair)
            yield Finding(
                "contrast-dark" if dark else "contrast",
                {
                    "ratio": f"{ratio:.1f}",
                    "found": _cut(run.text),
                    "colour": run.colour,
                    "behind": run.behind,
                },
            )


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
