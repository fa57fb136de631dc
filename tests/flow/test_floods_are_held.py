"""A server that renames all it had overnight, and staff who look at what it brought."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from mailer.database import Database
from mailer.feeds.held import NoSuchFeed, NothingHeld, accept, dismiss, held_line
from mailer.feeds.model import Feed, Item, ItemState
from mailer.feeds.parse import parse
from mailer.feeds.parsed import ParsedItem
from mailer.feeds.store import Stored, prepare, upsert_items
from subscribers.chain import Chain, Payload, Record, verify

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


def entries(*numbers: int, prefix: str = "urn", text: str = "Text", **more: object) -> list[ParsedItem]:
    return [
        ParsedItem(
            identity=f"{prefix}:{n}", title=f"Meldung {n}", url=f"https://www.example.org/{prefix}/{n}",
            summary=f"<p>{text} {n}</p>", published=None, updated=None, starts=None, ends=None, location="",
            categories=(), **more,  # type: ignore[arg-type]
        )
        for n in numbers
    ]  # fmt: skip


def bring(database: Database, items: list[ParsedItem], later: int = 0) -> Stored:
    with database.write() as session:
        feed = session.get(Feed, "stadt")
        if feed is None:
            feed = Feed(key="stadt", url="https://www.example.org/rss", every=3600, municipality="05111000")
            feed.places, feed.internal = ["05111"], True
            session.add(feed)
            session.flush()
        stored = upsert_items(
            session, feed, prepare(items, "https://www.example.org/"), NOW + timedelta(hours=later)
        )
        session.flush()
        feed.problem = "; ".join([*held_line(session, "stadt"), "a raw & was escaped"])
        return stored


def states(database: Database) -> dict[ItemState, int]:
    with database.read() as session:
        return dict(session.execute(select(Item.state, func.count()).group_by(Item.state)).all())  # type: ignore[arg-type]


def test_the_first_fetch_is_no_flood_and_what_follows_slowly_is_none(either_database: Database) -> None:
    assert bring(either_database, entries(*range(12))) == Stored(new=12)
    assert bring(either_database, entries(*range(5, 15)), later=1) == Stored(new=3)
    assert states(either_database) == {ItemState.FREE: 15}


def test_entries_under_new_names_that_say_the_same_are_the_items_on_record(either_database: Database) -> None:
    bring(either_database, entries(*range(12)))
    assert bring(either_database, entries(*range(12), prefix="neu"), later=1) == Stored()
    with either_database.read() as session:
        items = list(session.scalars(select(Item).order_by(Item.id)))
    assert [item.identity for item in items] == [f"neu:{n}" for n in range(12)]
    assert {item.first_seen_at for item in items} == {NOW}
    assert items[3].url == "https://www.example.org/neu/3"


def test_an_entry_is_no_item_that_still_stands_in_the_feed(either_database: Database) -> None:
    bring(either_database, entries(1))
    assert bring(either_database, [*entries(1), *entries(1, prefix="zwei")], later=1) == Stored(new=1)


def test_two_entries_that_say_the_same_are_two_items_under_new_names_too(either_database: Database) -> None:
    both = [*entries(1, prefix="a"), *entries(1, prefix="b")]
    bring(either_database, both)
    assert bring(either_database, [*entries(1, prefix="c"), *entries(1, prefix="d")], later=1) == Stored()
    with either_database.read() as session:
        assert sorted(session.scalars(select(Item.identity))) == ["c:1", "d:1"]


def test_a_flood_is_held_stays_held_and_is_told(either_database: Database) -> None:
    bring(either_database, entries(*range(12)))
    flood = entries(*range(12), prefix="neu", text="Neu gesetzt:")
    assert bring(either_database, flood, later=1) == Stored(new=12, held=12)
    assert bring(either_database, flood, later=2) == Stored()
    assert states(either_database) == {ItemState.FREE: 12, ItemState.HELD: 12}
    with either_database.read() as session:
        problem = session.scalars(select(Feed.problem)).one()
    assert problem == "12 new entries at once: held for review; a raw & was escaped"


@pytest.mark.parametrize(
    ("settle", "state", "action"),
    [(accept, ItemState.FREE, "feed.accept"), (dismiss, ItemState.DISMISSED, "feed.dismiss")],
)
def test_staff_settle_what_is_held_once_and_on_record(
    either_database: Database, settle: object, state: ItemState, action: str
) -> None:
    bring(either_database, entries(*range(12)))
    bring(either_database, entries(*range(12), prefix="neu", text="Neu gesetzt:"), later=1)
    with either_database.write() as session:
        assert settle(session, "stadt", actor="cli:anna", now=NOW) == 12  # type: ignore[operator]
    assert states(either_database).get(ItemState.HELD) is None
    with either_database.read() as session:
        after = session.scalars(select(Item.state).where(Item.identity.like("neu:%"))).all()
        assert set(after) == {state}
        assert session.scalars(select(Feed.problem)).one() == "a raw & was escaped"
        record, payload = session.execute(
            select(Record, Payload).join(
                Payload, (Payload.chain == Record.chain) & (Payload.seq == Record.seq)
            )
        ).one()
        assert (record.chain, record.action, record.actor) == (Chain.AUDIT, action, "cli:anna")
        assert json.loads(payload.content) == {"feed": "stadt", "items": 12}
        assert verify(session, Chain.AUDIT).problems == []
    with either_database.write() as session, pytest.raises(NothingHeld):
        settle(session, "stadt", actor="cli:anna", now=NOW)  # type: ignore[operator]
    with either_database.write() as session, pytest.raises(NoSuchFeed):
        settle(session, "land", actor="cli:anna", now=NOW)  # type: ignore[operator]


def test_what_a_key_or_an_engine_cannot_hold_is_stored_all_the_same(either_database: Database) -> None:
    address = "https://www.example.org/" + "x" * 5000
    body = f"""<rss version="2.0"><channel><title>T</title><item><title>A</title><link>{address}</link></item>
    <item><title mode="base64">AEZlc3QA</title><guid>2</guid></item></channel></rss>"""  # NUL, Fest, NUL
    bring(either_database, list(parse(body.encode()).items))
    with either_database.read() as session:
        assert sorted(session.scalars(select(Item.title))) == ["A", "Fest"]


def test_an_item_has_the_deadline_the_whole_day_and_whose_it_is(database: Database) -> None:
    day = datetime(2026, 3, 31, tzinfo=UTC).date()
    bring(database, entries(1, deadline=day, all_day=True))
    moved = entries(1, deadline=day + timedelta(days=7), all_day=True)
    assert bring(database, moved, later=1) == Stored(changed=1)
    with database.read() as session:
        item = session.scalars(select(Item)).one()
    assert (item.deadline, item.all_day) == (day + timedelta(days=7), True)
    assert (item.municipality, item.places, item.internal) == ("05111000", ["05111"], True)
