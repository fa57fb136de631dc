"""What people change in an issue is kept with who and when, and takes a release back."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from mailer.database import Database
from mailer.feeds.model import Feed, Item
from mailer.issues.compose import compose
from mailer.issues.edit import (
    CannotEdit,
    add_item,
    add_text,
    edit_entry,
    edit_issue,
    hold_back,
    move,
    pin,
    place,
    reject,
    renew_entry,
)
from mailer.issues.model import Edit, Entry, EntryState, Issue, IssueState, entries_of
from mailer.issues.release import act_on
from mailer.issues.sources import changed_entries, silent_sources, source_keys
from mailer.issues.workflow import Act
from mailer.schedule import Newsletter, read_plan
from subscribers.model import MailingList

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
WEEK = timedelta(weeks=1)
BY: dict[str, Any] = {"actor": "user:1", "now": NOW}
PLAN = """\
timezone = "Europe/Berlin"
[newsletter.n]
title = "N"
list = "l"
send = "mon 09:00"
[[newsletter.n.section]]
title = "Neues"
feeds = ["a"]
max = 3
[[newsletter.n.section]]
title = "Praxis"
feeds = ["b"]
[feed.a]
url = "https://a.example.org/"
[feed.b]
url = "https://b.example.org/"
"""


@pytest.fixture
def newsletter() -> Newsletter:
    return read_plan(PLAN).newsletters["n"]


@pytest.fixture
def issue(either_database: Database, newsletter: Newsletter) -> tuple[Database, int]:
    """A draft with T1 to T3 of feed a and P1 of feed b."""
    with either_database.write() as session:
        session.add(MailingList(key="l", title="L", created_at=NOW))
        for key in "ab":
            session.add(Feed(key=key, url=f"https://{key}.example.org/", title=f"Quelle {key}", every=3600))
        session.flush()
        for name in ("T1", "T2", "T3", "T4", "P1"):
            session.add(
                Item(
                    feed_key="b" if name == "P1" else "a", identity=f"urn:{name}", title=name, digest=name,
                    url=f"https://www.example.org/{name}", published=NOW - timedelta(hours=int(name[1])),
                    first_seen_at=NOW, fetched_at=NOW,
                )
            )  # fmt: skip
    return either_database, _composed(either_database, newsletter, NOW).id


def _composed(database: Database, newsletter: Newsletter, slot: datetime) -> Issue:
    with database.write() as session:
        return compose(session, newsletter, slot=slot, send_at=slot, actor="clock", now=slot)


def _entries(database: Database, issue_id: int) -> list[str]:
    with database.read() as session:
        return [entry.title for entry in entries_of(session, session.get_one(Issue, issue_id))]


def _act(opened: tuple[Database, int], title: str, act: Any, **more: Any) -> None:
    database, issue_id = opened
    with database.write() as session:
        entry = session.scalars(select(Entry).where(Entry.issue_id == issue_id, Entry.title == title)).one()
        act(session, entry, **more, **BY)


def test_entries_are_moved_pinned_and_put_into_other_sections(issue: tuple[Database, int]) -> None:
    assert _entries(*issue) == ["T1", "T2", "T3", "P1"]
    _act(issue, "T3", move, to=1)
    assert _entries(*issue) == ["T3", "T1", "T2", "P1"]
    _act(issue, "T2", pin, pinned=True)
    assert _entries(*issue) == ["T2", "T3", "T1", "P1"]
    _act(issue, "T3", move, to=2, section="Praxis")
    assert _entries(*issue) == ["T2", "T1", "P1", "T3"]
    with pytest.raises(CannotEdit, match="1 to 2"):
        _act(issue, "T1", move, to=4)


def test_what_is_held_back_comes_first_in_the_next_issue_and_what_is_rejected_never(
    issue: tuple[Database, int], newsletter: Newsletter
) -> None:
    _act(issue, "T3", hold_back)
    _act(issue, "T2", reject)
    assert _entries(*issue) == ["T1", "P1"]
    assert _entries(issue[0], _composed(issue[0], newsletter, NOW + WEEK).id) == ["T3", "T4"]


def test_what_was_put_aside_can_be_taken_again(issue: tuple[Database, int]) -> None:
    _act(issue, "T1", reject)
    _act(issue, "T1", place)
    assert _entries(*issue) == ["T2", "T3", "T1", "P1"]


def test_each_edit_is_kept_with_who_when_before_and_after(issue: tuple[Database, int]) -> None:
    _act(issue, "T1", edit_entry, fields={"title": "Neu", "deadline": date(2026, 12, 24)})
    _act(issue, "Neu", edit_entry, fields={"title": "Neu"})  # changes nothing
    with issue[0].read() as session:
        edit = session.scalars(select(Edit)).one()
        assert (edit.actor, edit.at, edit.act) == ("user:1", NOW, "edit")
        assert edit.before == {"title": "T1", "deadline": None}
        assert edit.after == {"title": "Neu", "deadline": "2026-12-24"}


def test_a_deadline_by_hand_gives_an_entry_its_place_where_the_section_is_sorted_by_it(
    issue: tuple[Database, int],
) -> None:
    for title, day in (("T1", 20), ("T2", 10), ("T3", 15)):
        fields = {"deadline": date(2026, 12, day)}
        _act(issue, title, edit_entry, fields=fields, by_deadline=True)
    assert _entries(*issue) == ["T2", "T3", "T1", "P1"]
    _act(issue, "T1", edit_entry, fields={"deadline": date(2026, 12, 1)})
    assert _entries(*issue) == ["T2", "T3", "T1", "P1"]


def test_an_edit_takes_a_release_back(issue: tuple[Database, int]) -> None:
    database, issue_id = issue
    with database.write() as session:
        act_on(session, session.get_one(Issue, issue_id), Act.APPROVE, actor="user:2", now=NOW)
    with database.write() as session:
        edit_issue(session, session.get_one(Issue, issue_id), {"subject": "Anders"}, **BY)
    with database.read() as session:
        assert session.get_one(Issue, issue_id).state is IssueState.DRAFT


def test_what_people_write_is_made_harmless_and_one_line_where_it_must_be(
    issue: tuple[Database, int],
) -> None:
    database, issue_id = issue
    with database.write() as session:
        edit_issue(
            session,
            session.get_one(Issue, issue_id),
            {
                "subject": "Eins\r\nBcc: x@example.org",
                "editorial": "<p onclick=x>Liebe</p><script>x</script>",
            },
            **BY,
        )
    with database.read() as session:
        edited = session.get_one(Issue, issue_id)
        assert edited.subject == "Eins Bcc: x@example.org"
        assert edited.editorial == "<p>Liebe</p>"


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"url": "javascript:alert(1)"}, "http"),
        ({"title": " "}, "title"),
        ({"roles": ["chef"]}, "no such role: chef"),
        ({"places": ["5711"]}, "AGS"),
        ({"state": "sent"}, "no such field: state"),
    ],
)
def test_what_makes_no_sense_is_refused(
    issue: tuple[Database, int], fields: dict[str, Any], problem: str
) -> None:
    with pytest.raises(CannotEdit, match=problem):
        _act(issue, "T1", edit_entry, fields=fields)


def test_a_hand_written_entry_stands_in_a_section_of_its_own_behind_the_others(
    issue: tuple[Database, int],
) -> None:
    database, issue_id = issue
    with database.write() as session:
        written = session.get_one(Issue, issue_id)
        add_text(session, written, {"title": "Hinweis", "summary": "<p>Text</p>"}, section="Intern", **BY)
        four = session.scalars(select(Item).where(Item.title == "T4")).one()
        add_item(session, written, four, section="Praxis", **BY)
        with pytest.raises(CannotEdit, match="already"):
            add_item(session, written, four, section="Neues", **BY)
    assert _entries(*issue) == ["T1", "T2", "T3", "P1", "T4", "Hinweis"]


def test_nothing_is_edited_once_it_is_sent(issue: tuple[Database, int]) -> None:
    database, issue_id = issue
    with database.write() as session:
        session.get_one(Issue, issue_id).state = IssueState.SENDING
    with pytest.raises(CannotEdit, match="sending"):
        _act(issue, "T1", reject)


def test_what_changed_at_its_source_is_shown_and_taken_only_when_somebody_wants_it(
    issue: tuple[Database, int],
) -> None:
    database, issue_id = issue
    _act(issue, "T1", edit_entry, fields={"title": "Von Hand"})
    with database.write() as session:
        item = session.scalars(select(Item).where(Item.title == "T1")).one()
        item.title, item.digest = "T1 verlegt", "other"
    with database.read() as session:
        changed = changed_entries(session, session.get_one(Issue, issue_id))
        assert [entry.title for entry in changed] == ["Von Hand"]
    _act(issue, "Von Hand", renew_entry)
    assert _entries(*issue)[0] == "T1 verlegt"
    with database.read() as session:
        assert changed_entries(session, session.get_one(Issue, issue_id)) == []
        entry = session.scalars(select(Entry).where(Entry.title == "T1 verlegt")).one()
        assert (entry.state, entry.edited_at) == (EntryState.PLACED, None)


def test_sources_without_news_since_the_last_issue_are_named_with_their_last_day(
    issue: tuple[Database, int], newsletter: Newsletter
) -> None:
    database, first = issue
    with database.write() as session:
        session.get_one(Issue, first).created_at = NOW
        session.scalars(select(Item).where(Item.title == "T4")).one().first_seen_at = NOW + WEEK / 2
    later = _composed(database, newsletter, NOW + WEEK)
    with database.read() as session:
        silent = silent_sources(session, source_keys(session, newsletter), later)
    assert [(each.title, each.since, each.problem) for each in silent] == [("Quelle b", NOW, "")]
