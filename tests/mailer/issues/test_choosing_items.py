"""The rules that mailer.issues.choose opens with, one by one."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.feeds.model import Kind
from mailer.issues.choose import Chosen, choose
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


def item(number: int, **values: Any) -> Any:
    """An item of feed a, one day older than the one with the next smaller number."""
    given: dict[str, Any] = {
        "id": number,
        "feed_key": "a",
        "identity": f"urn:{number}",
        "kind": Kind.NEWS,
        "title": f"T{number}",
        "weight": 500,
        "url": f"https://www.example.org/{number}",
        "summary": "",
        "published": AT - number * DAY,
        "updated": None,
        "starts": None,
        "ends": None,
        "all_day": False,
        "deadline": None,
        "municipality": None,
        "categories": [],
        "places": [],
        "baseline": False,
        "first_seen_at": AT - DAY,
        "digest": f"digest {number}",
    }
    return SimpleNamespace(**(given | values))


def choices(sections: list[Section], items: list[Any], used: list[Any] | None = None) -> list[Chosen]:
    return choose(sections, items, used=used or [], day=AT.date(), at=AT, today=AT.date())


def chosen(sections: list[Section], items: list[Any], used: list[Any] | None = None) -> list[list[int]]:
    by_place = {each.place: [pick.item.id for pick in each.picks] for each in choices(sections, items, used)}
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
        {"url": "http://www.example.org:80/1?utm_source=rss#top"},
    ],
)
def test_the_same_thing_of_two_feeds_is_taken_once(twin: dict[str, str]) -> None:
    assert chosen([section(feeds=["a", "b"])], [item(1), item(2, feed_key="b", **twin)]) == [[1]]
    assert chosen([section(), section(feeds=["b"])], [item(1), item(2, feed_key="b", **twin)]) == [[1], []]


def test_the_other_sources_of_a_story_are_named_also_by_way_of_a_third() -> None:
    items = [
        item(1),
        item(2, feed_key="b", url="https://www.example.org/1"),
        item(3, feed_key="c", digest="digest 2"),
    ]
    found = choices([section(feeds=["a", "b"])], items)
    assert [(pick.item.id, pick.also) for pick in found[0].picks] == [(1, ("b",))]
    sections = [section(feeds=["a", "b"]), section(feeds=["a", "b"], max=1, municipal=True)]
    items[2].municipality = "05711000"
    assert [(pick.item.id, pick.also) for pick in choices(sections, items)[0].picks] == [(1, ("b", "c"))]


def test_one_page_for_all_dates_of_a_feed_makes_them_no_single_story() -> None:
    page = "https://www.example.org/termine"
    dates = [item(n, url=page, starts=AT + n * DAY) for n in (1, 2, 3)]
    assert chosen([section(order="event")], dates) == [[1, 2, 3]]
    assert chosen(
        [section(order="event")], dates, used=[item(9, url=page, title="T2", starts=AT + 2 * DAY)]
    ) == [[1, 3]]


def test_a_few_words_said_by_two_are_not_one_story() -> None:
    items = [item(1, weight=0, digest="d"), item(2, weight=0, digest="d", feed_key="b")]
    assert chosen([section(feeds=["a", "b"])], items) == [[1, 2]]


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


def test_deadlines_stand_by_their_day_else_by_the_end_of_the_event() -> None:
    items = [
        item(1, ends=AT + 5 * DAY),
        item(2, starts=AT + 3 * DAY),
        item(3, ends=AT - DAY),
        item(4, deadline=(AT + 4 * DAY).date()),
        item(5, deadline=(AT - DAY).date()),
        item(6, deadline=AT.date()),  # there is still a day left
        item(7),
    ]
    assert chosen([section(order="deadline")], items) == [[6, 2, 4, 1, 7]]


@pytest.mark.parametrize("order", ["newest", "event", "deadline"])
def test_what_is_over_is_taken_in_no_order(order: str) -> None:
    over = [
        item(1, starts=AT - DAY),
        item(2, starts=AT - 2 * DAY, ends=AT - DAY),
        item(3, deadline=(AT - DAY).date()),
        item(4, starts=AT - 25 * DAY / 24, all_day=True),
    ]
    today = item(5, starts=AT - DAY / 3, all_day=True)
    assert chosen([section(order=order)], [*over, today]) == [[5]]


def test_what_was_held_back_for_this_issue_comes_first() -> None:
    items = [item(1), item(2), item(3)]
    found = choose([section(max=2)], items, used=[], day=AT.date(), at=AT, today=AT.date(), first={3})
    assert [pick.item.id for pick in found[0].picks] == [3, 1]


def test_contributions_go_where_the_plan_wants_their_kind_and_nowhere_else() -> None:
    items = [
        item(1, kind=Kind.HELP_WANTED, feed_key="beitraege", municipality="05711000"),
        item(2, kind=Kind.PRACTICE, feed_key="beitraege", municipality="05711000"),
        item(3, feed_key="z", municipality="05711000"),
    ]
    sections = [section(), section(contributions=["help-wanted", "help-offered"]), section(municipal=True)]
    assert chosen(sections, items) == [[], [1], [3]]


def test_a_section_with_fewer_than_min_leaves_its_items_to_the_next_one() -> None:
    assert chosen([section(min=3), section()], [item(1), item(2)]) == [[], [1, 2]]


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        ({"category": ["Ehrenamt"]}, [1]),
        ({"words": ["förder"]}, [2]),
        ({"places": ["057"]}, [3]),
        ({"places": ["05315"]}, [4]),
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
        item(4, municipality="05315000"),
    ]
    assert chosen([section(match=match)], items) == [expected]


def test_only_if_says_when_a_section_appears_at_all() -> None:
    assert chosen([section(only_if={"months": [12]})], [item(1)]) == [[1]]
    assert chosen([section(only_if={"months": [11]})], [item(1)]) == [[]]


def test_what_exceeds_max_stays_or_is_let_go_as_the_plan_says() -> None:
    items = [item(1), item(2), item(3)]
    for carry_over, let_go in ((True, []), (False, [2, 3])):
        found = choices([section(max=1, carry_over=carry_over)], items)
        assert [each.id for each in found[0].let_go] == let_go


_ITEMS = st.lists(
    st.builds(
        lambda feed, identity, url, digest, days, starts, deadline: {
            "feed_key": feed,
            "identity": identity,
            "url": url and f"https://www.example.org/{url}",
            "digest": digest,
            "published": AT - days * DAY,
            "starts": None if starts is None else AT + starts * DAY,
            "deadline": None if deadline is None else (AT + deadline * DAY).date(),
        },
        st.sampled_from(["a", "b"]),
        st.sampled_from(["urn:1", "urn:2", "urn:3", "4", "5"]),
        st.sampled_from(["", "1", "2", "3?utm_source=x", "3"]),
        st.sampled_from(["d1", "d2", "d3", "d4"]),
        st.integers(0, 40),
        st.none() | st.integers(-3, 9),
        st.none() | st.integers(-3, 9),
    ),
    max_size=14,
)
_ORDERS = st.sampled_from(["newest", "event", "deadline"])


@given(
    _ITEMS, _ITEMS, st.lists(st.tuples(_ORDERS, st.integers(1, 4), st.integers(1, 3)), min_size=1, max_size=3)
)
def test_no_choice_has_a_double_breaks_a_bound_or_depends_on_the_order_of_the_items(
    fresh: list[dict[str, Any]], old: list[dict[str, Any]], shapes: list[tuple[str, int, int]]
) -> None:
    items = [item(n, **values) for n, values in enumerate(fresh)]
    used = [item(100 + n, **values) for n, values in enumerate(old)]
    sections = [
        section(feeds=["a", "b"], order=order, max=most, min=min(least, most))
        for order, most, least in shapes
    ]
    found = choices(sections, items, used)
    picked = [pick.item for each in found for pick in each.picks]
    for n, one in enumerate(picked):
        for other in (*picked[:n], *used):
            assert not _same(one, other, [*items, *(each for each in used if each.starts)])
        assert one.deadline is None or one.deadline >= AT.date()
        assert one.starts is None or one.starts >= AT
    for each in found:
        assert sections[each.place].min <= len(each.picks) <= sections[each.place].max
    assert choices(sections, items[::-1], used[::-1]) == found


def _same(one: Any, other: Any, everything: list[Any]) -> bool:
    """Told apart the plain way: identity that names a thing for everybody, content, or an address of one thing."""
    if one.digest == other.digest or (one.identity == other.identity and ":" in one.identity):
        return True
    page = one.url.partition("?")[0]
    behind = {
        (each.feed_key, each.title, each.starts) for each in everything if each.url.partition("?")[0] == page
    }
    alone = all(len([1 for feed, _, _ in behind if feed == each.feed_key]) == 1 for each in (one, other))
    return bool(page) and page == other.url.partition("?")[0] and alone
