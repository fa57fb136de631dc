"""One's own page behind a fresh link: what it shows, what it changes, and when it does neither."""

import hashlib
import json
from datetime import UTC, datetime, timedelta

import pytest
from fastapi import FastAPI
from sqlalchemy import func, select, update
from starlette.testclient import TestClient

from mailer.database import Database
from mailer.notices.model import Notice
from mailer.settings import Settings
from mailer.web.app import create_app
from subscribers.chain import Chain, Payload, Record
from subscribers.evidence import of_person
from subscribers.model import (
    Format,
    FormOfAddress,
    MailingList,
    Request,
    RequestKind,
    Subscriber,
    Subscription,
    SubscriptionState,
)
from subscribers.subscribing import subscription_of
from tests.mailer.web.sample import Sample, dump, subscriber_of

PROFILE = {
    "act": "save", "form": "frau", "title": "Dr.", "given": "Erika", "family": "von Muster", "language": "en",
    "format": "text",
}  # fmt: skip


@pytest.fixture
def link(links: dict[str, str]) -> str:
    return links["einstellungen"]


def _active(database: Database) -> Subscriber:
    with database.read() as session:
        return subscriber_of(session, "active")


def _subscription(database: Database, key: str = "netzwerk") -> Subscription | None:
    with database.read() as session:
        return subscription_of(session, subscriber_of(session, "active"), key)


def test_the_page_shows_the_address_the_lists_and_why(client: TestClient, link: str) -> None:
    page = client.get(link)
    assert page.status_code == 200
    for said in (
        "active@example.org",
        "Neues &amp; Nützliches",
        "weil Sie eingewilligt haben",
        "Vereinsbrief",
    ):
        assert said in page.text
    assert "Intern" not in page.text
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "no-referrer"


def test_details_are_saved_and_on_record_by_name_only(
    client: TestClient, database: Database, link: str
) -> None:
    answer = client.post(link, data=PROFILE)
    assert (answer.status_code, "Ihre Angaben sind gespeichert" in answer.text) == (200, True)
    person = _active(database)
    assert (person.form, person.title, person.given, person.family, person.language, person.format) == (
        FormOfAddress.FRAU, "Dr.", "Erika", "von Muster", "en", Format.TEXT,
    )  # fmt: skip
    with database.read() as session:
        content = session.scalars(select(Payload.content).where(Payload.chain == Chain.AUDIT)).one()
        record = session.scalars(select(Record).where(Record.chain == Chain.AUDIT)).one()
    assert content is not None
    assert json.loads(content) == {"fields": ["form", "title", "given", "family", "language", "format"]}
    assert (record.action, record.subject) == ("subscriber.rectified", person.handle)
    before = dump(database)
    client.post(link, data=PROFILE)
    assert dump(database) == before


@pytest.mark.parametrize(
    ("field", "typed", "said"),
    [
        ("form", "queen", "Bitte wählen Sie eine der Möglichkeiten."),
        ("language", "fr", "Bitte wählen Sie eine der Möglichkeiten."),
        ("format", "", "Bitte wählen Sie eine der Möglichkeiten."),
        ("given", "x" * 101, "Das ist zu lang."),
        ("family", "a\nBcc: b", "Zeilenumbrüche"),
        ("title", "D\u2028r", "Zeilenumbrüche"),
    ],
)
def test_a_fault_stands_beside_its_field_and_what_was_typed_is_kept(
    client: TestClient, database: Database, link: str, field: str, typed: str, said: str
) -> None:
    before = dump(database)
    answer = client.post(link, data=PROFILE | {field: typed})
    assert answer.status_code == 422
    assert f'id="{field}-fault"' in answer.text
    assert said in answer.text
    assert f'href="#{field}"' in answer.text
    assert "von Muster" in answer.text or field == "family"
    assert dump(database) == before


def test_joining_a_list_keeps_the_wording_that_was_shown_as_evidence(
    client: TestClient, database: Database, link: str, sample: Sample
) -> None:
    page = client.get(link).text
    version = page.partition('name="wording" value="')[2].partition('"')[0]
    answer = client.post(link, data={"act": "join", "list": "verein", "wording": version})
    assert "Sie sind zu »Vereinsbrief« angemeldet." in answer.text
    subscription = _subscription(database, "verein")
    assert subscription is not None
    assert subscription.state is SubscriptionState.ACTIVE
    with database.read() as session:
        (proof,) = of_person(session, sample.active)
    assert proof.content is not None
    assert "»Vereinsbrief«" in proof.content["wording"]
    assert proof.content["notice"] == f"{sample.fresh:016x}"
    assert proof.content["mail_sha256"] == hashlib.sha256(b"").hexdigest()
    assert proof.content["source"] == "https://infomail.example.org/einstellungen"


@pytest.mark.parametrize(
    ("key", "wording", "status"), [("verein", "alt", 422), ("intern", "de-1", 404), ("nirgends", "de-1", 404)]
)
def test_no_list_is_joined_unseen(
    client: TestClient, database: Database, link: str, key: str, wording: str, status: int
) -> None:
    before = dump(database)
    assert client.post(link, data={"act": "join", "list": key, "wording": wording}).status_code == status
    assert dump(database) == before


def test_a_list_is_left_with_a_goodbye_that_undoes_it(
    client: TestClient, database: Database, link: str, sample: Sample
) -> None:
    answer = client.post(link, data={"act": "leave", "list": "netzwerk"})
    assert "Sie sind von »Neues &amp; Nützliches« abgemeldet." in answer.text
    subscription = _subscription(database)
    assert subscription is not None
    assert (subscription.state, subscription.ended_through) == (SubscriptionState.UNSUBSCRIBED, sample.fresh)
    with database.read() as session:
        goodbye = session.scalars(select(Request).where(Request.kind == RequestKind.GOODBYE)).one()
    assert goodbye.details == {"context": sample.fresh, "lists": "netzwerk"}


