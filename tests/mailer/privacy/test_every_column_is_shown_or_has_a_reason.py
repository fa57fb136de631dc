"""No column that can hold personal data is forgotten: it stands in the export, or here with its reason."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mailer.database import Database
from mailer.feeds.model import Contribution, ContributionState, Kind, Picture
from mailer.issues.model import Issue, IssueState
from mailer.notices.model import Notice
from mailer.outbox.model import Attempt, Delivery, DeliveryState, Priority, Returned
from mailer.privacy.holding import Circumstances, as_json, facts, held, is_nothing
from mailer.privacy.retaining import Retention
from mailer.receipts.model import Receipt, ReceiptState
from mailer.render.model import Edition
from mailer.shipped import shipped
from mailer.web.pages import Pages
from subscribers.base import Base
from subscribers.chain import Chain, Happening, Payload, Record, append
from subscribers.model import (
    Basis,
    Format,
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
    SuppressionReason,
    Task,
    TaskKind,
)
from subscribers.privacy import Whom
from tests.mailer.web.sample import sample_settings

_OURS = "says what was published or set up, and nothing about a subscriber"

#: tables of which no row is about a subscriber
_NOT_ABOUT_PEOPLE = {
    "municipalities": _OURS,
    "memberships": _OURS,
    "lists": _OURS,
    "feeds": _OURS,
    "items": _OURS,
    "issues": _OURS,
    "entries": _OURS,
    "edits": "what staff changed in an issue",
    "stationery": "templates and letterhead",
    "editions": "the rendering for all readers of one kind; nobody's name is in it",
    "edition_audience": "which kind of readers gets which edition; nobody is named",
    "archived_mails": "the mail for everybody; nobody's name is in it",
    "archive_views": "how often a page was opened, by nobody knows whom",
    "figures": "sums over many people",
    "tallies": "how many mails went in a stretch of time",
    "relay_rates": "how fast staff let a relay be",
    "domain_troubles": "which servers do not take mail now; gone when they do",
}
#: and columns
_NOT_SHOWN = {
    "subscribers.address_hash": "a keyed hash of the address, which is shown",
    "subscribers.domain": "the end of the address, which is shown",
    "suppressions.address_hash": "a keyed hash of the address; that it is barred is shown with the reason",
    "suppressions.at": "belongs to the hash; that the address is barred is shown with the reason",
    "suppressions.actor": "belongs to the hash; who acted stands in the audit records",
    "imports.digest": "names the file",
    "imports.proof": "may be a list of many people; its name is shown, staff hand out the part about her",
    "imports.actor": "names an employee",
    "imports.decided_by": "names an employee",
    "tasks.done_by": "names an employee",
    "requests.address": "the address she asks with, which is shown",
    "requests.origin": "a keyed hash of a network, kept for an hour's limit and erased with the request",
    "records.chain": "says which of the two lists of records it is, and those are shown apart",
    "records.previous": "belongs to the record before, which is somebody else's",
    "records.commitment": "a random-looking number that only the chain needs",
    "records.subject": "her reference, which is shown",
    "record_payloads.chain": "as in records",
    "record_payloads.seq": "as in records",
    "record_payloads.salt": "a random number that only the chain needs",
    "contributions.address": "the address, which is shown",
    "contributions.handle": "a random number inside the link that confirmed it",
    "pictures.handle": "a random number inside the address of the picture",
    "pictures.media_type": "of the picture, which its sender has",
    "pictures.width": "as media_type",
    "pictures.height": "as media_type",
    "pictures.data": "the picture itself, which its sender has; the issue shows it",
    "pictures.created_at": "when its contribution was sent in, which is shown",
    "notices.message": "the mail itself, which she has; the links in it would be keys in a file",
    "notices.handle": "a random number inside the links of that mail",
    "notices.address": "the address, which is shown",
    "notices.address_handle": "a random number inside the links of that mail",
    "notices.key_id": "names a key of ours",
    "deliveries.subscriber_handle": "her reference, which is shown",
    "deliveries.domain": "the end of the address, which is shown",
    "deliveries.priority": "says that notices go first",
    "deliveries.attempts": "the number of the attempts, which are shown",
    "deliveries.worker": "names a process of ours",
    "deliveries.lease_until": "says how long that process has it",
    "receipts.digest": "names the mail that came in, which is shown",
}

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
ADDRESS = "erika@xn--strae-oqa.example.org"


@pytest.fixture
def around() -> Circumstances:
    day = timedelta(days=1)
    return Circumstances(
        templates=[shipped("templates")], controller="Amt", contact="amt@example.org", privacy_url="",
        relays=["relay.example.org"], keep=Retention(7 * day, 30 * day, 90 * day, 365 * day, 1095 * day),
    )  # fmt: skip


class _Clock:
    """Every instant that a row holds is a different one, so that each can be found."""

    def __init__(self) -> None:
        self._last = NOW

    def __call__(self) -> datetime:
        self._last += timedelta(minutes=1)
        return self._last


def _rows(database: Database) -> dict[str, Any]:
    """One row of each table that can be about a person, every column filled with what stands nowhere else."""
    at = _Clock()
    with database.write() as session:
        session.add(Municipality(ags="05999001", name="Musterstadt", kind="Stadt"))
        session.add(MailingList(key="netzwerk", title="Netz & Werk", created_at=NOW))
        session.flush()
        person = Subscriber(
            address=ADDRESS, address_hash=b"h" * 32, domain="xn--strae-oqa.example.org",
            form=FormOfAddress.FRAU, title="Dr.", given="Erika", family="Musterfrau", language="en",
            format=Format.TEXT, created_at=at(),
        )  # fmt: skip
        brought = Import(
            list_key="netzwerk", file="alt.csv", basis=Basis.PUBLIC_TASK, informed="Brief vom Mai", digest=b"d" * 32, given_on=date(2019, 5, 4), source="Messe",
            wording="Ja, gern.", proof_name="zettel.pdf", proof=b"p", state=ImportState.RELEASED, actor="user:1",
            created_at=at(), decided_by="user:2", decided_at=at(),
        )  # fmt: skip
        issue = Issue(
            newsletter="infomail", slot=NOW, send_at=NOW, list_key="netzwerk", state=IssueState.SENT, number=1,
            year=2026, title="Infomail", zone="Europe/Berlin", template="infomail", subject="Nr. 1",
            created_at=NOW, key_id=1,
        )  # fmt: skip
        session.add_all([person, brought, issue])
        session.flush()
        edition = Edition(
            issue_id=issue.id, digest="e", language="de", subject="Nr. 1", text="", message=b"", html="",
            created_at=NOW,
        )  # fmt: skip
        request = Request(
            kind=RequestKind.INVITE, list_key="netzwerk", subscriber_id=person.id,
            details={"successor": "Nachfolge"}, origin=b"o" * 32, actor="form", created_at=at(),
            state=RequestState.DROPPED, due_at=at(), outcome="one-a-day",
        )  # fmt: skip
        session.add_all([edition, request])
        session.flush()
        delivery = Delivery(
            issue_id=issue.id, edition_id=edition.id, list_key="netzwerk", subscriber_id=person.id,
            subscriber_handle=person.handle, address="erika-damals@example.org", domain="example.org",
            municipality="05999001", priority=Priority.BULK, state=DeliveryState.FAILED, reason="mailbox",
            returned=Returned.BOUNCED, attempts=1, relay="r.example.org:25", due_at=at(), settled_at=at(),
            last_reply="550 letzte Antwort",
        )  # fmt: skip
        session.add(delivery)
        session.flush()
        picture = Picture(
            media_type="image/png", width=1, height=1, data=b"p", alt="Zwei Hände", credit="E. M.",
            created_at=NOW,
        )  # fmt: skip
        session.add(picture)
        session.flush()
        others = [
            Suppression(address_hash=b"h" * 32, reason=SuppressionReason.COMPLAINT, at=NOW, actor="receipts"),
            Office(
                municipality="05999001", role=Role.DEPUTY, subscriber_id=person.id, starts=date(2020, 2, 3),
                ends=date(2024, 5, 6), confirmed_at=at(), asked=2, asked_at=at(),
            ),
            Subscription(
                list_key="netzwerk", subscriber_id=person.id, state=SubscriptionState.UNSUBSCRIBED,
                basis=Basis.PRIOR_CONSENT, since=at(), paused_until=date(2027, 1, 2), ended_through=issue.handle,
                import_id=brought.id, informed_at=at(),
            ),
            Task(
                kind=TaskKind.SUCCESSOR, municipality="05999001", subscriber_id=person.id, created_at=at(),
                done_at=at(), done_by="user:3",
            ),
            picture,
            Contribution(
                kind=Kind.HELP_WANTED, municipality="05999001", title="Gesucht", text="Wer hilft?",
                url="https://example.org/h", starts=at(), ends=at(), all_day=True, deadline=date(2027, 8, 9),
                location="Haus 1", contact="Büro 7", pass_on=True, picture_id=picture.id, address=ADDRESS,
                language="fr", word="Zu spät", created_at=at(), confirmed_at=at(), decided_at=at(),
                state=ContributionState.REFUSED,
            ),
            Notice(
                kind="confirm", list_key="netzwerk", request_id=request.id, subscriber_id=person.id, key_id=1,
                subject="Ihr Einverständnis", message=b"m", created_at=at(), answered_at=at(),
            ),
            Attempt(
                delivery_id=delivery.id, number=1, at=at(), relay="a.example.org:25", outcome="unsure", code=451,
                reply="451 erste Antwort",
            ),
            Receipt(
                digest="q", recipient="bounce+x@example.org", sender="mailer@example.org", raw=b"Wie es ankam",
                received_at=at(), state=ReceiptState.APPLIED, kind="hard", outcome="suppressed: hard",
                delivery_id=delivery.id,
            ),
        ]  # fmt: skip
        session.add_all(others)
        append(
            session,
            Chain.CONSENT,
            [Happening("granted", {"wording": "Ich will"}, person.handle)],
            actor="token:t",
            at=at(),
        )
        session.flush()
        payload = session.get_one(Payload, (Chain.CONSENT, 1))
        payload.blocked_at, payload.erased_at = at(), at()
        rows = [
            person,
            brought,
            request,
            delivery,
            *others,
            payload,
            session.get_one(Record, (Chain.CONSENT, 1)),
        ]
        return {row.__tablename__: row for row in rows}


def _spelled(value: Any) -> set[str]:
    """How the export may spell a value of a column."""
    if isinstance(value, date | datetime):
        return {value.isoformat()}
    if isinstance(value, bytes):
        return {value.hex(), value.decode("latin-1")}
    if isinstance(value, int):
        return {str(value), f"{value:016x}"}
    return {value}


def _leaves(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [leaf for each in value.values() for leaf in _leaves(each)]
    if isinstance(value, list):
        return [leaf for each in value for leaf in _leaves(each)]
    return [str(value)]


def test_every_column_of_every_table(database: Database, around: Circumstances) -> None:
    rows = _rows(database)
    person = rows["subscribers"]
    with database.read() as session:
        found = held(session, Whom(person.address, person.address_hash, person), around, "de")
    leaves = _leaves(json.loads(as_json(found)))
    silent = []
    for table in Base.metadata.sorted_tables:
        for column in table.columns:
            name = f"{table.name}.{column.name}"
            if table.name in _NOT_ABOUT_PEOPLE or name in _NOT_SHOWN:
                continue
            if (
                (column.primary_key and column.autoincrement is True)
                or column.name == "id"
                or column.name.endswith("_id")
            ):
                continue  # names a row inside the database, and is nothing outside it
            assert table.name in rows, (
                f"teach this test a row of {table.name}, or say why none is about people"
            )
            value = getattr(rows[table.name], column.name)
            assert value not in (None, "", b""), f"teach this test a value of {name}"
            shown = _leaves(value) if isinstance(value, dict) else _spelled(value)
            if not set(shown) & set(leaves) and not (
                name == "record_payloads.content" and "Ich will" in leaves
            ):
                silent.append(name)
    assert silent == [], "show these to the person, or say here why not"


def test_the_reasons_name_what_exists() -> None:
    columns = {
        f"{table.name}.{column.name}" for table in Base.metadata.sorted_tables for column in table.columns
    }
    assert _NOT_SHOWN.keys() <= columns
    assert _NOT_ABOUT_PEOPLE.keys() <= Base.metadata.tables.keys()


@pytest.mark.parametrize("language", ["de", "en"])
def test_all_of_it_can_be_read_as_a_page_by_itself(
    database: Database, around: Circumstances, language: str, tmp_path: Path
) -> None:
    person = _rows(database)["subscribers"]
    with database.read() as session:
        found = held(session, Whom(person.address, person.address_hash, person), around, language)
    page = Pages(sample_settings("https://infomail.example.org"), assets="").render(
        "own_data_file.html", language, held=found, style="", made_at=NOW
    )
    for shown in (
        "Erika",
        "Musterfrau",
        "Ja, gern.",
        "Ich will",
        "451 erste Antwort",
        "zettel.pdf",
        "Nachfolge",
        "relay.example.org",
    ):
        assert shown in page
    assert "<link" not in page
    assert "src=" not in page


def test_an_address_that_is_nowhere_holds_nothing(database: Database, around: Circumstances) -> None:
    with database.read() as session:
        assert is_nothing(held(session, Whom("nobody@example.org", b"n" * 32, None), around, "de"))


def test_both_languages_say_the_same_things(around: Circumstances) -> None:
    german, english = (facts(around.templates, language) for language in ("de", "en"))

    def shape(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: shape(each) for name, each in value.items()}
        return [shape(each) for each in value] if isinstance(value, list) else type(value)

    assert shape(german) == shape(english)
    assert german["basis"].keys() == {basis.value for basis in Basis}
