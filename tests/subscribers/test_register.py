"""The register: that of Nordrhein-Westfalen as shipped, and any other."""

from collections import Counter
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import select

from mailer.database import Database
from mailer.shipped import shipped
from subscribers.model import MembershipState, Municipality
from subscribers.register import BadRegister, all_names, current, import_register, members, named

NRW = shipped("register") / "nrw"


@pytest.fixture
def nrw(database: Database) -> Database:
    with database.write() as session:
        import_register(session, NRW)
    return database


def test_all_396_municipalities_and_31_districts_are_there_with_their_keys(nrw: Database) -> None:
    with nrw.read() as session:
        bodies = {body.ags: body for body in session.scalars(select(Municipality))}
    assert Counter(len(ags) for ags in bodies) == {8: 396, 5: 31}
    assert Counter(body.kind for body in bodies.values()) == {
        "kreisfreie Stadt": 22,
        "kreisangehörige Stadt": 250,
        "Gemeinde": 124,
        "Kreis": 30,
        "Städteregion": 1,
    }
    assert (bodies["05111000"].name, bodies["05111000"].district) == ("Düsseldorf", "")
    assert (bodies["05711000"].name, bodies["05711000"].region) == ("Bielefeld", "Detmold")
    assert (bodies["05334002"].name, bodies["05334002"].district) == ("Aachen", "05334")
    assert bodies["05334"].name == "Städteregion Aachen"


def test_every_municipality_lies_within_its_district_by_its_key(nrw: Database) -> None:
    with nrw.read() as session:
        for body in session.scalars(select(Municipality).where(Municipality.district != "")):
            assert body.ags.startswith(body.district)
            assert session.get_one(Municipality, body.district).region == body.region


def test_a_second_import_changes_nothing(nrw: Database) -> None:
    with nrw.write() as session:
        done = import_register(session, NRW)
    assert (done.added, done.changed) == (0, 0)
    assert done.unchanged == 427 + 34


def test_the_latest_dated_step_of_a_membership_holds(nrw: Database, tmp_path: Path) -> None:
    (tmp_path / "municipalities.csv").write_text(
        "ags,name,kind,district,region\n05111000,Düsseldorf,Stadt,,\n"
    )
    (tmp_path / "members.csv").write_text(
        "ags,state,since,round,reference,note\n"
        "05111000,interested,,,,\n05111000,member,2020-01-01,1,,\n05111000,left,2024-05-01,,,\n"
    )
    with nrw.write() as session:
        import_register(session, tmp_path)
    for day, state in (
        (date(2019, 12, 31), MembershipState.INTERESTED),
        (date(2020, 1, 1), MembershipState.MEMBER),
        (date(2024, 4, 30), MembershipState.MEMBER),
        (date(2024, 5, 1), MembershipState.LEFT),
    ):
        with nrw.read() as session:
            assert {step.ags: step.state for step in session.scalars(current(day))}["05111000"] is state
            assert ("05111000" in members(session, day)) == (state is MembershipState.MEMBER)


def test_a_name_means_the_municipality_and_not_the_district_of_the_same_name(nrw: Database) -> None:
    with nrw.read() as session:
        assert named(session, " aachen ") is session.get_one(Municipality, "05334002")
        assert named(session, "Nirgendwo") is None
        # on SQLite lower() leaves what is not ASCII
        assert named(session, "ÜBACH-PALENBERG") is session.get_one(Municipality, "05370028")
        assert named(session, "Mu\u0308nster") is session.get_one(Municipality, "05515000")
        assert "Städteregion Aachen" in all_names(session)


def test_a_register_of_another_state_and_of_associations_works_the_same(
    database: Database, tmp_path: Path
) -> None:
    (tmp_path / "municipalities.csv").write_text(
        "ags,name,kind,district,region\n08111000,Musterstadt,Stadtkreis,,Musterbezirk\nV-STAEDTE,Städtebund,Verband,,\n"
    )
    with database.write() as session:
        assert import_register(session, tmp_path).added == 2
    with database.read() as session:
        assert session.get_one(Municipality, "V-STAEDTE").name == "Städtebund"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "municipalities.csv:1: expected the columns"),
        ("ags,name\n05,x\n", "expected the columns ags, name, kind, district, region"),
        ("ags,name,kind,district,region\n5111000,X,,,\n", "municipalities.csv:2: expected a key"),
        ("ags,name,kind,district,region\n05111000,,,,\n", "and a name"),
        (
            "ags,name,kind,district,region\n05111000,X,,,\n05111000,Y,,,\n",
            "csv:3: 05111000 stands in the file",
        ),
        ("ags,name,kind,district,region\n05111000,X\0,,,\n", "csv:2: a control character"),
    ],
)
def test_what_is_no_register_is_refused_with_its_line(
    database: Database, tmp_path: Path, text: str, problem: str
) -> None:
    (tmp_path / "municipalities.csv").write_text(text)
    with pytest.raises(BadRegister, match=problem), database.write() as session:
        import_register(session, tmp_path)
