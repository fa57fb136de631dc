"""HTML with style sheets to HTML as it is mailed: styles in the elements, nothing remote, a doctype.

Many mail programs read no style sheet, so styles are written into the elements (premailer); media
queries stay in the head.
"""

import logging
import re
import threading
from functools import lru_cache

import cssutils
from premailer import Premailer

from mailer.render.selfcontained import comments, refuse_remote


class BadPage(ValueError):
    """What a template makes is no page; says what is wrong, and in which line where that is known."""


def finished(html: str) -> str:
    """A page as it is mailed. Its doctype is kept; without one it is HTML 5.

    Raises BadPage and NotSelfContained.
    """
    refuse_remote(html)  # before premailer too: it drops at-rules without a word
    doctype = _DOCTYPE.match(html)
    page = html[doctype.end() :] if doctype else html
    if not _ELEMENT.search(page):
        raise BadPage("there is no element in it")
    sheets = "".join(_SHEET.findall(page))
    # the reader of style sheets takes very long over long ones, and over a comment that never ends
    if len(sheets) > _LONGEST_SHEETS or "/*" in _COMMENT.sub("", sheets):
        raise BadPage(
            f"its style sheets are longer than {_LONGEST_SHEETS} characters, or a comment never ends"
        )
    # each part of each selector is looked for among all elements, and among all that are around it
    if len(_SELECTED.findall(sheets)) * len(_ELEMENT.findall(page)) > _MOST_LOOKING:
        raise BadPage("its style sheet has too many selectors for so many elements")
    inlined = _inlined(page)
    refuse_remote(inlined)
    if conditional_comments(page) != conditional_comments(inlined):
        raise BadPage("a comment for Outlook (<!--[if mso]>) did not come through as it was")
    return (doctype[1] if doctype else "<!doctype html>") + "\n" + inlined


def conditional_comments(html: str) -> list[str]:
    """The comments that Outlook reads, and those that end what it skips, as they stand there."""
    found = comments(html.replace("\r\n", "\n"))
    return [each for each in found if each.startswith(("<!--[if", "<!--<![endif"))]


def without_noncharacters(text: str) -> str:
    """What XML cannot hold (XML 1.0, 2.2) means nothing in a mail either, but comes in by pasting."""
    return _NO_CHARACTERS.sub("", text)


_NO_CHARACTERS = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_DOCTYPE = re.compile(r"\s*(<!doctype[^<>]*>)", re.I)
_LONGEST_SHEETS = 20_000
_COMMENT = re.compile(r"/\*(?:[^*]|\*(?!/))*+\*/")
_MOST_LOOKING = 1_000_000
_SHEET = re.compile(r"<style\b[^>]*>([^<]*)", re.I)
_SELECTED = re.compile(r"[^\s,;:{}>+~]+(?=[\s,{>+~])")
_ELEMENT = re.compile(r"<[a-z]", re.I)


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
