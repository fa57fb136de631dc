"""Coming and going: the table of moves, and what the database holds after any sequence of acts."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from mailer.database import Database
from subscribers.chain import Payload, Record
from subscribers.consent import MOVES, Act, IllegalMove, next_state
from subscribers.evidence import Evidence, Wording, of_person
from subscribers.model import (
    Basis,
    MailingList,
    Request,
    RequestKind,
    Subscriber,
    Subscription,
    SubscriptionState,
    Suppression,
    SuppressionReason,
    Visibility,
)
from subscribers.subscribing import (
    Limits,
    TooMany,
    admit,
    ask,
    await_confirmation,
    confirm,
    leave,
    origin_of,
    public_lists,
    subscription_of,
    suppress,
    suppressed_for,
    undo,
)

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
KEY = b"k" * 32
PENDING, ACTIVE, LEFT = SubscriptionState.PENDING, SubscriptionState.ACTIVE, SubscriptionState.UNSUBSCRIBED


@pytest.mark.parametrize(
    ("state", "act", "then"),
    [
        (None, Act.SIGN_UP, PENDING), (None, Act.CONFIRM, None), (None, Act.APPOINT, ACTIVE),
        (None, Act.LEAVE, None), (None, Act.UNDO, None),
        (PENDING, Act.SIGN_UP, PENDING), (PENDING, Act.CONFIRM, ACTIVE), (PENDING, Act.APPOINT, ACTIVE),
        (PENDING, Act.UNDO, None),
        (ACTIVE, Act.SIGN_UP, None), (ACTIVE, Act.CONFIRM, ACTIVE), (ACTIVE, Act.APPOINT, ACTIVE),
        (ACTIVE, Act.LEAVE, LEFT), (ACTIVE, Act.UNDO, None),
        (LEFT, Act.SIGN_UP, None), (LEFT, Act.CONFIRM, ACTIVE), (LEFT, Act.APPOINT, None),
        (LEFT, Act.LEAVE, LEFT), (LEFT, Act.UNDO, ACTIVE),
    ],
)  # fmt: skip
def test_each_act_leads_where_the_table_says_or_nowhere(
    state: SubscriptionState | None, act: Act, then: SubscriptionState | None
) -> None:
    if then is None:
        with pytest.raises(IllegalMove, match=act):
            next_state(state, act)
    else:
        assert next_state(state, act) is then


def test_a_sign_up_that_nobody_confirmed_leaves_nothing_behind() -> None:
    assert next_state(PENDING, Act.LEAVE) is None
    assert next_state(PENDING, Act.EXPIRE) is None
    for state in (None, ACTIVE, LEFT):
        with pytest.raises(IllegalMove):
            next_state(state, Act.EXPIRE)


def test_what_lapsed_was_not_left_and_may_be_appointed_again() -> None:
    assert next_state(ACTIVE, Act.LAPSE) is None
    assert next_state(None, Act.APPOINT) is ACTIVE
    for state in (None, PENDING, LEFT):
        with pytest.raises(IllegalMove):
            next_state(state, Act.LAPSE)


def test_the_table_speaks_of_every_state() -> None:
    assert set(MOVES) == {None, *SubscriptionState}


@given(st.lists(st.sampled_from(Act), max_size=30))
def test_whoever_left_stays_away_until_an_own_act(acts: list[Act]) -> None:
    state: SubscriptionState | None = None
    for act in acts:
        try:
            after = next_state(state, act)
        except IllegalMove:
            continue
        if state is LEFT and after is not LEFT:
            assert act in (Act.CONFIRM, Act.UNDO)
        if after is ACTIVE and state in (None, PENDING):
            assert act in (Act.CONFIRM, Act.APPOINT)
        if act in (Act.LEAVE, Act.EXPIRE, Act.LAPSE):
            assert after in (LEFT, None)
        state = after


@dataclass(frozen=True, slots=True)
class Town:
    """A session with one list and one person who is not on it."""

    session: Session
    anna: Subscriber

    @property
    def subscription(self) -> Subscription | None:
        return subscription_of(self.session, self.anna, "netzwerk")

    def wait(self) -> bool:
        return await_confirmation(self.session, subscriber=self.anna, list_key="netzwerk", now=NOW)

    def confirm(self, now: datetime = NOW) -> bool:
        return confirm(
            self.session, subscriber=self.anna, list_key="netzwerk", actor="token:x", now=now,
            proof=Evidence(Wording("Ja.", "1"), source="link", requested_at=NOW, notice=7),
        )  # fmt: skip

    def leave(self, through: int | None = None) -> bool:
        return leave(
            self.session, subscriber=self.anna, list_key="netzwerk", through=through, source="link",
            actor="token:x", now=NOW,
        )  # fmt: skip

    def undo(self, through: int | None = None) -> bool:
        return bool(
            undo(self.session, subscriber=self.anna, through=through, source="link", actor="token:x", now=NOW)
        )

    def evidence(self) -> list[str]:
        return [proof.action for proof in of_person(self.session, self.anna.handle)]


@pytest.fixture
def founded(either_database: Database) -> Database:
    with either_database.write() as session:
        session.add(MailingList(key="netzwerk", title="Netzwerk", created_at=NOW))
        session.add(
            MailingList(key="intern", title="Intern", visibility=Visibility.INVITATION, created_at=NOW)
        )
        session.flush()
        admit(session, address="anna@example.org", suppression_key=KEY, now=NOW)
    return either_database


def _in(session: Session) -> Town:
    return Town(session, session.scalars(select(Subscriber)).one())


def test_signing_up_writes_one_request_and_nothing_else(founded: Database) -> None:
    with founded.write() as session:
        for address in ("anna@example.org", "new@example.org"):
            _ask(session, address=address)
    with founded.read() as session:
        assert [row.address for row in session.scalars(select(Request).order_by(Request.id))] == [
            "anna@example.org", "new@example.org",
        ]  # fmt: skip
        assert session.scalar(select(func.count()).select_from(Subscriber)) == 1
        assert session.scalar(select(func.count()).select_from(Subscription)) == 0


def _ask(
    session: Session, address: str = "new@example.org", host: str = "192.0.2.1", now: datetime = NOW
) -> None:
    ask(
        session, kind=RequestKind.CONFIRM, list_key="netzwerk", address=address, details={},
        origin=origin_of(KEY, host), limits=Limits(per_origin=2, overall=5), actor="form", now=now,
    )  # fmt: skip


def test_a_network_may_ask_so_often_an_hour_and_all_together_so_often(founded: Database) -> None:
    with founded.write() as session:
        _ask(session, host="192.0.2.1")
        _ask(session, host="::ffff:192.0.2.1")
        with pytest.raises(TooMany):
            _ask(session, host="192.0.2.1")
        # the interfaces of one /64 are one line; another /64 is another one
        _ask(session, host="2001:db8:0:1::1")
        _ask(session, host="2001:db8:0:1:ffff::2")
        with pytest.raises(TooMany):
            _ask(session, host="2001:db8:0:1::3")
        _ask(session, host="2001:db8:0:2::1")
        # five by strangers are enough for everybody
        with pytest.raises(TooMany):
            _ask(session, host="198.51.100.7")
        _ask(session, host="198.51.100.7", now=NOW + timedelta(hours=1, seconds=1))


def test_requests_of_our_own_count_for_nobody(founded: Database) -> None:
    with founded.write() as session:
        session.add_all(
            Request(
                kind=RequestKind.CONFIRM,
                list_key="netzwerk",
                address="a@example.org",
                actor="cli:t",
                created_at=NOW,
            )
            for _ in range(10)
        )
        _ask(session)


@pytest.mark.parametrize("host", ["", "testclient", "not an address"])
def test_who_comes_from_nowhere_has_no_origin(host: str) -> None:
    assert origin_of(KEY, host) is None


def test_an_origin_does_not_tell_the_address(founded: Database) -> None:
    one = origin_of(KEY, "192.0.2.1")
    assert one is not None
    assert b"192.0.2.1" not in one
    assert one != origin_of(b"x" * 32, "192.0.2.1")
    assert origin_of(KEY, "fe80::1%eth0") == origin_of(KEY, "fe80::2")


def test_admitting_a_known_address_makes_no_second_person(founded: Database) -> None:
    with founded.write() as session:
        known = _in(session).anna
        assert admit(session, address="anna@example.org", suppression_key=KEY, now=NOW) is known


def test_confirming_twice_is_one_consent_with_its_wording(founded: Database) -> None:
    with founded.write() as session:
        town = _in(session)
        assert town.wait()
        assert town.wait()
        assert town.confirm(NOW + timedelta(hours=1))
        assert not town.confirm(NOW + timedelta(hours=2))
        assert not town.wait()
        (proof,) = of_person(session, town.anna.handle)
        assert proof.at == NOW + timedelta(hours=1)
        assert proof.content == {
            "list": "netzwerk", "basis": "consent", "wording": "Ja.", "wording_version": "1", "source": "link",
            "requested_at": "2026-11-23T08:00:00+00:00", "notice": "0000000000000007",
        }  # fmt: skip
        assert town.subscription is not None
        assert (town.subscription.state, town.subscription.basis) == (ACTIVE, Basis.CONSENT)


def test_leaving_remembers_the_issue_and_undoing_forgets_it(founded: Database) -> None:
    with founded.write() as session:
        town = _in(session)
        town.wait()
        town.confirm()
        assert town.leave(through=2**64 - 1)
        assert not town.leave(through=1)
        assert town.subscription is not None
        assert (town.subscription.state, town.subscription.ended_through) == (LEFT, 2**64 - 1)
        assert not town.undo(through=1)
        assert town.undo(through=2**64 - 1)
        assert (town.subscription.state, town.subscription.ended_through) == (ACTIVE, None)
        assert town.evidence() == ["granted", "withdrawn", "granted"]


def test_confirming_lifts_the_bar_of_an_erasure_and_no_other(founded: Database) -> None:
    with founded.write() as session:
        town = _in(session)
        for reason in (SuppressionReason.ERASED, SuppressionReason.COMPLAINT, SuppressionReason.COMPLAINT):
            suppress(session, address_hash=town.anna.address_hash, reason=reason, actor="t", now=NOW)
        town.wait()
        town.confirm()
    with founded.read() as session:
        hashed = _in(session).anna.address_hash
        assert suppressed_for(session, hashed) == {SuppressionReason.COMPLAINT}


def test_a_list_by_invitation_is_not_public(founded: Database) -> None:
    with founded.read() as session:
        assert [row.key for row in public_lists(session)] == ["netzwerk"]


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(["wait", "confirm", "leave", "undo"]), max_size=12))
def test_every_change_leaves_evidence_and_nothing_else_does(founded: Database, acts: list[str]) -> None:
    with founded.write() as session:
        for noun in (Subscription, Payload, Record, Suppression):
            session.execute(delete(noun))
        town = _in(session)
        for act in acts:
            before = town.subscription.state if town.subscription else None
            count = len(town.evidence())
            try:
                changed = getattr(town, act)()
            except IllegalMove:
                changed = False
            after = town.subscription.state if town.subscription else None
            moved = before is not after
            if act == "wait":
                assert changed == (before is not ACTIVE)
                assert not moved or (before, after) == (None, PENDING)
                assert len(town.evidence()) == count
            else:
                assert changed == moved
                assert len(town.evidence()) == count + moved
