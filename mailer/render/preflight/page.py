"""The HTML of a mail as a tree, with the colours that each text has in light and in dark."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from cssselect import GenericTranslator, SelectorError, parse
from lxml import html as lxml_html

_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_DARK = re.compile(r"@media[^{]*prefers-color-scheme:\s*dark[^{]*\{((?:[^{}]*\{[^{}]*\})*)", re.DOTALL)
_RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
_HEX = re.compile(r"#([0-9a-f]{6}|[0-9a-f]{3})\b", re.IGNORECASE)
_SPACES = re.compile(r"\s+")
_NAMED = {"white": "#ffffff", "black": "#000000"}
#: nothing of these is seen as text
_UNSEEN = {"head", "style", "script", "title", "meta"}


@dataclass(frozen=True, slots=True)
class Run:
    """A piece of text as it is seen; colours are #rrggbb."""

    text: str
    colour: str
    behind: str
    #: 18.66 pixels bold or 24 pixels (WCAG 2.2, "large scale")
    is_large: bool


class Page:
    """One parse of a mail's HTML for all that looks at it."""

    def __init__(self, source: str) -> None:
        self.source = source
        # Outlook's own part is a comment to everybody else
        self.root = lxml_html.document_fromstring(_COMMENT.sub("", source) or "<html></html>")

    @property
    def body(self) -> Any:
        found = self.root.find("body")
        return self.root if found is None else found

    @cached_property
    def headings(self) -> list[tuple[int, str]]:
        """Level and text of each heading, in order."""
        found = self.body.iter("h1", "h2", "h3", "h4", "h5", "h6")
        return [(int(each.tag[1]), said(each)) for each in found]

    @cached_property
    def links(self) -> list[tuple[str, str]]:
        """Text and address of each link, in order; the text includes what pictures in it say."""
        return [(_named(each), each.get("href", "")) for each in self.body.iter("a")]

    @property
    def has_dark(self) -> bool:
        """Whether it says how it looks in the dark; else programs decide."""
        return bool(self._in_the_dark)

    def runs(self, *, dark: bool) -> Iterator[Run]:
        """Every piece of text with its colours, in light or where a program prefers the dark."""
        overrides = self._in_the_dark if dark else {}
        yield from _runs(self.body, overrides, "#000000", "#ffffff", 16.0, bold=False)

    @cached_property
    def _in_the_dark(self) -> dict[Any, dict[str, str]]:
        """Element -> colours that the style sheet gives it in the dark, the most specific rule last."""
        styles = "".join(each.text or "" for each in self.root.iter("style"))
        rules = []
        for block in _DARK.findall(styles):
            for selectors, declarations in _RULE.findall(block):
                colours = _colours(declarations)
                for selector in selectors.split(","):
                    if colours:
                        rules.append((selector.strip(), colours))
        ordered = []
        for number, (selector, colours) in enumerate(rules):
            try:
                (parsed,) = parse(selector)
                path = GenericTranslator().selector_to_xpath(parsed)
            except (SelectorError, ValueError):
                continue
            ordered.append((parsed.specificity(), number, path, colours))
        found: dict[Any, dict[str, str]] = {}
        for _, _, path, colours in sorted(ordered, key=lambda each: each[:2]):
            for element in self.root.xpath(path):
                found.setdefault(element, {}).update(colours)
        return found


def said(element: Any) -> str:
    """The text of an element, blanks made one."""
    return _SPACES.sub(" ", element.text_content()).strip()


def _named(link: Any) -> str:
    pictures = " ".join(each.get("alt", "") for each in link.iter("img"))
    return link.get("aria-label") or f"{said(link)} {pictures}".strip()


def _runs(
    element: Any, overrides: dict[Any, dict[str, str]], colour: str, behind: str, size: float, *, bold: bool
) -> Iterator[Run]:
    if not isinstance(element.tag, str) or element.tag in _UNSEEN:
        return
    style = element.get("style") or ""
    if "display:none" in style.replace(" ", ""):
        return
    colours = {"background": _colour(element.get("bgcolor") or "")} | _colours(style)
    colours |= overrides.get(element, {})
    colour, behind = colours.get("color") or colour, colours.get("background") or behind
    size = _size(style, size)
    bold = _weight(style, bold=bold or element.tag in ("b", "strong", "th"))
    is_large = size >= 24 or (bold and size >= 18.66)
    for text in (element.text, *(child.tail for child in element)):
        if text and text.strip():
            yield Run(_SPACES.sub(" ", text).strip(), colour, behind, is_large)
    for child in element:
        yield from _runs(child, overrides, colour, behind, size, bold=bold)


def _colours(declarations: str) -> dict[str, str]:
    found = {}
    for declaration in declarations.split(";"):
        name, _, value = declaration.partition(":")
        name = name.strip().lower()
        if name in ("color", "background-color", "background") and (colour := _colour(value)):
            found["color" if name == "color" else "background"] = colour
    return found


def _colour(value: str) -> str:
    """#rrggbb of a colour as styles write it, "" for one that is not known here."""
    if match := _HEX.search(value):
        digits = match[1].lower()
        return f"#{digits}" if len(digits) == 6 else "#" + "".join(digit * 2 for digit in digits)
    words = value.replace("!important", "").strip().lower()
    return _NAMED.get(words, "")


def _size(style: str, inherited: float) -> float:
    found = re.search(r"font-size:\s*([0-9.]{1,8})px", style)
    try:
        return float(found[1]) if found else inherited
    except ValueError:
        return inherited


def _weight(style: str, *, bold: bool) -> bool:
    found = re.search(r"font-weight:\s*(bold|[0-9]{3}|normal)", style)
    if not found:
        return bold
    return found[1] == "bold" or (found[1].isdecimal() and int(found[1]) >= 600)