def test_a_list_is_paused_and_goes_on(client: TestClient, database: Database, link: str) -> None:
    answer = client.post(link, data={"act": "pause", "list": "netzwerk", "months": "3"})
    assert "pausiert" in answer.text
    subscription = _subscription(database)
    assert subscription is not None
    assert subscription.paused_until == (datetime.now(UTC) + timedelta(days=90)).date()
    client.post(link, data={"act": "resume", "list": "netzwerk"})
    subscription = _subscription(database)
    assert subscription is not None
    assert subscription.paused_until is None


def test_a_list_that_is_none_of_hers_is_not_touched(
    client: TestClient, database: Database, link: str
) -> None:
    before = dump(database)
    for act in ("leave", "pause", "resume"):
        assert client.post(link, data={"act": act, "list": "verein", "months": "1"}).status_code == 404
    assert client.post(link, data={"act": "pause", "list": "netzwerk", "until": "gestern"}).status_code == 422
    assert client.post(link, data={"act": "anything"}).status_code == 422
    assert dump(database) == before


def test_after_half_an_hour_the_page_offers_a_new_link_and_changes_nothing(
    client: TestClient, database: Database, link: str
) -> None:
    with database.write() as session:
        old = datetime.now(UTC) - timedelta(minutes=31)
        session.execute(update(Notice).where(Notice.kind == "preferences").values(created_at=old))
    before = dump(database)
    for answer in (client.get(link), client.post(link, data=PROFILE)):
        assert answer.status_code == 410
        assert "Neuen Link zusenden" in answer.text
        assert "active@" not in answer.text
    assert dump(database) == before
    sent = client.post(link, data={"act": "renew"})
    assert (sent.status_code, "active@" in sent.text) == (200, False)
    with database.read() as session:
        asked = session.scalars(select(Request).where(Request.kind == RequestKind.PREFERENCES)).one()
    assert (asked.subscriber_id, asked.address) == (_active(database).id, None)


def test_a_stale_link_asks_for_few_mails_an_hour(client: TestClient, database: Database, link: str) -> None:
    with database.write() as session:
        old = datetime.now(UTC) - timedelta(minutes=31)
        session.execute(update(Notice).where(Notice.kind == "preferences").values(created_at=old))
    for _ in range(9):
        assert client.post(link, data={"act": "renew"}).status_code == 200
    with database.read() as session:
        assert session.scalar(select(func.count()).where(Request.kind == RequestKind.PREFERENCES)) == 5


def test_after_erasure_the_link_is_as_good_as_none(client: TestClient, database: Database, link: str) -> None:
    with database.write() as session:
        session.delete(subscriber_of(session, "active"))
    assert client.get(link).status_code == 404
    assert client.post(link, data={"act": "renew"}).status_code == 404


@pytest.mark.parametrize(
    "address", ["active@example.org", "barred@example.org", "pending@example.org", "new@example.org"]
)
def test_asking_for_a_link_tells_nothing_about_the_address(
    client: TestClient, database: Database, sample: Sample, address: str
) -> None:
    answer = client.post("/einstellungen", data={"email": address})
    other = client.post("/einstellungen", data={"email": "x@example.net"})
    assert (answer.status_code, dict(answer.headers)) == (
        200, dict(other.headers) | {"content-length": answer.headers["content-length"]},
    )  # fmt: skip
    assert answer.text.replace(address, "x@example.net") == other.text
    with database.read() as session:
        asked = session.scalars(select(Request).order_by(Request.id.desc())).all()[:2]
    assert [(row.kind, row.address) for row in asked] == [
        (RequestKind.PREFERENCES, "x@example.net"), (RequestKind.PREFERENCES, address),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("typed", "said"), [("", "Bitte geben Sie"), ("anna", "keine vollständige"), ("x" * 300, "zu lang")]
)
def test_no_link_goes_to_what_is_no_address(
    client: TestClient, database: Database, sample: Sample, typed: str, said: str
) -> None:
    before = dump(database)
    answer = client.post("/einstellungen", data={"email": typed})
    assert (answer.status_code, said in answer.text) == (422, True)
    assert dump(database) == before


def test_too_many_requests_of_strangers_get_a_page_that_says_so(
    settings: Settings, database: Database, sample: Sample
) -> None:
    few = settings.model_copy(update={"sign_ups_per_origin": 2})
    app: FastAPI = create_app(few, database)
    with TestClient(app, client=("192.0.2.1", 1)) as client:
        version = (
            client.get("/anmelden/netzwerk").text.partition('name="wording" value="')[2].partition('"')[0]
        )
        for _ in range(2):
            assert client.post("/einstellungen", data={"email": "a@example.org"}).status_code == 200
        before = dump(database)
        for answer in (
            client.post("/einstellungen", data={"email": "active@example.org"}),
            client.post("/anmelden/netzwerk", data={"email": "b@example.org", "wording": version}),
        ):
            assert (answer.status_code, answer.headers["retry-after"]) == (429, "3600")
            assert "Gerade zu viele Anfragen" in answer.text
        assert dump(database) == before
    with TestClient(app, client=("192.0.2.2", 1)) as client:
        assert client.post("/einstellungen", data={"email": "a@example.org"}).status_code == 200


def test_a_title_of_a_list_runs_no_script(client: TestClient, database: Database, link: str) -> None:
    with database.write() as session:
        for row in session.scalars(select(MailingList)):
            row.title = "<script>alert(1)</script>"
    assert "<script>" not in client.get(link).text
