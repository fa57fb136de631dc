"""Chains: whatever is changed, taken out or put in shows; what is erased does not break them."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, select, text, update
from sqlalchemy.orm import Session

from mailer.database import Database
from subscribers.chain import Chain, Happening, Payload, Record, append, commit, seal, verify

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


def put(session: Session, *words: str, chain: Chain = Chain.CONSENT) -> None:
    for minute, word in enumerate(words):
        happening = Happening("said", {"word": word}, subject=2**63 + 1)
        append(session, chain, [happening], actor="cli:t", at=NOW + timedelta(minutes=minute))


@pytest.fixture
def three(either_database: Database) -> Database:
    with either_database.write() as session:
        put(session, "eins", "zwei", "drei")
        put(session, "anderes", chain=Chain.AUDIT)
    return either_database


def test_an_untouched_chain_verifies_and_names_its_head(three: Database) -> None:
    with three.read() as session:
        found = verify(session, Chain.CONSENT)
        last = session.get_one(Record, (Chain.CONSENT, 3))
    assert (found.records, found.erased, found.problems) == (3, 0, [])
    assert found.head == f"3:{last.digest.hex()}"


def test_an_empty_chain_verifies(either_database: Database) -> None:
    with either_database.read() as session:
        found = verify(session, Chain.AUDIT)
    assert (found.records, found.head, found.problems) == (0, "", [])


def test_many_at_once_make_the_same_chain_as_one_by_one(either_database: Database) -> None:
    with either_database.write() as session:
        append(session, Chain.CONSENT, [Happening("a", {"n": n}) for n in range(2500)], actor="t", at=NOW)
    with either_database.read() as session:
        found = verify(session, Chain.CONSENT)
    assert (found.records, found.problems) == (2500, [])


def _record(seq: int, **values: object) -> Callable[[Session], object]:
    return lambda session: session.execute(
        update(Record).where(Record.chain == Chain.CONSENT, Record.seq == seq).values(**values)
    )


def _payload(seq: int, **values: object) -> Callable[[Session], object]:
    return lambda session: session.execute(
        update(Payload).where(Payload.chain == Chain.CONSENT, Payload.seq == seq).values(**values)
    )


def _cut(seq: int) -> Callable[[Session], object]:
    def cut(session: Session) -> None:
        for table in (Payload, Record):
            session.execute(delete(table).where(table.chain == Chain.CONSENT, table.seq == seq))

    return cut


def _forged(session: Session) -> None:
    """Somebody who knows the format rewrites the second record, and its own digest to fit."""
    record = session.get_one(Record, (Chain.CONSENT, 2))
    payload = session.get_one(Payload, (Chain.CONSENT, 2))
    payload.content, payload.salt = '{"word":"nie"}', bytes(16)
    record.commitment = commit(bytes(16), payload.content)
    record.digest = seal(
        record.chain, record.seq, record.previous, record.at, record.actor, record.action, record.subject,
        record.commitment,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("tampering", "complaint"),
    [
        (_record(2, at=NOW), "record 2: was changed"),
        (_record(2, actor="cli:x"), "record 2: was changed"),
        (_record(2, action="withdrawn"), "record 2: was changed"),
        (_record(2, subject=5), "record 2: was changed"),
        (_record(2, commitment=bytes(32)), "record 2: was changed"),
        (_record(2, digest=bytes(32)), "record 2: was changed"),
        (_record(2, previous=bytes([1]) * 32), "record 2: does not follow"),
        (_payload(2, content='{"word":"nein"}'), "record 2: its payload was changed"),
        (_payload(2, salt=bytes(16)), "record 2: its payload was changed"),
        (_payload(2, salt=None, content=None), "record 2: its payload is empty without"),
        (_cut(2), "record 3: expected number 2"),
        (_cut(1), "record 2: expected number 1"),
        (_forged, "record 3: does not follow"),
    ],
)
def test_what_was_tampered_with_shows(
    three: Database, tampering: Callable[[Session], object], complaint: str
) -> None:
    with three.write() as session:
        tampering(session)
    with three.read() as session:
        problems = verify(session, Chain.CONSENT).problems
        assert verify(session, Chain.AUDIT).problems == []
    assert any(problem.startswith(complaint) for problem in problems), problems


def test_a_payload_that_is_gone_altogether_shows(three: Database) -> None:
    with three.write() as session:
        session.execute(delete(Payload).where(Payload.chain == Chain.CONSENT, Payload.seq == 2))
    with three.read() as session:
        assert "its payload is gone" in verify(session, Chain.CONSENT).problems[0]


def test_an_end_that_was_cut_off_shows_to_who_kept_the_head(three: Database) -> None:
    with three.read() as session:
        head = verify(session, Chain.CONSENT).head
    with three.write() as session:
        _cut(3)(session)
        put(session, "vier")
    with three.read() as session:
        assert verify(session, Chain.CONSENT).problems == []
        (problem,) = verify(session, Chain.CONSENT, anchor=head).problems
    assert problem.endswith("is not in the chain")


def test_the_head_of_yesterday_is_found_in_a_chain_that_grew(three: Database) -> None:
    with three.read() as session:
        head = verify(session, Chain.CONSENT).head
    with three.write() as session:
        put(session, "vier")
    with three.read() as session:
        assert verify(session, Chain.CONSENT, anchor=head).problems == []


def test_an_erased_payload_leaves_the_chain_whole(three: Database) -> None:
    with three.write() as session:
        _payload(2, salt=None, content=None, erased_at=NOW)(session)
        _payload(3, blocked_at=NOW)(session)
    with three.read() as session:
        found = verify(session, Chain.CONSENT)
    assert (found.records, found.erased, found.blocked, found.problems) == (3, 1, 1, [])


def test_writers_of_a_chain_wait_for_each_other(either_database: Database) -> None:
    def write() -> None:
        for _ in range(10):
            with either_database.write() as session:
                put(session, "x")

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with either_database.read() as session:
        found = verify(session, Chain.CONSENT)
        assert (found.records, found.problems) == (40, [])
        seqs = session.scalars(select(Record.seq).order_by(Record.seq)).all()
    assert list(seqs) == list(range(1, 41))


def test_the_same_words_have_another_commitment_each_time(three: Database) -> None:
    with three.write() as session:
        put(session, "eins")
        rows = session.execute(text("SELECT commitment FROM records WHERE chain = 'consent'")).all()
    assert len({bytes(row[0]) for row in rows}) == 4


@given(
    st.datetimes(timezones=st.just(UTC)),
    st.integers(0, 2**64 - 1),
    st.text(),
    st.binary(min_size=32, max_size=32),
)
def test_a_seal_depends_on_all_it_is_made_of(at: datetime, subject: int, actor: str, previous: bytes) -> None:
    sealed = seal("consent", 1, previous, at, actor, "granted", subject, bytes(32))
    others = [
        seal("audit", 1, previous, at, actor, "granted", subject, bytes(32)),
        seal("consent", 2, previous, at, actor, "granted", subject, bytes(32)),
        seal("consent", 1, bytes(b ^ 1 for b in previous), at, actor, "granted", subject, bytes(32)),
        seal("consent", 1, previous, at, actor + "x", "granted", subject, bytes(32)),
        seal("consent", 1, previous, at, actor, "withdrawn", subject, bytes(32)),
        seal("consent", 1, previous, at, actor, "granted", subject ^ 1, bytes(32)),
        seal("consent", 1, previous, at, actor, "granted", None, bytes(32)),
        seal("consent", 1, previous, at, actor, "granted", subject, bytes([1]) * 32),
    ]
    assert sealed not in others
    assert len(set(others)) == len(others)
