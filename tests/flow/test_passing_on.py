"""A municipal list passes an issue on with a foreword: everybody gets one mail, and nobody what is internal."""

from collections.abc import Callable
from datetime import timedelta
from email import message_from_bytes, policy

import pytest
from sqlalchemy import insert, select

from mailer import clock
from mailer.installation import Installation
from mailer.issues.compose import compose
from mailer.issues.edit import add_text, edit_issue
from mailer.issues.model import Entry, Issue, IssueState
from mailer.issues.release import act_on
from mailer.issues.workflow import Act
from subscribers.addresses import address_hash
from subscribers.model import (
    Basis,
    Following,
    MailingList,
    Municipality,
    Subscriber,
    Subscription,
    SubscriptionState,
)
from tests.flow.conftest import NOW, Sink, bring_items

LIST = "musterstadt"


@pytest.fixture
def lists(house: Installation) -> Installation:
    """`amt@` on the network's list, `verein@` on the municipal one, `beide@` on both."""
    with house.database.write() as session:
        session.add(Municipality(ags="05999002", name="Musterstadt", kind="Stadt"))
        session.flush()
        session.add(
            MailingList(
                key=LIST, title="Vereine in Musterstadt", municipality="05999002", follows="infomail",
                following=Following.FOREWORD, coordinator="koordination@example.net",
                sender_name="Stadt Musterstadt", created_at=NOW,
            )
        )  # fmt: skip
        session.flush()
        for name, keys in (("amt", ["netzwerk"]), ("verein", [LIST]), ("beide", ["netzwerk", LIST])):
            address = f"{name}@example.org"
            person = Subscriber(
                address=address, address_hash=address_hash(house.suppression_key, address),
                domain="example.org", created_at=NOW,
            )  # fmt: skip
            session.add(person)
            session.flush()
            for key in keys:
                session.execute(
                    insert(Subscription).values(
                        list_key=key, subscriber_id=person.id, state=SubscriptionState.ACTIVE,
                        basis=Basis.CONSENT, since=NOW,
                    )
                )  # fmt: skip
    return house


def release(house: Installation) -> tuple[int, int]:
    """The network's issue with an open and an internal entry, released; its id and that of the municipal one."""
    bring_items(house, 2)
    with house.database.write() as session:
        newsletter = house.plan.newsletters["infomail"]
        issue = compose(session, newsletter, slot=NOW, send_at=NOW, actor="clock", now=NOW)
        session.scalars(select(Entry).where(Entry.title == "Meldung 1")).one().internal = True
        session.flush()
        act_on(session, issue, Act.APPROVE, actor="user:2", now=NOW)
        derived = session.scalars(select(Issue).where(Issue.for_list == LIST)).one()
        return issue.id, derived.id


def texts(sink: Sink) -> dict[str, list[str]]:
    """What each person got: sender and text of each mail."""
    found: dict[str, list[str]] = {}
    for address, mails in sink.mails.items():
        for raw in mails:
            parsed = message_from_bytes(raw, policy=policy.default)
            body = parsed.get_body(("plain",))
            assert body is not None
            found.setdefault(address, []).append(f"{parsed['From']}\n{body.get_content()}")
    return found


def test_everybody_gets_one_mail_the_municipal_one_with_its_foreword_and_without_what_is_internal(
    lists: Installation, sink: Sink, work: Callable[[], None]
) -> None:
    origin, own = release(lists)
    assert clock.answer_requests(lists, now=NOW) == 1  # the coordinator hears of it before she has written
    with lists.database.write() as session:
        issue = session.get_one(Issue, own)
        edit_issue(session, issue, {"editorial": "<p>Liebe Vereine</p>"}, actor="cli:k", now=NOW)
        add_text(session, issue, {"title": "Aus dem Rathaus"}, section="Vor Ort", actor="cli:k", now=NOW)
        act_on(session, issue, Act.APPROVE, actor="cli:k", now=NOW)
    assert clock.start_due(lists, now=NOW) == [origin]
    assert clock.start_due(lists, now=NOW) == [own]
    work()
    got = texts(sink)
    assert {address: len(mails) for address, mails in got.items()} == {
        "amt@example.org": 1, "beide@example.org": 1, "verein@example.org": 1, "koordination@example.net": 1,
    }  # fmt: skip
    for officer in ("amt@example.org", "beide@example.org"):
        assert "Meldung 1" in got[officer][0]
        assert "Liebe Vereine" not in got[officer][0]
    club = got["verein@example.org"][0]
    assert club.startswith("Stadt Musterstadt <")
    assert "Meldung 1" not in club
    assert club.index("Liebe Vereine") < club.index("Aus dem Rathaus") < club.index("Meldung 0")


def test_without_the_coordinator_it_goes_out_as_the_list_says_and_not_before_her_time(
    lists: Installation, sink: Sink, work: Callable[[], None]
) -> None:
    origin, own = release(lists)
    assert clock.start_due(lists, now=NOW) == [origin]
    work()
    late = NOW + timedelta(hours=48)
    assert clock.settle_forewords(lists, now=late - timedelta(minutes=1)) == 0
    assert clock.settle_forewords(lists, now=late) == 1
    assert clock.start_due(lists, now=late) == [own]
    work()
    assert len(texts(sink)["verein@example.org"]) == 1
    with lists.database.read() as session:
        assert session.get_one(Issue, own).state is IssueState.SENT
