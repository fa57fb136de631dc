"""HTML of others made ours: the few elements a mail needs, always balanced, and its plain text.

What comes in is read once from left to right by a forgiving reader and written anew, block by
block, so the effort grows with the length of the input and not with how it is nested (HTML's
own rules for misnested formatting let a few kilobytes grow to gigabytes). nh3 has the last word.
"""

import html as entities
import re
import textwrap
from collections.abc import Iterator
from urllib.parse import urljoin, urlsplit

import nh3


def clean_html(html: str, *, base_url: str = "") -> str:
    """Only p, br, strong, em, ul, ol, li, blockquote and a[href]; every text stands in a block.

    Links are made absolute against `base_url`; what is then no http, https or mailto address
    loses its link and keeps its text. Headings become strong paragraphs. Text beyond 50,000
    characters is left out.
    """
    writer = _Writer()
    for name, text, closes in _read(html):
        if not name:
            writer.text(text)
        elif name in _HEADINGS:
            writer.heading(closes)
        elif name in _INLINE:
            writer.inline(_INLINE[name], closes)
        elif name == "a":
            writer.link("" if closes else _address(text, base_url))
        elif name == "br":
            writer.line_break()
        elif name in _CONTAINERS:
            writer.container(name, closes)
        elif name in _BREAKING:
            writer.end_paragraph()
    return nh3.clean(
        writer.finished(),
        tags=_ALLOWED,
        attributes={"a": {"href"}},
        url_schemes=_SCHEMES,
        url_relative="deny",
        link_rel=None,
    )


def excerpt(html: str, limit: int = 500) -> str:
    """Clean HTML of at most `limit` visible characters, cut behind a sentence or a word, then " …"."""
    clean = clean_html(html)
    visible = "".join(text for name, text, _ in _read(clean) if not name)
    if len(visible) <= limit:
        return clean
    left = _cut(visible, limit - 2)
    written: list[str] = []
    is_open: list[str] = []
    for name, text, closes in _read(clean):
        if not name:
            written.append(entities.escape(text[:left].rstrip() if len(text) >= left else text, quote=False))
            left -= len(text)
            if left <= 0:
                break
        elif closes:
            written.append(f"</{is_open.pop()}>")
        elif name == "br":
            written.append("<br>")
        else:
            written.append(_start(name, _href(text)))
            is_open.append(name)
    written.append(" …")
    written += [f"</{name}>" for name in reversed(is_open)]
    return "".join(written)


def plain_text(html: str, width: int = 72) -> str:
    """The text of HTML in lines of at most `width` columns; only what has no space may be longer."""
    blocks: list[str] = []
    pieces: list[str] = []
    within: list[list[int]] = []  # the lists around, each as [its number or 0 for a dash]
    quoted = 0
    first = True  # whether the next text is the first of its list item
    link = ""
    since = 0

    def end_block() -> None:
        nonlocal first
        lines = "".join(pieces).strip(" \n").split("\n")
        pieces.clear()
        if not any(lines):
            return
        mark = "" if not within else f"{within[-1][0]}. " if within[-1][0] else "– "
        outer = "> " * quoted + "  " * (len(within) - 1)
        blank = " " * len(mark)
        written: list[str] = []
        for line in lines:
            lead = outer + (mark if first and not written else blank)
            written += textwrap.wrap(
                line,
                max(width, len(lead) + 20),
                initial_indent=lead,
                subsequent_indent=outer + blank,
                break_long_words=False,
                break_on_hyphens=False,
            )
        if not written:
            return
        tight = bool(within) and bool(blocks)
        blocks.append(("\n" if tight else "\n\n" if blocks else "") + "\n".join(written))
        first = False

    for name, text, closes in _read(clean_html(html)):
        if not name:
            pieces.append(_SPACE.sub(" ", text))
        elif name == "br":
            pieces.append("\n")
        elif name == "a" and not closes:
            link, since = _href(text), len(pieces)
        elif name == "a":
            shown = "".join(pieces[since:]).strip()
            if shown not in (link, link.removeprefix("mailto:"), re.sub("^https?://", "", link).rstrip("/")):
                pieces.append(f" <{link}>")
        elif name in _ALLOWED - {"strong", "em"}:
            end_block()
            if name in ("ul", "ol"):
                if closes:
                    within.pop()
                else:
                    if not within and blocks:
                        blocks.append("\n")
                    within.append([0])
                    if name == "ol":
                        within[-1] = [0, 0]
            elif name == "li" and not closes:
                first = True
                if len(within[-1]) == 2:
                    within[-1][1] += 1
                    within[-1][0] = within[-1][1]
            elif name == "blockquote":
                quoted += -1 if closes else 1
    end_block()
    return "".join(blocks).strip("\n")


