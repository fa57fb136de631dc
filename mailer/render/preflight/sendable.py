"""What must hold before a mail goes out, and what readers and their programs stumble over."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from ipaddress import ip_address
from urllib.parse import urlsplit

from mailer.render.letterhead import Imprint
from mailer.render.message import Slot
from mailer.render.preflight.finding import Finding, Shown
from mailer.render.preflight.page import Page

#: imprint field -> the setting that fills it; without these nothing is sent (§ 5 DDG, § 18 MStV)
_REQUIRED = {
    "name": "INFOMAIL_SENDER_NAME",
    "street": "INFOMAIL_SENDER_STREET",
    "city": "INFOMAIL_SENDER_CITY",
    "email": "INFOMAIL_SENDER_EMAIL",
    "responsible": "INFOMAIL_SENDER_RESPONSIBLE",
}
#: what templates and people leave where something was to stand
_PLACEHOLDER = re.compile(
    r"\{\{|\}\}|\{%|%\}|\[\[|\]\]|%\([a-z_]+\)s|\b(?:TODO|FIXME|XXX+|TBD)\b|\bLorem ipsum\b"
    r"|\bx[0-9a-f]{24}x\b"
    r"|\[(?:Name|Titel|Datum|Ort|Text|Link|Platzhalter|placeholder)\]"
)
#: bytes of HTML beyond which Gmail shows no more
_GMAIL = 102 * 1024
#: bytes of a whole mail that any mailbox takes without a thought
_HEAVY = 1_000_000
_LONG_SUBJECT = 78
_ANSWERS = re.compile(r"(?:re|aw|fw|fwd|wg):", re.IGNORECASE)
_FETCHES = ("src", "srcset", "background", "poster", "data")
_BARE_URL = re.compile(r"https?://[^\s<>\"]+")
_SPACES = re.compile(r"\s+")


def imprint_gaps(imprint: Imprint) -> list[str]:
    """The settings that an imprint still lacks."""
    return [setting for field, setting in _REQUIRED.items() if not getattr(imprint, field).strip()]


def sendable(
    page: Page,
    *,
    subject: str,
    text: str,
    message: bytes,
    shown: Sequence[Shown],
    send_at: datetime,
    ours: str,
) -> Iterator[Finding]:
    """What of an edition keeps it from going out, and what somebody should look at before."""
    yield from blockers(page, subject=subject, text=text, message=message)
    yield from _subject(subject)
    yield from _same_in_both(page, text, shown)
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
    for part, content in (("header", head), ("text", plain), ("HTML", rich)):
        if Slot.UNSUBSCRIBE.value not in content:
            yield Finding("no-unsubscribe", {"part": part})


def _left_over(page: Page, subject: str, text: str) -> Iterator[Finding]:
    found = dict.fromkeys(
        match[0]
        for place in (subject, text, " ".join(page.body.itertext()))
        for match in _PLACEHOLDER.finditer(place)
    )
    for each in found:
        yield Finding("placeholder", {"found": each})


def _images(page: Page) -> Iterator[Finding]:
    for element in page.root.iter():
        if not isinstance(element.tag, str):
            continue
        if element.tag == "img" and element.get("alt") is None:
            yield Finding("no-alt", {"found": (element.get("src") or "")[:60]})
        for name in _FETCHES:
            value = (element.get(name) or "").strip()
            if value and not value.lower().startswith(("cid:", "data:image/")):
                yield Finding("remote", {"found": f"<{element.tag} {name}={value[:60]}>"})


def _subject(subject: str) -> Iterator[Finding]:
    words = subject.strip()
    if not words:
        yield Finding("no-subject")
    if len(words) > _LONG_SUBJECT:
        yield Finding("long-subject", {"count": str(len(words))})
    if words.isupper() and len(words) > 10:
        yield Finding("shouting")
    if match := _ANSWERS.match(words):
        yield Finding("reply", {"found": match[0]})


def _same_in_both(page: Page, text: str, shown: Sequence[Shown]) -> Iterator[Finding]:
    """The text part is for people, too: it says and links what the HTML does."""
    plain = _flat(text)
    for _, heading in page.headings:
        if _flat(heading) not in plain:
            yield Finding("text-lacks", {"found": heading[:60]})
    short = {each.url: each.short_url for each in shown}
    addresses = {url for _, url in page.links if url.startswith(("http://", "https://"))}
    for url in sorted(addresses):
        if url not in text and short.get(url, url) not in text:
            yield Finding("text-lacks", {"found": url[:100]})
    known = addresses | set(short.values())
    for url in dict.fromkeys(match[0].rstrip(".,;)") for match in _BARE_URL.finditer(text)):
        if url not in known and not any(each.startswith(url) for each in known):
            yield Finding("html-lacks", {"url": url[:100]})


def _addresses(page: Page, ours: str) -> Iterator[Finding]:
    passed = ("#", "mailto:", "tel:", ours)
    for url in dict.fromkeys(url for _, url in page.links if not url.startswith(passed)):
        try:
            at = urlsplit(url)
            host = at.hostname or ""
        except ValueError:
            host = ""
        if not host:
            yield Finding("broken-url", {"url": url[:100]})
            continue
        if at.scheme == "http":
            yield Finding("http", {"url": url[:100]})
        if at.username:
            yield Finding("credentials", {"url": f"{at.scheme}://…@{host}"})
        if _is_inside(host):
            yield Finding("private-link", {"url": url[:100]})


def _is_inside(host: str) -> bool:
    try:
        return not ip_address(host).is_global
    except ValueError:
        return "." not in host or host.endswith((".localhost", ".local", ".internal", ".intern", ".lan"))


def _weights(page: Page, message: bytes) -> Iterator[Finding]:
    # data: pictures stand in a preview only; the mail has them as parts of their own
    size = len(re.sub(r"data:image/[^\"]+", "", page.source).encode())
    if size > _GMAIL:
        yield Finding("large", {"size": f"{size / 1024:.0f}"})
    if len(message) > _HEAVY:
        yield Finding("heavy", {"size": f"{len(message) / 1024:.0f}"})


def _dated(shown: Sequence[Shown], send_at: datetime) -> Iterator[Finding]:
    for each in shown:
        if each.ends is not None and each.ends < send_at:
            yield Finding("event-over", {"found": each.title[:60]})
        if each.deadline is not None and each.deadline < send_at.date():
            yield Finding("deadline-over", {"found": each.title[:60]})
    for title, count in Counter(each.title for each in shown).items():
        if count > 1:
            yield Finding("twice", {"found": title[:60]})


def _flat(text: str) -> str:
    """Without blanks, since the text part breaks its lines, and without the marks of lists."""
    return _SPACES.sub("", text)
