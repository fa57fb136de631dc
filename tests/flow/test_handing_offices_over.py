"""An office from hand to hand: the fresh link, the invitation, the confirmation; and the yearly question."""

import asyncio
import email
import email.policy
from datetime import UTC, date, datetime, timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, update

from mailer import clock
from mailer.daemon.worker import drain
from mailer.installation import Installation
from mailer.issues.model import Issue, IssueState
from mailer.notices.model import Notice
from mailer.outbox.model import Delivery, DeliveryState, Priority
from mailer.web.app import create_app
from subscribers.addresses import address_hash
from subscribers.evidence import of_person
from subscribers.model import (
    Basis,
    Municipality,
    Office,
    Request,
    RequestKind,
    Role,
    Subscriber,
    Subscription,
    Suppression,
    SuppressionReason,
    Task,
)
from subscribers.model import SubscriptionState as State
from subscribers.offices import offices_of
from subscribers.tokens import Purpose, sign
from tests.flow.conftest import Sink, enrol
from tests.flow.test_people import BASE, path_in, state_of, text_of
from tests.flow.test_sending import started

PLACE = "05999001"
TODAY = datetime.now(UTC).date()


@pytest.fixture(params=["sqlite", "postgresql"])
def house(request: pytest.FixtureRequest) -> Installation:
    """The same on both engines."""
    name = {"sqlite": "house", "postgresql": "house_on_postgresql"}[request.param]
    found: Installation = request.getfixturevalue(name)
    return found


@pytest.fixture
def pages(house: Installation) -> TestClient:
    return TestClient(create_app(house.settings, house.database), base_url=BASE)


@pytest.fixture
def officer(house: Installation) -> str:
    """The address of a contact person who gets the network's mail for her public task."""
    (address,) = enrol(house, 1)
    with house.database.write() as session:
        session.add(Municipality(ags=PLACE, name="Musterstadt", kind="Stadt"))
        session.flush()
        holder = session.scalars(select(Subscriber)).one()
        holder.family, holder.given = "Geheim", "Gerda"
        session.add(
            Office(municipality=PLACE, role=Role.CONTACT, subscriber_id=holder.id, starts=date(2020, 1, 1))
        )
    return address


def work(house: Installation, now: datetime | None = None) -> None:
    """What the clock and a worker do about requests."""
    clock.answer_requests(house, now=now or datetime.now(UTC))
    asyncio.run(drain(house))


def fresh_link(house: Installation, address: str) -> str:
    """The page behind a fresh link whose mail has just arrived."""
    with house.database.write() as session:
        holder = session.scalars(select(Subscriber).where(Subscriber.address == address)).one()
        notice = Notice(
            kind=RequestKind.PREFERENCES.value, list_key="netzwerk", subscriber_id=holder.id, key_id=1,
            subject="x", message=b"", created_at=datetime.now(UTC),
        )  # fmt: skip
        session.add(notice)
        session.flush()
        session.add(
            Delivery(
                notice_id=notice.id, list_key="netzwerk", subscriber_id=holder.id,
                subscriber_handle=holder.handle, address=address, domain="example.org",
                priority=Priority.NOTICE, state=DeliveryState.SENT,
            )
        )  # fmt: skip
        token = sign(house.signing, Purpose.PREFERENCES, notice.handle, holder.handle)
    return f"/einstellungen/{token}/wechsel"


def hand_over(house: Installation, pages: TestClient, officer: str, successor: str, last_day: date) -> int:
    link = fresh_link(house, officer)
    assert "Ansprechperson" in pages.get(link).text
    with house.database.read() as session:
        office = session.scalars(select(Office.id).where(Office.municipality == PLACE)).first()
    said = {"act": "handover", "office": office, "last_day": last_day.isoformat(), "successor": successor}
    return pages.post(link, data=said).status_code


def holders(house: Installation, day: date) -> dict[str, Role]:
    with house.database.read() as session:
        return {
            person.address: office.role
            for person in session.scalars(select(Subscriber))
            for office in offices_of(session, person, day)
        }