_ALLOWED = {"p", "br", "strong", "em", "ul", "ol", "li", "a", "blockquote"}
_SCHEMES = {"http", "https", "mailto"}
_HEADINGS = {"h1", "h2", "h3", "h4", "h5", "h6"}
_INLINE = {"b": "strong", "strong": "strong", "i": "em", "em": "em"}
_CONTAINERS = {"ul", "ol", "li", "blockquote"}
_BREAKING = {
    "p", "div", "section", "article", "header", "footer", "main", "aside", "nav", "table", "tr", "td", "th",
    "caption", "pre", "dl", "dt", "dd", "hr", "figure", "figcaption", "address", "fieldset", "form",
    "details", "summary", "center",
}  # fmt: skip
#: elements whose content is no HTML: it ends at their end tag only
_RAW = {
    "script",
    "style",
    "textarea",
    "title",
    "xmp",
    "iframe",
    "noembed",
    "noframes",
    "noscript",
    "template",
}
#: elements that go with all they hold
_GONE = {"svg", "math", "object", "select", "button", "video", "audio", "canvas", "map", "head"}
#: containers within containers; what is deeper is written flat
_DEEPEST = 8
_LONGEST_LINK = 2000
#: characters of text kept: Gmail cuts a mail at 102 kB
_LONGEST = 50_000

_MARKUP = re.compile(r"<(?=[A-Za-z/!?])")
_BLANK = " \xa0\xad\u200b\u200c\u200d\u2060"
_SPACE = re.compile(r"[ \t\r\n\f\x0b]+")
_NAME = re.compile(r"/?([A-Za-z][A-Za-z0-9:-]{0,30})")
_TAG_END = re.compile(r"""(?:[^>"']++|"[^"]*+"|'[^']*+')*+>""")
_HREF = re.compile(r"""\shref\s{0,9}=\s{0,9}(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""", re.I)
_ENDLESS_NUMBER = re.compile(r"&#(?:[0-9]{9,}|[xX][0-9a-fA-F]{9,});?")
#: control characters, and those that turn the direction of what follows
_UNSEEN = re.compile(
    "[\0-\x08\x0b\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff\ud800-\udfff]"
)


def _read(html: str) -> Iterator[tuple[str, str, bool]]:
    """(element, attributes, whether it is an end tag), or ("", text, False) for decoded text."""
    at, gone, quotes = 0, 0, True
    while at < len(html):
        opening = _MARKUP.search(html, at)
        end = opening.start() if opening else len(html)
        if end > at:
            if not gone:
                yield "", _decoded(html[at:end]), False
            at = end
            continue
        if html.startswith("<!--", at):
            end = html.find("-->", at + 4)
            at = len(html) if end < 0 else end + 3
            continue
        name = _NAME.match(html, at + 1)
        inside = name.end() if name else at + 1
        found = _TAG_END.match(html, inside) if quotes else None
        if not found:
            # a quote is never closed: from here on a tag ends at the next ">", wherever that is
            quotes = False
            end = html.find(">", inside)
            if end < 0:
                return
            at = end + 1
        else:
            at = found.end()
        if not name:
            continue
        element, closes = name[1].lower(), name[0].startswith("/")
        if element in _RAW and not closes:
            ending = re.compile(rf"</{element}\b", re.I).search(html, at)
            if not ending:
                return
            at = ending.start()
        elif element in _GONE:
            gone = max(0, gone + (-1 if closes else 1))
        elif not gone:
            yield element, html[inside : at - 1], closes


def _decoded(text: str) -> str:
    return _UNSEEN.sub("", entities.unescape(_ENDLESS_NUMBER.sub("\ufffd", text)))


def _href(attributes: str) -> str:
    found = _HREF.search(attributes[: 2 * _LONGEST_LINK])
    return _decoded(found[1] or found[2] or found[3] or "").strip() if found else ""


def _address(attributes: str, base_url: str) -> str:
    try:
        link = urljoin(base_url, "".join(_href(attributes).split()))
        parts = urlsplit(link)
        usable = parts.scheme == "mailto" and "@" in parts.path
        usable |= parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return ""
    return link if usable and link.isprintable() and len(link) <= _LONGEST_LINK else ""


def _start(name: str, href: str = "") -> str:
    return f'<a href="{entities.escape(href)}">' if name == "a" else f"<{name}>"


