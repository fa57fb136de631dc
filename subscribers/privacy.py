"""What the tables of this package hold on a person: shown, put right, forgotten (Art. 15, 16, 17 GDPR).

The stages that keep more about her (mails, what came back) have verbs of their own;
`mailer.privacy` calls all of them in one transaction.
"""

import json
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, String, cast, or_, select, update
from sqlalchemy.orm import Session

from subscribers.addresses import address_hash, readable
from subscribers.chain import Chain, Happening, Payload, Record, append
from subscribers.evidence import Proof, of_person
from subscribers.model import (
    Format,
    FormOfAddress,
    Import,
    MailingList,
    Municipality,
    Office,
    Request,
    RequestState,
    Subscriber,
    Subscription,
    Task,
)
from subscribers.subscribing import suppressed_for

#: what staff may put right: how a person is called and how she reads; never what identifies her
_CHOICES: Mapping[str, Sequence[str]] = {
    "form": [form.value for form in FormOfAddress],
    "language": ["de", "en"],
    "format": [form.value for form in Format],
}
#: characters that a text may have, as in the form people sign up by
_LONGEST = {"title": 60, "given": 100, "family": 100}


class BadValue(ValueError):
    """A field cannot take this value; says why in one line."""


@dataclass(frozen=True, slots=True)
class Whom:
    """Whose data it is about: an address, and the person it belongs to if she is still known."""

    #: normalised
    address: str = field(repr=False)
    address_hash: bytes = field(repr=False)
    #: None where only traces of the address are left
    person: Subscriber | None

    @property
    def handle(self) -> int | None:
        """Of the person, for the record."""
        return self.person.handle if self.person else None


def whom(session: Session, address: str, suppression_key: bytes) -> Whom:
    """Who stands behind a normalised address."""
    person = session.scalar(select(Subscriber).where(Subscriber.address == address))
    return Whom(address, address_hash(suppression_key, address), person)


def held(session: Session, about: Whom) -> dict[str, Any]:
    """All that stands here on a person, in the words of the export; instants and dates as such."""
    person = about.person
    known: dict[str, Any] = {"address": about.address}
    if person is not None:
        known |= {
            "form": person.form,
            "title": person.title,
            "given": person.given,
            "family": person.family,
            "language": person.language,
            "format": person.format,
            "created_at": person.created_at,
            "reference": f"{person.handle:016x}",
        }
    return known | {
        "suppressed": sorted(suppressed_for(session, about.address_hash)),
        "offices": _offices(session, person) if person else [],
        "subscriptions": _subscriptions(session, person) if person else [],
        "imports": _imports(session, person) if person else [],
        "consents": _records(session, person, Chain.CONSENT) if person else [],
        "requests": [_request(row) for row in session.scalars(_requests(about))],
        "tasks": _tasks(session, person) if person else [],
        "audit": _records(session, person, Chain.AUDIT) if person else [],
    }


def rectify(
    session: Session, person: Subscriber, values: Mapping[str, str], *, actor: str, now: datetime
) -> list[str]:
    """Put right what is held on a person; returns the names of the fields that changed.

    Fields: form, title, given, family, language, format. Raises BadValue, having changed nothing.
    """
    for name, value in values.items():
        _check(name, value)
    changed = sorted(name for name, value in values.items() if getattr(person, name) != value)
    for name in changed:
        setattr(person, name, values[name])
    if changed:
        session.flush()
        # the names of the fields only: what stood there before was wrong, and is nobody's business now
        happening = Happening("subscriber.rectified", {"fields": changed}, person.handle)
        append(session, Chain.AUDIT, [happening], actor=actor, at=now)
    return changed


def forget(
    session: Session, people: Sequence[Whom], *, for_good: bool, thorough: bool, now: datetime
) -> Counter[str]:
    """Erase these people here; counts what went.

    `for_good` drops also what they asked for and nobody answered yet. `thorough` looks through what others'
    requests say, too: once over the whole table for each person.
    """
    gone: Counter[str] = Counter()
    conditions: list[ColumnElement[bool]] = [Request.address.in_([each.address for each in people])]
    if thorough:
        conditions += [_named_in_details(each.address) for each in people]
    requests = select(Request).where(or_(*conditions))
    if not for_good:
        requests = requests.where(Request.state != RequestState.NEW)
    for request in session.scalars(requests):
        request.address, request.details, request.origin = request.address and "", {}, None
        if request.state is RequestState.NEW:
            # nobody is left to be written to
            request.state, request.outcome, request.due_at = RequestState.DROPPED, "erased", None
        gone["requests"] += 1
    handles = [each.handle for each in people if each.handle is not None]
    gone["records"] = erase_payloads_about(session, handles, now)
    for each in people:
        if each.person is not None:
            # offices, subscriptions, requests and tasks go with the row
            session.delete(each.person)
            gone["people"] += 1
    session.flush()
    return gone


