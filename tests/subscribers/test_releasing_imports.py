"""Files of people who consented elsewhere: nobody gets mail before a second person looked."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mailer.database import Database
from subscribers.audience import audience
from subscribers.chain import Chain, verify
from subscribers.evidence import Evidence, Wording, of_person
from subscribers.imports import NotYours, held, refuse, release
from subscribers.model import (
    Basis,
    Import,
    ImportState,
    MailingList,
    Subscriber,
    Subscription,
    SubscriptionState,
)
from subscribers.subscribing import admit, confirm, leave, subscription_of

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
KEY = b"k" * 32


@pytest.fixture
def brought(either_database: Database) -> Database:
    """Import 1, of three people, brought by berta and not decided on."""
    with either_database.write() as session:
        session.add(MailingList(key="netzwerk", title="Netzwerk", created_at=NOW))
        session.flush()
        file = Import(
            list_key="netzwerk", file="alt.csv", digest=bytes(32), basis=Basis.PRIOR_CONSENT, source="Tagung 2024",
            given_on=date(2024, 5, 3), wording="Ja, ich möchte.", actor="cli:berta", created_at=NOW,
        )  # fmt: skip
        session.add(file)
        session.flush()
        for name in ("a", "b", "c"):
            person = admit(session, address=f"{name}@example.org", suppression_key=KEY, now=NOW)
            session.add(
                Subscription(
                    list_key="netzwerk", subscriber_id=person.id, state=SubscriptionState.PENDING,
                    basis=Basis.PRIOR_CONSENT, since=NOW, import_id=file.id,
                )
            )  # fmt: skip
        assert file.id == 1
    return either_database


def _person(session: Session, name: str) -> Subscriber:
    return session.scalars(select(Subscriber).where(Subscriber.address == f"{name}@example.org")).one()


def _reached(database: Database) -> list[str]:
    with database.read() as session:
        return sorted(row.address for row in session.execute(audience(["netzwerk"], LATER.date())))


def test_before_the_release_nobody_of_the_file_gets_mail(brought: Database) -> None:
    assert _reached(brought) == []
    with brought.read() as session:
        assert [file.id for file in held(session)] == [1]


def test_whoever_brought_a_file_can_neither_release_nor_refuse_it(brought: Database) -> None:
    with pytest.raises(NotYours, match="second person"):
        release(brought, 1, actor="cli:berta", now=LATER)
    with pytest.raises(NotYours, match="second person"), brought.write() as session:
        refuse(session, 1, actor="cli:berta", now=LATER)
    assert _reached(brought) == []


def test_a_released_file_makes_its_people_active_with_proof(brought: Database) -> None:
    assert release(brought, 1, actor="cli:carla", now=LATER) == 3
    assert _reached(brought) == ["a@example.org", "b@example.org", "c@example.org"]
    with brought.read() as session:
        (proof,) = of_person(session, _person(session, "a").handle)
        assert proof.content == {
            "list": "netzwerk", "basis": "prior-consent", "wording": "Ja, ich möchte.", "source": "Tagung 2024",
            "given_on": "2024-05-03", "file": "alt.csv", "file_sha256": "0" * 64, "brought_by": "cli:berta",
        }  # fmt: skip
        assert (proof.actor, proof.at) == ("cli:carla", LATER)
        assert not verify(session, Chain.CONSENT).problems
        assert verify(session, Chain.AUDIT).records == 1
        file = session.get_one(Import, 1)
        assert (file.state, file.decided_by, file.decided_at) == (ImportState.RELEASED, "cli:carla", LATER)
        # her first mail names the source
        rows = session.execute(audience(["netzwerk"], LATER.date())).all()
        assert {row.import_id for row in rows} == {1}


def test_a_release_that_was_cut_off_goes_on_with_the_rest(brought: Database) -> None:
    release(brought, 1, actor="cli:carla", now=LATER)
    with brought.write() as session:
        late = subscription_of(session, _person(session, "b"), "netzwerk")
        assert late is not None
        late.state = SubscriptionState.PENDING
    assert release(brought, 1, actor="cli:carla", now=LATER) == 1
    assert len(_reached(brought)) == 3


def test_a_decision_is_final(brought: Database) -> None:
    release(brought, 1, actor="cli:carla", now=LATER)
    with pytest.raises(NotYours, match="released already"), brought.write() as session:
        refuse(session, 1, actor="cli:carla", now=LATER)
    with pytest.raises(NotYours, match="no such import"):
        release(brought, 9, actor="cli:carla", now=LATER)


def test_a_refused_file_leaves_no_trace_of_who_was_not_known_before(brought: Database) -> None:
    with brought.write() as session:
        session.add(MailingList(key="verein", title="Verein", created_at=NOW))
        session.flush()
        session.add(
            Subscription(
                list_key="verein", subscriber_id=_person(session, "b").id, state=SubscriptionState.ACTIVE,
                basis=Basis.CONSENT, since=NOW,
            )
        )  # fmt: skip
    with brought.write() as session:
        assert refuse(session, 1, actor="cli:carla", now=LATER) == 3
    with brought.read() as session:
        assert list(session.scalars(select(Subscriber.address))) == ["b@example.org"]
        assert session.scalar(select(func.count()).select_from(Subscription)) == 1
    with pytest.raises(NotYours, match="refused already"):
        release(brought, 1, actor="cli:carla", now=LATER)


def test_what_a_person_did_herself_meanwhile_stays(brought: Database) -> None:
    with brought.write() as session:
        said_yes, said_no = _person(session, "a"), _person(session, "b")
        proof = Evidence(Wording("Ja.", "1"), source="form")
        confirm(session, subscriber=said_yes, list_key="netzwerk", proof=proof, actor="token:x", now=NOW)
        leave(
            session, subscriber=said_no, list_key="netzwerk", through=None, source="link", actor="token:y", now=NOW
        )  # fmt: skip
    with brought.write() as session:
        assert refuse(session, 1, actor="cli:carla", now=LATER) == 1
    assert _reached(brought) == ["a@example.org"]
