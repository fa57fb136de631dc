"""Proof of consent: who agreed to what, in which words, when, and took it back when.

The courts want the whole procedure and its wording (BGH I ZR 164/09, Art. 7 (1) GDPR), so each
step is a record of the consent chain. After a withdrawal the proof is kept, but blocked: it may
serve a legal claim (Art. 17 (3) e GDPR) and nothing else, and goes when its time is over.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from subscribers.chain import Chain, Happening, Payload, Record, append
from subscribers.model import Basis

GRANTED = "granted"
WITHDRAWN = "withdrawn"
#: the public task is over that somebody was written to for
LAPSED = "lapsed"
#: a person was told where her data comes from (Art. 14 GDPR)
INFORMED = "informed"
#: from where a confirmation came; apart from the rest, since it is erased sooner
ORIGIN = "origin"


@dataclass(frozen=True, slots=True)
class Wording:
    """The text somebody agreed to, and which version of it."""

    text: str
    version: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """What proves a consent beside its own time."""

    wording: Wording
    #: where it was given: the form's URL, a file's name, "link", ...
    source: str
    requested_at: datetime | None = None
    #: handle of the notice that was answered, and the SHA-256 of its bytes in hex
    notice: int | None = None
    mail_sha256: str = ""
    privacy_version: str = ""
    #: only where the operator says so
    ip: str = field(default="", repr=False)
    #: what else is known of a consent given elsewhere
    more: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Proof:
    """One record about a person; `content` is None once its payload was erased."""

    seq: int
    digest: str
    at: datetime
    actor: str
    action: str
    content: dict[str, Any] | None
    erased_at: datetime | None
    blocked_at: datetime | None


def granted(list_key: str, basis: Basis, evidence: Evidence, subject: int) -> Iterator[Happening]:
    """The records of a consent."""
    said = {
        "list": list_key,
        "basis": basis.value,
        "wording": evidence.wording.text,
        "wording_version": evidence.wording.version,
        "privacy_version": evidence.privacy_version,
        "source": evidence.source,
        "requested_at": evidence.requested_at.isoformat() if evidence.requested_at else "",
        "notice": f"{evidence.notice:016x}" if evidence.notice is not None else "",
        "mail_sha256": evidence.mail_sha256,
        **evidence.more,
    }
    yield Happening(GRANTED, {name: value for name, value in said.items() if value}, subject)
    if evidence.ip:
        yield Happening(ORIGIN, {"list": list_key, "ip": evidence.ip}, subject)


def record(
    session: Session, action: str, list_key: str, source: str, *, subject: int, actor: str, at: datetime
) -> None:
    """Put a step on record that has no wording."""
    said = {"list": list_key, "source": source}
    append(session, Chain.CONSENT, [Happening(action, said, subject)], actor=actor, at=at)


def block(session: Session, subject: int, list_key: str, at: datetime | None) -> None:
    """Block the proofs of a person's consents to a list since `at`, or unblock them where it is None."""
    proofs = of_person(session, subject)
    about = [proof.seq for proof in proofs if proof.content and proof.content.get("list") == list_key]
    wanted = update(Payload).where(Payload.chain == Chain.CONSENT, Payload.seq.in_(about))
    # what was blocked before stays blocked since then
    unblocked = Payload.blocked_at.is_(None) if at else Payload.blocked_at.is_not(None)
    session.execute(wanted.where(unblocked).values(blocked_at=at))


def of_person(session: Session, subject: int, chain: Chain = Chain.CONSENT) -> Sequence[Proof]:
    """All that is on record about the consents of a person (or in another chain), the oldest first."""
    rows = session.execute(
        select(Record, Payload)
        .join(Payload, (Payload.chain == Record.chain) & (Payload.seq == Record.seq))
        .where(Record.chain == chain, Record.subject == subject)
        .order_by(Record.seq)
    )
    return [
        Proof(
            seq=row.seq,
            digest=row.digest.hex(),
            at=row.at,
            actor=row.actor,
            action=row.action,
            content=json.loads(payload.content) if payload.content is not None else None,
            erased_at=payload.erased_at,
            blocked_at=payload.blocked_at,
        )
        for row, payload in rows
    ]
