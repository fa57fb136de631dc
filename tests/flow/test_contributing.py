"""From the form to the issue and back: who sends something in hears what became of it."""

import re
from collections.abc import Callable
from email import message_from_bytes, policy

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from mailer import clock
from mailer.database import Database
from mailer.feeds.model import Contribution, ContributionState, Item, ItemState
from mailer.installation import Installation
from mailer.issues.compose import compose, suggest
from mailer.issues.contributed import CannotRefuse, refuse
from mailer.issues.edit import place
from mailer.issues.model import EntryState, Issue, IssueState, entries_in
from mailer.issues.release import act_on
from mailer.issues.workflow import Act
from mailer.notices.model import Notice
from mailer.schedule import read_plan
from mailer.web.app import create_app
from subscribers.model import Municipality, Request, RequestKind, RequestState
from tests.flow.conftest import NOW, PLAN, Sink, enrol

SENDER = "amt@example.net"
FORM = {
    "kind": "help-wanted", "municipality": "Musterstadt", "title": "Wer hilft beim Frühjahrsputz?",
    "text": "Wir suchen eine Kommune, die das schon einmal gemacht hat.", "email": SENDER, "pass_on": "yes",
    "contact": "Engagementbüro, 0000 1234",
}  # fmt: skip
SECTION = '[[newsletter.infomail.section]]\ntitle = "Gesuche & Angebote"\ncontributions = ["help-wanted"]\n'


@pytest.fixture
def pages(house: Installation) -> TestClient:
    with house.database.write() as session:
        session.add(Municipality(ags="05999002", name="Musterstadt", kind="Stadt"))
    return TestClient(create_app(house.settings, house.database), base_url="https://infomail.example.org")


def send_in(house: Installation, pages: TestClient, **values: str) -> None:
    """The form, the mail, and the confirmation."""
    assert pages.post("/beitrag", data=FORM | values).status_code == 200
    clock.answer_requests(house, now=NOW)
    link = re.search(r"https://infomail.example.org(/beitrag/\S+)", mail(house.database, "contribute"))
    assert link is not None
    assert pages.post(link[1], data={"act": "confirm"}).status_code == 200


def mail(database: Database, kind: str) -> str:
    """The text of the last mail of this kind."""
    with database.read() as session:
        notice = session.scalars(select(Notice).where(Notice.kind == kind).order_by(Notice.id.desc())).first()
        assert notice is not None
        parsed = message_from_bytes(notice.message, policy=policy.default)
    body = parsed.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def draft(house: Installation) -> tuple[Issue, object]:
    plan = read_plan(PLAN.replace("[newsletter.termine]", SECTION + "[newsletter.termine]"))
    newsletter = plan.newsletters["infomail"]
    with house.database.write() as session:
        issue = compose(
            session, newsletter, slot=NOW, send_at=NOW, special=True, blank=True, actor="cli:t", now=NOW
        )
    return issue, newsletter


def test_it_is_offered_to_the_open_draft_used_and_its_sender_is_told(
    house: Installation, pages: TestClient, sink: Sink, work: Callable[[], None]
) -> None:
    enrol(house, 2)
    issue, newsletter = draft(house)
    send_in(house, pages)
    with house.database.write() as session:
        found = session.get_one(Issue, issue.id)
        assert suggest(session, found, newsletter, actor="clock", now=NOW) == 1  # type: ignore[arg-type]
        (entry,) = entries_in(session, found, EntryState.SUGGESTED)
        assert (entry.section, entry.municipality, entry.contact) == (
            "Gesuche & Angebote", "05999002", FORM["contact"],
        )  # fmt: skip
        place(session, entry, actor="cli:redaktion", now=NOW)
        act_on(session, found, Act.APPROVE, actor="cli:freigabe", now=NOW)
    assert clock.tell_contributors(house, now=NOW) == 0
    clock.start(house, issue.id, actor="cli:t", now=NOW)
    work()
    with house.database.read() as session:
        assert session.get_one(Issue, issue.id).state is IssueState.SENT
    assert clock.tell_contributors(house, now=NOW) == 1
    assert clock.tell_contributors(house, now=NOW) == 0
    clock.answer_requests(house, now=NOW)
    told = mail(house.database, "contribution-used")
    assert "Ihr Beitrag ist erschienen" in told
    assert "Nr.\xa01/2026" in told
    assert "https://infomail.example.org/ausgabe/" in told
    work()
    assert sink.accepted()[SENDER] == 2
    assert any(b"Beitrag einreichen" in raw for raw in sink.mails["p0@example.org"])


def test_a_refusal_tells_the_sender_why_and_keeps_the_item_out_of_every_issue(
    house: Installation, pages: TestClient
) -> None:
    send_in(house, pages)
    with house.database.write() as session:
        contribution = session.scalars(select(Contribution)).one()
        refuse(session, contribution, word="Leider <zu> spät.", actor="cli:redaktion", now=NOW)
        with pytest.raises(CannotRefuse, match="refused"):
            refuse(session, contribution, word="x", actor="cli:redaktion", now=NOW)
        assert session.scalars(select(Item)).one().state is ItemState.DISMISSED
    clock.answer_requests(house, now=NOW)
    assert "Leider <zu> spät." in mail(house.database, "contribution-refused")


def test_what_stands_in_an_issue_is_taken_out_there_first(house: Installation, pages: TestClient) -> None:
    issue, newsletter = draft(house)
    send_in(house, pages)
    with house.database.write() as session:
        found = session.get_one(Issue, issue.id)
        suggest(session, found, newsletter, actor="clock", now=NOW)  # type: ignore[arg-type]
        place(session, entries_in(session, found, EntryState.SUGGESTED)[0], actor="cli:t", now=NOW)
        contribution = session.scalars(select(Contribution)).one()
        with pytest.raises(CannotRefuse, match=f"stands in issue {issue.id}"):
            refuse(session, contribution, word="x", actor="cli:redaktion", now=NOW)


def test_an_address_gets_no_flood_of_confirmation_mails(house: Installation, pages: TestClient) -> None:
    for n in range(7):
        assert pages.post("/beitrag", data=FORM | {"title": f"Nr. {n}"}).status_code == 200
    clock.answer_requests(house, now=NOW)
    with house.database.read() as session:
        states = [
            request.state
            for request in session.scalars(
                select(Request).where(Request.kind == RequestKind.CONTRIBUTE).order_by(Request.id)
            )
        ]
    assert states == [RequestState.WRITTEN] * 5 + [RequestState.DROPPED] * 2


def test_the_mail_to_an_address_that_anybody_may_have_typed_holds_no_word_of_theirs(
    house: Installation, pages: TestClient
) -> None:
    said = {"title": "GEWONNEN", "text": "https://falle.example.net", "contact": "Klick hier"}
    assert pages.post("/beitrag", data=FORM | said).status_code == 200
    clock.answer_requests(house, now=NOW)
    with house.database.read() as session:
        notice = session.scalars(select(Notice).where(Notice.kind == "contribute")).one()
    for word in (b"GEWONNEN", b"falle", b"Klick"):
        assert word not in notice.message


def test_what_nobody_confirmed_is_not_in_the_pool(house: Installation, pages: TestClient) -> None:
    assert pages.post("/beitrag", data=FORM).status_code == 200
    with house.database.read() as session:
        assert session.scalars(select(Item)).all() == []
        assert session.scalars(select(Contribution)).one().state is ContributionState.UNCONFIRMED
