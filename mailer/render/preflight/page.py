"""The HTML of a mail as a tree, with the colours that each text has in light and in dark."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from cssselect import GenericTranslator, SelectorError, parse
from lxml import etree
from lxml import html as lxml_html
from PIL import ImageColor

_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_DARK = re.compile(r"@media[^{]*prefers-color-scheme:\s*dark[^{]*\{((?:[^{}]*\{[^{}]*\})*)", re.DOTALL)
_RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
_COLOUR = re.compile(r"#[0-9a-f]{3,8}\b|(?:rgb|hsl)a?\([^)]*\)|[a-z]+", re.IGNORECASE)
_SPACES = re.compile(r"\s+")
#: nothing of these is seen as text
_UNSEEN = {"head", "style", "script", "title", "meta"}
#: of links to which no style gives a colour (HTML, 15.3.4)
_UNSTYLED_LINK = "#0000ee"


@dataclass(frozen=True, slots=True)
class Link:
    """A link. Its text includes what pictures in it say."""

    text: str
    url: str
    #: the last heading before it
    under: str


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
        self.root = _tree(_COMMENT.sub("", source))

    @property
    def body(self) -> Any:
        found = self.root.find("body")
        return self.root if found is None else found

    @property
    def title(self) -> str:
        found = self.root.find("head/title")
        return "" if found is None else said(found)

    @property
    def headings(self) -> list[tuple[int, str]]:
        """Level and text of each heading, in order."""
        return self._outline[0]

    @property
    def links(self) -> list[Link]:
        return self._outline[1]

    @cached_property
    def words(self) -> str:
        """All that is seen, a line for each piece of text."""
        return "\n".join(run.text for run in self.runs(dark=False))

    @property
    def has_dark(self) -> bool:
        """Whether it says how it looks in the dark; else programs decide."""
        return bool(self._in_the_dark)

    def runs(self, *, dark: bool) -> list[Run]:
        """Every piece of text with its colours, in light or where a program prefers the dark."""
        return self._runs_dark if dark else self._runs_light

    def under(self, element: Any) -> str:
        """The last heading before an element, "" if there is none."""
        before = element.xpath("preceding::*[self::h1 or self::h2 or self::h3 or self::h4][1]")
        return said(before[0]) if before else ""

    @cached_property
    def _runs_light(self) -> list[Run]:
        return list(_runs(self.body, None, "#000000", "#ffffff", 16.0, bold=False))

    @cached_property
    def _runs_dark(self) -> list[Run]:
        return list(_runs(self.body, self._in_the_dark, "#000000", "#ffffff", 16.0, bold=False))

    @cached_property
    def _outline(self) -> tuple[list[tuple[int, str]], list[Link]]:
        headings: list[tuple[int, str]] = []
        links = []
        for each in self.body.iter("h1", "h2", "h3", "h4", "h5", "h6", "a"):
            if each.tag != "a":
                headings.append((int(each.tag[1]), said(each)))
            elif each.get("href") is not None:  # else it is an anchor
                links.append(Link(_named(each), each.get("href"), headings[-1][1] if headings else ""))
        return headings, links

    @cached_property
    def _in_the_dark(self) -> "dict[Any, dict[str, _Colour]]":
        """Element -> colours that the style sheet gives it in the dark."""
        rules = []
        for block in _DARK.findall("".join(each.text or "" for each in self.root.iter("style"))):
            for selectors, declarations in _RULE.findall(block):
                colours = _colours(declarations)
                for selector in selectors.split(",") if colours else ():
                    if understood := _selector(selector.strip()):
                        rules.append((*understood, colours))
        found: dict[Any, dict[str, _Colour]] = {}
        # the most specific one counts, of equal ones the last
        for _, path, colours in sorted(rules, key=lambda each: each[0]):
            for element in path(self.root):
                own = found.setdefault(element, {})
                for name, colour in colours.items():
                    if colour.is_important or not (name in own and own[name].is_important):
                        own[name] = colour
        return found


@dataclass(frozen=True, slots=True)
class _Colour:
    value: str
    is_important: bool


def said(element: Any) -> str:
    """The text of an element, blanks made one."""
    return _SPACES.sub(" ", element.text_content()).strip()


def _tree(html: str) -> Any:
    try:
        # as bytes: lxml refuses text that names an encoding
        return lxml_html.document_fromstring(
            html.replace("\0", "").encode("utf-8", "replace"), parser=lxml_html.HTMLParser(encoding="utf-8")
        )
    except etree.ParserError:  # nothing but blanks
        return lxml_html.document_fromstring(b"<html><body></body></html>")


def _named(link: Any) -> str:
    pictures = " ".join(each.get("alt", "") for each in link.iter("img"))
    return link.get("aria-label") or f"{said(link)} {pictures}".strip()


@lru_cache(maxsize=256)
def _selector(selector: str) -> tuple[tuple[int, int, int], Any] | None:
    """Specificity and a search for the elements; None where it is not understood."""
    try:
        (parsed,) = parse(selector)
        return parsed.specificity(), etree.XPath(GenericTranslator().selector_to_xpath(parsed))
    except (SelectorError, ValueError, etree.XPathError):
        return None


def _runs(
    element: Any,
    dark: Mapping[Any, Mapping[str, _Colour]] | None,
    colour: str,
    behind: str,
    size: float,
    *,
    bold: bool,
) -> Iterator[Run]:
    if not isinstance(element.tag, str) or element.tag in _UNSEEN:
        return
    style = element.get("style") or ""
    if style and _is_hidden(style):
        return
    colours = _colours(style) if style else _NO_COLOURS
    own, ground = colours.get("color"), colours.get("background")
    if dark is not None and (rules := dark.get(element)):
        own, ground = _stronger(rules.get("color"), own), _stronger(rules.get("background"), ground)
    if own is not None:
        colour = own.value
    elif element.tag == "a" and dark is None and element.get("href") is not None:
        colour = _UNSTYLED_LINK
    if ground is not None:
        behind = ground.value
    elif attribute := element.get("bgcolor"):
        behind = _colour(attribute) or behind
    if style:
        size = _size(style, size)
    bold = _weight(style, bold=bold or element.tag in ("b", "strong", "th"))
    is_large = size >= 24 or (bold and size >= 18.66)
    for text in (element.text, *(child.tail for child in element)):
        if text and text.strip():
            yield Run(_SPACES.sub(" ", text).strip(), colour, behind, is_large)
    for child in element:
        yield from _runs(child, dark, colour, behind, size, bold=bold)


def _stronger(rule: _Colour | None, inline: _Colour | None) -> _Colour | None:
    """What stands in the element counts, unless the style sheet insists."""
    if rule is None or (inline is not None and not rule.is_important):
        return inline
    return rule


_NO_COLOURS: Mapping[str, _Colour] = {}


@lru_cache(maxsize=1024)
def _is_hidden(style: str) -> bool:
    return "display:none" in style.replace(" ", "").lower()


@lru_cache(maxsize=1024)
def _colours(declarations: str) -> Mapping[str, _Colour]:
    found = {}
    for declaration in declarations.split(";"):
        name, _, value = declaration.partition(":")
        name = name.strip().lower()
        if name in ("color", "background-color", "background") and (colour := _colour(value)):
            found["color" if name == "color" else "background"] = _Colour(colour, "!important" in value)
    return found


@lru_cache(maxsize=1024)
def _colour(value: str) -> str:
    """#rrggbb of the first colour in a value, "" where none is known or what lies behind shows through."""
    for word in _COLOUR.findall(value):
        try:
            red, green, blue, *alpha = ImageColor.getrgb(word)
        except ValueError:
            continue
        return "" if alpha and alpha[0] < 255 else f"#{red:02x}{green:02x}{blue:02x}"
    return ""


@lru_cache(maxsize=1024)
def _size(style: str, inherited: float) -> float:
    found = re.search(r"(?<![\w-])font-size:\s*(\d{1,4}(?:\.\d{1,4})?)(px|pt|em|%)", style)
    if not found:
        return inherited
    return float(found[1]) * {"px": 1.0, "pt": 4 / 3, "em": inherited, "%": inherited / 100}[found[2]]


@lru_cache(maxsize=1024)
def _weight(style: str, *, bold: bool) -> bool:
    found = re.search(r"font-weight:\s*(bold|[0-9]{3}|normal)", style)
    if not found:
        return bold
    return found[1] == "bold" or (found[1].isdecimal() and int(found[1]) >= 700)
