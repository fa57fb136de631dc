"""Who of the relays takes what is in hand, counted in the database; and what leaves the hand first."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from mailer.database import Database
from mailer.outbox.claim import Claimed
from mailer.outbox.hand import Hand, Stamp
from mailer.outbox.model import Tally
from mailer.outbox.quota import HOUR
from mailer.outbox.shares import Room, Shares
from mailer.outbox.tallies import set_rate
from mailer.smtp import Envelope, Relay

AT = 1_700_000_000.0
SOUND = (1, True)


def relays(*queries: str) -> list[Relay]:
    return [Relay.from_url(f"smtp://r{n}.example.org:25?{query}") for n, query in enumerate(queries)]


def dealt(
    database: Database, shares: Shares, n: int, weights: list[tuple[int, bool]] | None = None, at: float = AT
) -> list[int]:
    """Deal `n` mails out as a claim does; the tokens after it."""
    weights = weights or [SOUND] * len(shares.relays)
    with database.write() as session:
        shares.room(session, weights, n, at)
        changes = shares.deal(session, weights, n, at)
    shares.apply(changes)
    return list(shares.tokens)


def room(database: Database, shares: Shares, waiting: int = 0, at: float = AT) -> Room:
    with database.write() as session:
        return shares.room(session, [SOUND] * len(shares.relays), waiting, at)


def counted(database: Database, span: int = HOUR) -> int:
    with database.read() as session:
        return sum(session.scalars(select(Tally.n).where(Tally.span == span)))


def test_one_relay_without_limits_needs_no_shares() -> None:
    assert not Shares(relays("")).are_needed
    assert Shares(relays("per_day=5")).are_needed
    assert Shares(relays("", "")).are_needed


def test_workers_share_a_quota_and_a_new_one_knows_what_went(either_database: Database) -> None:
    first, second = (Shares(relays("per_hour=100&reserve=0")) for _ in range(2))
    assert dealt(either_database, first, 60) == [60]
    assert room(either_database, second) == Room(40, 40)
    assert dealt(either_database, second, 60) == [40]
    assert room(either_database, Shares(relays("per_hour=100&reserve=0"))) == Room(0, 0)
    assert room(either_database, Shares(relays("per_hour=100&reserve=0")), at=AT + HOUR * 13 / 12) == Room(
        100, 100
    )


def test_a_part_of_a_quota_is_for_notices_alone(database: Database) -> None:
    shares = Shares(relays("per_hour=100&reserve=10"))
    assert room(database, shares) == Room(100, 90)
    assert dealt(database, shares, 95) == [95]
    shares.tokens[0] = 0  # all of it went
    assert room(database, shares) == Room(5, 0)


def test_what_was_not_taken_is_dealt_again_and_counted_once(database: Database) -> None:
    shares = Shares(relays("per_hour=100"))
    assert dealt(database, shares, 60) == [60]
    shares.tokens[0] -= 10
    assert dealt(database, shares, 50, at=AT + 600) == [50]
    assert counted(database) == 60
    shares.tokens[0] -= 50
    assert dealt(database, shares, 70, at=AT + 1200) == [40]
    assert counted(database) == 100


def test_what_a_relay_in_trouble_leaves_goes_to_the_others(database: Database) -> None:
    shares = Shares(relays("weight=1&window=100", "weight=1&window=100"))
    assert dealt(database, shares, 80) == [40, 40]
    assert dealt(database, shares, 80, [(0, False), SOUND]) == [0, 80]
    assert dealt(database, shares, 80, [(1, False), SOUND]) == [1, 79]  # it finds out by one


def test_a_relay_that_took_nothing_keeps_no_mail_from_the_others(database: Database) -> None:
    shares = Shares(relays("weight=1&window=10", "weight=1&window=10"))
    # nobody is dealt more at once than its connections hold, but for what nobody else is dealt
    assert dealt(database, shares, 20) == [10, 10]
    shares.tokens[1] = 0
    assert dealt(database, shares, 100) == [0, 100]


def test_a_rate_that_staff_set_replaces_that_of_the_settings(database: Database) -> None:
    shares = Shares(relays("rate=100"))
    assert room(database, shares) == Room(1183, 1183)  # of twelve seconds
    with database.write() as session:
        set_rate(session, "r0.example.org:25", 2.0)
    shares.set_rates({"r0.example.org:25": 2.0})
    assert room(database, shares) == Room(23, 23)


def claimed(number: int, *, domain: str = "example.org", issue: int | None = 1) -> Claimed:
    return Claimed(
        number, 1, issue, 1, None if issue else b"notice", 1, number, 1, f"p{number}@{domain}", domain, "neutral",
        "", "", "", "de", False,
    )  # fmt: skip


def envelope(delivery: Claimed, _stamp: Stamp) -> Envelope:
    return Envelope(delivery, "", delivery.address, lambda: b"")


def hand(*deliveries: Claimed, shares: Shares | None = None, lanes: dict[str, int] | None = None) -> Hand:
    made = Hand(envelope, shares=shares or Shares(relays("")), lanes=lanes or {})
    made.add(deliveries, datetime(2026, 11, 23, tzinfo=UTC))
    return made


def taken(from_: Hand, connection: object = 0, relay: int = 0) -> list[int]:
    """The ids of all that this connection gets."""
    ids = []
    while (got := from_.next_envelope(relay, connection)) is not None:
        assert isinstance(got.key, Claimed)
        ids.append(got.key.id)
    return ids


def test_notices_leave_before_bulk_though_they_came_later() -> None:
    made = hand(claimed(1), claimed(2))
    made.add([claimed(3, issue=None)], datetime(2026, 11, 23, tzinfo=UTC))
    assert taken(made) == [3, 1, 2]


def test_a_relay_gets_no_more_than_it_was_dealt() -> None:
    shares = Shares(relays("", ""))
    shares.tokens = [2, 1]
    made = hand(*map(claimed, range(5)), shares=shares)
    assert made.waiting(0) == 2
    assert taken(made, relay=0) == [0, 1]
    assert taken(made, relay=1) == [2]
    assert (made.waiting(0), made.waiting(1), len(made)) == (0, 0, 2)


def test_a_domain_is_carried_by_as_many_connections_as_it_may_have_and_holds_nobody_up() -> None:
    slow = [claimed(number, domain="slow.example") for number in range(3)]
    made = hand(*slow, claimed(7), lanes={"slow.example": 1})
    a, b = object(), object()
    first = made.next_envelope(0, a)
    assert first is not None
    assert first.key == slow[0]
    assert taken(made, b) == [7]
    assert made.waiting(0) == 0  # another connection would get nothing
    assert len(made) == 2
    made.settled([slow[0]])
    assert made.waiting(0) == 1
    assert taken(made, b) == [1, 2]


def test_what_is_dropped_was_not_begun() -> None:
    made = hand(claimed(1), claimed(2, issue=2), claimed(3), lanes={"example.org": 1})
    assert made.next_envelope(0, "a") is not None
    assert [each.id for each in made.drop(lambda each: each.issue_id == 1)] == [3]
    assert taken(made, "a") == [2]


@pytest.mark.parametrize("n", [0, 3])
def test_what_is_under_way_is_known(n: int) -> None:
    made = hand(*map(claimed, range(5)))
    went = [made.next_envelope(0, "a") for _ in range(5)]
    made.settled(each.key for each in went[:n] if each is not None and isinstance(each.key, Claimed))
    assert made.under_way == 5 - n
