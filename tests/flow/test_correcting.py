"""A correction reaches exactly those who got what it corrects, through the list that brought it."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from mailer import clock
from mailer.daemon.worker import drain
from mailer.installation import Installation
from mailer.issues.compose import compose
from mailer.issues.correct import correct, correction_of
from mailer.issues.model import Entry, Issue, IssueState
from mailer.issues.release import act_on
from mailer.issues.workflow import Act, IllegalMove
from mailer.outbox.model import Delivery, DeliveryState
from mailer.outbox.readers import count_readers
from subscribers.addresses import address_hash
from subscribers.model import (
    Basis,
    MailingList,
    Municipality,
    Subscriber,
    Subscription,
    SubscriptionState,
    SuppressionReason,
)
from subscribers.subscribing import leave, suppress
from tests.flow.conftest import NOW, Sink, enrol

LATER = NOW + timedelta(hours=3)
TEXT = "Der Anmeldeschluss ist der 12., nicht der 21. Dezember.\n\nBitte <entschuldigen> Sie."


@pytest.fixture(params=["sqlite", "postgresql"])
def here(request: pytest.FixtureRequest) -> Installation:
    name = {"sqlite": "house", "postgresql": "house_on_postgresql"}[request.param]
    found: Installation = request.getfixturevalue(name)
    return found


def join(house: Installation, address: str, list_key: str) -> None:
    with house.database.write() as session:
        person = session.scalar(select(Subscriber).where(Subscriber.address == address))
        if person is None:
            person = Subscriber(
                address=address, address_hash=address_hash(house.suppression_key, address),
                domain="example.org", created_at=NOW,
            )  # fmt: skip
            session.add(person)
            session.flush()
        session.add(
            Subscription(
                list_key=list_key, subscriber_id=person.id, state=SubscriptionState.ACTIVE,
                basis=Basis.PUBLIC_TASK, since=NOW,
            )
        )  # fmt: skip


def follow(house: Installation, key: str) -> None:
    with house.database.write() as session:
        session.add(Municipality(ags="05999001", name="Musterstadt", kind="Stadt"))
        session.flush()
        session.add(
            MailingList(
                key=key, title="Vereine", municipality="05999001", follows="infomail", created_at=NOW
            )
        )  # fmt: skip


def sent_issue(house: Installation) -> int:
    with house.database.write() as session:
        newsletter = house.plan.newsletters["infomail"]
        issue = compose(session, newsletter, slot=NOW, send_at=NOW, special=True, actor="cli:t", now=NOW)
        session.add(Entry(issue_id=issue.id, section="Neues", section_position=0, position=0, title="Falsch"))
        session.flush()
        act_on(session, issue, Act.APPROVE, actor="user:1", now=NOW)
    clock.start(house, issue.id, actor="user:1", now=NOW)
    asyncio.run(drain(house))
    return issue.id


def corrected(house: Installation, wrong: int) -> int:
    with house.database.write() as session:
        issue = session.get_one(Issue, wrong)
        correct(session, issue, TEXT, actor="cli:berta", now=LATER)
        draft = correction_of(session, issue, actor="cli:berta", now=LATER)
        assert (draft.state, draft.subject) == (IssueState.DRAFT, f"Korrektur: {issue.subject}")
        assert (draft.number, draft.year, draft.special, draft.list_key) == (
            issue.number, issue.year, True, "netzwerk",
        )  # fmt: skip
        act_on(session, draft, Act.APPROVE, actor="user:2", now=LATER)
        return draft.id


def deliveries(house: Installation, issue: int) -> dict[str, str]:
    """Local part of each recipient -> list it came through."""
    with house.database.read() as session:
        rows = session.scalars(select(Delivery).where(Delivery.issue_id == issue))
        return {row.address.partition("@")[0]: row.list_key for row in rows}


def subscriber(house: Installation, name: str) -> Subscriber:
    with house.database.read() as session:
        return session.scalars(select(Subscriber).where(Subscriber.address == f"{name}@example.org")).one()


def test_who_got_the_issue_and_may_still_be_written_to_gets_the_correction(
    here: Installation, sink: Sink
) -> None:
    follow(here, "vereine")
    enrol(here, 5)
    for name in ("club", "both"):
        join(here, f"{name}@example.org", "vereine")
    join(here, "both@example.org", "netzwerk")
    sink.refuse["p1@example.org"] = "550 5.1.1 nobody"
    wrong = sent_issue(here)
    assert deliveries(here, wrong) == {
        **{f"p{n}": "netzwerk" for n in range(5)}, "club": "vereine", "both": "netzwerk",
    }  # fmt: skip

    # since then: p2 left, p3 is barred, "new" came, the club's reader joined the network's list as well,
    # "both" left the network's list, through which she had got it, and stays on the other
    join(here, "new@example.org", "netzwerk")
    join(here, "club@example.org", "netzwerk")
    with here.database.write() as session:
        for name in ("p2", "both"):
            person = session.get_one(Subscriber, subscriber(here, name).id)
            leave(
                session, subscriber=person, list_key="netzwerk", through=None, source="t", actor="t",
                now=LATER,
            )  # fmt: skip
        hashed = subscriber(here, "p3").address_hash
        suppress(session, address_hash=hashed, reason=SuppressionReason.STAFF, actor="t", now=LATER)

    correction = corrected(here, wrong)
    with here.database.read() as session:
        assert count_readers(session, session.get_one(Issue, correction), NOW.date()) == 3
    assert clock.start(here, correction, actor="user:2", now=LATER) == 3
    assert deliveries(here, correction) == {"p0": "netzwerk", "p4": "netzwerk", "club": "vereine"}
    asyncio.run(drain(here))
    assert [len(sink.mails[f"{name}@example.org"]) for name in ("p0", "p4", "club")] == [2, 2, 2]
    mail = sink.mails["p0@example.org"][1].decode()
    assert "Subject: Korrektur: " in mail
    assert "nicht der 21.=C2=A0Dezember." in mail
    assert "Bitte <entschuldigen> Sie." in mail.partition("text/plain")[2]
    assert "List-Unsubscribe-Post" in mail, "it is left from as any issue"


def test_the_subject_of_a_correction_speaks_the_language_of_its_list(house: Installation) -> None:
    with house.database.write() as session:
        session.get_one(MailingList, "netzwerk").language = "en"
    enrol(house, 1)
    wrong = sent_issue(house)
    with house.database.write() as session:
        issue = session.get_one(Issue, wrong)
        correct(session, issue, TEXT, actor="cli:berta", now=LATER)
        draft = correction_of(session, issue, actor="cli:berta", now=LATER)
    assert draft.subject == f"Correction: {issue.subject}"


def test_a_correction_needs_a_release_and_no_clock_sends_it(here: Installation) -> None:
    enrol(here, 1)
    wrong = sent_issue(here)
    with here.database.write() as session:
        issue = session.get_one(Issue, wrong)
        correct(session, issue, TEXT, actor="cli:berta", now=LATER)
        draft = correction_of(session, issue, actor="cli:berta", now=LATER)
    with pytest.raises(IllegalMove, match="cannot start an issue that is draft"):
        clock.start(here, draft.id, actor="cli:berta", now=LATER)
    with here.database.write() as session:
        act_on(session, session.get_one(Issue, draft.id), Act.APPROVE, actor="cli:berta", now=LATER)
    assert clock.start_due(here, now=LATER + timedelta(days=1)) == []


def test_a_correction_of_a_correction_reaches_those_who_got_the_first(here: Installation) -> None:
    enrol(here, 3)
    wrong = sent_issue(here)
    first = corrected(here, wrong)
    clock.start(here, first, actor="user:2", now=LATER)
    with here.database.write() as session:
        mine = (Delivery.issue_id == first, Delivery.address == "p1@example.org")
        session.execute(update(Delivery).where(*mine).values(state=DeliveryState.SENT))
    with here.database.write() as session:
        issue = session.get_one(Issue, first)
        correct(session, issue, TEXT, actor="cli:berta", now=LATER)
        second = correction_of(session, issue, actor="cli:berta", now=LATER + timedelta(hours=1))
        act_on(session, second, Act.APPROVE, actor="user:2", now=LATER)
    assert clock.start(here, second.id, actor="user:2", now=LATER) == 1


@pytest.mark.parametrize(
    "state", [IssueState.DRAFT, IssueState.REVIEW, IssueState.APPROVED, IssueState.CANCELLED]
)
def test_what_never_went_out_is_edited_and_not_corrected(house: Installation, state: IssueState) -> None:
    with house.database.write() as session:
        newsletter = house.plan.newsletters["infomail"]
        issue = compose(session, newsletter, slot=NOW, send_at=NOW, special=True, actor="cli:t", now=NOW)
        issue.state = state
        with pytest.raises(IllegalMove, match=f"cannot correct an issue that is {state}"):
            correct(session, issue, TEXT, actor="cli:t", now=NOW)
        issue.state = IssueState.SENT
        with pytest.raises(IllegalMove, match="without a text"):
            correct(session, issue, " \n ", actor="cli:t", now=NOW)
        assert issue.corrected_at is None
