"""MJML and HTML as it is written in templates: elements, attributes, and whether all is closed.

Each branch of an `if` and each pass of a loop has to close what it opens: that is more than a page
needs which is written in the end, and what makes a template one that can be read.
"""

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

from mailer.render.bounds import TooMuch
from mailer.render.check.findings import Finding, nearest
from mailer.render.check.source import HOLE, Fork, Piece, Text
from mailer.render.check.values import wrong_in_attribute, wrong_in_declarations, wrong_in_sheet
from mailer.render.mjml import ELEMENTS, VOID, is_mjml


def wrong_in_markup(pieces: Sequence[Piece], *, whole: bool) -> set[Finding]:
    """What is wrong in these pieces. Unless they are a whole page, nobody knows what stands around them."""
    reader = _Reader(whole=whole)
    reader.read(pieces)
    reader.end()
    return reader.findings


@dataclass(frozen=True, slots=True)
class _Open:
    tag: str
    file: str
    line: int


@dataclass(slots=True)
class _Reader:
    whole: bool
    findings: set[Finding] = field(default_factory=set)
    #: elements that are open, the innermost last
    stack: list[_Open] = field(default_factory=list)
    #: below this the stack belongs to what is around the branch
    floor: int = 0
    #: text that is not read yet, and where its parts come from
    waiting: list[Text] = field(default_factory=list)

    def read(self, pieces: Sequence[Piece]) -> None:
        for piece in pieces:
            if isinstance(piece, Text):
                self.waiting.append(piece)
                continue
            self._take()
            if len(self.waiting) > _LONGEST_WAIT:
                self._take(to_the_end=True)
            if self.waiting:  # within a tag or a style sheet: all branches, one behind the other
                self._flatten(piece)
                continue
            floor = self.floor
            before = list(self.stack)
            for branch in piece.branches:
                self.stack = list(before)
                self.floor = len(before)
                self.read(branch)
                self._take(to_the_end=True)
                for each in self.stack[len(before) :]:
                    self._tell(each.file, each.line, f"<{each.tag}> is not closed in the branch it stands in")
            self.stack, self.floor = before, floor

    def end(self) -> None:
        self._take(to_the_end=True)
        for each in self.stack:
            self._tell(each.file, each.line, f"<{each.tag}> is never closed")

    def _flatten(self, fork: Fork) -> None:
        for branch in fork.branches:
            for piece in branch:
                if isinstance(piece, Text):
                    self.waiting.append(piece)
                else:
                    self._flatten(piece)
            if branch:
                last = self.waiting[-1]
                self.waiting.append(Text(last.file, last.line + last.text.count("\n"), " "))

    def _take(self, *, to_the_end: bool = False) -> None:
        """Read what waits, as far as it is whole."""
        text = "".join(piece.text for piece in self.waiting)
        if not text:
            self.waiting = []
            return
        places = _Places(self.waiting)
        at = 0
        while (start := text.find("<", at)) >= 0:
            end = self._one(text, start, places)
            if end < 0:
                if to_the_end:
                    self._tell(*places.of(start), f"{text[start : start + 20].split()[0]} is never closed")
                    self.waiting = []
                else:
                    self.waiting = places.since(start)
                return
            at = end
        self.waiting = []

    def _one(self, text: str, start: int, places: "_Places") -> int:
        """Read what begins with this "<"; returns where it ends, or -1 if that is not in the text."""
        if text.startswith("<!--", start):
            end = text.find("-->", start + 4)
            return end + 3 if end >= 0 else -1
        if text.startswith(("<!", "<?"), start):
            return text.find(">", start) + 1 or -1
        name = _NAME.match(text, start)
        if name is None:
            if start + 1 < len(text) and text[start + 1] not in (HOLE, "/"):
                self._tell(*places.of(start), "“<” in a text is written &lt;")
            return start + 1
        found = _REST.match(text, name.end())
        if found is None:
            return -1
        tag = name[2].lower()
        if name[1]:
            self._closed(tag, *places.of(start))
            return found.end()
        attributes = found[1]
        self._opened(tag, attributes, start, name.end(), places)
        if tag in _SHEETS:
            ending = re.compile(rf"</{tag}\s*>", re.I).search(text, found.end())
            if ending is None:
                self.stack.pop()  # it is opened again when the rest is there
                return -1
            for offset, problem in wrong_in_sheet(text[found.end() : ending.start()]):
                self._tell(*places.of(found.end() + offset), problem)
            return ending.start()
        if tag in VOID or (attributes.endswith("/") and is_mjml(tag)):
            self.stack.pop()
        return found.end()

    def _opened(self, tag: str, attributes: str, start: int, offset: int, places: "_Places") -> None:
        file, line = places.of(start)
        parent = self.stack[-1].tag if self.stack else ""
        self._may_stand(tag, parent, file, line)
        known = ELEMENTS[tag][0] if tag in ELEMENTS else _ATTRIBUTES
        seen: set[str] = set()
        for attribute in _ATTRIBUTE.finditer(attributes):
            name = attribute[1].lower()
            where = places.of(offset + attribute.start(1))
            if HOLE in name or name == "/":
                continue
            if name in seen:
                self._tell(*where, f"<{tag}> has {name} twice")
            seen.add(name)
            if name not in known and not (tag not in ELEMENTS and name.startswith(_PREFIXES)):
                self._tell(*where, f"<{tag}> has no attribute {name}{nearest(name, known)}")
            value = attribute[2] if attribute[2] is not None else attribute[3]
            if value is None:
                if tag in ELEMENTS:
                    self._tell(*where, f'<{tag} {name}> needs a value in quotation marks: {name}="..."')
                continue
            if tag in ELEMENTS and (problem := wrong_in_attribute(name, value)):
                self._tell(*where, f"<{tag}> {problem}")
            if name == "style":
                for problem in wrong_in_declarations(value):
                    self._tell(*where, problem)
        if len(self.stack) > _DEEPEST:
            raise TooMuch("elements are nested too deeply")
        self.stack.append(_Open(tag, file, line))

    def _may_stand(self, tag: str, parent: str, file: str, line: int) -> None:
        if is_mjml(tag):
            if tag not in ELEMENTS:
                self._tell(file, line, f"<{tag}> is not known here{nearest(tag, ELEMENTS)}")
            elif parent not in ELEMENTS[tag][1] and (parent or self.whole):
                where = f"in <{parent}>" if parent else "outside of everything"
                self._tell(file, line, f"<{tag}> cannot stand {where}")
            return
        if ":" not in tag and tag not in _HTML:
            self._tell(file, line, f"<{tag}> is not known here{nearest(tag, [*_HTML, *ELEMENTS])}")
        if is_mjml(parent) and parent in ELEMENTS and parent not in _HOLDING_HTML:
            self._tell(file, line, f"<{tag}> cannot stand in <{parent}>; HTML stands in <mj-text>")

    def _closed(self, tag: str, file: str, line: int) -> None:
        at = max((at for at, each in enumerate(self.stack) if each.tag == tag), default=-1)
        if tag in VOID:
            self._tell(file, line, f"</{tag}>: <{tag}> has no end tag")
        elif at < 0 and (self.whole or self.stack):
            self._tell(file, line, f"</{tag}> closes nothing")
        elif at < self.floor:
            self._tell(file, line, f"</{tag}> closes what was opened outside of this branch")
        else:
            for each in self.stack[at + 1 :]:
                self._tell(each.file, each.line, f"<{each.tag}> is never closed")
            del self.stack[at:]

    def _tell(self, file: str, line: int, says: str) -> None:
        self.findings.add(Finding(file, line, says))


