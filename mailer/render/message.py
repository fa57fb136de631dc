"""The encoded mail with slots: encoded once per edition, filled per recipient.

A recipient differs from the next in few places: the address, three tokens, the date, the
salutation. Those are slots; all between them is encoded once, and filling is one join
(about 1 microsecond; building an EmailMessage takes 1,600).

What makes that sound is quoted-printable (RFC 2045 6.7): a soft line break stands before and
after every slot in a body, so what stands in it is encoded by itself and no line grows too
long. No encoded line begins with a dot, so SMTP's dot-stuffing (RFC 5321 4.5.2) finds
nothing to do. The parts are ASCII and never hold NUL, so NUL marks the slots.
"""

import base64
import binascii
import enum
import html as html_entities
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.headerregistry import Address
from functools import cached_property

from mailer.render.dkim import Relaxed, relaxed, relaxed_lines
from mailer.render.headerlines import header_line, one_line

#: longest line in quoted-printable, its end not counted (RFC 2045 6.7)
_LONGEST = 76
_CONTROL = re.compile("[\x00-\x1f\x7f]")
_LINE_END = re.compile(r"\r\n|\r|\n")


class Slot(enum.Enum):
    """A place where recipients differ; the value marks it in the encoded mail."""

    TO = b"\0a\0"
    DATE = b"\0d\0"
    MESSAGE_ID = b"\0m\0"
    UNSUBSCRIBE = b"\0u\0"
    SALUTATION_TEXT = b"\0s\0"
    SALUTATION_HTML = b"\0h\0"

    #: enum's own is Python, and these are looked up a dozen times a mail
    __hash__ = object.__hash__


@dataclass(frozen=True, slots=True)
class Image:
    """A picture that travels within the mail (RFC 2392): nobody fetches it, nobody learns who looked.

    `name` is its Content-ID, an addr-spec; `media_type` is image/png or image/jpeg.
    """

    name: str
    media_type: str
    data: bytes = field(repr=False)

    @property
    def url(self) -> str:
        """What the HTML calls it by."""
        return f"cid:{self.name}"

    @property
    def data_url(self) -> str:
        """The picture itself, for an HTML file that stands alone."""
        return f"data:{self.media_type};base64,{base64.b64encode(self.data).decode()}"


def encode(
    *,
    headers: Sequence[tuple[str, str | Address]],
    lines: Sequence[bytes],
    text: str,
    html: str,
    sentinels: Mapping[str, Slot],
    boundary: str,
    images: Sequence[Image] = (),
) -> bytes:
    """The whole mail, a multipart/alternative of text and HTML, with `Slot` marks in it.

    `headers` are words for people, made one line and encoded here (RFC 2047). `lines` are complete
    header lines in ASCII, perhaps with marks in them: addresses and URLs, which must never be folded
    or encoded. `sentinels` says which text in the parts stands for which slot. Those of the `images`
    that the HTML shows go with it (multipart/related).
    """
    pieces = [header_line(name, value) for name, value in headers]
    pieces += [line + b"\r\n" for line in lines]
    rich = _text_part(b"html", html, sentinels)
    if shown := [image for image in images if image.url in html]:
        rich = _multipart(b"related", f"=rel{boundary}", [rich, *map(_image_part, shown)])
    pieces += [
        b"MIME-Version: 1.0\r\n",
        _multipart(b"alternative", boundary, [_text_part(b"plain", text, sentinels), rich]),
    ]
    return b"".join(pieces)


def _multipart(subtype: bytes, boundary: str, parts: Sequence[bytes]) -> bytes:
    mark = boundary.encode()
    # RFC 2387 3.1: what is related says what kind its root is
    root = b' type="text/html";' if subtype == b"related" else b""
    return b"".join(
        [
            b'Content-Type: multipart/%s;%s boundary="%s"\r\n' % (subtype, root, mark),
            *(b"\r\n--%s\r\n%s" % (mark, part) for part in parts),
            b"\r\n--%s--\r\n" % mark,
        ]
    )


def _text_part(subtype: bytes, content: str, sentinels: Mapping[str, Slot]) -> bytes:
    return (
        b'Content-Type: text/%s; charset="utf-8"\r\n' % subtype
        + b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
        + _encode_part(content, sentinels)
    )


def _image_part(image: Image) -> bytes:
    ending = image.media_type.partition("/")[2]
    head = (
        f"Content-Type: {image.media_type}\r\n"
        f"Content-ID: <{image.name}>\r\n"
        # with a name: some programs list a part without one as an attachment called "noname"
        f'Content-Disposition: inline; filename="{image.name.partition("@")[0]}.{ending}"\r\n'
        "Content-Transfer-Encoding: base64\r\n\r\n"
    )
    return head.encode("ascii") + base64.encodebytes(image.data).rstrip().replace(b"\n", b"\r\n")


