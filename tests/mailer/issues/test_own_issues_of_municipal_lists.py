"""A municipal list may follow with a foreword: an issue of its own, derived from the released one."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from mailer.database import Database
from mailer.feeds.model import Feed, Item
from mailer.issues.compose import compose
from mailer.issues.copies import copy_issue, may_go, settle_overdue
from mailer.issues.edit import CannotEdit, add_text, edit_entry, edit_issue
from mailer.issues.model import Entry, Issue, IssueState, entries_of
from mailer.issues.release import act_on
from mailer.issues.workflow import Act
from mailer.outbox.readers import readers_of
from mailer.schedule import Newsletter, read_plan
from subscribers.audience import lists_of_newsletter
from subscribers.model import Following, MailingList, Municipality, Request, RequestKind, WithoutForeword

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
SEND = NOW + timedelta(days=2)
BY: dict[str, Any] = {"actor": "cli:koordination", "now": NOW}
PLAN = """\
timezone = "Europe/Berlin"
[newsletter.n]
title = "N"
list = "l"
send = "mon 09:00"
[[newsletter.n.section]]
title = "Neues"
feeds = ["a"]
[feed.a]
url = "https://a.example.org/"
"""


@pytest.fixture
def newsletter() -> Newsletter:
    return read_plan(PLAN).newsletters["n"]


@pytest.fixture
def tables(either_database: Database, newsletter: Newsletter) -> Database:
    """The network's draft with an internal entry, and three municipal lists."""
    with either_database.write() as session:
        for ags in ("05315000", "05711000", "05913000"):
            session.add(Municipality(ags=ags, name=f"Stadt {ags}", kind="Stadt"))
        session.flush()
        session.add(MailingList(key="l", title="L", created_at=NOW))
        for key, ags, following, without in (
            ("asis", "05315000", Following.AS_IS, WithoutForeword.SEND),
            ("vorwort", "05711000", Following.FOREWORD, WithoutForeword.SEND),
            ("nur-mit", "05913000", Following.FOREWORD, WithoutForeword.SKIP),
        ):
            session.add(
                MailingList(
                    key=key, title=key, municipality=ags, follows="n", following=following,
                    without_foreword=without, coordinator=f"{key}@example.org", created_at=NOW,
                )
            )  # fmt: skip
        session.add(Feed(key="a", url="https://a.example.org/", title="Quelle", every=3600))
        session.flush()
        for name in ("offen", "intern"):
            session.add(
                Item(
                    feed_key="a", identity=f"urn:{name}", title=name, digest=name, internal=name == "intern",
                    published=NOW, first_seen_at=NOW, fetched_at=NOW,
                )
            )  # fmt: skip
        session.flush()
        compose(session, newsletter, slot=NOW, send_at=SEND, actor="clock", now=NOW)
    return either_database


def _release(database: Database, now: datetime = NOW) -> None:
    with database.write() as session:
        origin = session.scalars(select(Issue).where(Issue.for_list == "")).one()
        act_on(session, origin, Act.APPROVE, actor="user:2", now=now)


def _derived(database: Database, key: str = "vorwort") -> tuple[Issue, list[Entry]]:
    with database.read() as session:
        issue = session.scalars(select(Issue).where(Issue.for_list == key)).one()
        return issue, entries_of(session, issue)


def test_a_release_gives_each_list_with_a_foreword_its_own_issue_and_tells_its_coordinator(
    tables: Database,
) -> None:
    _release(tables)
    with tables.read() as session:
        issues = session.scalars(select(Issue).where(Issue.for_list != "").order_by(Issue.for_list)).all()
        assert [issue.for_list for issue in issues] == ["nur-mit", "vorwort"]
        assert {(issue.state, issue.slot, issue.number) for issue in issues} == {(IssueState.DRAFT, NOW, 1)}
        requests = session.scalars(select(Request).where(Request.kind == RequestKind.FOREWORD)).all()
        assert {request.address for request in requests} == {"vorwort@example.org", "nur-mit@example.org"}
        origin = session.scalars(select(Issue).where(Issue.for_list == "")).one()
        assert readers_of(session, origin).lists == lists_of_newsletter(session, "l", "n") == ["l", "asis"]
        assert [readers_of(session, issue).lists for issue in issues] == [["nur-mit"], ["vorwort"]]


