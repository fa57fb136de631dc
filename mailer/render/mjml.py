"""MJML to one HTML page that needs nothing from anywhere: no font, no image, no style sheet.

The compiler is silent about unknown elements and attributes, so they are looked for first. Styles
are then written into the elements (premailer), since many mail programs read no style sheet;
media queries stay in the head.
"""

import logging
import re
import threading
from functools import lru_cache
from html.parser import HTMLParser

import cssutils
from mjml import mjml2html
from premailer import Premailer


class BadMjml(ValueError):
    """The source is no MJML of ours; says what and in which line."""


class NotSelfContained(ValueError):
    """The mail would fetch or run something when it is read; says what."""


def compile_mjml(source: str) -> str:
    """The HTML of an MJML document: styles in the elements, nothing remote, a doctype before it.

    Raises BadMjml and NotSelfContained.
    """
    # what XML cannot hold (XML 1.0, 2.2) means nothing in a mail either, but comes in by pasting
    source = _NO_CHARACTERS.sub("", source)
    _check(source)
    # the compiler stumbles over blanks between elements unless a line ends there
    source = _BLANKS.sub(">", source)
    try:
        compiled = str(mjml2html(source, fonts={}, social_icon_origin=""))
    except ValueError as problem:
        raise BadMjml(_with_line(str(problem), source)) from problem
    _refuse_remote(compiled)  # before premailer too: it drops at-rules without a word
    html = "<!doctype html>\n" + _inlined(compiled)
    _refuse_remote(html)
    return html


_NO_CHARACTERS = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_BLANKS = re.compile(r">[ \t]+(?=</?mj-)")
_BOX = {"css-class", "padding", "padding-top", "padding-right", "padding-bottom", "padding-left"}
_SURFACE = {"background-color", "border", "border-top", "border-bottom", "border-left", "border-radius"}
_FONT = {"font-family", "font-size", "font-weight", "line-height", "color", "align"}

