"""Leaving by page and by one click (RFC 8058), and taking it back."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from mailer.database import Database
from mailer.notices.model import Notice
from mailer.outbox.model import Delivery, DeliveryState, Priority
from subscribers.evidence import of_person
from subscribers.model import MailingList, Request, RequestKind, Subscription, SubscriptionState
from subscribers.subscribing import leave, subscription_of
from subscribers.tokens import Keys, Purpose, sign
from tests.mailer.web.sample import Sample, dump, subscriber_of

ONE_CLICK = {"List-Unsubscribe": "One-Click"}
LEAVE = {"act": "leave"}
UNDO = {"act": "undo"}


def test_the_page_shows_the_masked_address_and_the_title(client: TestClient, links: dict[str, str]) -> None:
    text = client.get(links["abmelden"]).text
    assert "a…@example.org" in text
    assert "active@example.org" not in text
    assert "Neues &amp; Nützliches" in text


def test_the_button_ends_the_subscription_and_asks_for_a_goodbye_mail(
    client: TestClient, database: Database, links: dict[str, str], sample: Sample
) -> None:
    answer = client.post(links["abmelden"], data=LEAVE)
    assert answer.status_code == 200
    assert "Sie sind abgemeldet" in answer.text
    subscription = _subscription(database)
    assert subscription.state is SubscriptionState.UNSUBSCRIBED
    assert subscription.ended_through == sample.issue
    actor = "token:" + links["abmelden"].rpartition("/")[2][:8]
    with database.read() as session:
        (proof,) = of_person(session, sample.active)
        goodbye = session.scalars(select(Request).where(Request.kind == RequestKind.GOODBYE)).one()
    assert (proof.action, proof.actor) == ("withdrawn", actor)
    assert proof.content == {"list": "netzwerk", "source": "link"}
    assert (goodbye.list_key, goodbye.details, goodbye.actor) == (
        "netzwerk", {"context": sample.issue, "lists": "netzwerk"}, actor,
    )  # fmt: skip


@pytest.mark.parametrize("encoding", ["urlencoded", "multipart"])
def test_one_click_works_without_cookie_or_origin_and_asks_for_no_goodbye(
    client: TestClient, database: Database, links: dict[str, str], sample: Sample, encoding: str
) -> None:
    fields = {name: (None, value) for name, value in ONE_CLICK.items()}
    sent = {"data": ONE_CLICK} if encoding == "urlencoded" else {"files": fields}
    answer = client.post(links["abmelden"], **sent)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    assert len(answer.text) < 100
    assert _subscription(database).ended_through == sample.issue
    with database.read() as session:
        assert [proof.content for proof in of_person(session, sample.active)] == [
            {"list": "netzwerk", "source": "one-click"}
        ]
        assert session.scalars(select(Request).where(Request.kind == RequestKind.GOODBYE)).all() == []


def test_one_click_works_from_any_origin_and_in_capitals(
    client: TestClient, database: Database, links: dict[str, str]
) -> None:
    path = "/abmelden/" + links["abmelden"].rpartition("/")[2].upper()
    answer = client.post(path, data=ONE_CLICK, headers={"Origin": "https://mail.example.net"})
    assert answer.status_code == 200
    assert _subscription(database).state is SubscriptionState.UNSUBSCRIBED


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"act=confirm",
        b"act=undo",
        b"act=LEAVE",
        b"List-Unsubscribe=",
        b"List-Unsubscribe=one-click",
        b"list-unsubscribe=One-Click",
        b"List-Unsubscribe%3DOne-Click",
        b'{"List-Unsubscribe": "One-Click"}',
        b"\xff\xfe",
    ],
)
def test_any_other_post_changes_nothing(
    client: TestClient, database: Database, links: dict[str, str], body: bytes
) -> None:
    before = dump(database)
    typed = {"Content-Type": "application/x-www-form-urlencoded"}
    assert client.post(links["abmelden"], content=body, headers=typed).status_code == 422
    assert client.post(links["abmelden"], content=body).status_code == 422
    assert dump(database) == before


def test_a_broken_multipart_body_changes_nothing(
    client: TestClient, database: Database, links: dict[str, str]
) -> None:
    before = dump(database)
    typed = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = client.post(links["abmelden"], content=b"--x\r\nContent-Disp", headers=typed)
    assert answer.status_code in (400, 422)
    file = {"List-Unsubscribe": ("a.txt", b"One-Click")}
    assert client.post(links["abmelden"], files=file).status_code == 422
    assert dump(database) == before


def test_leaving_twice_says_so_and_records_nothing(
    client: TestClient, database: Database, links: dict[str, str]
) -> None:
    client.post(links["abmelden"], data=LEAVE)
    before = dump(database)
    assert "nicht (mehr)" in client.get(links["abmelden"]).text
    assert "nicht (mehr)" in client.post(links["abmelden"], data=LEAVE).text
    assert client.post(links["abmelden"], data=ONE_CLICK).status_code == 200
    assert dump(database) == before


def test_a_link_from_a_notice_leaves_the_list_of_the_notice_even_before_confirming(
    client: TestClient, database: Database, keys: Keys, sample: Sample
) -> None:
    link = "/abmelden/" + sign(keys, Purpose.UNSUBSCRIBE, sample.notice, sample.pending)
    assert client.post(link, data=LEAVE).status_code == 200
    with database.read() as session:
        pending = subscriber_of(session, "pending")
        assert subscription_of(session, pending, "netzwerk") is None
        assert [proof.action for proof in of_person(session, pending.handle)] == ["withdrawn"]


def test_after_erasure_leaving_is_answered_all_the_same(
    client: TestClient, database: Database, links: dict[str, str]
) -> None:
    with database.write() as session:
        session.delete(subscriber_of(session, "active"))
    assert "nicht (mehr)" in client.get(links["abmelden"]).text
    assert client.post(links["abmelden"], data=ONE_CLICK).status_code == 200
    assert client.get(links["rueckgaengig"]).status_code == 200
    assert client.post(links["rueckgaengig"], data=UNDO).status_code == 200


def test_undo_brings_back_what_the_link_ended(
    client: TestClient, database: Database, links: dict[str, str]
) -> None:
    left = client.post(links["abmelden"], data=LEAVE)
    assert f'action="{links["rueckgaengig"]}"' in left.text
    assert "wieder erhalten" in client.get(links["rueckgaengig"]).text
    assert "Sie sind angemeldet" in client.post(links["rueckgaengig"], data=UNDO).text
    assert _subscription(database).state is SubscriptionState.ACTIVE
    assert "Sie sind angemeldet" in client.post(links["rueckgaengig"], data=UNDO).text


def test_undo_from_the_goodbye_mail_takes_back_the_leaving_it_answers(
    client: TestClient, database: Database, links: dict[str, str], keys: Keys, sample: Sample
) -> None:
    client.post(links["abmelden"], data=LEAVE)
    link = f"/rueckgaengig/{sign(keys, Purpose.UNDO, _goodbye_mail(database), sample.active)}"
    assert client.post(link, data=UNDO).status_code == 200
    assert _subscription(database).state is SubscriptionState.ACTIVE


def test_undo_does_not_take_back_a_later_leaving_by_another_way(
    client: TestClient, database: Database, links: dict[str, str]
) -> None:
    client.post(links["abmelden"], data=LEAVE)
    client.post(links["rueckgaengig"], data=UNDO)
    with database.write() as session:
        leave(
            session, subscriber=subscriber_of(session, "active"), list_key="netzwerk", through=None,
            source="staff", actor="cli:it", now=datetime.now(UTC),
        )  # fmt: skip
    before = dump(database)
    assert "früheren Abmeldung" in client.get(links["rueckgaengig"]).text
    assert "früheren Abmeldung" in client.post(links["rueckgaengig"], data=UNDO).text
    assert dump(database) == before


def test_undo_without_the_field_of_the_form_changes_nothing(
    client: TestClient, database: Database, links: dict[str, str]
) -> None:
    client.post(links["abmelden"], data=LEAVE)
    before = dump(database)
    for data in ({}, LEAVE, ONE_CLICK):
        assert client.post(links["rueckgaengig"], data=data).status_code == 422
    assert dump(database) == before


def test_a_list_by_invitation_offers_no_way_to_sign_up_again(
    client: TestClient, database: Database, links: dict[str, str]
) -> None:
    with database.write() as session:
        mailing_list = session.get_one(MailingList, "netzwerk")
        mailing_list.visibility = session.get_one(MailingList, "intern").visibility
        subscription = subscription_of(session, subscriber_of(session, "active"), "netzwerk")
        assert subscription is not None
        subscription.state = SubscriptionState.UNSUBSCRIBED
    assert "/anmelden/" not in client.get(links["rueckgaengig"]).text


def _goodbye_mail(database: Database) -> int:
    """Write the goodbye mail that was asked for, as mailer.notices does, and return its handle."""
    with database.write() as session:
        asked = session.scalars(select(Request).where(Request.kind == RequestKind.GOODBYE)).one()
        notice = Notice(
            kind="goodbye", list_key=asked.list_key, request_id=asked.id, subscriber_id=asked.subscriber_id,
            key_id=1, subject="Abgemeldet", message=b"", created_at=datetime.now(UTC),
        )  # fmt: skip
        session.add(notice)
        session.flush()
        subscriber = subscriber_of(session, "active")
        session.add(
            Delivery(
                notice_id=notice.id, list_key=asked.list_key, subscriber_id=subscriber.id,
                subscriber_handle=subscriber.handle, address=subscriber.address, domain="example.org",
                priority=Priority.NOTICE, state=DeliveryState.SENT,
            )
        )  # fmt: skip
        return notice.handle


def _subscription(database: Database, name: str = "active") -> Subscription:
    with database.read() as session:
        subscription = subscription_of(session, subscriber_of(session, name), "netzwerk")
        assert subscription is not None
        return subscription


def test_leaving_everything_ends_every_list_and_one_undo_brings_back_just_those(
    client: TestClient, database: Database, links: dict[str, str], sample: Sample
) -> None:
    with database.write() as session:
        person = subscriber_of(session, "active")
        for key, state in (("verein", SubscriptionState.ACTIVE), ("intern", SubscriptionState.UNSUBSCRIBED)):
            session.add(
                Subscription(
                    list_key=key, subscriber_id=person.id, state=state, basis="consent", since=datetime.now(UTC)
                )
            )  # fmt: skip
    answer = client.post(links["abmelden"], data={"act": "leave-all"})
    assert "keinen Newsletter mehr von uns" in answer.text
    assert _states(database) == {
        "intern": "unsubscribed",
        "netzwerk": "unsubscribed",
        "verein": "unsubscribed",
    }
    with database.read() as session:
        goodbye = session.scalars(select(Request).where(Request.kind == RequestKind.GOODBYE)).one()
    assert goodbye.details == {"context": sample.issue, "lists": "netzwerk,verein"}
    assert "alle gemeinsam abbestellten" in client.get(links["rueckgaengig"]).text
    assert "alle gemeinsam abbestellten" in client.post(links["rueckgaengig"], data=UNDO).text
    assert _states(database) == {"intern": "unsubscribed", "netzwerk": "active", "verein": "active"}


def test_a_pause_lasts_as_long_as_chosen_and_can_be_ended(
    client: TestClient, database: Database, links: dict[str, str]
) -> None:
    today = datetime.now(UTC).date()
    for data, until in (
        ({"months": "1"}, today + timedelta(days=30)),
        ({"until": (today + timedelta(days=1)).isoformat()}, today + timedelta(days=1)),
        ({"until": (today + timedelta(days=366)).isoformat()}, today + timedelta(days=366)),
    ):
        answer = client.post(links["abmelden"], data={"act": "pause"} | data)
        assert (answer.status_code, "Pausiert" in answer.text) == (200, True)
        assert _subscription(database).paused_until == until
    assert "Pause beenden" in client.get(links["abmelden"]).text
    assert "Die Pause ist beendet" in client.post(links["abmelden"], data={"act": "resume"}).text
    assert _subscription(database).paused_until is None


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({}, "wählen Sie eine Dauer"),
        ({"months": "2"}, "wählen Sie eine Dauer"),
        ({"until": "2027-02-30"}, "Diesen Tag gibt es nicht"),
        ({"until": "bald"}, "Diesen Tag gibt es nicht"),
        ({"until": "2020-01-01"}, "zwischen morgen und heute in einem Jahr"),
        ({"until": "9999-12-31"}, "zwischen morgen und heute in einem Jahr"),
    ],
)
def test_a_pause_that_cannot_be_is_not_made_and_what_was_typed_is_kept(
    client: TestClient, database: Database, links: dict[str, str], typed: dict[str, str], said: str
) -> None:
    before = dump(database)
    answer = client.post(links["abmelden"], data={"act": "pause"} | typed)
    assert (answer.status_code, said in answer.text) == (422, True)
    assert 'id="until-fault"' in answer.text
    assert typed.get("until", "") in answer.text
    assert dump(database) == before


def test_the_page_sends_a_fresh_link_to_the_address_on_record_and_not_too_often(
    client: TestClient, database: Database, links: dict[str, str]
) -> None:
    for _ in range(7):
        answer = client.post(links["abmelden"], data={"act": "preferences"})
        assert (answer.status_code, "active@" in answer.text) == (200, False)
    with database.read() as session:
        asked = session.scalars(select(Request).where(Request.kind == RequestKind.PREFERENCES)).all()
    assert len(asked) == 5
    assert {(row.list_key, row.address) for row in asked} == {("netzwerk", None)}


@pytest.mark.parametrize("data", [{"act": "leave"}, {"act": "leave-all"}, ONE_CLICK])
def test_a_link_whose_mail_is_not_on_record_after_a_restore_still_ends_everything(
    client: TestClient, database: Database, keys: Keys, sample: Sample, data: dict[str, str]
) -> None:
    link = "/abmelden/" + sign(keys, Purpose.UNSUBSCRIBE, 12345, sample.active)
    page = client.get(link)
    assert (page.status_code, "Von allem abmelden" in page.text) == (200, True)
    assert "Neues" not in page.text
    assert client.post(link, data=data).status_code == 200
    assert _states(database) == {"netzwerk": "unsubscribed"}
    back = "/rueckgaengig/" + sign(keys, Purpose.UNDO, 12345, sample.active)
    assert client.post(back, data=UNDO).status_code == 200
    assert _states(database) == {"netzwerk": "active"}


def _states(database: Database) -> dict[str, str]:
    with database.read() as session:
        rows = session.scalars(
            select(Subscription).where(Subscription.subscriber_id == subscriber_of(session, "active").id)
        )
        return {row.list_key: row.state.value for row in rows}