def erase_payloads_about(session: Session, handles: Sequence[int], now: datetime) -> int:
    """Empty all records about these people, in every chain; how many it was. The chains verify still."""
    about = list(
        session.execute(
            select(Payload.chain, Payload.seq)
            .join(Record, (Record.chain == Payload.chain) & (Record.seq == Payload.seq))
            .where(Record.subject.in_(handles), Payload.erased_at.is_(None))
        )
    )
    return sum(
        erase_payloads(session, chain, [row.seq for row in about if row.chain is chain], now)
        for chain in Chain
    )


def erase_payloads(session: Session, chain: Chain, seqs: Sequence[int], now: datetime) -> int:
    """Empty these records of a chain, unless they are empty; how many it was."""
    emptied = session.execute(
        update(Payload)
        .where(Payload.chain == chain, Payload.seq.in_(seqs), Payload.erased_at.is_(None))
        .values(salt=None, content=None, erased_at=now)
        .returning(Payload.seq)
        .execution_options(synchronize_session=False)
    )
    return len(emptied.all())


def _offices(session: Session, person: Subscriber) -> list[dict[str, Any]]:
    rows = session.execute(
        select(Office, Municipality.name)
        .join(Municipality, Municipality.ags == Office.municipality)
        .where(Office.subscriber_id == person.id)
        .order_by(Office.starts, Office.id)
    )
    return [
        {
            "ags": office.municipality,
            "municipality": name,
            "role": office.role,
            "from": office.starts,
            "to": office.ends,
            "confirmed_at": office.confirmed_at,
            "asked": office.asked,
            "asked_at": office.asked_at,
        }
        for office, name in rows
    ]


def _subscriptions(session: Session, person: Subscriber) -> list[dict[str, Any]]:
    rows = session.execute(
        select(Subscription, MailingList)
        .join(MailingList, MailingList.key == Subscription.list_key)
        .where(Subscription.subscriber_id == person.id)
        .order_by(Subscription.list_key)
    )
    return [
        {
            "list": row.list_key,
            "list_title": of.title,
            "controller": of.controller,
            "state": row.state,
            "basis": row.basis,
            "since": row.since,
            "paused_until": row.paused_until,
            "informed_at": row.informed_at,
            "ended_through": f"{row.ended_through:016x}" if row.ended_through is not None else None,
        }
        for row, of in rows
    ]


def _imports(session: Session, person: Subscriber) -> list[dict[str, Any]]:
    """The files that brought her."""
    brought = select(Subscription.import_id).where(Subscription.subscriber_id == person.id)
    return [
        {
            "list": row.list_key,
            "file": row.file,
            "basis": row.basis,
            "informed": row.informed,
            "given_on": row.given_on,
            "source": row.source,
            "wording": row.wording,
            "proof": row.proof_name,
            "state": row.state,
            "created_at": row.created_at,
            "decided_at": row.decided_at,
        }
        for row in session.scalars(select(Import).where(Import.id.in_(brought)).order_by(Import.id))
    ]


def _records(session: Session, person: Subscriber, chain: Chain) -> list[dict[str, Any]]:
    return [_record(proof) for proof in of_person(session, person.handle, chain)]


def _record(proof: Proof) -> dict[str, Any]:
    return {
        "number": proof.seq,
        "digest": proof.digest,
        "at": proof.at,
        "actor": proof.actor,
        "action": proof.action,
        "said": proof.content,
        "erased_at": proof.erased_at,
        "blocked_at": proof.blocked_at,
    }


def _requests(about: Whom) -> Any:
    of_hers = [Request.address == about.address]
    if about.person is not None:
        of_hers.append(Request.subscriber_id == about.person.id)
    return select(Request).where(or_(*of_hers)).order_by(Request.id)


def _request(row: Request) -> dict[str, Any]:
    return {
        "kind": row.kind,
        "list": row.list_key,
        "said": row.details,
        "actor": row.actor,
        "created_at": row.created_at,
        "state": row.state,
        "due_at": row.due_at,
        "outcome": row.outcome,
    }


def _tasks(session: Session, person: Subscriber) -> list[dict[str, Any]]:
    return [
        {
            "kind": row.kind,
            "ags": row.municipality,
            "created_at": row.created_at,
            "done_at": row.done_at,
        }
        for row in session.scalars(select(Task).where(Task.subscriber_id == person.id).order_by(Task.id))
    ]


def _check(name: str, value: str) -> None:
    if name in _CHOICES:
        if value not in _CHOICES[name]:
            raise BadValue(f"{name}: expected {', '.join(_CHOICES[name])}, got {value!r}")
    elif len(value) > _LONGEST[name]:
        raise BadValue(f"{name}: longer than {_LONGEST[name]} characters")
    elif any(unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp") for sign in value):
        # it goes into the head of a mail one day
        raise BadValue(f"{name}: a control character stands in it")


def _named_in_details(address: str) -> ColumnElement[bool]:
    """Whether what a form said holds the address, as JSON spells it."""
    text = cast(Request.details, String)
    return or_(*(text.icontains(spelled, autoescape=True) for spelled in _spelled_in_json(address)))


def _spelled_in_json(address: str) -> Iterator[str]:
    for spelled in {address, readable(address)}:
        for ascii_only in (True, False):
            yield json.dumps(spelled, ensure_ascii=ascii_only)[1:-1]
