"""Text and links out of the HTML that feeds carry. Nothing here makes HTML safe: sanitising comes later."""

import html
import re
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

_LONGEST_TITLE = 2000  # characters of markup; what is beyond is no title


def plain(text: str, *, markup: bool) -> str:
    """`text` as one line of plain text. Without `markup` only what is plainly HTML is taken for it."""
    text = text[:_LONGEST_TITLE]
    for once_more in (markup, False):  # escaped twice is common, and never meant
        if once_more or looks_like_html(text):
            text = _shown(text)
    return " ".join(text.replace("\0", "").split())


def _shown(markup: str) -> str:
    reader = _Text()
    try:
        reader.feed(markup)
        reader.close()
    except AssertionError:  # html.parser's answer to a marked section (<![...) of a kind it does not know
        return html.unescape(re.sub(r"<[^<>]*>", " ", markup))
    return "".join(reader.pieces)


def looks_like_html(text: str) -> bool:
    """Whether plain text holds HTML tags or entities all the same, as RSS titles often do."""
    return bool(_PLAINLY_HTML.search(text))


def absolute_url(url: str, base: str) -> str:
    """`url` resolved against `base` if that gives an http(s) address, else ""; an empty one names nothing."""
    if not url.strip():
        return ""
    try:
        joined = urljoin(base, "".join(url.split("\n")).strip()).replace(" ", "%20")
        parts = urlsplit(joined)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return ""
    return joined if usable and joined.isprintable() else ""


def absolute_links(markup: str, base: str) -> str:
    """HTML with its href and src made absolute; all else is left as it is."""
    if not base or "=" not in markup:
        return markup

    def resolved(found: re.Match[str]) -> str:
        quote, link = found["quote"], html.unescape(found["link"].strip())
        try:
            whole = urljoin(base, link)
        except ValueError:
            return found[0]
        return found[0] if whole == link else f"{found['before']}{quote}{html.escape(whole)}{quote}"

    return _TAG.sub(lambda tag: _LINK.sub(resolved, tag[0]), markup)


_TAG = re.compile(r"<[A-Za-z][^<>]*>")
_LINK = re.compile(
    r"""(?P<before>\s(?:href|src)\s{0,9}=\s{0,9})(?P<quote>["'])(?P<link>[^"'#][^"']*)(?P=quote)""", re.I
)
_PLAINLY_HTML = re.compile(
    r"</?(?:a|b|i|u|p|br|em|strong|span|div|sup|sub|small|big|font|img|h[1-6]|ul|ol|li|abbr|wbr|tt|code|script|style)"
    r"(?:\s[^<>]*)?/?>|&(?:#\d{1,7}|#x[0-9a-f]{1,6}|amp|lt|gt|quot|apos|nbsp|shy|[aouAOU]uml|szlig|[nm]dash|[lrb][ad]?quo|euro);",
    re.I,
)


class _Text(HTMLParser):
    """Collects what a reader sees; tags that break a line leave a space."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self.unseen = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.unseen += tag in ("script", "style")
        if tag in ("br", "p", "div", "li", "td", "h1", "h2", "h3", "h4", "h5", "h6"):
            self.pieces.append(" ")

    def handle_endtag(self, tag: str) -> None:
        self.unseen = max(0, self.unseen - (tag in ("script", "style")))

    def handle_data(self, data: str) -> None:
        if not self.unseen:
            self.pieces.append(data)
