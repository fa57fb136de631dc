"""Opens a mail anybody may have written: bounded before Python's parser sees it, tolerant after. Pure.

Python's parser descends once for each nested part and asks every open boundary at every line, so
lines, parts and nesting are cut down first. A real report states what matters near its start.
"""

import contextlib
import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesParser

#: as much of a mail is read
BYTES = 1_000_000
_LINES = 12_000
_LINE = 4_000
_NESTINGS = 16
_PARTS = 60
_TEXT = 40_000

#: what opens a further level: a boundary is declared or a message is enclosed (RFC 2046 5.1.1, 5.2.1)
_NESTING = re.compile(rb"boundary|message/", re.IGNORECASE)
_BREAK = re.compile(r"<(?=(?:br|p|div|tr|li|h\d)\b)", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]{0,500}>")
_FIELD = re.compile(r"^([A-Za-z][A-Za-z0-9-]{1,40})[ \t]{0,3}:(.*)")

#: lower-case name -> value, unfolded and decoded; the first of several wins
Fields = dict[str, str]


@dataclass(frozen=True, slots=True)
class Opened:
    """A mail taken apart. `notice` is what a person was meant to read, `returned` what was enclosed."""

    fields: Fields
    notice: str
    #: the blocks of message/delivery-status (RFC 3464 2.1), the one about the whole message first
    status: tuple[Fields, ...]
    #: the fields of message/feedback-report (RFC 5965 3); an address may be given several times
    feedback: tuple[tuple[str, str], ...]
    returned: tuple[Fields, ...]
    #: for readers that want the whole
    message: Message
    #: what was cut from the notice because it quotes a mail
    below: str = ""


def open_mail(raw: bytes) -> Opened:
    """Take a mail apart. Never raises; what is beyond the bounds or broken beyond reading is missing."""
    message = BytesParser().parsebytes(_bounded(raw))
    texts: dict[str, list[str]] = {"plain": [], "html": []}
    # those of the report, and those of one that it returns, when a report could not be delivered
    status: tuple[list[Fields], list[Fields]] = [], []
    feedback: list[tuple[str, str]] = []
    returned: list[Fields] = []
    for part, enclosed in _parts(message):
        kind = part.get_content_type()
        if kind in ("message/delivery-status", "message/global-delivery-status"):
            status[enclosed].extend(dict(reversed(block)) for block in _blocks(part) if block)
        elif kind == "message/feedback-report":
            feedback += [field for block in _blocks(part) for field in block]
        elif kind in ("message/rfc822-headers", "text/rfc822-headers", "message/global-headers"):
            returned.append(dict(reversed(fields_in(_text(part)))))
        elif kind in ("message/rfc822", "message/global", "message/partial"):
            returned += [_fields(inner) for inner in _inner(part)]
        elif not enclosed and kind == "text/html":
            texts["html"].append(_text(part))
        elif not enclosed and (kind == "text/plain" or kind.startswith("multipart/")):
            # a multipart without parts lost its boundary: what it says stands in plain sight
            texts["plain"].append(_text(part))
    notice = "\n".join(texts["plain"]) or "\n".join(map(_without_tags, texts["html"]))
    blocks = tuple(status[False] or status[True])
    return Opened(_fields(message), notice[:_TEXT], blocks, tuple(feedback), tuple(returned), message)


def fields_in(text: str) -> list[tuple[str, str]]:
    """The `Name: value` lines of a text with their folded continuations; other lines are skipped."""
    found: list[tuple[str, str]] = []
    for line in text.splitlines():
        match = _FIELD.match(line)
        if match:
            found.append((match[1].lower(), decoded(match[2])))
        elif found and line[:1] in (" ", "\t") and line.strip():
            name, value = found[-1]
            if len(value) < _LINE:
                found[-1] = (name, f"{value} {decoded(line)}")
    return found


def decoded(value: str) -> str:
    """A header's value in one line, its RFC 2047 words decoded as far as they can be."""
    # bytes above 127 stand in a header as surrogates; nearly all are UTF-8
    text = value[:_LINE].encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    text = " ".join(text.split())
    if "=?" in text:
        # broken or of an unknown charset: as it came
        with contextlib.suppress(ValueError, LookupError, MessageError):
            text = str(make_header(decode_header(text)))
    return text.encode("utf-8", "replace").decode()