def text_only(encoded: bytes) -> bytes:
    """The same mail with its text part alone, for who wants no other; slots stay where they are."""
    head, _, rest = encoded.partition(b'Content-Type: multipart/alternative; boundary="')
    boundary, _, parts = rest.partition(b'"\r\n')
    text = parts.split(b"\r\n--" + boundary)[1].removeprefix(b"\r\n")
    return head + text + (b"" if text.endswith(b"\r\n") else b"\r\n")


def _encode_part(content: str, sentinels: Mapping[str, Slot]) -> bytes:
    pieces: list[str | Slot] = [content]
    for sentinel, slot in sentinels.items():
        pieces = [new for piece in pieces for new in _split(piece, sentinel, slot)]
    encoded = [
        # a break before and after each slot: what fills it begins and ends a line of its own
        b"=\r\n%s=\r\n" % piece.value if isinstance(piece, Slot) else quoted_printable(piece)
        for piece in pieces
    ]
    return b"".join(encoded)


def _split(piece: str | Slot, sentinel: str, slot: Slot) -> list[str | Slot]:
    if isinstance(piece, Slot):
        return [piece]
    parts: list[str | Slot] = []
    for part in piece.split(sentinel):
        parts += [part, slot]
    return parts[:-1]


def quoted_printable(text: str) -> bytes:
    """`text` as UTF-8 in quoted-printable: CRLF line ends, no line over 76 or beginning with a dot."""
    # NUL marks the slots, and half of a surrogate pair is no character
    content = _LINE_END.sub("\n", text.replace("\0", "")).encode("utf-8", "replace")
    # b2a_qp breaks lines the way its input does, and by \n alone where it has no break
    encoded = binascii.b2a_qp(content, istext=True)
    return b"\r\n".join(map(_without_dot, encoded.split(b"\n")))


def _without_dot(line: bytes) -> bytes:
    rest = line.lstrip(b".")
    dots = len(line) - len(rest)
    if len(line) + 2 * dots <= _LONGEST:
        return b"=2E" * dots + rest
    return b"=2E=\r\n" * dots + rest


class _Cut:
    """Bytes, cut at the slots in them."""

    __slots__ = ("_parts", "_places")

    def __init__(self, data: bytes) -> None:
        marks = {slot.value: slot for slot in Slot}
        parts: list[bytes] = []
        places: dict[Slot, list[int]] = {}
        while (at := data.find(b"\0")) >= 0:
            parts += [data[:at], b""]
            places.setdefault(marks[data[at : at + 3]], []).append(len(parts) - 1)
            data = data[at + 3 :]
        self._parts = [*parts, data]
        self._places = tuple((slot, tuple(found)) for slot, found in places.items())

    def filled(self, values: Mapping[Slot, bytes]) -> bytes:
        parts = self._parts.copy()
        for slot, places in self._places:
            value = values[slot]
            for place in places:
                parts[place] = value
        return b"".join(parts)


class Prepared:
    """An encoded mail, cut at its slots and ready to be filled."""

    def __init__(self, encoded: bytes) -> None:
        self._encoded = encoded
        self._mail = _Cut(encoded)
        #: every mail made of it is ASCII with CRLF line ends and no line beginning with a dot, since
        #: `encode` makes such parts and what fills the slots holds neither
        self.is_canonical = encoded.isascii()

    def fill(self, values: Mapping[Slot, bytes]) -> bytes:
        """The mail of one recipient. `values` are encoded already: see `salutation` and `header_value`."""
        return self._mail.filled(values)

    def relaxed(self, values: Mapping[Slot, bytes]) -> Relaxed:
        """What DKIM signs of the mail that `fill` makes with these values.

        Costs little of what it would to look through the whole mail for blanks. Raises ValueError
        where nothing says From.
        """
        names, header, body = self._relaxed
        in_lines = {slot: relaxed_lines(value) for slot, value in values.items()}
        return Relaxed(names, header.filled(in_lines), body.filled(in_lines))

    @cached_property
    def _relaxed(self) -> tuple[str, _Cut, _Cut]:
        # each slot of the body stands on lines of its own, and none in the header is next to a blank
        names, header, body = relaxed(self._encoded)
        return names, _Cut(header), _Cut(body)


def salutation(text: str) -> tuple[bytes, bytes]:
    """A salutation as it goes into the slots of the text and of the HTML part."""
    text = one_line(text)
    as_text, escaped = quoted_printable(text), html_entities.escape(text)
    return as_text, as_text if escaped == text else quoted_printable(escaped)


def header_value(text: str) -> bytes:
    """A short value for a slot in a header. Raises ValueError if it holds a control character."""
    if _CONTROL.search(text):
        raise ValueError("control character in a header")
    return text.encode()