def test_from_the_fresh_link_to_the_confirmation_of_the_successor(
    house: Installation, pages: TestClient, officer: str, sink: Sink
) -> None:
    issue = started(house)
    work(house)
    with house.database.read() as session:
        assert session.get_one(Issue, issue).state is IssueState.SENT
    last_day = TODAY + timedelta(days=20)
    after = last_day + timedelta(days=1)
    assert hand_over(house, pages, officer, "Neu@Example.org", last_day) == 200
    work(house)
    raw = sink.mails["neu@example.org"][0]
    text = text_of(raw)
    assert "Musterstadt" in text
    assert "Ansprechperson" in text
    # nobody else's words or name
    assert "Geheim" not in raw.decode()
    assert officer not in raw.decode()
    # an issue to look at, which everybody may
    assert "Neues" in pages.get(path_in(text, "ausgabe")).text
    link = path_in(text, "bestaetigen")
    pages.get(link)
    assert state_of(house, "neu@example.org") is State.PENDING
    assert holders(house, after) == {}
    assert pages.post(link, data={"act": "confirm"}).status_code == 200
    assert state_of(house, "neu@example.org") is State.ACTIVE
    assert holders(house, last_day) == {officer: Role.CONTACT}
    assert holders(house, after) == {"neu@example.org": Role.CONTACT}
    with house.database.read() as session:
        successor = session.scalars(select(Subscriber).where(Subscriber.address == "neu@example.org")).one()
        (proof,) = of_person(session, successor.handle)
        basis = session.scalars(
            select(Subscription.basis).where(Subscription.subscriber_id == successor.id)
        ).one()
    assert basis is Basis.CONSENT
    assert proof.content is not None
    assert " ".join(proof.content["wording"].split()) in " ".join(text.split())

    # the predecessor stays until her office is over, and not a day longer
    assert state_of(house, officer) is State.ACTIVE
    noon = datetime.combine(last_day, datetime.min.time(), UTC) + timedelta(hours=12)
    assert clock.lapse_offices(house, now=noon) == 0
    assert clock.lapse_offices(house, now=noon + timedelta(days=1)) == 1
    assert state_of(house, officer) is None
    assert state_of(house, "neu@example.org") is State.ACTIVE


def test_one_invitation_an_address_and_day_and_none_to_who_must_get_nothing(
    house: Installation, pages: TestClient, officer: str, sink: Sink
) -> None:
    with house.database.write() as session:
        for reason in SuppressionReason:
            hashed = address_hash(house.suppression_key, f"{reason.value}@example.org")
            session.add(Suppression(address_hash=hashed, reason=reason, at=datetime.now(UTC), actor="t"))
    for n, name in enumerate([*(reason.value for reason in SuppressionReason), "neu", "neu"]):
        assert hand_over(house, pages, officer, f"{name}@example.org", TODAY + timedelta(days=n)) == 200
        work(house)
    assert sink.accepted() == {"neu@example.org": 1}


def test_naming_somebody_else_takes_the_first_invitation_back(
    house: Installation, pages: TestClient, officer: str, sink: Sink
) -> None:
    hand_over(house, pages, officer, "vertippt@example.org", TODAY)
    work(house)
    hand_over(house, pages, officer, "richtig@example.org", TODAY)
    work(house)
    wrong, right = (
        path_in(text_of(sink.mails[f"{name}@example.org"][0]), "bestaetigen")
        for name in ("vertippt", "richtig")
    )
    assert pages.get(wrong).status_code == 410
    assert pages.post(wrong, data={"act": "confirm"}).status_code == 410
    assert pages.post(right, data={"act": "confirm"}).status_code == 200
    assert holders(house, TODAY + timedelta(days=1)) == {"richtig@example.org": Role.CONTACT}
    # once taken, an office is not taken back by a form
    assert hand_over(house, pages, officer, "noch-eine@example.org", TODAY) == 200
    assert holders(house, TODAY + timedelta(days=1)) == {"richtig@example.org": Role.CONTACT}