def references(mail: Opened) -> tuple[str, ...]:
    """The Message-IDs of the mails it answers or returns, without brackets, in order."""
    fields = [mail.fields.get(name, "") for name in ("references", "in-reply-to")]
    for returned in mail.returned:
        fields += [returned.get(name, "") for name in ("message-id", "references", "in-reply-to")]
    found = [each.strip("<>,;\"'()") for field in fields for each in field.replace("><", " ").split()]
    return tuple(dict.fromkeys(each for each in found if "@" in each))


def envelope_id(mail: Opened) -> str:
    """ENVID of the mail it is about (RFC 3464 2.2.1), or ""."""
    fields: list[Fields] = [*mail.status, dict(mail.feedback)]
    return next((each[name] for each in fields for name in _ENVELOPE_FIELDS if name in each), "")


_ENVELOPE_FIELDS = ("original-envelope-id", "x-original-envelope-id")


def _bounded(raw: bytes) -> bytes:
    lines = raw[:BYTES].replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n", _LINES)[:_LINES]
    kept = b"\n".join(line[:_LINE] for line in lines)
    for count, nesting in enumerate(_NESTING.finditer(kept)):
        if count == _NESTINGS:
            return kept[: nesting.start()]
    return kept


def _parts(message: Message) -> Iterator[tuple[Message, bool]]:
    """The leaves of a mail in order, each with whether it lies in an enclosed message."""
    waiting: list[tuple[Message, bool]] = [(message, False)]
    for _ in range(_PARTS):
        if not waiting:
            return
        part, enclosed = waiting.pop(0)
        if part.get_content_maintype() == "multipart" and part.is_multipart():
            waiting = [(inner, enclosed) for inner in _inner(part)][:_PARTS] + waiting
            continue
        yield part, enclosed
        if part.get_content_type() == "message/rfc822":
            waiting = [(inner, True) for inner in _inner(part)] + waiting


def _inner(part: Message) -> list[Message]:
    payload = part.get_payload()
    return [each for each in payload if isinstance(each, Message)] if isinstance(payload, list) else []


def _blocks(part: Message) -> Iterator[list[tuple[str, str]]]:
    inner = _inner(part)
    lists = [[(name.lower(), decoded(value)) for name, value in each.raw_items()] for each in inner[:500]]
    if len(inner) <= 1:
        # an encoding hid the blank lines between the blocks, or there are none
        body = _text(inner[0] if inner else part)
        lists += [fields_in(block) for block in body.split("\n\n", 500)]
    for fields in lists:
        yield from _cut_at_repetition(fields)


def _cut_at_repetition(fields: list[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    block: list[tuple[str, str]] = []
    seen: set[str] = set()
    for name, value in fields:
        if name in seen and name in _ONCE_A_BLOCK:
            yield block
            block, seen = [], set()
        block.append((name, value))
        seen.add(name)
    yield block


#: RFC 3464 2.3: each once for a recipient
_ONCE_A_BLOCK = {"final-recipient", "original-recipient", "action"}


def _fields(message: Message) -> Fields:
    fields: Fields = {}
    for name, value in message.raw_items():
        fields.setdefault(name.lower(), decoded(value))
    return fields


def _text(part: Message) -> str:
    try:
        payload = part.get_payload(decode=True)
    except (ValueError, LookupError, AssertionError):
        payload = None
    if not isinstance(payload, bytes):
        payload = str(part.get_payload()).encode("utf-8", "replace")
    try:
        return payload.decode(str(part.get_content_charset("utf-8")), "replace")
    except (ValueError, LookupError):
        return payload.decode("latin-1")


def _without_tags(text: str) -> str:
    shown = [text[: 2 * _TEXT].split("<style")[0]]
    for hidden in text[: 2 * _TEXT].split("<style")[1:]:
        shown.append(hidden.partition("</style>")[2])
    return html.unescape(_TAG.sub(" ", _BREAK.sub("\n<", "".join(shown))))