def test_only_what_may_be_passed_on_stands_in_it_and_nobody_changes_it(tables: Database) -> None:
    _release(tables)
    issue, entries = _derived(tables)
    assert [(entry.title, entry.frozen) for entry in entries] == [("offen", True)]
    with tables.write() as session, pytest.raises(CannotEdit, match="stays as it was released"):
        edit_entry(session, session.get_one(Entry, entries[0].id), {"title": "x"}, **BY)
    assert issue.send_at == SEND + timedelta(hours=48)


def test_what_the_coordinator_adds_stands_before_it_and_survives_a_second_release(
    tables: Database, newsletter: Newsletter
) -> None:
    _release(tables)
    issue, _ = _derived(tables)
    with tables.write() as session:
        own = session.get_one(Issue, issue.id)
        edit_issue(session, own, {"editorial": "<p>Liebe Vereine</p>"}, **BY)
        add_text(session, own, {"title": "Aus dem Rathaus"}, section="Vor Ort", **BY)
        act_on(session, own, Act.APPROVE, **BY)
    with tables.write() as session:
        origin = session.scalars(select(Issue).where(Issue.for_list == "")).one()
        edit_issue(session, origin, {"subject": "Neu"}, actor="user:1", now=NOW)
        entry = entries_of(session, origin)[0]
        edit_entry(session, entry, {"title": "offen, berichtigt"}, actor="user:1", now=NOW)
    _release(tables)
    again, entries = _derived(tables)
    assert (again.id, again.state) == (issue.id, IssueState.DRAFT)
    assert again.editorial == "<p>Liebe Vereine</p>"
    assert [entry.title for entry in entries] == ["Aus dem Rathaus", "offen, berichtigt"]


def test_it_goes_out_when_the_coordinator_releases_it_but_never_before_the_networks(
    tables: Database,
) -> None:
    _release(tables)
    issue, _ = _derived(tables)
    with tables.write() as session:
        own = session.get_one(Issue, issue.id)
        act_on(session, own, Act.APPROVE, **BY)
        assert own.send_at == SEND
        assert not may_go(session, own)
        session.get_one(Issue, own.derived_from).state = IssueState.SENDING
        session.flush()
        assert may_go(session, own)


def test_without_her_the_setting_of_the_list_decides(tables: Database) -> None:
    _release(tables)
    issue, _ = _derived(tables)
    with tables.write() as session:
        own = session.get_one(Issue, issue.id)
        edit_issue(session, own, {"editorial": "<p>Nicht fertig</p>"}, **BY)
        add_text(session, own, {"title": "Nicht fertig"}, section="Vor Ort", **BY)
        session.scalars(select(Issue).where(Issue.for_list == "")).one().state = IssueState.SENT
    late = SEND + timedelta(hours=48)
    with tables.write() as session:
        assert settle_overdue(session, actor="clock", now=late - timedelta(minutes=1)) == []
        assert len(settle_overdue(session, actor="clock", now=late)) == 2
    sent, entries = _derived(tables)
    assert (sent.state, sent.editorial) == (IssueState.DRAFT, "")
    assert [entry.title for entry in entries] == ["offen"]
    assert _derived(tables, "nur-mit")[0].state is IssueState.CANCELLED


def test_with_a_cancelled_issue_what_passes_it_on_is_cancelled_too(tables: Database) -> None:
    _release(tables)
    with tables.write() as session:
        act_on(session, session.get_one(Issue, _derived(tables)[0].id), Act.APPROVE, **BY)
        origin = session.scalars(select(Issue).where(Issue.for_list == "")).one()
        act_on(session, origin, Act.CANCEL, actor="user:2", now=NOW)
        session.flush()
        assert settle_overdue(session, actor="clock", now=NOW) == []
    assert {_derived(tables, key)[0].state for key in ("vorwort", "nur-mit")} == {IssueState.CANCELLED}


def test_an_issue_can_be_begun_as_a_copy_of_another(tables: Database, newsletter: Newsletter) -> None:
    with tables.write() as session:
        origin = session.scalars(select(Issue).where(Issue.for_list == "")).one()
        copied = copy_issue(session, newsletter, origin, actor="user:1", now=SEND)
        assert (copied.special, copied.state, copied.number) == (True, IssueState.DRAFT, 2)
        assert [entry.title for entry in entries_of(session, copied)] == ["offen", "intern"]
