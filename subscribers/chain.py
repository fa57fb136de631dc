"""Hash-chained records: what happened stays provable, what it said can be erased.

Each record names the digest of the one before it, so none can be changed, taken out or put in
between without every later digest being wrong. A record holds no personal data, only a
commitment to it: SHA-256 of a random salt and the payload. Payload and salt stand in a table
of their own that erasure and retention empty; the chain verifies all the same, and says so.

What a chain cannot tell by itself is that its end was cut off. Whoever keeps the head that
`verify` gives somewhere else can have it looked for later.
"""

import enum
import hashlib
import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    Text,
    UniqueConstraint,
    func,
    insert,
    select,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from subscribers.base import Base, Handle, Utc, one_of

_SALT = 16
_START = bytes(32)
#: of the advisory lock that writers of chains take on PostgreSQL
_LOCK = 0x1F0A11
_PAGE = 1000


class Chain(enum.StrEnum):
    CONSENT = "consent"
    AUDIT = "audit"


class Record(Base):
    """One link of a chain. Append-only."""

    __tablename__ = "records"
    __table_args__ = (UniqueConstraint("chain", "previous"), Index(None, "subject"))

    chain: Mapped[Chain] = mapped_column(one_of(Chain), primary_key=True)
    #: from 1, without gaps
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    #: digest of the record before; 32 zero bytes for the first
    previous: Mapped[bytes] = mapped_column(LargeBinary(32))
    digest: Mapped[bytes] = mapped_column(LargeBinary(32))
    at: Mapped[datetime] = mapped_column(Utc)
    actor: Mapped[str] = mapped_column(Text)
    action: Mapped[str] = mapped_column(Text)
    #: handle of the subscriber it is about, if it is about one
    subject: Mapped[int | None] = mapped_column(Handle)
    #: SHA-256 of salt and content of the payload
    commitment: Mapped[bytes] = mapped_column(LargeBinary(32))


