"""A mail must fetch nothing and run nothing when it is read."""

import re
from functools import lru_cache
from html.parser import HTMLParser


class NotSelfContained(ValueError):
    """The mail would fetch or run something when it is read; says what."""


def refuse_remote(html: str) -> None:
    """Raises NotSelfContained."""
    if (at := unfinished(html)) is not None:
        raise NotSelfContained(f"{html[at : at + 20]!r} is never closed")
    looker = _Looker()
    looker.feed(html)
    looker.close()


def unfinished(html: str) -> int | None:
    """Where the first tag or comment stands that has no end, if there is one.

    Mail programs differ in what they make of it, and Python's HTMLParser looks for the end anew from
    each of them: for ever, if there are many.
    """
    at = 0
    while (start := html.find("<", at)) >= 0:
        if whole := _WHOLE.match(html, start):
            at = whole.end()
        elif _BEGUN.match(html, start):
            return start
        else:
            at = start + 1
    return None


def comments(html: str) -> list[str]:
    """All comments. What looks like one in the value of an attribute is none."""
    return [whole[0] for whole in _WHOLE.finditer(html) if whole[0].startswith("<!--")]


_BEGUN = re.compile(r"<[A-Za-z/!?]")
_WHOLE = re.compile(
    r"""<!--(?:[^-]|-(?!->))*+-->|<[!?/](?!--)[^>]*+>|<[A-Za-z](?:[^>"']++|"[^"]*+"|'[^']*+')*+>"""
)


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
            _refuse_in_comment(data.partition(">")[2].removesuffix("<![endif]").removesuffix("<!"))


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
    refuse_remote(html)


def _leads_somewhere(href: str) -> bool:
    # browsers drop blanks and control characters before they look at the scheme
    scheme = _SCHEME.match("".join(href.split()).lower())
    return scheme is not None and (scheme[1] or "") in _SCHEMES


@lru_cache(maxsize=256)
def _refuse_in_css(css: str) -> None:
    found = _REMOTE_CSS.search(css)
    if found:
        raise NotSelfContained(f"{found[0]} in a style")
