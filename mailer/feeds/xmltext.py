"""From the bytes of an XML feed to text that a strict XML parser takes, mended where the wild needs it.

Everything before the root element is dropped. A document type declaration that is not one of RSS 0.9x's own
is refused, so no entity is ever declared, expanded or fetched (XML 1.0 sections 2.8 and 4.2).
"""

import html.entities
import re
import xml.parsers.expat
from collections.abc import Iterator
from dataclasses import dataclass

from mailer.feeds.charset import CP1252, decode
from mailer.feeds.parsed import MOST_ITEMS, NotAFeed, Problems

# no feed comes near; a bomb does
DEEPEST, MOST_ATTRIBUTES, MOST_NAMESPACES = 200, 200, 500
MOST_ELEMENTS, MOST_CHILDREN, MOST_REFERENCES = 150_000, 1000, 500_000
LARGEST_SOUP, MOST_TAGS_OF_SOUP = 2_000_000, 20_000


@dataclass(frozen=True, slots=True)
class Document:
    text: str  # begins with the root element
    root: str  # its name in lower case, without prefix
    head: str  # what the root's tag says: attributes and namespaces


def read_document(body: bytes, content_type: str, problems: Problems) -> Document:
    """The XML document in `body`; raises NotAFeed if it is none, or one that no honest site sends."""
    text = decode(body, content_type, problems)
    start = _root_at(text, problems)
    text = _mend(text[start:], problems)
    tag = _ROOT.match(text)
    if tag is None:
        raise NotAFeed("the root element is no feed")
    _bound(text, problems)
    return Document(text, tag["name"].lower(), text[: text.find(">") + 1])


_ROOT = re.compile(r"<(?:[\w.-]+:)?(?P<name>rss|rdf|feed|entry|channel)(?=[\s/>])", re.I)
_HTML = ("html", "head", "body", "title", "meta", "link", "script", "style", "div", "table", "form", "h1")
_SPACE = re.compile(r"[\s\ufeff\0]*")
_FIRST_ELEMENT = re.compile(r"<([A-Za-z_][\w.:-]*)")


def _root_at(text: str, problems: Problems) -> int:
    """Where the root element begins: past white space, declaration, comments and DOCTYPE."""
    if not text.startswith("<") and text.lstrip().startswith("<?xml"):
        problems.note("white space before the XML declaration")
    at = 0
    while True:
        at = _SPACE.match(text, at).end()  # type: ignore[union-attr] # it matches nothing, too
        if text.startswith("<?", at):
            end = text.find("?>", at) + 2
        elif text.startswith("<!--", at):
            end = text.find("-->", at) + 3
        elif text[at : at + 9].upper() == "<!DOCTYPE":
            if text[at + 9 : at + 15].strip().lower() == "html":
                raise NotAFeed("an HTML page")
            known = _KNOWN_DOCTYPE.match(text, at)
            if known is None:
                raise NotAFeed("a document type declaration of its own, which no feed needs")
            end = known.end()
        else:
            break
        if end <= at + 2:
            raise NotAFeed("no root element")
        at = end
    if _ROOT.match(text, at):
        return at
    element = _FIRST_ELEMENT.match(text, at)
    if element and element[1].lower() not in ("br", "b", "p", "pre", "font"):
        raise NotAFeed(
            "an HTML page" if element[1].lower() in _HTML else f"the root element is {element[1][:40]}"
        )
    # a PHP warning before the feed; not a page that shows one
    later = _ROOT.search(text, at, at + 4096)
    if later is None or re.search(r"<!doctype|<html|<body", text[at : later.start()], re.I):
        raise NotAFeed("no root element" if element is None else "an HTML page")
    problems.note("text before the feed was skipped")
    return later.start()


# What RSS 0.9x asks for, and what RDF sites write: names for a vocabulary, which nobody fetches. A document
# type of its own could declare entities, or name a file to be read.
_KNOWN_DOCTYPE = re.compile(
    r"""<!DOCTYPE\s{1,9}[\w:.-]{1,40}\s{0,99}
    (?:PUBLIC\s{1,99}["']
        (?:-//Netscape\ Communications//DTD\ RSS\ 0\.9|-//DUBLIN\ CORE//DCMES\ DTD)[^"'<>\[]{0,80}["']
        (?:\s{1,99}["']http://[^"'<>\[]{0,200}["'])?
    |SYSTEM\s{1,99}["']
        http://(?:my\.netscape\.com|www\.rssboard\.org|backend\.userland\.com)/[^"'<>\[]{0,200}["'])?
    \s{0,99}>""",
    re.I | re.X,
)