#: element -> its attributes and where it may stand; what is not here is refused
_ELEMENTS: dict[str, tuple[set[str], set[str]]] = {
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
_ENDING = {"mj-all", "mj-breakpoint", "mj-divider", "mj-spacer"}


def _check(source: str) -> None:
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

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if not _is_mjml(tag):
            return
        line = self.getpos()[0]
        attributes, parents = _ELEMENTS.get(tag, (set(), set()))
        parent = self.is_open[-1][0] if self.is_open else ""
        if tag not in _ELEMENTS:
            raise BadMjml(f"line {line}: <{tag}> is not known here")
        if parent not in parents:
            raise BadMjml(f"line {line}: <{tag}> cannot stand in <{parent}>")
        for name, _ in attrs:
            if name not in attributes:
                raise BadMjml(f"line {line}: <{tag}> has no attribute {name}")
        self.is_open.append((tag, line))

    def handle_endtag(self, tag: str) -> None:
        if not _is_mjml(tag):
            return
        if not self.is_open or self.is_open[-1][0] != tag:
            raise BadMjml(f"line {self.getpos()[0]}: </{tag}> closes nothing")
        self.is_open.pop()


def _is_mjml(tag: str) -> bool:
    return tag == "mjml" or tag.startswith("mj-")


def _with_line(problem: str, source: str) -> str:
    """The compiler tells bytes; people count lines."""
    found = re.search(r"at position (\d+)", problem)
    if not found:
        return problem
    line = source.encode()[: int(found[1])].count(b"\n") + 1
    return f"line {line}: {problem[: found.start()].strip()}"


class _Inliner(Premailer):  # type: ignore[misc]  # premailer publishes no types
    """Reads each style sheet once: that costs more than all the rest, and mails of a kind share theirs."""

    def _parse_style_rules(self, css_body: str, ruleset_index: int) -> tuple[list[object], list[str]]:
        rules, left_over = _read_css(css_body, ruleset_index)
        return list(rules), list(left_over)

    def _css_rules_to_string(self, rules: list[str]) -> str:
        return "\n".join(rules)


class _Reader(Premailer):  # type: ignore[misc]  # premailer publishes no types
    def _parse_css_string(self, css_body: str, validate: bool = True) -> object:
        # allow_network does not cover @import: it is cssutils that would follow it
        parser = cssutils.CSSParser(loglevel=logging.CRITICAL, fetcher=lambda _url: None, validate=False)
        return parser.parseString(css_body)


#: cssutils is not made for two threads at once
_READING = threading.Lock()


@lru_cache(maxsize=64)
def _read_css(css: str, index: int) -> tuple[tuple[object, ...], tuple[str, ...]]:
    """The rules to be written into elements, and what stays in the head, written out."""
    reader = _Reader(strip_important=False)
    with _READING:
        rules, left_over = reader._parse_style_rules(css, index)
        return tuple(rules), (reader._css_rules_to_string(left_over),) if left_over else ()


def _inlined(html: str) -> str:
    inliner = _Inliner(
        html,
        allow_network=False,
        disable_validation=True,
        cssutils_logging_level=logging.CRITICAL,
        # width and bgcolor beside the style are for programs of the last century
        disable_basic_attributes=["width", "height", "bgcolor", "align", "valign"],
        strip_important=False,
    )
    return str(inliner.transform())


def _refuse_remote(html: str) -> None:
    looker = _Looker()
    looker.feed(html)
    looker.close()


class _Looker(HTMLParser):
    """Raises NotSelfContained where reading the mail would fetch or run something."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.in_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.in_style = tag == "style"
        if tag in _FETCHING:
            raise NotSelfContained(f"<{tag}>")
        for name, value in attrs:
            if name == "http-equiv" and (value or "").strip().lower() == "refresh":
                raise NotSelfContained("<meta http-equiv=refresh>")
            if name in _FETCHED and not (value or "").strip().lower().startswith(("cid:", "data:image/")):
                raise NotSelfContained(f"<{tag} {name}={value!r}>")
            if name.startswith("on") or name == "ping":
                raise NotSelfContained(f"<{tag} {name}>")
            if name == "href" and not _leads_somewhere(value or ""):
                raise NotSelfContained(f"<{tag} href={value!r}>")
            if name == "style":
                _refuse_in_css(value or "")

    def handle_endtag(self, tag: str) -> None:
        self.in_style = False

    def handle_data(self, data: str) -> None:
        if self.in_style:
            _refuse_in_css(data)

    def handle_comment(self, data: str) -> None:
        # Outlook reads what stands in conditional comments
        if data.startswith("[if"):
            _refuse_in_comment(data.partition(">")[2])


_FETCHING = {
    "link",
    "script",
    "iframe",
    "frame",
    "object",
    "embed",
    "audio",
    "video",
    "base",
    "v:fill",
    "v:image",
    "v:imagedata",
    "svg",
    "form",
}
_FETCHED = {"src", "srcset", "background", "poster", "data", "lowsrc", "dynsrc"}
_SCHEMES = {"", "http", "https", "mailto", "tel"}
_SCHEME = re.compile(r"(?:([a-z][a-z0-9+.-]*):)?")
_REMOTE_CSS = re.compile(
    r"@import|@font-face|\b(?:url|src|image|image-set|expression)\s*\(|\\[0-9a-f]|behavior\s*:", re.I
)


@lru_cache(maxsize=256)  # MJML writes the same few hundred times into a mail
def _refuse_in_comment(html: str) -> None:
    _refuse_remote(html)


def _leads_somewhere(href: str) -> bool:
    # browsers drop blanks and control characters before they look at the scheme
    scheme = _SCHEME.match("".join(href.split()).lower())
    return scheme is not None and (scheme[1] or "") in _SCHEMES


@lru_cache(maxsize=256)
def _refuse_in_css(css: str) -> None:
    found = _REMOTE_CSS.search(css)
    if found:
        raise NotSelfContained(f"{found[0]} in a style")
