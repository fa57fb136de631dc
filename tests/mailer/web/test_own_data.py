"""Behind a fresh link: everything that is held, as a page and as a file, and a way to have it erased."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, update
from starlette.testclient import TestClient

from mailer.database import Database
from mailer.notices.model import Notice
from mailer.outbox.model import Delivery
from subscribers.chain import Chain, Record, verify
from subscribers.model import Subscriber, Suppression, SuppressionReason
from tests.mailer.web.sample import Sample, dump


@pytest.fixture
def path(links: dict[str, str]) -> str:
    return links["daten"]


def test_the_page_shows_what_is_held_with_rights_and_authority(client: TestClient, path: str) -> None:
    page = client.get(path).text
    for shown in (
        "active@example.org",
        "Neues &amp; Nützliches",
        "Nr. 1",
        "Art. 17 DSGVO",
        "ldi.nrw.de",
        "127.0.0.1",
    ):
        assert shown in page
    assert "pending@" not in page
    assert 'lang="en"' in client.get(path + "?lang=en").text
    assert "Art. 17 GDPR" in client.get(path + "?lang=en").text


def test_the_file_is_json_with_iso_dates(client: TestClient, path: str) -> None:
    answer = client.get(path + ".json")
    assert answer.headers["content-disposition"] == 'attachment; filename="infomail-daten.json"'
    found = json.loads(answer.text)
    assert found["address"] == "active@example.org"
    assert datetime.fromisoformat(found["created_at"]).tzinfo is not None
    assert [row["list"] for row in found["subscriptions"]] == ["netzwerk"]
    assert [row["to"] for row in found["deliveries"]] == ["active@example.org"]
    assert found["about"]["authority"]["name"]


def test_erasing_wants_the_box_ticked(client: TestClient, path: str, database: Database) -> None:
    before = dump(database)
    answer = client.post(path, data={"act": "erase"})
    assert answer.status_code == 422
    assert 'aria-describedby="sure-fault"' in answer.text
    assert client.post(path, data={"act": "else", "sure": "yes"}).status_code == 422
    assert client.post(path).status_code == 422
    assert dump(database) == before


def test_erasing_leaves_the_keyed_hash_only_and_a_page_that_says_so(
    client: TestClient, path: str, database: Database, sample: Sample, links: dict[str, str]
) -> None:
    answer = client.post(path, data={"act": "erase", "sure": "yes"})
    assert answer.status_code == 200
    assert "Ihre Daten sind gelöscht" in answer.text
    with database.read() as session:
        assert session.scalar(select(func.count()).where(Subscriber.handle == sample.active)) == 0
        assert session.scalars(
            select(Suppression.reason).where(Suppression.reason == SuppressionReason.ERASED)
        ).all() == [SuppressionReason.ERASED]
        assert session.scalars(
            select(Delivery.address).where(Delivery.subscriber_handle == sample.active)
        ).all() == [""]
        (record,) = session.scalars(select(Record).where(Record.chain == Chain.AUDIT))
        assert (record.action, record.subject) == ("subscriber.erased", sample.active)
        assert record.actor.startswith("token:")
        assert verify(session, Chain.AUDIT).problems == []
    assert "active@example.org" not in str(dump(database))
    # the link leads nowhere any more, and the mails' links say that there is nothing left to leave
    assert client.get(path).status_code == 404
    assert client.get(links["abmelden"]).status_code == 200


def test_a_link_older_than_half_an_hour_shows_and_erases_nothing(
    client: TestClient, path: str, database: Database, sample: Sample
) -> None:
    with database.write() as session:
        then = datetime.now(UTC) - timedelta(minutes=31)
        session.execute(update(Notice).where(Notice.handle == sample.fresh).values(created_at=then))
    before = dump(database)
    for answer in (
        client.get(path),
        client.get(path + ".json"),
        client.post(path, data={"act": "erase", "sure": "yes"}),
    ):
        assert answer.status_code == 410
        assert "active@example.org" not in answer.text
    assert dump(database) == before


@pytest.mark.parametrize("name", ["abmelden", "bestaetigen", "ausgabe"])
def test_no_link_of_another_purpose_opens_it(client: TestClient, links: dict[str, str], name: str) -> None:
    token = links[name].rpartition("/")[2]
    assert client.get(f"/einstellungen/{token}/daten").status_code == 404
    assert client.get(f"/einstellungen/{token}/daten.json").status_code == 404
