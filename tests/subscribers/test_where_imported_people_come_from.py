"""Each file keeps a row: whose data came from where, and who must still be told or decide."""

import hashlib
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from mailer.database import Database
from subscribers.audience import audience
from subscribers.chain import Chain, Payload
from subscribers.importing import Provenance, Report, import_people
from subscribers.imports import release
from subscribers.model import (
    Basis,
    Import,
    ImportState,
    MailingList,
    Municipality,
    Request,
    Subscription,
    SubscriptionState,
)
from subscribers.rows import BadFile

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
ROWS = "email,ags\na@example.org,05111000\nb@example.org,05111000\n"
CLAIM = Provenance(source="Tagung 2024", given_on=date(2024, 5, 3), wording="Ja, gern.")

Load = Callable[..., Report]


@pytest.fixture
def load(either_database: Database, tmp_path: Path) -> Load:
    with either_database.write() as session:
        session.add(Municipality(ags="05111000", name="Musterstadt", kind="Stadt"))
        session.add(MailingList(key="netzwerk", title="Netzwerk", created_at=NOW))

    def load(basis: Basis, provenance: Provenance, rows: str = ROWS, *, dry_run: bool = False) -> Report:
        path = tmp_path / "leute.csv"
        path.write_text(rows)
        return import_people(
            either_database, path, list_key="netzwerk", basis=basis, actor="cli:berta", suppression_key=b"k" * 32,
            zone=ZoneInfo("Europe/Berlin"), now=NOW, provenance=provenance, dry_run=dry_run,
        )  # fmt: skip

    return load


def test_a_file_of_officers_is_on_record_and_its_people_are_to_be_told(
    load: Load, either_database: Database
) -> None:
    load(Basis.PUBLIC_TASK, Provenance(source="Städtetag"))
    with either_database.read() as session:
        file = session.scalars(select(Import)).one()
        assert (file.file, file.source, file.state, file.basis) == (
            "leute.csv", "Städtetag", ImportState.RELEASED, Basis.PUBLIC_TASK,
        )  # fmt: skip
        assert file.digest == hashlib.sha256(ROWS.encode()).digest()
        rows = session.execute(audience(["netzwerk"], NOW.date())).all()
        assert [row.import_id for row in rows] == [file.id, file.id]
        audited = session.scalars(select(Payload.content).where(Payload.chain == Chain.AUDIT)).one()
    assert audited is not None
    assert '"outcomes":{"added":2}' in audited
    assert "example.org" not in audited


def test_whoever_was_told_already_is_not_told_again(load: Load, either_database: Database) -> None:
    load(Basis.PUBLIC_TASK, Provenance(informed="Schreiben vom 1.10.2026"))
    with either_database.read() as session:
        rows = session.execute(audience(["netzwerk"], NOW.date())).all()
    assert [row.import_id for row in rows] == [0, 0]


def test_whoever_is_asked_hears_who_gave_us_the_address(load: Load, either_database: Database) -> None:
    load(Basis.CONSENT, Provenance(source="Städtetag"))
    with either_database.read() as session:
        details = session.scalars(select(Request).order_by(Request.id)).all()[0].details
    assert (details["told_by"], details["source"]) == ("Städtetag", "import 1: leute.csv")


def test_who_consented_elsewhere_waits_for_a_second_person(load: Load, either_database: Database) -> None:
    assert load(Basis.PRIOR_CONSENT, CLAIM).outcomes == {"held": 2}
    with either_database.read() as session:
        file = session.scalars(select(Import)).one()
        assert (file.state, file.given_on, file.wording) == (ImportState.HELD, date(2024, 5, 3), "Ja, gern.")
        states = session.scalars(select(Subscription.state)).all()
        assert set(states) == {SubscriptionState.PENDING}
        assert session.execute(audience(["netzwerk"], NOW.date())).all() == []
    # the same file again brings nobody a second time
    assert load(Basis.PRIOR_CONSENT, CLAIM).outcomes == {"known": 2}
    assert release(either_database, file.id, actor="cli:carla", now=NOW) == 2
    with either_database.read() as session:
        rows = session.execute(audience(["netzwerk"], NOW.date())).all()
    assert [row.import_id for row in rows] == [file.id, file.id]


@pytest.mark.parametrize(
    "lacking",
    [
        Provenance(),
        Provenance(source="Tagung", given_on=date(2024, 5, 3)),
        Provenance(source="Tagung", wording="Ja."),
        Provenance(given_on=date(2024, 5, 3), wording="Ja."),
    ],
)
def test_prior_consent_without_when_where_and_what_is_refused(
    load: Load, either_database: Database, lacking: Provenance
) -> None:
    with pytest.raises(BadFile, match="when, where, and in which words"):
        load(Basis.PRIOR_CONSENT, lacking)
    with either_database.read() as session:
        assert session.scalars(select(Import)).all() == []


def test_a_dry_run_leaves_no_row_of_the_file_and_nothing_on_record(
    load: Load, either_database: Database
) -> None:
    rows = "email,ags\n" + "".join(f"p{n}@example.org,05111000\n" for n in range(2500))
    assert load(Basis.PUBLIC_TASK, Provenance(), rows, dry_run=True).outcomes == {"added": 2500}
    with either_database.read() as session:
        for noun in (Import, Subscription, Payload):
            assert session.scalars(select(noun)).all() == []
