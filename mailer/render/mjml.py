"""MJML to one HTML page that needs nothing from anywhere: no font, no image, no style sheet.

The compiler is silent about unknown elements and attributes, so they are looked for first.
"""

import re
from html.parser import HTMLParser

from mjml import mjml2html

from mailer.render.finish import BadPage, finished, without_noncharacters
from mailer.render.selfcontained import unfinished


class BadMjml(BadPage):
    """The source is no MJML of ours; says what and in which line."""


def compile_mjml(source: str) -> str:
    """The HTML of an MJML document: styles in the elements, nothing remote, a doctype before it.

    Raises BadMjml and NotSelfContained.
    """
    source = without_noncharacters(source)
    _check(source)
    # the compiler stumbles over blanks between elements unless a line ends there
    source = _BLANKS.sub(">", source)
    try:
        compiled = str(mjml2html(source, fonts={}, social_icon_origin=""))
    except ValueError as problem:
        raise BadMjml(_with_line(str(problem), source)) from problem
    return finished(compiled)


_BLANKS = re.compile(r">[ \t]+(?=</?mj-)")
_BOX = {"css-class", "padding", "padding-top", "padding-right", "padding-bottom", "padding-left"}
_SURFACE = {"background-color", "border", "border-top", "border-bottom", "border-left", "border-radius"}
_FONT = {"font-family", "font-size", "font-weight", "line-height", "color", "align"}

#: element -> its attributes and where it may stand; what is not here is refused
ELEMENTS: dict[str, tuple[set[str], set[str]]] = {
    "mjml": ({"lang", "dir"}, {""}),
    "mj-head": (set(), {"mjml"}),
    "mj-title": (set(), {"mj-head"}),
    "mj-preview": (set(), {"mj-head"}),
    "mj-breakpoint": ({"width"}, {"mj-head"}),
    "mj-attributes": (set(), {"mj-head"}),
    "mj-all": (_FONT | _BOX, {"mj-attributes"}),
    "mj-style": (set(), {"mj-head"}),
    "mj-raw": (set(), {"mj-head", "mj-body", "mj-column"}),
    "mj-body": ({"width", "background-color", "css-class"}, {"mjml"}),
    "mj-wrapper": (_BOX | _SURFACE | {"full-width"}, {"mj-body"}),
    "mj-section": (
        _BOX | _SURFACE | {"full-width", "text-align"},
        {"mj-body", "mj-wrapper", "mj-attributes"},
    ),
    "mj-column": (_BOX | _SURFACE | {"width", "vertical-align"}, {"mj-section", "mj-attributes"}),
    "mj-text": (_BOX | _FONT | {"container-background-color"}, {"mj-column", "mj-attributes"}),
    "mj-divider": (
        _BOX | {"border-width", "border-color", "border-style", "width"},
        {"mj-column", "mj-attributes"},
    ),
    "mj-spacer": (_BOX | {"height"}, {"mj-column"}),
    "mj-button": (
        _BOX | _SURFACE | _FONT | {"href", "inner-padding", "width", "target", "rel"},
        {"mj-column", "mj-attributes"},
    ),
}


#: elements of HTML without an end tag
VOID = {
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr",
}  # fmt: skip
_DEEPEST = 200


def _check(source: str) -> None:
    if (at := unfinished(source)) is not None:
        tag = source[at : at + 20].split()[0]
        raise BadMjml(f"line {source.count(chr(10), 0, at) + 1}: {tag} is never closed")
    checker = _Checker()
    checker.feed(source)
    checker.close()
    if checker.is_open:
        name, line = checker.is_open[-1]
        raise BadMjml(f"line {line}: <{name}> is never closed")


class _Checker(HTMLParser):
    """Follows the elements of MJML; the HTML within them is none of its business."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.is_open: list[tuple[str, int]] = []
        self.depth = 0

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.depth += 1
        if self.depth > _DEEPEST:  # the compiler would end the process
            raise BadMjml(f"line {self.getpos()[0]}: <{tag}> is nested too deeply")
        if not is_mjml(tag):
            return
        line = self.getpos()[0]
        attributes, parents = ELEMENTS.get(tag, (set(), set()))
        parent = self.is_open[-1][0] if self.is_open else ""
        if tag not in ELEMENTS:
            raise BadMjml(f"line {line}: <{tag}> is not known here")
        if parent not in parents:
            raise BadMjml(f"line {line}: <{tag}> cannot stand in <{parent}>")
        for name, _ in attrs:
            if name not in attributes:
                raise BadMjml(f"line {line}: <{tag}> has no attribute {name}")
        self.is_open.append((tag, line))

    def handle_endtag(self, tag: str) -> None:
        self.depth -= tag not in VOID
        if not is_mjml(tag):
            return
        if not self.is_open or self.is_open[-1][0] != tag:
            raise BadMjml(f"line {self.getpos()[0]}: </{tag}> closes nothing")
        self.is_open.pop()


def is_mjml(tag: str) -> bool:
    return tag == "mjml" or tag.startswith("mj-")


def _with_line(problem: str, source: str) -> str:
    """The compiler tells bytes; people count lines."""
    found = re.search(r"at position (\d+)", problem)
    if not found:
        return problem
    line = source.encode()[: int(found[1])].count(b"\n") + 1
    return f"line {line}: {problem[: found.start()].strip()}"
