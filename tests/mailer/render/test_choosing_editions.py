"""Who sees which entries, and when two people get one edition."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.issues.model import Entry
from subscribers.audience import AudienceKey
from tests.mailer.render.issues import a_chooser, a_key, a_list, an_entry, an_issue

MUNICIPAL = a_list("verein", municipality="05999002")


@pytest.mark.parametrize(
    ("entry_places", "places", "sees"),
    [
        ([], "", True),
        ([], "05999001", True),
        (["05999"], "", True),  # nobody knows her place
        (["05999"], "05999001", True),  # within
        (["05999001"], "05999", True),  # around
        (["05999001"], "05999002", False),
        (["05999001", "05111"], "05111,05999002", True),  # of any of her places
    ],
)
def test_an_entry_for_places_is_seen_within_and_around_them(
    entry_places: list[str], places: str, sees: bool
) -> None:
    chooser = a_chooser(an_issue(), [an_entry(1, places=entry_places)])
    assert bool(chooser.visible(a_key(places=places))) is sees


@pytest.mark.parametrize(
    ("entry_roles", "roles", "sees"),
    [
        ([], "", True),
        ([], "contact", True),
        (["contact", "deputy"], "deputy,state", True),
        (["contact"], "deputy", False),
        (["contact"], "", False),  # unlike a place, nobody has a role without our knowing
        (["state"], "statement", False),  # whole words
    ],
)
def test_an_entry_for_roles_is_seen_by_who_holds_one_of_them(
    entry_roles: list[str], roles: str, sees: bool
) -> None:
    chooser = a_chooser(an_issue(), [an_entry(1, roles=entry_roles)])
    assert bool(chooser.visible(a_key(roles=roles))) is sees


def test_an_internal_entry_is_never_on_a_municipal_list() -> None:
    chooser = a_chooser(an_issue(), [an_entry(1), an_entry(2, internal=True)], a_list(), MUNICIPAL)
    assert [number for number, _ in chooser.visible(a_key())] == [1, 2]
    assert [number for number, _ in chooser.visible(a_key("verein"))] == [1]


@pytest.mark.parametrize(("list_key", "preheader"), [("netzwerk", "Amtlich · Neues"), ("verein", "")])
def test_the_words_in_the_inbox_name_no_internal_entry_to_who_does_not_see_it(
    list_key: str, preheader: str
) -> None:
    entries = [an_entry(1, title="Amtlich", internal=True), an_entry(2, title="Neues")]
    chooser = a_chooser(an_issue(preheader="Amtlich · Neues"), entries, a_list(), MUNICIPAL)
    assert chooser.setting(a_key(list_key))["preheader"] == preheader


def test_in_the_own_issue_of_a_list_its_entries_come_before_what_is_passed_on() -> None:
    entries = [an_entry(1, frozen=True), an_entry(2, frozen=True), an_entry(3), an_entry(4)]
    chooser = a_chooser(an_issue(for_list="verein"), entries, MUNICIPAL)
    assert [number for number, _ in chooser.visible(a_key("verein"))] == [3, 4, 1, 2]


_PLACES = ["05", "05999", "05999001", "05999002", "05111"]
_ROLES = ["contact", "deputy", "state"]


def _some(values: list[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(values), unique=True, max_size=2).map(sorted)


_ENTRIES = st.lists(
    st.builds(
        lambda places, roles, internal: {"places": places, "roles": roles, "internal": internal},
        _some(_PLACES),
        _some(_ROLES),
        st.booleans(),
    ),
    max_size=6,
).map(lambda rows: [an_entry(number, **row) for number, row in enumerate(rows, start=1)])
_KEYS = st.builds(
    lambda places, roles: a_key(places=",".join(places), roles=",".join(roles)), _some(_PLACES), _some(_ROLES)
)


@given(entries=_ENTRIES, one=_KEYS, other=_KEYS)
def test_people_of_one_list_get_the_same_edition_exactly_if_they_see_the_same(
    entries: list[Entry], one: AudienceKey, other: AudienceKey
) -> None:
    chooser = a_chooser(an_issue(), entries)
    same = chooser.visible(one) == chooser.visible(other)
    assert (chooser.digest(one) == chooser.digest(other)) is same


@pytest.mark.parametrize(
    "changes",
    [
        {"title": "Anders"},
        {"deadline": an_issue().send_at.date()},
        {"all_day": True},
        {"contact": "Erika Muster"},
        {"also": ["Beispielbund"]},
        {"municipality": "05999001"},
        {"internal": True},
    ],
)
def test_whatever_of_an_entry_is_changed_makes_another_edition(changes: dict[str, object]) -> None:
    before = a_chooser(an_issue(), [an_entry(1)]).digest(a_key())
    assert a_chooser(an_issue(), [an_entry(1, **changes)]).digest(a_key()) != before


@pytest.mark.parametrize(
    "changes", ["title", "sender_name", "reply_to", "imprint", "privacy_url", "controller"]
)
def test_whatever_a_list_says_of_itself_makes_another_edition(changes: str) -> None:
    before = a_chooser(an_issue(), [an_entry(1)]).digest(a_key())
    assert a_chooser(an_issue(), [an_entry(1)], a_list(**{changes: "Anders"})).digest(a_key()) != before


def test_other_stationery_makes_another_edition() -> None:
    before = a_chooser(an_issue(), [an_entry(1)]).digest(a_key())
    assert a_chooser(an_issue(), [an_entry(1)], stationery="other").digest(a_key()) != before
