"""`infomail issues preflight`, and what `approve` makes of it."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import func, select

from mailer.database import Database
from mailer.issues.model import Entry, Issue, IssueState
from mailer.render.model import Edition, Stationery
from tests.mailer.cli.conftest import Infomail

pytestmark = pytest.mark.usefixtures("items", "imprint")


def put(folder: Path, **changes: object) -> None:
    """Change the first entry of the issue."""
    database = Database(f"sqlite:///{folder}/infomail.sqlite")
    with database.write() as session:
        entry = session.scalars(select(Entry).order_by(Entry.id)).first()
        assert entry is not None
        for name, value in changes.items():
            setattr(entry, name, value)
    database.close()


def state(folder: Path) -> IssueState:
    database = Database(f"sqlite:///{folder}/infomail.sqlite")
    with database.read() as session:
        found = session.get_one(Issue, 1).state
        stored = [session.scalar(select(func.count()).select_from(each)) for each in (Edition, Stationery)]
    database.close()
    assert stored == [0, 0]  # looking stores nothing
    return found


@pytest.fixture
def issue(infomail: Infomail, items: None, imprint: None) -> None:
    assert infomail("issues", "compose", "infomail").out == "1\n"


@pytest.mark.usefixtures("issue")
def test_an_issue_in_order_is_told_by_its_people_and_editions(infomail: Infomail, folder: Path) -> None:
    ran = infomail("issues", "preflight", "1", "--no-network")
    assert (ran.code, ran.out, ran.err) == (0, "0 people, 1 edition\n", "")
    assert state(folder) is IssueState.DRAFT


@pytest.mark.usefixtures("issue")
def test_what_blocks_comes_first_and_is_the_exit_code(infomail: Infomail, folder: Path) -> None:
    put(folder, title="TODO", url="http://www.example.org/1")
    ran = infomail("issues", "preflight", "1", "--no-network", "--language", "de")
    assert ran.code == 1
    first, second, last = ran.out.splitlines()
    assert first == "blocks: Ein Platzhalter ist stehen geblieben: »TODO« (bei »1. TODO«)"
    assert second.startswith("warns: Ein Link ist nicht verschlüsselt: http://www.example.org/1 (bei »TODO«)")
    assert last == "0 people, 1 edition"


@pytest.mark.usefixtures("issue")
def test_as_json_each_finding_has_code_severity_words_and_place(infomail: Infomail, folder: Path) -> None:
    put(folder, title="TODO")
    ran = infomail("issues", "preflight", "1", "--no-network", "--json")
    assert ran.code == 1
    told = json.loads(ran.out)
    assert (told["editions"], told["people"], told["ends_at"]) == (1, 0, None)
    (finding,) = told["findings"]
    says = "A placeholder was left: “TODO” (at “1. TODO”)"
    assert finding == {
        "code": "placeholder", "severity": "blocks", "says": says, "where": "1. TODO", "editions": ["netzwerk, de"],
    }  # fmt: skip


@pytest.mark.usefixtures("issue")
def test_what_blocks_is_not_released_not_even_in_an_emergency(infomail: Infomail, folder: Path) -> None:
    plan = folder / "schedule.toml"
    text = plan.read_text(encoding="utf-8")
    plan.write_text(text.replace("emergency_release = false", "emergency_release = true "), encoding="utf-8")
    put(folder, title="TODO")
    line = "infomail: issue 1 cannot be released: A placeholder was left: “TODO” (at “1. TODO”)\n"
    for emergency in ((), ("--emergency", "--reason", "Frist heute")):
        ran = infomail("issues", "approve", "1", *emergency)
        assert (ran.code, ran.out, ran.err) == (1, "", line)
    assert state(folder) is IssueState.DRAFT


@pytest.mark.usefixtures("issue")
def test_an_imprint_with_gaps_blocks(
    infomail: Infomail, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("INFOMAIL_SENDER_CITY")
    ran = infomail("issues", "approve", "1")
    assert (ran.code, ran.out) == (1, "")
    assert "INFOMAIL_SENDER_CITY" in ran.err
    assert state(folder) is IssueState.DRAFT


@pytest.mark.usefixtures("issue")
def test_what_only_warns_is_told_when_it_is_released(infomail: Infomail, folder: Path) -> None:
    put(folder, url="http://www.example.org/1", deadline=datetime(2020, 1, 1, tzinfo=UTC).date())
    ran = infomail("issues", "approve", "1")
    assert (ran.code, ran.out) == (0, "issue 1 is approved\n")
    warned = [line for line in ran.err.splitlines() if line.startswith("look at it: ")]
    assert len(warned) == 2
    assert state(folder) is IssueState.APPROVED


def test_an_issue_that_is_not_there_is_refused(infomail: Infomail) -> None:
    for verb in ("preflight", "approve"):
        ran = infomail("issues", verb, "7")
        assert ran.err == "infomail: there is no issue 7: see `infomail issues list`\n"
