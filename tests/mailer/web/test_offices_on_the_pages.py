"""Handing an office over, taking it on, and answering whether it is still right."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import delete, select, update
from starlette.testclient import TestClient

from mailer.database import Database
from mailer.notices.model import Notice
from mailer.settings import Settings
from mailer.web.app import create_app
from mailer.web.public.handover import Typed, read_handover
from subscribers.chain import Chain, Record, verify
from subscribers.evidence import of_person
from subscribers.model import (
    MailingList,
    Office,
    Request,
    RequestKind,
    Role,
    Subscriber,
    SubscriptionState,
    Task,
)
from subscribers.subscribing import await_confirmation, subscription_of, subscriptions_of
from subscribers.tokens import Keys
from tests.mailer.web.officers import appointed, fill_offices
from tests.mailer.web.sample import Sample, dump, subscriber_of

TODAY = datetime.now(UTC).date()
SOON = TODAY + timedelta(days=30)


@pytest.fixture
def officers(database: Database, keys: Keys, sample: Sample) -> dict[str, str]:
    return fill_offices(database, keys, sample)


def hand_over(client: TestClient, link: str, database: Database, **fields: str) -> tuple[int, str]:
    office = str(_offices(database, "active")[0].id)
    said = {"act": "handover", "office": office, "last_day": SOON.isoformat(), **fields}
    answer = client.post(link, data=said)
    return answer.status_code, answer.text


def test_the_page_names_the_office_and_asks_for_a_day(client: TestClient, officers: dict[str, str]) -> None:
    text = client.get(officers["wechsel"]).text
    assert "Ich wechsle die Aufgabe" in text
    assert "Ansprechperson" in text
    assert "Musterstadt" in text
    assert 'type="date"' in text


def test_handing_over_ends_the_office_and_asks_the_successor_nothing_more_than_she_needs(
    client: TestClient, database: Database, officers: dict[str, str]
) -> None:
    status, text = hand_over(client, officers["wechsel"], database, successor=" Neu@Example.org ")
    assert status == 200
    assert "neu@example.org" in text
    (office,) = _offices(database, "active")
    assert office.ends == SOON
    with database.read() as session:
        asked = session.scalars(select(Request).order_by(Request.id.desc())).first()
        assert asked is not None
        assert (asked.kind, asked.address, asked.list_key) == (
            RequestKind.INVITE, "neu@example.org", "netzwerk",
        )  # fmt: skip
        assert asked.details == {
            "office": str(office.id), "ags": "05999002", "role": "contact", "starts": (SOON + timedelta(days=1)).isoformat(),
            "lists": "netzwerk", "privacy_version": "",
        }  # fmt: skip
        # her own subscription is no part of it
        mine = subscription_of(session, subscriber_of(session, "active"), "netzwerk")
        assert mine is not None
        assert mine.state is SubscriptionState.ACTIVE
        assert [row.action for row in session.scalars(select(Record))] == ["office.ended"]
        assert verify(session, Chain.AUDIT).problems == []


def test_a_second_press_ends_nothing_twice(
    client: TestClient, database: Database, officers: dict[str, str]
) -> None:
    hand_over(client, officers["wechsel"], database)
    before = dump(database)
    assert hand_over(client, officers["wechsel"], database)[0] == 200
    assert dump(database) == before


def test_the_answer_says_nothing_about_the_address_that_was_named(
    client: TestClient, database: Database, officers: dict[str, str]
) -> None:
    answers = {
        hand_over(client, officers["wechsel"], database, successor=f"{name}@example.org")[1].replace(
            name, "X"
        )
        for name in ("pending", "barred", "unheard-of")
    }
    assert len(answers) == 1


def test_what_is_wrong_stands_beside_its_field_and_what_was_typed_is_kept(
    client: TestClient, database: Database, officers: dict[str, str]
) -> None:
    before = dump(database)
    status, text = hand_over(client, officers["wechsel"], database, last_day="gestern", successor="a@b")
    assert status == 422
    assert "<title>Fehler: " in text
    assert 'value="gestern"' in text
    assert 'value="a@b"' in text
    assert 'aria-describedby="last_day-hint last_day-fault"' in text
    assert 'aria-describedby="successor-hint successor-fault"' in text
    assert dump(database) == before


@pytest.mark.parametrize(
    ("fields", "faults"),
    [
        ({}, {}),
        ({"last_day": "2026-11-23"}, {}),  # today
        ({"last_day": "23.11.2027"}, {}),  # 365 days ahead
        ({"last_day": "2027-11-24"}, {"last_day": "late"}),
        ({"last_day": "2026-11-22"}, {"last_day": "early"}),
        ({"last_day": ""}, {"last_day": "missing"}),
        ({"last_day": "2026-02-30"}, {"last_day": "date"}),
        ({"last_day": "0" * 5000}, {"last_day": "date"}),
        ({"office": ""}, {"office": "choice"}),
        ({"office": "8"}, {"office": "choice"}),  # somebody else's
        ({"successor": "neu@"}, {"successor": "address"}),
        ({"successor": "a" * 300 + "@example.org"}, {"successor": "address"}),
        ({"successor": "x@example.org\r\nBcc: y@example.org"}, {"successor": "address"}),
        ({"successor": "ICH@example.org"}, {"successor": "own"}),
        ({"office": "", "last_day": "x", "successor": "@"}, {"office": "choice", "last_day": "date", "successor": "address"}),
    ],
)  # fmt: skip
def test_each_fault_of_a_handover_is_named_at_its_field(
    fields: dict[str, str], faults: dict[str, str]
) -> None:
    offices = [Office(id=7, municipality="05999002", role=Role.CONTACT, starts=date(2020, 1, 1))]
    typed = Typed(**{"office": "7", "last_day": "2026-12-31", **fields})
    read, found = read_handover(typed, offices, "ich@example.org", date(2026, 11, 23))
    assert found == faults
    assert (read is None) == bool(faults)


def test_who_holds_several_offices_chooses_one_and_keeps_the_others(
    client: TestClient, database: Database, officers: dict[str, str]
) -> None:
    with database.write() as session:
        appointed(session, subscriber_of(session, "active"), Role.HEAD, "05999001")
    text = client.get(officers["wechsel"]).text
    assert text.count('name="office"') == 2
    assert hand_over(client, officers["wechsel"], database, office="")[0] == 422
    assert hand_over(client, officers["wechsel"], database)[0] == 200
    assert [office.ends for office in _offices(database, "active")] == [SOON, None]


def test_without_an_office_there_is_nothing_to_hand_over(
    client: TestClient, database: Database, officers: dict[str, str]
) -> None:
    with database.write() as session:
        session.execute(update(Office).values(ends=TODAY - timedelta(days=1)))
    assert "keine Funktion eingetragen" in client.get(officers["wechsel"]).text


def test_the_page_closes_with_its_link_after_half_an_hour(
    client: TestClient, database: Database, officers: dict[str, str]
) -> None:
    with database.write() as session:
        session.execute(update(Notice).values(created_at=datetime.now(UTC) - timedelta(minutes=31)))
    before = dump(database)
    assert client.get(officers["wechsel"]).status_code == 410
    assert hand_over(client, officers["wechsel"], database)[0] == 410
    assert dump(database) == before


def test_invitations_count_among_the_requests_of_a_network(
    settings: Settings, database: Database, officers: dict[str, str]
) -> None:
    strict = create_app(settings.model_copy(update={"sign_ups_per_origin": 1}), database)
    with TestClient(strict, client=("192.0.2.9", 1)) as client:
        assert hand_over(client, officers["wechsel"], database, successor="a@example.org")[0] == 200
        before = dump(database)
        late = {"last_day": (SOON + timedelta(days=1)).isoformat(), "successor": "b@example.org"}
        assert hand_over(client, officers["wechsel"], database, **late)[0] == 429
    # not even the end of the office: never half an act
    assert dump(database) == before


def test_lists_that_are_not_hers_are_not_passed_on(
    client: TestClient, database: Database, officers: dict[str, str]
) -> None:
    with database.write() as session:
        session.add(MailingList(key="anderes", title="Anderes", created_at=datetime.now(UTC)))
    hand_over(client, officers["wechsel"], database, successor="neu@example.org")
    with database.read() as session:
        asked = session.scalars(select(Request).order_by(Request.id.desc())).first()
        assert asked is not None
        assert asked.details["lists"] == "netzwerk"


def test_an_invitation_shows_office_and_wording_and_its_button_gives_both(
    client: TestClient, database: Database, officers: dict[str, str]
) -> None:
    text = client.get(officers["einladung"]).text
    for shown in ("Ansprechperson", "Musterstadt", "i…@example.org", "Ich willige ein."):
        assert shown in text
    assert client.post(officers["einladung"], data={"act": "confirm"}).status_code == 200
    (office,) = _offices(database, "invited")
    assert (office.municipality, office.role, office.starts) == ("05999002", Role.CONTACT, date(2027, 1, 1))
    assert office.confirmed_at is not None
    # overlap is allowed: who holds it now is not touched
    assert _offices(database, "active")[0].ends is None
    with database.read() as session:
        hers = subscription_of(session, subscriber_of(session, "invited"), "netzwerk")
        assert hers is not None
        assert hers.state is SubscriptionState.ACTIVE
        assert sorted(session.scalars(select(Record.action))) == ["granted", "office.appointed"]
    before = dump(database)
    assert "bereits bestätigt" in client.post(officers["einladung"], data={"act": "confirm"}).text
    assert dump(database) == before


def test_who_is_on_the_list_already_takes_only_the_office(
    client: TestClient, database: Database, officers: dict[str, str]
) -> None:
    with database.write() as session:
        hers = subscription_of(session, subscriber_of(session, "invited"), "netzwerk")
        assert hers is not None
        hers.state = SubscriptionState.ACTIVE
    assert client.post(officers["einladung"], data={"act": "confirm"}).status_code == 200
    assert len(_offices(database, "invited")) == 1
    with database.read() as session:
        assert list(session.scalars(select(Record.action))) == ["office.appointed"]


def test_an_invitation_works_for_seven_days_and_gives_nothing_after(
    client: TestClient, database: Database, officers: dict[str, str]
) -> None:
    with database.write() as session:
        session.execute(update(Notice).values(created_at=datetime.now(UTC) - timedelta(days=7, seconds=1)))
    before = dump(database)
    assert client.get(officers["einladung"]).status_code == 410
    assert client.post(officers["einladung"], data={"act": "confirm"}).status_code == 410
    assert dump(database) == before


def test_still_right_takes_one_button_and_shows_the_address_masked(
    client: TestClient, database: Database, officers: dict[str, str]
) -> None:
    with database.write() as session:
        session.execute(update(Office).values(asked=2, asked_at=datetime.now(UTC)))
    text = client.get(officers["noch-richtig"]).text
    assert "a…@example.org" in text
    assert "active@" not in text
    assert "Ansprechperson" in text
    assert "Vielen Dank" in client.post(officers["noch-richtig"], data={"act": "yes"}).text
    (office,) = _offices(database, "active")
    assert (office.asked, office.asked_at) == (0, None)
    assert office.confirmed_at is not None
    before = dump(database)
    assert "Vielen Dank" in client.post(officers["noch-richtig"], data={"act": "yes"}).text
    assert dump(database) == before


def test_something_changed_mails_a_fresh_link_and_few_however_often_it_is_pressed(
    client: TestClient, database: Database, officers: dict[str, str]
) -> None:
    with database.write() as session:
        old = datetime.now(UTC) - timedelta(hours=1)
        session.execute(update(Request).values(created_at=old))
    for _ in range(9):
        answer = client.post(officers["noch-richtig"], data={"act": "changed"})
        assert "Ein Link ist unterwegs" in answer.text
    with database.read() as session:
        asked = session.scalars(
            select(Request).where(Request.kind == RequestKind.PREFERENCES, Request.created_at > old)
        ).all()
        assert [row.subscriber_id for row in asked] == [subscriber_of(session, "active").id] * 5
    # whether something else is right now is not known yet
    assert _offices(database, "active")[0].confirmed_at is None


@pytest.mark.parametrize("data", [{}, {"act": ""}, {"act": "confirm"}, {"act": "handover"}])
def test_a_post_without_a_field_of_the_page_changes_nothing(
    client: TestClient, database: Database, officers: dict[str, str], data: dict[str, str]
) -> None:
    before = dump(database)
    assert client.post(officers["noch-richtig"], data=data).status_code == 422
    if data.get("act") != "handover":
        assert client.post(officers["wechsel"], data=data).status_code == 422
    assert dump(database) == before


def test_a_question_about_an_office_that_ended_is_settled(
    client: TestClient, database: Database, officers: dict[str, str]
) -> None:
    with database.write() as session:
        session.execute(update(Office).values(ends=TODAY - timedelta(days=2)))
    before = dump(database)
    for answer in (
        client.get(officers["noch-richtig"]),
        client.post(officers["noch-richtig"], data={"act": "yes"}),
        client.post(officers["noch-richtig"], data={"act": "changed"}),
    ):
        assert answer.status_code == 410
        assert "hat sich erledigt" in answer.text
    assert dump(database) == before


def test_the_question_outlives_the_request_it_came_from(
    client: TestClient, database: Database, officers: dict[str, str]
) -> None:
    with database.write() as session:
        session.execute(delete(Request).where(Request.kind == RequestKind.STILL_RIGHT))
    assert client.post(officers["noch-richtig"], data={"act": "yes"}).status_code == 200
    assert _offices(database, "active")[0].confirmed_at is not None


def test_an_invitation_to_several_lists_is_confirmed_for_each(
    client: TestClient, database: Database, officers: dict[str, str]
) -> None:
    with database.write() as session:
        session.add(MailingList(key="anderes", title="Anderes", created_at=datetime.now(UTC)))
        session.flush()
        await_confirmation(
            session, subscriber=subscriber_of(session, "invited"), list_key="anderes", now=datetime.now(UTC)
        )
        asked = session.scalars(select(Request).where(Request.kind == RequestKind.INVITE)).one()
        asked.details = asked.details | {"lists": "netzwerk,anderes"}
    client.post(officers["einladung"], data={"act": "confirm"})
    with database.read() as session:
        invited = subscriber_of(session, "invited")
        states = {row.list_key: row.state.value for row in subscriptions_of(session, invited)}
        assert states == {"anderes": "active", "netzwerk": "active"}
        proofs = [proof.content for proof in of_person(session, invited.handle)]
        assert [proof and proof["list"] for proof in proofs] == ["netzwerk", "anderes"]


def test_after_erasure_the_links_are_as_good_as_none(
    client: TestClient, database: Database, officers: dict[str, str]
) -> None:
    with database.write() as session:
        for name in ("active", "invited"):
            session.delete(subscriber_of(session, name))
    for link in officers.values():
        # an invitation that is gone says how to get a new mail; the others say nothing
        assert client.get(link).status_code == (410 if link.startswith("/bestaetigen") else 404)


def test_a_link_of_one_page_opens_no_other(client: TestClient, officers: dict[str, str]) -> None:
    fresh = officers["wechsel"].split("/")[2]
    question = officers["noch-richtig"].split("/")[2]
    assert client.get(f"/noch-richtig/{fresh}").status_code == 404
    assert client.get(f"/einstellungen/{question}/wechsel").status_code == 404


def test_who_says_she_follows_somebody_must_say_where(
    client: TestClient, database: Database, sample: Sample
) -> None:
    form = client.get("/anmelden/netzwerk").text
    version = form.partition('name="wording" value="')[2].partition('"')[0]
    said = {"email": "neu@example.org", "successor": "yes", "wording": version}
    before = dump(database)
    for where in ("", "Nirgends"):
        answer = client.post("/anmelden/netzwerk", data=said | {"municipality": where})
        assert answer.status_code == 422
        assert "Bitte wählen Sie Ihre Kommune aus der Liste" in answer.text
        assert 'value="yes" checked' in answer.text
    assert dump(database) == before
    assert client.post("/anmelden/netzwerk", data=said | {"municipality": "Musterstadt"}).status_code == 200


def test_the_claim_becomes_a_task_by_confirming_and_changes_nothing_else(
    client: TestClient, database: Database, links: dict[str, str]
) -> None:
    with database.write() as session:
        asked = session.scalars(select(Request)).one()
        asked.details = asked.details | {"successor": "yes", "ags": "05999002"}
        offices = session.scalars(select(Office)).all()
    client.get(links["bestaetigen"])
    assert _tasks(database) == []
    for _ in range(2):
        client.post(links["bestaetigen"], data={"act": "confirm"})
    assert _tasks(database) == [("successor", "05999002", "pending@example.org")]
    with database.read() as session:
        assert len(session.scalars(select(Office)).all()) == len(offices)


def _tasks(database: Database) -> list[tuple[str, str | None, str]]:
    with database.read() as session:
        rows = session.execute(select(Task.kind, Task.municipality, Subscriber.address).join(Subscriber))
        return [(row.kind.value, row.municipality, row.address) for row in rows]


def _offices(database: Database, name: str) -> list[Office]:
    with database.read() as session:
        mine = select(Office).join(Subscriber).where(Subscriber.address == f"{name}@example.org")
        return list(session.scalars(mine.order_by(Office.id)))
