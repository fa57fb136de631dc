"""What came back about a person: shown, forgotten at once, or emptied when it is old.

The row with kind and outcome stays: the figures were counted from it, and a replay meets its digest.
"""

import base64
import binascii
import quopri
import re
import unicodedata
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session

from mailer.receipts.model import Receipt, ReceiptState
from subscribers.addresses import readable

#: several lines of base64, and an encoded word in a header (RFC 2045 6.8, RFC 2047)
_BASE64 = re.compile(rb"(?:^[A-Za-z0-9+/]++={0,2}\r?\n?)+", re.MULTILINE)
_ENCODED_WORD = re.compile(rb"=\?[\w-]{1,40}\?[bB]\?([A-Za-z0-9+/=]{1,998})\?=")


def held(session: Session, deliveries: Sequence[int], address: str) -> list[dict[str, Any]]:
    """What came back about these deliveries, and what nobody could read that names the address.

    Of the latter only when it came and what was made of it: it may be somebody else's (Art. 15 (4) GDPR).
    """
    about_hers = session.scalars(
        select(Receipt).where(Receipt.delivery_id.in_(deliveries)).order_by(Receipt.id)
    )
    mentioned = session.scalars(
        select(Receipt).where(Receipt.id.in_(mentioning(session, address))).order_by(Receipt.id)
    )
    return [
        *(
            _shown(row)
            | {
                "recipient": row.recipient,
                "sender": row.sender,
                "message": row.raw.decode("utf-8", "replace"),
            }
            for row in about_hers
        ),
        *(_shown(row) for row in mentioned),
    ]


def mentioning(session: Session, address: str, *, after: int = 0) -> list[int]:
    """The receipts, numbered higher than `after`, that belong to no delivery and name the address."""
    rows = session.execute(
        select(Receipt.id, Receipt.raw, Receipt.sender, Receipt.recipient)
        .where(
            Receipt.state.in_([ReceiptState.NEW, ReceiptState.UNREAD]),
            Receipt.delivery_id.is_(None),
            Receipt.id > after,
        )
        .execution_options(yield_per=50)
    )
    return [
        row.id
        for row in rows
        if mentions(b"\n".join((row.sender.encode(), row.recipient.encode(), row.raw)), address)
    ]


def newest(session: Session) -> int:
    """The highest number there is; 0 where nothing came back yet."""
    return session.scalar(select(func.max(Receipt.id))) or 0


def forget(session: Session, deliveries: Sequence[int], more: Sequence[int]) -> int:
    """Empty what came back about these deliveries, and the receipts `more`; how many it was."""
    rows = session.scalars(
        select(Receipt)
        .where(or_(Receipt.delivery_id.in_(deliveries), Receipt.id.in_(more)))
        .with_for_update()
    ).all()
    for row in rows:
        row.raw, row.sender, row.recipient = b"", "", ""
        if row.state is ReceiptState.NEW:
            row.state, row.outcome = ReceiptState.IGNORED, "the person is erased"
    session.flush()
    return len(rows)


def old(before: datetime) -> Select[int]:
    """The receipts that came before then and still hold what they said. New ones are applied first."""
    return select(Receipt.id).where(
        Receipt.received_at < before,
        Receipt.state != ReceiptState.NEW,
        # what is emptied has no recipient: so said, nobody need read the mails to tell
        Receipt.recipient != "",
    )


def mentions(raw: bytes, address: str) -> bool:
    """Whether a mail names a normalised address: in upper case, with its domain as U-label or A-label,
    as a return path spells recipients (`anna=example.org`), in base64 or quoted-printable.

    Whoever is called like her but for what stands before a `+`, `-` or `=` is taken for her: that loses
    the words of a report, and not taking her for herself would keep her address.
    """
    pattern = _pattern(address)
    return any(pattern.search(text) for text in _texts(raw))


def _pattern(address: str) -> re.Pattern[str]:
    spelled = []
    for each in {address, readable(address)}:
        local, _, domain = each.rpartition("@")
        # VERP puts the recipient's local part first, SRS her domain
        spelled += [f"{local}@{domain}", f"{local}={domain}", f"{domain}={local}"]
    any_of = "|".join(re.escape(_folded(each)) for each in spelled)
    return re.compile(rf"(?<![\w.])(?:{any_of})(?![\w-]|\.\w)")


def _texts(raw: bytes) -> Iterator[str]:
    for data in _decoded(raw):
        yield _folded(data.decode("latin-1"))
        if not data.isascii():
            yield _folded(data.decode("utf-8", "replace"))


def _decoded(raw: bytes) -> Iterator[bytes]:
    """The mail as it is, and what its encodings hide, wherever they stand: no structure is believed."""
    yield raw
    if b"=" in raw:
        yield quopri.decodestring(raw)
    for found in _BASE64.finditer(raw):
        yield _of_base64(found[0])
    for found in _ENCODED_WORD.finditer(raw):
        yield _of_base64(found[1])


def _of_base64(text: bytes) -> bytes:
    letters = re.sub(rb"[\r\n=]", b"", text)
    try:
        return base64.b64decode(letters[: len(letters) - (len(letters) % 4 == 1)] + b"==")
    except binascii.Error:
        return b""


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", text).lower()


def _shown(row: Receipt) -> dict[str, Any]:
    return {
        "received_at": row.received_at,
        "kind": row.kind,
        "state": row.state,
        "outcome": row.outcome,
    }
