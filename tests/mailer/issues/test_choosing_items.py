"""The rules that mailer.issues.choose opens with, one by one."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mailer.feeds.model import Item
from mailer.issues.choose import choose
from mailer.schedule import Section, read_plan

AT = datetime(2026, 12, 1, 8, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def section(**keys: object) -> Section:
    """A section of a plan, by the keys an operator would write."""
    keys = {"feeds": ["a"]} | keys

    def toml(value: object) -> str:
        if isinstance(value, Mapping):
            return "{ " + ", ".join(f"{name} = {toml(each)}" for name, each in value.items()) + " }"
        if isinstance(value, bool):
            return str(value).lower()
        return repr(value).replace("'", '"')

    lines = "\n".join(f"{name} = {toml(value)}" for name, value in keys.items())
    plan = read_plan(
        'timezone = "Europe/Berlin"\n[newsletter.n]\ntitle = "N"\nlist = "l"\nsend = "mon 09:00"\n'
        f'[[newsletter.n.section]]\ntitle = "S"\n{lines}\n'
        '[feed.a]\nurl = "https://a.example.org/"\n[feed.b]\nurl = "https://b.example.org/"\n'
    )
    return plan.newsletters["n"].sections[0]


def item(number: int, **values: Any) -> Item:
    """An item of feed a, one day older than the one with the next smaller number."""
    given: dict[str, Any] = {
        "id": number,
        "feed_key": "a",
        "identity": f"urn:{number}",
        "title": f"T{number}",
        "url": f"https://www.example.org/{number}",
        "summary": "",
        "published": AT - number * DAY,
        "updated": None,
        "starts": None,
        "ends": None,
        "categories": [],
        "places": [],
        "baseline": False,
        "first_seen_at": AT - DAY,
        "digest": f"digest {number}",
    }
    return Item(**(given | values))


def chosen(sections: list[Section], items: list[Item], used: list[Item] | None = None) -> list[list[int]]:
    found = choose(sections, items, used=used or [], day=AT.date(), at=AT)
    by_place = {each.place: [item.id for item in each.items] for each in found}
    return [by_place.get(place, []) for place in range(len(sections))]


def test_the_newest_come_first_and_at_most_max() -> None:
    items = [item(3), item(1), item(2)]
    assert chosen([section(max=2)], items) == [[1, 2]]


def test_items_of_other_feeds_are_not_taken() -> None:
    assert chosen([section()], [item(1, feed_key="b"), item(2)]) == [[2]]


@pytest.mark.parametrize(
    "twin",
    [
        {"url": "https://www.example.org/1"},
        {"url": "https://WWW.example.org/1/"},
        {"identity": "urn:1"},
        {"digest": "digest 1"},
    ],
)
def test_the_same_thing_of_two_feeds_is_taken_once(twin: dict[str, str]) -> None:
    assert chosen([section(feeds=["a", "b"])], [item(1), item(2, feed_key="b", **twin)]) == [[1]]
    assert chosen([section(), section(feeds=["b"])], [item(1), item(2, feed_key="b", **twin)]) == [[1], []]


def test_a_plain_number_names_a_thing_in_its_own_feed_only() -> None:
    items = [item(1, identity="42"), item(2, identity="42", feed_key="b")]
    assert chosen([section(feeds=["a", "b"])], items) == [[1, 2]]


def test_what_another_issue_had_is_not_taken_again_under_another_identity() -> None:
    assert chosen([section()], [item(2, url="https://www.example.org/1")], used=[item(1)]) == [[]]


def test_max_age_counts_from_publication_else_from_the_first_sight() -> None:
    limited = section(max_age="1w")
    assert chosen([limited], [item(6), item(8)]) == [[6]]
    late = item(30, published=None, first_seen_at=AT - 2 * DAY)
    old = item(31, published=None, first_seen_at=AT - 8 * DAY)
    from_the_start = item(32, published=None, first_seen_at=AT - DAY, baseline=True)
    assert chosen([limited], [late, old, from_the_start]) == [[30]]
    assert chosen([section()], [from_the_start]) == [[32]]


def test_an_updated_item_is_as_young_as_its_update() -> None:
    assert chosen([section(max_age="1w")], [item(30, updated=AT - DAY)]) == [[30]]


def test_events_stand_by_their_date_without_what_is_over_or_too_far() -> None:
    events = [
        item(1, starts=AT + 9 * DAY),
        item(2, starts=AT + 2 * DAY),
        item(3, starts=AT - DAY),
        item(4, starts=AT - DAY, ends=AT + DAY),  # has begun and lasts
        item(5, starts=AT + 40 * DAY),
        item(6),  # without a date: after the dated
    ]
    assert chosen([section(order="event", within="4w")], events) == [[4, 2, 1, 6]]


def test_deadlines_stand_by_their_end() -> None:
    items = [item(1, ends=AT + 5 * DAY), item(2, starts=AT + 3 * DAY), item(3, ends=AT - DAY)]
    assert chosen([section(order="deadline")], items) == [[2, 1]]


def test_a_section_with_fewer_than_min_leaves_its_items_to_the_next_one() -> None:
    assert chosen([section(min=3), section()], [item(1), item(2)]) == [[], [1, 2]]


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        ({"category": ["Ehrenamt"]}, [1]),
        ({"words": ["förder"]}, [2]),
        ({"places": ["057"]}, [3]),
        ({"category": ["ehrenamt", "sport"], "words": ["t1"]}, [1]),
        ({"category": ["ehrenamt"], "words": ["t2"]}, []),
    ],
)
def test_match_wants_a_hit_in_every_condition_it_gives(
    match: dict[str, list[str]], expected: list[int]
) -> None:
    items = [
        item(1, categories=["ehrenamt"]),
        item(2, summary="<p>Förderung</p>"),
        item(3, places=["05711000"]),
    ]
    assert chosen([section(match=match)], items) == [expected]


def test_only_if_says_when_a_section_appears_at_all() -> None:
    assert chosen([section(only_if={"months": [12]})], [item(1)]) == [[1]]
    assert chosen([section(only_if={"months": [11]})], [item(1)]) == [[]]


def test_what_exceeds_max_stays_or_is_let_go_as_the_plan_says() -> None:
    items = [item(1), item(2), item(3)]
    for carry_over, let_go in ((True, []), (False, [2, 3])):
        found = choose([section(max=1, carry_over=carry_over)], items, used=[], day=AT.date(), at=AT)
        assert [each.id for each in found[0].let_go] == let_go