def _cut(text: str, limit: int) -> int:
    """Where to cut: behind the last sentence if that keeps half, else before the word that is too long."""
    sentences = [found.end() for found in _SENTENCE.finditer(text, limit // 2, limit)]
    if sentences:
        return sentences[-1]
    space = max(text.rfind(gap, limit // 2, limit + 1) for gap in (" ", "\n"))
    return space if space > 0 else limit


#: an end of a sentence: not the full stop of "z. B.", "Dr. Meyer" or "5. März"
_SENTENCE = re.compile(r"(?<=[^\W\d_]{3})[.!?…][»“”\"')]?(?=\s+[»„“(]?[A-ZÄÖÜ0-9])")


class _Writer:
    """Writes text into balanced blocks; inline elements are opened only when text stands in them."""

    def __init__(self) -> None:
        self.room = _LONGEST
        self.pieces: list[str] = []
        self.blocks: list[str] = []
        self.skipped: list[str] = []
        self.wanted = {"strong": 0, "em": 0}
        self.in_heading = False
        self.href = ""
        self.written: list[tuple[str, str]] = []
        self.breaks = 0
        self.begun = False  # whether the present paragraph or list item has text
        self.space = False  # whether a space is due before the next text

    def text(self, text: str) -> None:
        words = _SPACE.sub(" ", text)
        self.space |= words[:1] == " "
        # editors of web sites make room by lines of nothing but a no-break space
        to_be_seen = words.strip(_BLANK) or (words.strip(" ") and self.begun and not self.breaks)
        if to_be_seen and self.room > 0:
            self._begin()
            self.pieces.append(entities.escape(words.strip(" "), quote=False)[: self.room])
            self.room -= len(self.pieces[-1])
            self.begun, self.space = True, words[-1] == " "

    def heading(self, closes: bool) -> None:
        self.end_paragraph()
        self.in_heading = not closes

    def inline(self, name: str, closes: bool) -> None:
        self.wanted[name] = max(0, self.wanted[name] + (-1 if closes else 1))

    def link(self, href: str) -> None:
        self._close_inline()
        self.href = href

    def line_break(self) -> None:
        if self.begun:
            self.breaks += 1
            if self.breaks > 1 and self.blocks[-1] == "p":
                self.end_paragraph()

    def end_paragraph(self) -> None:
        self._close_inline()
        if self.blocks[-1:] == ["p"]:
            self._close_block()
        elif self.begun:  # within a list item a line break parts paragraphs
            self.breaks = 1

    def container(self, name: str, closes: bool) -> None:
        self.end_paragraph()
        if closes:
            if self.skipped and self.skipped[-1] == name:
                self.skipped.pop()
            elif name in self.blocks:
                while self._close_block() != name:
                    pass
            return
        if len(self.blocks) >= _DEEPEST:
            self.skipped = [*self.skipped[-100:], name]
            self.breaks = 1
            return
        if name == "li":
            if "li" in self.blocks and self.blocks[-1] not in ("ul", "ol"):
                while self._close_block() != "li":
                    pass
            if self.blocks[-1:] not in (["ul"], ["ol"]):
                self._open_block("ul")
        elif self.blocks[-1:] in (["ul"], ["ol"]):
            self._open_block("li")
        self._open_block(name)

    def finished(self) -> str:
        self.end_paragraph()
        while self.blocks:
            self._close_block()
        return "".join(self.pieces)

    def _begin(self) -> None:
        """Make ready for text: within a block, and within the inline elements it is to stand in."""
        if not self.blocks or self.blocks[-1] == "blockquote":
            self._open_block("p")
        elif self.blocks[-1] in ("ul", "ol"):
            self._open_block("li")
        wanted = [(name, "") for name, depth in self.wanted.items() if depth]
        if self.in_heading and ("strong", "") not in wanted:
            wanted.insert(0, ("strong", ""))
        if self.href:
            wanted.insert(0, ("a", self.href))
        anew = wanted != self.written or self.breaks > 0
        if anew:
            self._close_inline()
        if self.begun and (self.breaks or self.space):
            self.pieces.append("<br>" if self.breaks else " ")
        if anew:
            self.pieces += [_start(name, href) for name, href in wanted]
            self.written = wanted
        self.breaks = 0

    def _close_inline(self) -> None:
        self.pieces += [f"</{name}>" for name, _ in reversed(self.written)]
        self.written = []

    def _open_block(self, name: str) -> None:
        self.pieces.append(f"<{name}>")
        self.blocks.append(name)
        self.begun, self.breaks = False, 0

    def _close_block(self) -> str:
        self._close_inline()
        name = self.blocks.pop()
        if self.pieces[-1] == f"<{name}>":
            self.pieces.pop()  # nothing stood in it
        else:
            self.pieces.append(f"</{name}>")
        self.begun, self.breaks = self.blocks[-1:] == ["li"], 0
        return name
