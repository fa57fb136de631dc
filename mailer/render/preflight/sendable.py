"""What must hold before a mail goes out, and what readers and their programs stumble over."""

import binascii
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from ipaddress import ip_address
from urllib.parse import urlsplit

from mailer.render.letterhead import Imprint
from mailer.render.message import Slot
from mailer.render.preflight.alike import alike
from mailer.render.preflight.finding import Finding, Shown, cut
from mailer.render.preflight.page import Page

#: imprint field -> the setting that fills it; without these nothing is sent (§ 5 DDG, § 18 MStV)
_REQUIRED = {
    "name": "INFOMAIL_SENDER_NAME",
    "street": "INFOMAIL_SENDER_STREET",
    "city": "INFOMAIL_SENDER_CITY",
    "email": "INFOMAIL_SENDER_EMAIL",
    "responsible": "INFOMAIL_SENDER_RESPONSIBLE",
}
#: what machines leave where they were to write something, wherever it is
_UNFILLED = r"\{\{|\}\}|\{%|%\}|\bx[0-9a-f]{24}x\b"
#: what people and machines leave in what is read. "[…]" and "[...]" are none: feeds end their excerpts so
_PLACEHOLDER = re.compile(
    rf"{_UNFILLED}|\[\[|\]\]|%\([a-z_]+\)[sd]|(?<![\w%])%[sd]\b"
    r"|\b(?:TODO|FIXME|XXX+|TBD)\b|\b[Ll]orem ipsum\b"
    r"|(?i:\[(?:(?:Ihr|Ihre|Ihren|hier|bitte|your|here|please|insert|add)\b[^\]\n]{0,40}"
    r"|Name|Vorname|Nachname|Anrede|Titel|Title|Datum|Date|Ort|Place|Uhrzeit|Time|Text|Link|URL|Thema|Betrag"
    r"|Platzhalter|placeholder)\])"
)
#: how Python spells what is not there: a line of its own, or all that follows a label
_NOTHING = re.compile(r"(?:^|:[ \t])None(?=[ \t]*\r?$)|\bNone/\d", re.MULTILINE)
_ATTRIBUTES = ("href", "alt", "title", "aria-label")
_IN_ATTRIBUTES = re.compile(_UNFILLED)
#: bytes of HTML beyond which Gmail shows no more
_GMAIL = 102 * 1024
#: bytes of a whole mail that any mailbox takes without a thought
_HEAVY = 1_000_000
_LONG_SUBJECT = 78
#: programs show between 40 and 140 of them
_LONG_PREHEADER = 140
_ANSWERS = re.compile(r"(?:re|aw|fw|fwd|wg):", re.IGNORECASE)
_FETCHES = ("src", "srcset", "background", "poster", "data")


def imprint_gaps(imprint: Imprint) -> list[str]:
    """The settings that an imprint still lacks."""
    return [setting for field, setting in _REQUIRED.items() if not getattr(imprint, field).strip()]


def sendable(
    page: Page,
    *,
    subject: str,
    preheader: str,
    text: str,
    message: bytes,
    shown: Sequence[Shown],
    send_at: datetime,
    ours: str,
) -> Iterator[Finding]:
    """What of an edition keeps it from going out, and what somebody should look at before."""
    yield from blockers(page, subject=subject, text=text, message=message)
    yield from _subject(subject, preheader)
    yield from alike(page, text, shown)
    yield from _addresses(page, ours)
    yield from _weights(page, message)
    yield from _dated(shown, send_at)


def blockers(page: Page, *, subject: str, text: str, message: bytes) -> Iterator[Finding]:
    """All that keeps an edition from going out."""
    yield from _unsubscribing(message)
    yield from _left_over(page, subject, text)
    yield from _images(page)


def _unsubscribing(message: bytes) -> Iterator[Finding]:
    head, _, rest = message.partition(b"\r\n\r\n")
    plain, _, rich = rest.partition(b"Content-Type: text/html")
    if not _LEAVING_BY_HEADER.search(head):
        yield Finding("no-unsubscribe", {"part": "header"})
    if Slot.UNSUBSCRIBE.value not in plain:
        yield Finding("no-unsubscribe", {"part": "text"})
    # a link that is commented out is none
    if not _LEAVING_BY_LINK.search(_COMMENT.sub(b"", binascii.a2b_qp(rich))):
        yield Finding("no-unsubscribe", {"part": "HTML"})


_LEAVING_BY_HEADER = re.compile(
    rb"^List-Unsubscribe:(?:[^\r\n]|\r\n[ \t])*" + re.escape(Slot.UNSUBSCRIBE.value), re.MULTILINE | re.I
)
_LEAVING_BY_LINK = re.compile(
    rb"<a\b[^<>]{0,2000}\bhref\s*=\s*[\"']?[^\"'<>\s]*" + re.escape(Slot.UNSUBSCRIBE.value), re.I
)
_COMMENT = re.compile(rb"<!--.*?-->", re.DOTALL)


