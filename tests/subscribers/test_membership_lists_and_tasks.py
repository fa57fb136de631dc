"""Steps of a membership, what may be said about a list, and tasks: each on record once."""

import json
from datetime import date

import pytest
from sqlalchemy import select

from mailer.database import Database
from subscribers.chain import Chain, Payload, Record, verify
from subscribers.lists import BadList, Described, add_list, edit_list
from subscribers.membership import USUAL, Outcome, history, take_step
from subscribers.model import Following, MailingList, MembershipState, Visibility, WithoutForeword
from subscribers.tasks import claim_succession, finish, tasks
from tests.subscribers.officers import NOW, PLACES, network, person

S = MembershipState


@pytest.fixture
def people(database: Database) -> Database:
    return network(database)


def step(database: Database, state: S, since: date, **about: str) -> tuple[Outcome, S | None, bool]:
    with database.write() as session:
        taken = take_step(
            session, ags=PLACES[0], state=state, since=since, about=about, actor="cli:t", now=NOW
        )
    return taken.outcome, taken.before, taken.usual


def test_a_step_is_taken_once_and_says_what_it_follows(people: Database) -> None:
    assert step(people, S.DORMANT, date(2026, 1, 1)) == (Outcome.ADDED, S.MEMBER, True)
    assert step(people, S.DORMANT, date(2026, 1, 1)) == (Outcome.UNCHANGED, S.MEMBER, True)
    assert step(people, S.DORMANT, date(2026, 1, 1), note="Brief") == (Outcome.CHANGED, S.MEMBER, True)
    # what is not said stays as it is
    assert step(people, S.DORMANT, date(2026, 1, 1)) == (Outcome.UNCHANGED, S.MEMBER, True)
    assert step(people, S.GUEST, date(2026, 2, 1)) == (Outcome.ADDED, S.DORMANT, False)
    # a step found later is put where it belongs
    assert step(people, S.INTERESTED, date(2019, 1, 1)) == (Outcome.ADDED, None, True)
    with people.read() as session:
        assert [row.state for row in history(session, PLACES[0])] == [
            S.INTERESTED, S.MEMBER, S.DORMANT, S.GUEST,
        ]  # fmt: skip
        assert [row.action for row in session.scalars(select(Record))] == ["membership.step"] * 4
        assert verify(session, Chain.AUDIT).problems == []


def test_every_state_can_be_reached_and_left(people: Database) -> None:
    assert set(USUAL) == {None, *S}
    assert set().union(*USUAL.values()) == set(S)


def test_a_list_is_described_anew_and_the_record_says_from_what_to_what(people: Database) -> None:
    with people.write() as session:
        changed = edit_list(
            session, "ort", Described(title=" Neu ", visibility=Visibility.INVITATION, language="de"),
            actor="cli:t", now=NOW,
        )  # fmt: skip
        assert changed == ["title", "visibility"]
        assert edit_list(session, "ort", Described(title="Neu"), actor="cli:t", now=NOW) == []
    with people.read() as session:
        edited = session.get_one(MailingList, "ort")
        assert (edited.title, edited.visibility, edited.municipality) == (
            "Neu", Visibility.INVITATION, PLACES[0],
        )  # fmt: skip
        (payload,) = session.scalars(select(Payload))
        assert json.loads(payload.content or "") == {
            "list": "ort",
            "changes": {
                "title": {"was": "Ort", "is": "Neu"},
                "visibility": {"was": "public", "is": "invitation"},
            },
        }


@pytest.mark.parametrize(
    ("described", "problem"),
    [
        (Described(title=""), "title of one line"),
        (Described(title="a\nb"), "title of one line"),
        (Described(controller="Stadt\r\nBcc: x"), "controller of one line"),
        (Described(language="fr"), "language of de, en"),
        (Described(privacy_url="javascript:alert(1)"), "--privacy-url"),
        (Described(reply_to="nirgends"), "--reply-to"),
        (Described(imprint="Stadt\x00"), "control characters"),
    ],
)
def test_what_cannot_stand_in_a_mail_is_refused(people: Database, described: Described, problem: str) -> None:
    with people.write() as session, pytest.raises(BadList, match=problem):
        edit_list(session, "ort", described, actor="cli:t", now=NOW)


def test_a_list_takes_all_that_is_said_about_it(people: Database) -> None:
    described = Described(
        title="Alles", language="en", controller="Stadt Beispiel", imprint="Stadt\nMusterweg 1",
        privacy_url="https://example.org/d", privacy_version="2026-11", reply_to="A@Example.org",
    )  # fmt: skip
    with people.write() as session:
        made = add_list(session, "alles", PLACES[0], described, actor="cli:t", now=NOW)
        assert (made.language, made.controller, made.imprint, made.privacy_version, made.reply_to) == (
            "en", "Stadt Beispiel", "Stadt\nMusterweg 1", "2026-11", "a@example.org",
        )  # fmt: skip
        with pytest.raises(BadList, match="already"):
            add_list(session, "alles", None, described, actor="cli:t", now=NOW)
        assert list(session.scalars(select(Record.action))) == ["list.added"]


def test_a_claim_makes_one_open_task_until_somebody_has_looked(people: Database) -> None:
    with people.write() as session:
        somebody = person(session, "a")
        for _ in range(2):
            claim_succession(session, subscriber=somebody, municipality=PLACES[0], now=NOW)
        (found,) = tasks(session)
        assert (found.municipality and found.municipality.ags, found.subscriber.id) == (
            PLACES[0],
            somebody.id,
        )
        assert tasks(session, municipality=PLACES[1]) == []
        assert finish(session, found.task, actor="cli:t", now=NOW)
        assert not finish(session, found.task, actor="cli:u", now=NOW)
        assert tasks(session) == []
        assert [row.task.done_by for row in tasks(session, done=True)] == ["cli:t"]
        assert list(session.scalars(select(Record.action))) == ["task.done"]
        # said once more, it is to be looked at once more
        claim_succession(session, subscriber=somebody, municipality=PLACES[0], now=NOW)
        assert len(tasks(session)) == 1


def test_a_list_says_how_it_follows_and_refuses_what_makes_no_sense(database: Database) -> None:
    with database.write() as session:
        add_list(session, "verein", None, Described(title="Vereine"), actor="cli:t", now=NOW)
        said = Described(
            following=Following.FOREWORD, coordinator="Koordination@Example.org", foreword_hours=24,
            without_foreword=WithoutForeword.SKIP, sender_name="Stadt Musterstadt",
        )  # fmt: skip
        assert len(edit_list(session, "verein", said, actor="cli:t", now=NOW)) == 5
        changed = session.get_one(MailingList, "verein")
        assert (changed.following, changed.coordinator) == (Following.FOREWORD, "koordination@example.org")
        for wrong, problem in (
            (Described(foreword_hours=0), "--foreword-hours: expected 1 to 336"),
            (Described(coordinator="niemand"), "--coordinator"),
            (Described(sender_name="Stadt\r\nBcc: x"), "sender name of one line"),
        ):
            with pytest.raises(BadList, match=problem):
                edit_list(session, "verein", wrong, actor="cli:t", now=NOW)