class Payload(Base):
    """What a record says. May be emptied, never changed."""

    __tablename__ = "record_payloads"
    __table_args__ = (ForeignKeyConstraint(["chain", "seq"], [Record.chain, Record.seq]),)

    chain: Mapped[Chain] = mapped_column(one_of(Chain), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    #: None once erased, and so is the content
    salt: Mapped[bytes | None] = mapped_column(LargeBinary(_SALT))
    #: JSON
    content: Mapped[str | None] = mapped_column(Text)
    erased_at: Mapped[datetime | None] = mapped_column(Utc)
    #: since when it is kept for proof only, to be read for a reason on record (Art. 18 GDPR)
    blocked_at: Mapped[datetime | None] = mapped_column(Utc)


class Happening(NamedTuple):
    """What is to be put on record; the payload takes what JSON takes."""

    action: str
    payload: Mapping[str, Any]
    #: handle of a subscriber
    subject: int | None = None


@dataclass(frozen=True, slots=True)
class Verified:
    """What looking through a chain found; no problems means that nothing is wrong."""

    records: int
    #: number and digest of the last record, "SEQ:HEX"; "" of an empty chain
    head: str
    erased: int
    blocked: int
    #: a line each
    problems: Sequence[str]


def append(
    session: Session, chain: Chain, happenings: Sequence[Happening], *, actor: str, at: datetime
) -> None:
    """Put these on record in their order.

    Best done last in a transaction: until it ends, other writers of chains wait.
    """
    if not happenings:
        return
    if session.get_bind().dialect.name == "postgresql":
        # SQLite's writers hold the one write lock already
        session.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    seq, previous = _head(session, chain)
    records, payloads = [], []
    for happening in happenings:
        seq += 1
        salt, content = secrets.token_bytes(_SALT), _json(happening.payload)
        commitment = commit(salt, content)
        digest = seal(
            chain, seq, previous, at, actor, happening.action, happening.subject, commitment
        )  # fmt: skip
        records.append(
            {
                "chain": chain, "seq": seq, "previous": previous, "digest": digest, "at": at, "actor": actor,
                "action": happening.action, "subject": happening.subject, "commitment": commitment,
            }
        )  # fmt: skip
        payloads.append(
            {
                "chain": chain, "seq": seq, "salt": salt, "content": content,
                "erased_at": None, "blocked_at": None,
            }
        )  # fmt: skip
        previous = digest
    session.execute(insert(Record), records)
    session.execute(insert(Payload), payloads)


def commit(salt: bytes, content: str) -> bytes:
    """The commitment to a payload: SHA-256, 32 bytes. Without the salt nobody can try contents out."""
    return hashlib.sha256(salt + content.encode()).digest()


def seal(
    chain: str, seq: int, previous: bytes, at: datetime, actor: str, action: str, subject: int | None,
    commitment: bytes,
) -> bytes:  # fmt: skip
    """The digest of a record: SHA-256 of all that stands in it, as a JSON list."""
    said = [
        chain, seq, previous.hex(), at.astimezone(UTC).isoformat(timespec="microseconds"), actor, action,
        subject, commitment.hex(),
    ]  # fmt: skip
    return hashlib.sha256(_json(said).encode()).digest()


def verify(session: Session, chain: Chain, *, anchor: str = "") -> Verified:
    """Look through a chain from its start; `anchor` is a head of earlier that must still be in it."""
    records = erased = blocked = 0
    previous = _START
    problems: list[str] = []
    missing = anchor
    for record, payload in _read(session, chain):
        records += 1
        problems += _faults(record, payload, records, previous)
        records, previous = record.seq, record.digest
        if payload is not None:
            erased += payload.erased_at is not None
            blocked += payload.blocked_at is not None
        if anchor and _name(record) == anchor:
            missing = ""
    if missing:
        problems.append(f"the record {missing} is not in the chain")
    head = f"{records}:{previous.hex()}" if records else ""
    return Verified(records, head, erased, blocked, problems)


def _read(session: Session, chain: Chain) -> Iterator[tuple[Record, Payload | None]]:
    """In the order of the chain, a page at a time: a million records are never held."""
    query = (
        select(Record, Payload)
        .outerjoin(Payload, (Payload.chain == Record.chain) & (Payload.seq == Record.seq))
        .where(Record.chain == chain)
        .order_by(Record.seq)
        .limit(_PAGE)
    )
    last = 0
    while page := session.execute(query.where(Record.seq > last)).all():
        yield from page
        last = page[-1][0].seq
        session.expunge_all()


def _faults(record: Record, payload: Payload | None, expected: int, previous: bytes) -> list[str]:
    name = f"record {record.seq}"
    faults = []
    if record.seq != expected:
        faults.append(f"{name}: expected number {expected}, records are missing before it")
    if record.previous != previous:
        faults.append(f"{name}: does not follow the record before it")
    digest = seal(
        record.chain, record.seq, record.previous, record.at, record.actor, record.action, record.subject,
        record.commitment,
    )  # fmt: skip
    if digest != record.digest:
        faults.append(f"{name}: was changed")
    if payload is None:
        faults.append(f"{name}: its payload is gone without a note of when it was erased")
    elif payload.salt is None or payload.content is None:
        if payload.erased_at is None:
            faults.append(f"{name}: its payload is empty without a note of when it was erased")
    elif commit(payload.salt, payload.content) != record.commitment:
        faults.append(f"{name}: its payload was changed")
    return faults


def _head(session: Session, chain: Chain) -> tuple[int, bytes]:
    last = session.execute(
        select(Record.seq, Record.digest).where(Record.chain == chain).order_by(Record.seq.desc()).limit(1)
    ).first()
    return (last.seq, last.digest) if last else (0, _START)


def _name(record: Record) -> str:
    return f"{record.seq}:{record.digest.hex()}"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
