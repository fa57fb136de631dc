"""An issue in the tables: made once per slot, numbered in its year, and open to more only as a draft."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from mailer.database import Database
from mailer.feeds.model import Feed, Item
from mailer.issues.begin import NoSuchList
from mailer.issues.compose import NotADraft, compose, fill, suggest
from mailer.issues.model import EntryState, Issue, IssueState, entries_in, entries_of
from mailer.issues.release import act_on
from mailer.issues.workflow import Act, IllegalMove
from mailer.schedule import Newsletter, read_plan
from subscribers.model import MailingList

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
PLAN = """\
timezone = "Europe/Berlin"
[newsletter.n]
title = "N"
list = "l"
send = "mon 09:00"
too_few = { below = 2, then = "skip" }
[[newsletter.n.section]]
title = "S"
feeds = ["a"]
max = 3
[feed.a]
url = "https://a.example.org/"
"""


@pytest.fixture
def newsletter() -> Newsletter:
    return read_plan(PLAN).newsletters["n"]


@pytest.fixture
def tables(either_database: Database) -> Database:
    with either_database.write() as session:
        session.add(MailingList(key="l", title="L", created_at=NOW))
        session.add(Feed(key="a", url="https://a.example.org/", title="Quelle A", every=3600))
    return either_database


def add_items(database: Database, *numbers: int, seen: datetime = NOW, identity: str = "") -> None:
    with database.write() as session:
        for number in numbers:
            session.add(
                Item(
                    feed_key="a", identity=identity or f"urn:{number}", title=f"T{number}", digest=f"d{number}",
                    url=f"https://www.example.org/{number}", published=NOW - timedelta(hours=number),
                    first_seen_at=seen, fetched_at=seen,
                )
            )  # fmt: skip


def make(database: Database, newsletter: Newsletter, slot: datetime = NOW, *, special: bool = False) -> Issue:
    with database.write() as session:
        return compose(session, newsletter, slot=slot, send_at=slot, special=special, actor="cli:t", now=NOW)


def titles(database: Database, issue: Issue) -> list[str]:
    with database.read() as session:
        return [entry.title for entry in entries_of(session, issue)]


def test_a_slot_has_one_issue_however_often_it_is_composed(tables: Database, newsletter: Newsletter) -> None:
    add_items(tables, 1, 2)
    assert make(tables, newsletter).id == make(tables, newsletter).id
    with tables.read() as session:
        assert session.scalar(select(func.count()).select_from(Issue)) == 1


def test_each_entry_knows_its_feed_item_fetch_and_content(tables: Database, newsletter: Newsletter) -> None:
    add_items(tables, 1, 2)
    issue = make(tables, newsletter)
    with tables.read() as session:
        entry = entries_of(session, issue)[0]
        item = session.get_one(Item, entry.item_id)
    assert (entry.feed_key, entry.source, entry.fetched_at, entry.item_digest) == (
        "a", "Quelle A", item.fetched_at, item.digest,
    )  # fmt: skip


def test_numbers_count_within_the_year_of_the_slot(tables: Database, newsletter: Newsletter) -> None:
    add_items(tables, *range(1, 10))
    slots = [NOW, NOW + timedelta(weeks=1), datetime(2026, 12, 31, 23, 30, tzinfo=UTC)]  # 2027 in Berlin
    assert [(each.number, each.year) for each in (make(tables, newsletter, slot) for slot in slots)] == [
        (1, 2026), (2, 2026), (1, 2027),
    ]  # fmt: skip


def test_the_next_issue_takes_what_the_last_one_left_and_nothing_twice(
    tables: Database, newsletter: Newsletter
) -> None:
    add_items(tables, 1, 2, 3, 4, 5)
    assert titles(tables, make(tables, newsletter)) == ["T1", "T2", "T3"]
    assert titles(tables, make(tables, newsletter, NOW + timedelta(weeks=1))) == ["T4", "T5"]


def test_too_few_items_skip_the_slot_and_stay_free(tables: Database, newsletter: Newsletter) -> None:
    add_items(tables, 1)
    assert make(tables, newsletter).state is IssueState.CANCELLED
    add_items(tables, 2)
    later = make(tables, newsletter, NOW + timedelta(weeks=1))
    assert (later.state, later.number, titles(tables, later)) == (IssueState.DRAFT, 1, ["T1", "T2"])


def test_a_special_issue_is_made_however_few_items_there_are(
    tables: Database, newsletter: Newsletter
) -> None:
    assert make(tables, newsletter, special=True).state is IssueState.DRAFT


def test_an_issue_without_entries_is_not_released(tables: Database, newsletter: Newsletter) -> None:
    empty = make(tables, newsletter, special=True)
    with tables.write() as session:
        issue = session.get_one(Issue, empty.id)
        with pytest.raises(IllegalMove, match="cannot approve an issue without entries"):
            act_on(session, issue, Act.APPROVE, actor="user:1", now=NOW)
        assert (issue.state, issue.approved_by) == (IssueState.DRAFT, "")


def offer(database: Database, newsletter: Newsletter, issue: Issue, *, at: datetime = NOW) -> int:
    with database.write() as session:
        return suggest(session, session.get_one(Issue, issue.id), newsletter, actor="clock", now=at)


def suggested(database: Database, issue: Issue) -> list[str]:
    with database.read() as session:
        return [entry.title for entry in entries_in(session, issue, EntryState.SUGGESTED)]


def test_what_comes_after_the_draft_is_offered_once_and_changes_nothing_in_it(
    tables: Database, newsletter: Newsletter
) -> None:
    add_items(tables, 2, 3, 5, 6, 7)  # two are over: they wait for the next issue, and are no news
    issue = make(tables, newsletter)
    with tables.write() as session:
        entries_of(session, issue)[0].title = "Von Hand"
    add_items(tables, 1, 4, seen=NOW + timedelta(hours=1))
    assert offer(tables, newsletter, issue) == 2
    assert offer(tables, newsletter, issue) == 0
    assert titles(tables, issue) == ["Von Hand", "T3", "T5"]
    assert suggested(tables, issue) == ["T1", "T4"]


def test_a_suggestion_that_nobody_took_is_free_for_the_next_issue(
    tables: Database, newsletter: Newsletter
) -> None:
    add_items(tables, 1, 2, 3)
    issue = make(tables, newsletter)
    add_items(tables, 4, seen=NOW + timedelta(hours=1))
    assert offer(tables, newsletter, issue) == 1
    add_items(tables, 5)
    assert titles(tables, make(tables, newsletter, NOW + timedelta(weeks=1))) == ["T4", "T5"]


def test_a_story_that_stands_in_the_draft_is_not_offered_by_another_source(
    tables: Database, newsletter: Newsletter
) -> None:
    add_items(tables, 1, 2)
    issue = make(tables, newsletter)
    add_items(tables, 1, seen=NOW + timedelta(hours=1), identity="urn:changed")
    assert offer(tables, newsletter, issue) == 0


def test_an_issue_that_waits_for_more_is_filled_as_far_as_there_is_room(
    tables: Database, newsletter: Newsletter
) -> None:
    add_items(tables, 3)
    issue = make(tables, newsletter, special=True)
    add_items(tables, 1, 2, 4, seen=NOW + timedelta(hours=1))
    with tables.write() as session:
        assert fill(session, session.get_one(Issue, issue.id), newsletter, actor="clock", now=NOW) == 2
    assert titles(tables, issue) == ["T3", "T1", "T2"]


def test_what_is_released_takes_no_more(tables: Database, newsletter: Newsletter) -> None:
    add_items(tables, 1, 2)
    issue = make(tables, newsletter)
    with tables.write() as session:
        released = session.get_one(Issue, issue.id)
        act_on(session, released, Act.APPROVE, actor="user:1", now=NOW)
        for later in (suggest, fill):
            with pytest.raises(NotADraft, match="approved"):
                later(session, released, newsletter, actor="cli:t", now=NOW)


def test_a_blank_issue_has_no_entries_and_uses_up_nothing(tables: Database, newsletter: Newsletter) -> None:
    add_items(tables, 1, 2)
    with tables.write() as session:
        blank = compose(
            session, newsletter, slot=NOW, send_at=NOW, special=True, blank=True, actor="cli:t", now=NOW
        )
    assert (blank.state, titles(tables, blank)) == (IssueState.DRAFT, [])
    assert titles(tables, make(tables, newsletter, NOW + timedelta(weeks=1))) == ["T1", "T2"]


def test_a_list_that_is_missing_is_named_with_the_command_that_makes_it(
    either_database: Database, newsletter: Newsletter
) -> None:
    with pytest.raises(NoSuchList, match="infomail lists add l"):
        make(either_database, newsletter)
