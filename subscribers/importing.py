"""People from a CSV file: good rows in, a report for every row, never half a row.

    lines (bounded, decoded) -> rows -> checked one by one -> written a chunk at a time

By what basis (Basis): with `consent` a row becomes a request for confirmation and nothing else;
with `public-task` an officer of a municipality is active at once, on lists of the network only;
with `prior-consent` people wait until a second person releases the file (subscribers.imports).
An import changes no profile and revives nobody who left. Each file keeps a row of its own, so that
everybody can be told where her data come from (Art. 14 GDPR).
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import islice
from pathlib import Path
from typing import Protocol, TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from subscribers.addresses import BadAddress, address_hash, domain_of, normalise
from subscribers.base import new_handle
from subscribers.chain import Chain, Happening, append
from subscribers.consent import MOVES, Act
from subscribers.model import (
    Basis,
    FormOfAddress,
    Import,
    ImportState,
    MailingList,
    Municipality,
    Office,
    Request,
    RequestKind,
    RequestState,
    Role,
    Subscriber,
    Subscription,
    SubscriptionState,
    Suppression,
)
from subscribers.rows import BadFile, Layout, open_rows

_Choice = TypeVar("_Choice", FormOfAddress, Role)

COLUMNS = ("email", "form", "title", "given", "family", "role", "ags", "language")
#: what such columns are called in the files of German offices
_ALIASES = {
    "e-mail": "email", "mail": "email", "e-mail-adresse": "email", "mailadresse": "email",
    "e-mail address": "email", "email address": "email", "e-mailadresse": "email",
    "anrede": "form", "salutation": "form",
    "titel": "title", "akademischer titel": "title", "akad. titel": "title",
    "vorname": "given", "first name": "given", "firstname": "given", "given name": "given",
    "nachname": "family", "name": "family", "familienname": "family", "last name": "family",
    "lastname": "family", "family name": "family", "surname": "family",
    "funktion": "role", "rolle": "role",
    "gemeindeschlüssel": "ags", "amtlicher gemeindeschlüssel": "ags", "gemeindekennziffer": "ags",
    "sprache": "language",
}  # fmt: skip
LAYOUT = Layout(columns=COLUMNS, required="email", aliases=_ALIASES)
#: German words for what we have a word for; a first name is never asked for the form of address
_WORDS = {
    "weiblich": "frau", "w": "frau", "ms": "frau", "mrs": "frau",
    "männlich": "herr", "m": "herr", "mr": "herr",
    "divers": "neutral", "d": "neutral", "keine angabe": "neutral", "-": "neutral",
    "ansprechperson": "contact", "stellvertretung": "deputy", "funktionspostfach": "mailbox",
    "verwaltungsleitung": "head", "gast": "guest", "land": "state", "verband": "association",
    "deutsch": "de", "englisch": "en", "german": "de", "english": "en",
}  # fmt: skip
_LANGUAGES = ("de", "en")
#: rows written in one transaction
_CHUNK = 4000
#: what becomes of a row that can be imported
_OUTCOMES = {Basis.CONSENT: "pending", Basis.PUBLIC_TASK: "added", Basis.PRIOR_CONSENT: "held"}
#: the office of somebody with a municipality and no role
_ROLES = {Basis.PUBLIC_TASK: Role.CONTACT, Basis.PRIOR_CONSENT: Role.GUEST}
#: bodies that hold an office without being a municipality
_WITHOUT_PLACE = (Role.STATE, Role.ASSOCIATION)


class Writes(Protocol):
    """What gives a session that commits at the end of its block (mailer.database.Database)."""

    def write(self) -> AbstractContextManager[Session]: ...


@dataclass(frozen=True, slots=True)
class RowReport:
    """What became of one row.

    outcome: added, pending (asked to confirm), held (waits for the file's release), known, left,
    suppressed, duplicate or refused.
    """

    line: int
    address: str
    outcome: str
    problem: str = ""


@dataclass(slots=True)
class Report:
    """The sums over all rows; `charset` is what the file was read in, "sheet" for a workbook."""

    charset: str = ""
    outcomes: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        return ", ".join(f"{n} {outcome}" for outcome, n in sorted(self.outcomes.items())) or "no rows"


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where the people of a file come from, for them and for the record."""

    #: who gave us the data; "" where that is the body they work for
    source: str = ""
    #: when and how they were told of it already; "" means that their first issue tells them
    informed: str = ""
    #: when and in which words they consented elsewhere, and a document that proves it
    given_on: date | None = None
    wording: str = ""
    proof_name: str = ""
    proof: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Person:
    """One good row."""

    line: int
    address: str
    form: FormOfAddress
    title: str
    given: str
    family: str
    role: Role | None
    ags: str
    language: str


def import_people(
    database: Writes,
    path: Path,
    *,
    list_key: str,
    basis: Basis,
    actor: str,
    suppression_key: bytes,
    zone: ZoneInfo,
    now: datetime,
    provenance: Provenance = Provenance(),
    layout: Layout = LAYOUT,
    strict: bool = False,
    dry_run: bool = False,
    tell: Callable[[RowReport], None] = lambda _: None,
) -> Report:
    """Import a file onto a list; `tell` hears of every row. Raises BadFile.

    With `strict` nothing is written unless every row is good; with `dry_run` nothing at all.
    Rows are read once to find the charset, checked and written a chunk at a time: an import that
    is cut off has written whole chunks, and the same file again goes on where it stopped.
    """
    if basis is Basis.PRIOR_CONSENT and not (
        provenance.given_on and provenance.source and (provenance.wording or provenance.proof)
    ):
        raise BadFile("prior-consent wants to know when, where, and in which words or by which document")
    chunk = _Chunk(list_key, basis, actor, suppression_key, zone, now, provenance, path)
    if strict:
        checked = import_people(
            database, path, list_key=list_key, basis=basis, actor=actor, suppression_key=suppression_key,
            zone=zone, now=now, provenance=provenance, layout=layout, dry_run=True, tell=tell,
        )  # fmt: skip
        if checked.outcomes["refused"]:
            raise BadFile(f"{checked.outcomes['refused']} rows refused: nothing was imported")
        if dry_run:
            return checked
        tell = lambda _: None  # noqa: E731  the rows were told of
    report = Report()
    with open_rows(path, layout) as (charset, rows):
        report.charset = charset
        while lines := list(islice(rows, _CHUNK)):
            with database.write() as session:
                told = chunk.write(session, lines)
                if dry_run:
                    session.rollback()
                    chunk.file = None
            for row in told:
                report.outcomes[row.outcome] += 1
                tell(row)
    if chunk.file is not None:
        with database.write() as session:
            said = {"import": chunk.file, "list": list_key, "basis": basis, "outcomes": report.outcomes}
            append(session, Chain.AUDIT, [Happening("people.imported", said)], actor=actor, at=now)
    return report


@dataclass
class _Chunk:
    list_key: str
    basis: Basis
    actor: str
    suppression_key: bytes
    zone: ZoneInfo
    now: datetime
    provenance: Provenance
    path: Path
    #: row id of the file, once something of it is written
    file: int | None = None
    seen: set[int] = field(default_factory=set)
    _places: set[str] = field(default_factory=set)

    def write(self, session: Session, lines: Iterable[tuple[int, dict[str, str] | str]]) -> list[RowReport]:
        """Check and write some rows; what became of each, in their order."""
        self._check_list(session)
        people: list[Person] = []
        told: dict[int, RowReport] = {}
        for line, row in lines:
            person = self._read(line, row)
            if isinstance(person, RowReport):
                told[line] = person
            else:
                people.append(person)
        told.update((report.line, report) for report in self._sort_out(session, people))
        return [told[line] for line in sorted(told)]

    def _check_list(self, session: Session) -> None:
        mailing_list = session.get(MailingList, self.list_key)
        if mailing_list is None:
            raise BadFile(f"there is no list {self.list_key!r}")
        if self.basis is Basis.PUBLIC_TASK and mailing_list.municipality is not None:
            raise BadFile("public-task is for lists of the network, not of a municipality")
        if not self._places:
            self._places = set(session.scalars(select(Municipality.ags)))

    def _read(self, line: int, row: dict[str, str] | str) -> Person | RowReport:
        """One row as a person, or the report of what is wrong with it."""
        if isinstance(row, str):
            return RowReport(line, "", "refused", row)
        try:
            address = normalise(row["email"])
        except BadAddress as problem:
            return RowReport(line, row["email"][:80], "refused", f"email: {problem}")
        try:
            person = Person(
                line=line,
                address=address,
                form=_choice(FormOfAddress, "form", row["form"]) or FormOfAddress.NEUTRAL,
                title=row["title"],
                given=row["given"],
                family=row["family"],
                role=_choice(Role, "role", row["role"]),
                ags=self._ags(row["ags"]),
                language=_language(row["language"]),
            )
            self._check_office(person)
        except ValueError as problem:
            return RowReport(line, address, "refused", str(problem))
        # 64 bits of the keyed hash: a million take 64 MB, and two alike by chance are not to be had
        key = int.from_bytes(address_hash(self.suppression_key, address)[:8], "big")
        if key in self.seen:
            return RowReport(line, address, "duplicate", "stands in the file before")
        self.seen.add(key)
        return person

    def _ags(self, text: str) -> str:
        """The key as the register has it: spreadsheets take it for a number and drop its first 0."""
        with_zero = f"0{text}"
        mended = text.isdecimal() and text not in self._places and with_zero in self._places
        return with_zero if mended else text

    def _check_office(self, person: Person) -> None:
        if person.ags and person.ags not in self._places:
            raise ValueError(f"ags: {person.ags!r} is not in the register")
        if self.basis is Basis.PUBLIC_TASK and not person.ags and person.role not in _WITHOUT_PLACE:
            raise ValueError("ags: expected, since public-task is for officers of a municipality")

    def _sort_out(self, session: Session, people: list[Person]) -> Iterator[RowReport]:
        """Write those who are new to the list, and say of each what became of her."""
        hashes = {person.address: address_hash(self.suppression_key, person.address) for person in people}
        suppressed = set(
            session.scalars(
                select(Suppression.address_hash).where(Suppression.address_hash.in_(hashes.values()))
            )
        )
        ids = dict(
            session.execute(
                select(Subscriber.address, Subscriber.id).where(Subscriber.address.in_(hashes))
            ).all()
        )
        states = dict(
            session.execute(
                select(Subscription.subscriber_id, Subscription.state).where(
                    Subscription.list_key == self.list_key, Subscription.subscriber_id.in_(ids.values())
                )
            ).all()
        )
        wanted: list[Person] = []
        for person in people:
            state = states.get(ids.get(person.address, 0))
            outcome = self._outcome(state) if hashes[person.address] not in suppressed else "suppressed"
            if outcome in ("added", "pending", "held"):
                wanted.append(person)
            yield RowReport(person.line, person.address, outcome)
        if not wanted:
            return
        if self.file is None:
            self.file = self._note_file(session)
        if self.basis is Basis.CONSENT:
            self._ask(session, wanted)
        else:
            self._put_on(session, wanted, hashes, ids, states)

    def _outcome(self, state: SubscriptionState | None) -> str:
        if state is SubscriptionState.ACTIVE:
            return "known"
        if state is SubscriptionState.UNSUBSCRIBED:
            return "left"
        if self.basis is Basis.PRIOR_CONSENT and state is SubscriptionState.PENDING:
            return "known"
        return _OUTCOMES[self.basis]

    def _note_file(self, session: Session) -> int:
        with self.path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").digest()
        waits = self.basis is Basis.PRIOR_CONSENT
        told = self.provenance
        row = Import(
            list_key=self.list_key, file=self.path.name, digest=digest, basis=self.basis, source=told.source,
            informed=told.informed, given_on=told.given_on, wording=told.wording,
            proof_name=told.proof_name, proof=told.proof, actor=self.actor, created_at=self.now,
            state=ImportState.HELD if waits else ImportState.RELEASED,
        )  # fmt: skip
        session.add(row)
        session.flush()
        return row.id

    def _ask(self, session: Session, people: list[Person]) -> None:
        source = {"source": f"import {self.file}: {self.path.name}", "told_by": self.provenance.source}
        session.execute(
            insert(Request),
            [
                {
                    "kind": RequestKind.CONFIRM,
                    "list_key": self.list_key,
                    "address": person.address,
                    "details": _details(person) | source,
                    "actor": self.actor,
                    "created_at": self.now,
                    "state": RequestState.NEW,
                    "outcome": "",
                }
                for person in people
            ],
        )

    def _put_on(
        self,
        session: Session,
        people: list[Person],
        hashes: dict[str, bytes],
        ids: dict[str, int],
        states: dict[int, SubscriptionState],
    ) -> None:
        new = [person for person in people if person.address not in ids]
        if new:
            session.execute(insert(Subscriber), [self._subscriber(person, hashes) for person in new])
            addresses = [person.address for person in new]
            ids |= dict(
                session.execute(
                    select(Subscriber.address, Subscriber.id).where(Subscriber.address.in_(addresses))
                ).all()
            )
        act = Act.CLAIM if self.basis is Basis.PRIOR_CONSENT else Act.APPOINT
        standing = {
            "state": MOVES[None][act],
            "basis": self.basis,
            "since": self.now,
            "import_id": self.file,
            "informed_at": self.now if self.provenance.informed else None,
        }
        # who is here and on the list has a sign-up that waits for its confirmation
        waiting = [ids[person.address] for person in people if ids[person.address] in states]
        if waiting:
            session.execute(
                update(Subscription)
                .where(Subscription.list_key == self.list_key, Subscription.subscriber_id.in_(waiting))
                .values(standing)
            )
        subscriptions = [
            {"list_key": self.list_key, "subscriber_id": ids[person.address], **standing}
            for person in people
            if ids[person.address] not in states
        ]
        if subscriptions:
            session.execute(insert(Subscription), subscriptions)
        self._give_offices(session, people, ids)

    def _give_offices(self, session: Session, people: list[Person], ids: dict[str, int]) -> None:
        today = self.now.astimezone(self.zone).date()
        held = set(
            session.execute(
                select(Office.subscriber_id, Office.municipality, Office.role).where(
                    Office.subscriber_id.in_([ids[person.address] for person in people]),
                    Office.ends.is_(None),
                )
            ).all()
        )
        offices = [
            {
                "municipality": person.ags,
                "role": person.role or _ROLES[self.basis],
                "subscriber_id": ids[person.address],
                "starts": today,
                "ends": None,
            }
            for person in people
            if person.ags and (ids[person.address], person.ags, person.role or _ROLES[self.basis]) not in held
        ]
        if offices:
            session.execute(insert(Office), offices)

    def _subscriber(self, person: Person, hashes: dict[str, bytes]) -> dict[str, object]:
        return {
            "handle": new_handle(),
            "address": person.address,
            "address_hash": hashes[person.address],
            "domain": domain_of(person.address),
            "form": person.form,
            "title": person.title,
            "given": person.given,
            "family": person.family,
            "language": person.language,
            "created_at": self.now,
        }


def _details(person: Person) -> dict[str, str]:
    return {
        "form": person.form.value,
        "title": person.title,
        "given": person.given,
        "family": person.family,
        "role": person.role.value if person.role else "",
        "ags": person.ags,
        "language": person.language,
    }


def _choice(kind: type[_Choice], column: str, text: str) -> _Choice | None:
    if not text:
        return None
    try:
        return kind(_WORDS.get(text.lower(), text.lower()))
    except ValueError:
        raise ValueError(
            f"{column}: expected {', '.join(each.value for each in kind)}, got {text!r}"
        ) from None


def _language(text: str) -> str:
    text = _WORDS.get(text.lower(), text.lower())
    if text and text not in _LANGUAGES:
        raise ValueError(f"language: expected {' or '.join(_LANGUAGES)}, got {text!r}")
    return text or _LANGUAGES[0]
