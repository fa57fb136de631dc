"""Who receives an issue: one statement, the same on both engines."""

from datetime import UTC, date, datetime

import pytest

from mailer.database import Database
from subscribers.audience import AudienceKey, audience, audience_keys, lists_of_newsletter
from subscribers.model import (
    Basis,
    MailingList,
    Municipality,
    Office,
    Role,
    Subscriber,
    Subscription,
    SubscriptionState,
    Suppression,
    SuppressionReason,
)

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
TODAY = date(2026, 11, 23)
ACTIVE, PENDING, LEFT = SubscriptionState.ACTIVE, SubscriptionState.PENDING, SubscriptionState.UNSUBSCRIBED


@pytest.fixture
def people(either_database: Database) -> Database:
    """Two municipalities, the network's list and a list of each; a..h with what their names say."""
    with either_database.write() as session:
        for ags in ("05111000", "05711000"):
            session.add(Municipality(ags=ags, name=ags, kind="Stadt"))
        session.flush()
        for key, municipality in (("netzwerk", None), ("a-stadt", "05111000"), ("b-stadt", "05711000")):
            session.add(
                MailingList(key=key, title=key, municipality=municipality, follows="infomail", created_at=NOW)
            )
        session.add(MailingList(key="other", title="other", created_at=NOW))
        session.flush()
        for n, (name, on) in enumerate(
            {
                "network": {"netzwerk": ACTIVE},
                "both": {"netzwerk": ACTIVE, "a-stadt": ACTIVE},
                "two-towns": {"b-stadt": ACTIVE, "a-stadt": ACTIVE},
                "left-network": {"netzwerk": LEFT, "b-stadt": ACTIVE},
                "pending": {"netzwerk": PENDING},
                "left": {"netzwerk": LEFT},
                "suppressed": {"netzwerk": ACTIVE},
                "elsewhere": {"other": ACTIVE},
            }.items()
        ):
            session.add(
                Subscriber(
                    id=n + 1, address=f"{name}@example.org", address_hash=name.encode(), domain="example.org",
                    created_at=NOW,
                )
            )  # fmt: skip
            session.flush()
            for key, state in on.items():
                session.add(
                    Subscription(
                        list_key=key, subscriber_id=n + 1, state=state, basis=Basis.CONSENT, since=NOW
                    )
                )
        session.add(
            Suppression(address_hash=b"suppressed", reason=SuppressionReason.STAFF, at=NOW, actor="t")
        )
    return either_database


def _received(database: Database) -> dict[str, tuple[str, str, str, str]]:
    with database.read() as session:
        lists = lists_of_newsletter(session, "netzwerk", "infomail")
        rows = session.execute(audience(lists, TODAY)).all()
        assert sum(audience_keys(session, lists, TODAY).values()) == len(rows)
    return {
        row.address.partition("@")[0]: (row.list_key, row.places, row.roles, row.municipality) for row in rows
    }


def test_each_person_counts_once_through_the_networks_list_else_the_lowest_key(people: Database) -> None:
    assert {name: row[0] for name, row in _received(people).items()} == {
        "network": "netzwerk",
        "both": "netzwerk",
        "two-towns": "a-stadt",
        "left-network": "b-stadt",
    }


def test_a_municipal_list_gives_its_place_to_who_holds_no_office(people: Database) -> None:
    assert _received(people)["left-network"] == ("b-stadt", "05711000", "", "05711000")
    assert _received(people)["network"] == ("netzwerk", "", "", "")


@pytest.mark.parametrize(
    ("offices", "places", "roles"),
    [
        ([("05711000", Role.CONTACT, None, None)], "05711000", "contact"),
        (
            [("05711000", Role.HEAD, None, None), ("05111000", Role.CONTACT, None, None)],
            "05111000,05711000",
            "contact,head",
        ),
        (
            [("05711000", Role.HEAD, None, None), ("05711000", Role.CONTACT, None, None)],
            "05711000",
            "contact,head",
        ),
        ([("05711000", Role.CONTACT, None, date(2026, 11, 23))], "05711000", "contact"),  # the last day
        ([("05711000", Role.CONTACT, None, date(2026, 11, 22))], "", ""),
        ([("05711000", Role.CONTACT, date(2026, 11, 24), None)], "", ""),  # begins tomorrow
    ],
)
def test_places_and_roles_are_of_the_offices_held_today_sorted_each_once(
    people: Database, offices: list[tuple[str, Role, date | None, date | None]], places: str, roles: str
) -> None:
    with people.write() as session:
        for ags, role, starts, ends in offices:
            session.add(
                Office(
                    subscriber_id=1, municipality=ags, role=role, starts=starts or date(2020, 1, 1), ends=ends
                )
            )
    assert _received(people)["network"][1:3] == (places, roles)


def test_the_keys_count_how_many_people_get_the_same(people: Database) -> None:
    with people.read() as session:
        keys = audience_keys(session, ["netzwerk"], TODAY)
    assert keys == {AudienceKey("netzwerk", "de", "", ""): 2}