class _Places:
    """From an offset in pieces of text put together to file and line."""

    def __init__(self, pieces: Sequence[Text]) -> None:
        self._pieces = pieces
        self._starts: list[int] = []
        length = 0
        for piece in pieces:
            self._starts.append(length)
            length += len(piece.text)

    def of(self, offset: int) -> tuple[str, int]:
        at = bisect_right(self._starts, offset) - 1
        piece = self._pieces[at]
        return piece.file, piece.line + piece.text.count("\n", 0, offset - self._starts[at])

    def since(self, offset: int) -> list[Text]:
        at = bisect_right(self._starts, offset) - 1
        file, line = self.of(offset)
        first = Text(file, line, self._pieces[at].text[offset - self._starts[at] :])
        return [first, *self._pieces[at + 1 :]]


_DEEPEST = 100
#: pieces of one tag or style sheet; what is longer is none
_LONGEST_WAIT = 500
_NAME = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9:_-]*)")
_REST = re.compile(r"""((?:[^>"']++|"[^"]*+"|'[^']*+')*+)>""")
_ATTRIBUTE = re.compile(r"""([^\s=>"']+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'))?""")
_SHEETS = {"style", "mj-style"}
_HOLDING_HTML = {"mj-text", "mj-button", "mj-raw"}
_HTML = VOID | {
    "html", "head", "body", "title", "style", "a", "abbr", "address", "article", "aside", "b", "bdi",
    "bdo", "big", "blockquote", "caption", "center", "cite", "code", "colgroup", "dd", "del", "dfn",
    "div", "dl", "dt", "em", "figcaption", "figure", "font", "footer", "h1", "h2", "h3", "h4", "h5", "h6",
    "header", "i", "ins", "kbd", "li", "main", "mark", "nav", "ol", "p", "pre", "q", "s", "samp",
    "section", "small", "span", "strike", "strong", "sub", "sup", "table", "tbody", "td", "tfoot", "th",
    "thead", "time", "tr", "tt", "u", "ul", "var",
}  # fmt: skip
_PREFIXES = ("data-", "aria-", "xmlns:", "xml:", "o:", "v:")
_ATTRIBUTES = {
    "abbr", "align", "alt", "axis", "background", "bgcolor", "border", "bordercolor", "cellpadding",
    "cellspacing", "charset", "cite", "class", "clear", "color", "cols", "colspan", "content", "datetime",
    "dir", "face", "headers", "height", "hidden", "href", "hreflang", "hspace", "http-equiv", "id",
    "itemprop", "itemscope", "itemtype", "lang", "link", "media", "name", "noshade", "nowrap", "property",
    "rel", "reversed", "role", "rowspan", "rules", "scope", "size", "span", "src", "srcset", "start",
    "style", "summary", "tabindex", "target", "text", "title", "translate", "type", "valign", "value",
    "vlink", "vspace", "width", "xmlns", "alink", "topmargin", "leftmargin", "marginwidth",
    "marginheight", "frame",
}  # fmt: skip