def _left_over(page: Page, subject: str, text: str) -> Iterator[Finding]:
    attributes = "\n".join(
        value for each in page.body.iter() for name, value in each.items() if name in _ATTRIBUTES
    )
    read, plain = f"{subject}\n{text}\n{page.title}\n{page.words}", f"{subject}\n{text}"
    told = set()
    for place, pattern in ((read, _PLACEHOLDER), (plain, _NOTHING), (attributes, _IN_ATTRIBUTES)):
        for match in pattern.finditer(place):
            found = match[0].strip(": \t")
            if found not in told:
                told.add(found)
                yield Finding("placeholder", {"found": found}, where=_line_of(place, match.start()))


def _line_of(text: str, at: int) -> str:
    begins = max(text.rfind("\n", 0, at), at - 40)
    ends = text.find("\n", at)
    return cut(text[begins + 1 : ends if ends >= 0 else len(text)].strip())


def _images(page: Page) -> Iterator[Finding]:
    for element in page.root.iter():
        if not isinstance(element.tag, str):
            continue
        if element.tag == "img" and element.get("alt") is None:
            yield Finding("no-alt", {"found": (element.get("src") or "")[:60]}, where=page.under(element))
        for name in _FETCHES:
            value = (element.get(name) or "").strip()
            if value and not value.lower().startswith(("cid:", "data:image/")):
                yield Finding("remote", {"found": f"<{element.tag} {name}={value[:60]}>"})


def _subject(subject: str, preheader: str) -> Iterator[Finding]:
    words, beside = subject.strip(), preheader.strip()
    if not words:
        yield Finding("no-subject")
    if len(words) > _LONG_SUBJECT:
        yield Finding("long-subject", {"count": str(len(words))})
    if words.isupper() and len(words) > 10:
        yield Finding("shouting")
    if match := _ANSWERS.match(words):
        yield Finding("reply", {"found": match[0]})
    if len(beside) > _LONG_PREHEADER:
        yield Finding("long-preheader", {"count": str(len(beside))})
    if beside and beside.lower() == words.lower():
        yield Finding("same-preheader")


def _addresses(page: Page, ours: str) -> Iterator[Finding]:
    passed, told = ("#", "mailto:", "tel:"), set()
    for link in page.links:
        url = link.url
        if url in told or url.startswith(passed) or url == ours or url.startswith(f"{ours}/"):
            continue
        told.add(url)
        try:
            at = urlsplit(url)
            host, _ = at.hostname or "", at.port
        except ValueError:
            host = ""
        if not host or not re.fullmatch(r"[^\s\x00-\x1f\x7f]+", url):
            yield Finding("broken-url", {"url": url[:100]}, where=link.under)
            continue
        if at.scheme == "http":
            yield Finding("http", {"url": url[:100]}, where=link.under)
        if at.username:
            yield Finding("credentials", {"url": f"{at.scheme}://…@{host}"}, where=link.under)
        if _is_inside(host):
            yield Finding("private-link", {"url": url[:100]}, where=link.under)


def _is_inside(host: str) -> bool:
    try:
        return not ip_address(host).is_global
    except ValueError:
        return "." not in host or host.endswith((".localhost", ".local", ".internal", ".intern", ".lan"))


def _weights(page: Page, message: bytes) -> Iterator[Finding]:
    # data: pictures stand in a preview only; the mail has them as parts of their own
    size = len(re.sub(r"data:image/[^\"]+", "", page.source).encode("utf-8", "replace"))
    encoded = message.partition(b"Content-Type: text/html")[2].partition(b"\r\nContent-Type: image/")[0]
    if size > _GMAIL:
        yield Finding("large", {"size": f"{size / 1024:.0f}"})
    elif len(encoded) > _GMAIL:
        yield Finding("large-encoded", {"size": f"{len(encoded) / 1024:.0f}"})
    if len(message) > _HEAVY:
        yield Finding("heavy", {"size": f"{len(message) / 1024:.0f}"})


def _dated(shown: Sequence[Shown], send_at: datetime) -> Iterator[Finding]:
    for each in shown:
        title = cut(f"{each.number}. {each.title}")
        if each.ends is not None and each.ends < send_at:
            yield Finding("event-over", {"found": title})
        if each.deadline is not None and each.deadline < send_at.date():
            yield Finding("deadline-over", {"found": title})
    for title, count in Counter(" ".join(each.title.split()) for each in shown).items():
        if count > 1:
            yield Finding("twice", {"found": cut(title)})