def test_a_known_successor_takes_the_office_by_her_own_confirmation_only(
    house: Installation, pages: TestClient, officer: str, sink: Sink
) -> None:
    with house.database.write() as session:
        known = Subscriber(
            address="da@example.org", address_hash=b"x", domain="example.org", language="en",
            created_at=datetime.now(UTC),
        )  # fmt: skip
        session.add(known)
        session.flush()
        session.add(
            Subscription(
                list_key="netzwerk", subscriber_id=known.id, state=State.ACTIVE, basis=Basis.CONSENT,
                since=datetime.now(UTC),
            )
        )  # fmt: skip
    hand_over(house, pages, officer, "da@example.org", TODAY)
    work(house)
    mail = sink.mails["da@example.org"][0]
    message = email.message_from_bytes(mail, policy=email.policy.default)
    assert message["Content-Language"] == "en"
    assert message["Auto-Submitted"] == "auto-generated"
    tomorrow = TODAY + timedelta(days=1)
    assert holders(house, tomorrow) == {}
    pages.post(path_in(text_of(mail), "bestaetigen"), data={"act": "confirm"})
    assert holders(house, tomorrow) == {"da@example.org": Role.CONTACT}


def test_no_issue_goes_out_for_an_office_that_was_hers_until_yesterday(
    house: Installation, officer: str, sink: Sink
) -> None:
    with house.database.write() as session:
        session.execute(update(Office).values(ends=TODAY - timedelta(days=2)))
    started(house)
    work(house)
    assert sink.accepted() == {}
    assert state_of(house, officer) is None


def test_the_yearly_question_is_answered_by_one_button(
    house: Installation, pages: TestClient, officer: str, sink: Sink
) -> None:
    now = datetime.now(UTC)
    assert clock.ask_holders(house, now=now) == 1
    assert clock.ask_holders(house, now=now) == 0
    work(house)
    raw = sink.mails[officer][0]
    link = path_in(text_of(raw), "noch-richtig")
    assert "Musterstadt" in pages.get(link).text
    assert "Vielen Dank" in pages.post(link, data={"act": "yes"}).text
    assert clock.ask_holders(house, now=now + timedelta(days=14)) == 0
    assert clock.ask_holders(house, now=now + timedelta(days=366)) == 1


def test_silence_brings_two_reminders_and_ends_nothing(house: Installation, officer: str, sink: Sink) -> None:
    now = datetime.now(UTC)
    for day in range(0, 90, 2):
        clock.ask_holders(house, now=now + timedelta(days=day))
        work(house, now + timedelta(days=day))
    assert sink.accepted() == {officer: 3}
    assert state_of(house, officer) is State.ACTIVE


@pytest.mark.parametrize("what", ["answered", "ended", "left", "suppressed"])
def test_a_question_that_came_to_nothing_meanwhile_is_not_mailed(
    house: Installation, officer: str, sink: Sink, what: str
) -> None:
    now = datetime.now(UTC)
    clock.ask_holders(house, now=now)
    with house.database.write() as session:
        holder = session.scalars(select(Subscriber)).one()
        if what == "answered":
            session.execute(update(Office).values(confirmed_at=now, asked=0, asked_at=None))
        elif what == "ended":
            session.execute(update(Office).values(ends=TODAY - timedelta(days=2)))
        elif what == "left":
            session.execute(update(Subscription).values(state=State.UNSUBSCRIBED))
        else:
            session.add(
                Suppression(
                    address_hash=holder.address_hash, reason=SuppressionReason.HARD, at=now, actor="t"
                )
            )
    work(house)
    assert sink.accepted() == {}
    with house.database.read() as session:
        assert [row.outcome for row in session.scalars(select(Request))] == [what]


def test_who_gets_the_newsletter_already_may_say_that_she_follows_somebody(
    house: Installation, pages: TestClient, officer: str, sink: Sink
) -> None:
    form = pages.get("/anmelden/netzwerk").text
    version = form.partition('name="wording" value="')[2].partition('"')[0]
    said = {"email": officer, "municipality": "Musterstadt", "wording": version}
    pages.post("/anmelden/netzwerk", data=said)
    work(house)
    assert sink.accepted() == {}  # there is nothing to confirm
    pages.post("/anmelden/netzwerk", data=said | {"successor": "yes"})
    work(house)
    link = path_in(text_of(sink.mails[officer][0]), "bestaetigen")
    assert pages.post(link, data={"act": "confirm"}).status_code == 200
    with house.database.read() as session:
        assert [task.municipality for task in session.scalars(select(Task))] == [PLACE]
        # on the ground she was on before
        assert session.scalars(select(Subscription.basis)).one() is Basis.PUBLIC_TASK