def _mend(text: str, problems: Problems) -> str:
    """Make characters and references such as XML 1.0 sections 2.2 and 4.1 allow, outside CDATA."""
    if text.count("&") > MOST_REFERENCES:
        raise NotAFeed("too many references")
    clean = text.translate(_CONTROLS)
    if clean != text:
        problems.note("control characters were removed or read as Windows-1252")

    def reference(found: re.Match[str]) -> str:
        whole, number, name = found.group(0, "number", "name")
        if number:
            code = int(number[1:], 16) if number[0] in "xX" else int(number)
            if code in _CONTROLS:
                problems.note("character references to control characters were mended")
                return _CONTROLS[code] or ""
            if code > 0x10FFFF or 0xD800 <= code < 0xE000:
                problems.note("character references to no character were removed")
                return ""
            return whole.lower()
        if name in ("amp", "lt", "gt", "quot", "apos"):
            return whole
        if name and (character := html.entities.html5.get(f"{name};")):
            problems.note("HTML entities, unknown to XML, were resolved")
            return "".join(f"&#{ord(c)};" if c.isascii() else c for c in character)
        problems.note("a raw & was escaped")
        return "&amp;" + whole[1:]

    def markup(piece: str) -> str:
        escaped, raw = _RAW_AMPERSAND.subn("&amp;", piece)
        if raw:
            problems.note("a raw & was escaped")
        return _PERSON.sub(r"\1unread", _REFERENCE.sub(reference, escaped))

    return "".join(piece if kept else markup(piece) for kept, piece in _kept_and_markup(clean))


_CONTROLS: dict[int, str] = (
    {c: "" for c in (*range(0x20), 0x7F, *range(0xD800, 0xE000), 0xFFFE, 0xFFFF) if c not in (9, 10, 13)}
    | CP1252
    | {0x85: "\u2026"}
)
_REFERENCE = re.compile(
    r"&(?:#(?P<number>[xX][0-9A-Fa-f]{1,8}|\d{1,8})|(?P<name>[A-Za-z][A-Za-z0-9]{0,31}));"
)
_RAW_AMPERSAND = re.compile(r"&(?!#[xX][0-9A-Fa-f]{1,8};|#\d{1,8};|[A-Za-z][A-Za-z0-9]{0,31};)")
# Who wrote it we do not read; feedparser would, with a search for addresses that is quadratic in the text
_PERSON = re.compile(
    r"(</?)(?:[\w.-]+:)?(?:author|creator|contributor|publisher|managingeditor|webmaster|owner)(?=[\s/>])",
    re.I,
)
_KEPT = {"<![CDATA[": "]]>", "<!--": "-->", "<?": "?>"}


def _kept_and_markup(text: str) -> Iterator[tuple[bool, str]]:
    """Slices of `text`, True for those in which `&` means itself. Linear, however many are unclosed."""
    at, unclosed = 0, set()
    for opening in re.finditer(r"<!\[CDATA\[|<!--|<\?", text):
        if opening.start() < at or opening[0] in unclosed:
            continue
        close = text.find(_KEPT[opening[0]], opening.end())
        if close < 0:
            unclosed.add(opening[0])
            continue
        yield False, text[at : opening.start()]
        at = close + len(_KEPT[opening[0]])
        yield True, text[opening.start() : at]
    yield False, text[at:]


def _bound(text: str, problems: Problems) -> None:
    """Let expat run through the text first; raises NotAFeed on what would cost feedparser too much."""
    if _ENDLESS_TAG.search(text):  # expat would collect its attributes before we are asked
        raise NotAFeed("too many attributes in one tag")
    parser = xml.parsers.expat.ParserCreate(encoding="utf-8", namespace_separator=" ")
    census = _Census()
    parser.StartElementHandler, parser.EndElementHandler = census.start, census.end
    parser.StartNamespaceDeclHandler = census.namespace
    try:
        parser.Parse(text.encode("utf-8", "replace"), True)
    except xml.parsers.expat.ExpatError as error:
        problems.note(f"not well-formed: {xml.parsers.expat.ErrorString(error.code)}")
        _bound_tag_soup(text)


_ENDLESS_TAG = re.compile(r"<[A-Za-z][^<>]{1000000}")


class _Census:
    """Counts a document's elements. feedparser is quadratic in an item's children and in namespaces."""

    def __init__(self) -> None:
        self.children = [0]  # of each open element, not counting items
        self.items = self.elements = self.namespaces = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self.elements += 1
        if name.rpartition(" ")[2].lower() in ("item", "entry"):
            self.items += 1
        else:
            self.children[-1] += 1
        for count, limit, what in (
            (len(self.children), DEEPEST, "nested too deeply"),
            (len(attributes), MOST_ATTRIBUTES, "too many attributes in one tag"),
            (self.items, MOST_ITEMS, "too many items"),
            (self.elements, MOST_ELEMENTS, "too many elements"),
            # below an item it is the markup of content, which may be long
            (
                self.children[-1] if len(self.children) <= 4 else 0,
                MOST_CHILDREN,
                "too many parts in one item",
            ),
        ):
            if count > limit:
                raise NotAFeed(what)
        self.children.append(0)

    def end(self, _: str) -> None:
        self.children.pop()

    def namespace(self, _prefix: str, _uri: str) -> None:
        self.namespaces += 1
        if self.namespaces > MOST_NAMESPACES:
            raise NotAFeed("too many namespaces")


def _bound_tag_soup(text: str) -> None:
    """What is not well-formed costs feedparser's lenient parser more, and shows no structure to count."""
    tags = sum(piece.count("<") for kept, piece in _kept_and_markup(text) if not kept)
    if (
        len(text) > LARGEST_SOUP
        or tags > MOST_TAGS_OF_SOUP
        or text.count("&") > MOST_ELEMENTS
        or text.count("xmlns") > MOST_NAMESPACES
    ):
        raise NotAFeed("not well-formed, and too large to be mended")
