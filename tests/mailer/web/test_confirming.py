"""The second half of double opt-in."""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update
from starlette.testclient import TestClient

from mailer.database import Database
from mailer.notices.model import Notice
from mailer.settings import Settings
from mailer.web.app import create_app
from subscribers.evidence import Proof, of_person
from subscribers.model import Subscriber, SubscriptionState
from subscribers.subscribing import leave, subscription_of
from subscribers.tokens import Keys, Purpose, sign
from tests.mailer.web.sample import Sample, dump, subscriber_of

CONFIRM = {"act": "confirm"}


def test_the_page_shows_the_list_the_masked_address_and_the_wording(
    client: TestClient, links: dict[str, str]
) -> None:
    text = client.get(links["bestaetigen"]).text
    assert "Neues &amp; Nützliches" in text
    assert "p…@example.org" in text
    assert "pending@example.org" not in text
    assert "Ich willige ein." in text


def test_the_form_confirms_and_keeps_the_evidence(
    client: TestClient, database: Database, links: dict[str, str], sample: Sample
) -> None:
    answer = client.post(links["bestaetigen"], data=CONFIRM)
    assert (answer.status_code, "Ihre Anmeldung ist bestätigt" in answer.text) == (200, True)
    assert _state(database) is SubscriptionState.ACTIVE
    (proof,) = _consents(database)
    said = proof.content
    assert said is not None
    assert proof.at - datetime.fromisoformat(said.pop("requested_at")) >= timedelta(hours=1)
    assert said == {
        "list": "netzwerk", "basis": "consent", "wording": "Ich willige ein.", "wording_version": "v1",
        "source": "https://form", "notice": f"{sample.notice:016x}",
        "mail_sha256": hashlib.sha256(b"").hexdigest(),
    }  # fmt: skip
    token = links["bestaetigen"].rpartition("/")[2]
    assert (proof.action, proof.actor) == ("granted", f"token:{token[:8]}")


def test_the_address_of_who_confirms_is_recorded_apart_and_only_where_configured(
    settings: Settings, database: Database, links: dict[str, str]
) -> None:
    recording = create_app(settings.model_copy(update={"record_sign_up_ip": True}), database)
    with TestClient(recording, client=("192.0.2.9", 1)) as client:
        client.post(links["bestaetigen"], data=CONFIRM)
    granted, origin = _consents(database)
    assert granted.content is not None
    assert "192.0.2.9" not in str(granted.content)
    assert (origin.action, origin.content) == ("origin", {"list": "netzwerk", "ip": "192.0.2.9"})


def test_a_second_confirmation_says_so_and_records_nothing(
    client: TestClient, database: Database, links: dict[str, str]
) -> None:
    client.post(links["bestaetigen"], data=CONFIRM)
    before = dump(database)
    for answer in (client.post(links["bestaetigen"], data=CONFIRM), client.get(links["bestaetigen"])):
        assert answer.status_code == 200
        assert "bereits bestätigt" in answer.text
    assert dump(database) == before


@pytest.mark.parametrize(
    ("age", "status"), [(timedelta(days=7, seconds=-60), 200), (timedelta(days=7, seconds=1), 410)]
)
def test_a_confirmation_link_works_for_seven_days(
    client: TestClient, database: Database, links: dict[str, str], age: timedelta, status: int
) -> None:
    with database.write() as session:
        session.execute(update(Notice).values(created_at=datetime.now(UTC) - age))
    assert client.get(links["bestaetigen"]).status_code == status
    answer = client.post(links["bestaetigen"], data=CONFIRM)
    assert answer.status_code == status
    assert ("/anmelden/netzwerk" in answer.text) is (status == 410)
    assert _state(database) is (SubscriptionState.ACTIVE if status == 200 else SubscriptionState.PENDING)


def test_a_link_that_was_used_does_not_bring_back_whoever_left_since(
    client: TestClient, database: Database, links: dict[str, str]
) -> None:
    client.post(links["bestaetigen"], data=CONFIRM)
    with database.write() as session:
        leave(
            session, subscriber=subscriber_of(session, "pending"), list_key="netzwerk", through=None,
            source="mail", actor="clock", now=datetime.now(UTC),
        )  # fmt: skip
    assert client.post(links["bestaetigen"], data=CONFIRM).status_code == 410
    assert _state(database) is SubscriptionState.UNSUBSCRIBED


@pytest.mark.parametrize("data", [{}, {"act": "leave"}, {"act": ""}, {"List-Unsubscribe": "One-Click"}])
def test_a_post_without_the_field_of_the_form_changes_nothing(
    client: TestClient, database: Database, links: dict[str, str], data: dict[str, str]
) -> None:
    before = dump(database)
    assert client.post(links["bestaetigen"], data=data).status_code == 422
    assert dump(database) == before


def test_a_notice_of_somebody_else_confirms_nothing(
    client: TestClient, database: Database, keys: Keys, sample: Sample
) -> None:
    foreign = sign(keys, Purpose.CONFIRM, sample.notice, sample.active)
    before = dump(database)
    assert client.post(f"/bestaetigen/{foreign}", data=CONFIRM).status_code == 410
    assert dump(database) == before


def test_a_link_whose_sign_up_is_gone_offers_to_sign_up_again(
    client: TestClient, database: Database, links: dict[str, str]
) -> None:
    with database.write() as session:
        session.delete(session.scalars(select(Subscriber).where(Subscriber.address.startswith("pend"))).one())
    page = client.get(links["bestaetigen"])
    assert (page.status_code, "Newsletter wählen und neu anmelden" in page.text) == (410, True)
    assert client.post(links["bestaetigen"], data=CONFIRM).status_code == 410


def _state(database: Database) -> SubscriptionState:
    with database.read() as session:
        subscription = subscription_of(session, subscriber_of(session, "pending"), "netzwerk")
        assert subscription is not None
        return subscription.state


def _consents(database: Database) -> list[Proof]:
    with database.read() as session:
        return list(of_person(session, subscriber_of(session, "pending").handle))
