"""`infomail offices`, `tasks`, `lists edit`, `municipalities step · show · coverage`."""

import json
import sqlite3
from pathlib import Path

import pytest

from tests.mailer.cli.conftest import Infomail

BIELEFELD = "05711000"


@pytest.fixture
def officer(infomail: Infomail, folder: Path) -> str:
    (folder / "people.csv").write_text(f"email,ags,role\na@example.org,{BIELEFELD},contact\n")
    infomail("subscribers", "import", "people.csv", "--list", "netzwerk", "--basis", "public-task")
    return "a@example.org"


def offices(infomail: Infomail, *arguments: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(infomail("offices", "list", "--json", *arguments).out)
    return found


def test_an_office_is_given_listed_and_ended(infomail: Infomail, officer: str) -> None:
    ran = infomail(
        "offices", "add", "A@Example.org", "--municipality", BIELEFELD, "--role", "head", "--from", "2030-01-01",
    )  # fmt: skip
    assert ran.code == 0
    number = ran.out.strip()
    assert [(row["role"], row["from"], row["to"]) for row in offices(infomail)][1] == (
        "head",
        "2030-01-01",
        None,
    )
    assert infomail("offices", "end", number, "--on", "2030-06-30").code == 0
    assert next(row for row in offices(infomail) if row["id"] == int(number))["to"] == "2030-06-30"
    assert offices(infomail, "--municipality", "05111000") == []
    line = infomail("offices", "list", "--municipality", BIELEFELD).out.splitlines()[0].split("\t")
    assert line[1:4] == [BIELEFELD, "contact", officer]


@pytest.mark.parametrize(
    ("arguments", "code", "problem"),
    [
        (["add", "b@example.org", "--municipality", BIELEFELD, "--role", "head"], 1, "nobody here"),
        (["add", "nobody", "--municipality", BIELEFELD, "--role", "head"], 1, "nobody: "),
        (["add", "a@example.org", "--municipality", "5711", "--role", "head"], 1, "not in the register"),
        (["add", "a@example.org", "--municipality", BIELEFELD, "--role", "mayor"], 2, "mayor"),
        (["add", "a@example.org", "--municipality", BIELEFELD, "--role", "head", "--from", "heute"], 2, "heute"),
        (["end", "99", "--on", "2030-01-01"], 1, "no office 99"),
        (["end", "1", "--on", "2001-01-01"], 1, "it begins on"),
        (["end", "1"], 2, "--on"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(
    infomail: Infomail, officer: str, arguments: list[str], code: int, problem: str
) -> None:
    before = offices(infomail)
    ran = infomail("offices", *arguments)
    assert (ran.code, ran.out) == (code, "")
    assert problem in ran.err
    assert offices(infomail) == before


def test_a_task_is_listed_until_it_is_done(infomail: Infomail, officer: str, folder: Path) -> None:
    with sqlite3.connect(folder / "infomail.sqlite") as database:
        database.execute(
            "INSERT INTO tasks (kind, municipality, subscriber_id, created_at, done_by) "
            f"VALUES ('successor', '{BIELEFELD}', 1, '2026-11-23 08:00:00', '')"
        )
    database.close()
    (task,) = json.loads(infomail("tasks", "list", "--json").out)
    assert (task["kind"], task["municipality"], task["address"]) == ("successor", "Bielefeld", officer)
    assert infomail("tasks", "list", "--municipality", "05111000").out == ""
    assert infomail("tasks", "done", str(task["id"]), "--as", "Erika").code == 0
    assert infomail("tasks", "done", str(task["id"]), "--as", "Otto").code == 0
    assert infomail("tasks", "list").out == ""
    (done,) = json.loads(infomail("tasks", "list", "--all", "--json").out)
    assert done["done_by"] == "cli:Erika"
    ran = infomail("tasks", "done", "99")
    assert (ran.code, ran.err.count("\n")) == (1, 1)


def test_coverage_names_the_members_that_nobody_is_reached_in(infomail: Infomail, folder: Path) -> None:
    members = {
        row["ags"] for row in json.loads(infomail("municipalities", "list", "--members", "--json").out)
    }
    (folder / "people.csv").write_text(f"email,ags,role\na@example.org,{min(members)},contact\n")
    infomail("subscribers", "import", "people.csv", "--list", "netzwerk", "--basis", "public-task")
    ran = infomail("municipalities", "coverage", "--json")
    rows = json.loads(ran.out)
    assert ran.code == 0
    assert {row["ags"] for row in rows} == members - {min(members)}
    assert {(row["standing"], row["reason"]) for row in rows} == {("uncovered", "never")}
    everybody = json.loads(infomail("municipalities", "coverage", "--all", "--json").out)
    assert {row["ags"] for row in everybody} == members
    assert everybody[-1]["standing"] == "covered"
    assert len(infomail("municipalities", "coverage").out.splitlines()) == len(rows)


def test_a_step_is_put_on_record_and_an_unusual_one_is_only_remarked(infomail: Infomail) -> None:
    said = ("municipalities", "step", "05111000", "declared", "--since", "2026-03-01", "--round", "9")
    ran = infomail(*said, "--reference", "https://example.org/erklaerung")
    assert (ran.code, ran.out, ran.err) == (0, "added\n", "")
    assert infomail(*said).out == "unchanged\n"
    ran = infomail("municipalities", "step", "05111000", "dormant", "--since", "2026-05-01")
    assert (ran.code, ran.out) == (0, "added\n")
    assert "dormant does not usually follow declared" in ran.err
    shown = json.loads(infomail("municipalities", "show", "05111000").out)
    assert [(step["state"], step["since"], step["round"]) for step in shown["membership"]] == [
        ("declared", "2026-03-01", "9"), ("dormant", "2026-05-01", ""),
    ]  # fmt: skip
    assert (shown["offices"], shown["coverage"]) == ({}, None)
    infomail("municipalities", "step", "05111000", "member", "--since", "2026-06-01")
    shown = json.loads(infomail("municipalities", "show", "05111000").out)
    assert shown["coverage"]["reason"] == "never"
    assert shown["coverage"]["since"] == "2026-06-01"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["step", "nirgends", "member", "--since", "2026-01-01"], 1),
        (["step", "05111000", "member", "--since", "2026-01-01", "--note", "a\nb"], 1),
        (["step", "05111000", "honorary", "--since", "2026-01-01"], 2),
        (["step", "05111000", "member", "--since", "1.1.2026"], 2),
        (["step", "05111000", "member"], 2),
        (["show", "nirgends"], 1),
    ],
)
def test_a_step_that_cannot_be_is_refused(infomail: Infomail, arguments: list[str], code: int) -> None:
    ran = infomail("municipalities", *arguments)
    assert (ran.code, ran.out) == (code, "")
    assert ran.err


def test_a_list_is_edited_and_keeps_what_is_not_named(infomail: Infomail) -> None:
    ran = infomail(
        "lists", "add", "ort", "--title", "Ort", "--municipality", BIELEFELD, "--controller", "Stadt",
        "--imprint", "Stadt", "--privacy-url", "https://example.org/d", "--privacy-version", "1", "--language", "en",
    )  # fmt: skip
    assert ran.code == 0
    ran = infomail("lists", "edit", "ort", "--title", "Neu", "--invitation", "--follows", "infomail")
    assert (ran.code, ran.out) == (0, "changed: title, visibility, follows\n")
    row = next(row for row in json.loads(infomail("lists", "list", "--json").out) if row["key"] == "ort")
    assert row == {
        "key": "ort", "title": "Neu", "municipality": BIELEFELD, "visibility": "invitation",
        "follows": "infomail", "language": "en", "reply_to": "", "controller": "Stadt", "imprint": "Stadt",
        "privacy_url": "https://example.org/d", "privacy_version": "1", "active": 0,
        "sender_name": "", "following": "as-is", "coordinator": "", "foreword_hours": 48,
        "without_foreword": "send",
        "in_doubt": "resend",
    }  # fmt: skip
    assert (
        infomail("lists", "edit", "ort", "--public", "--follows", "").out == "changed: visibility, follows\n"
    )
    assert infomail("lists", "edit", "ort").out == "as before\n"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["nirgends", "--title", "T"], "no list"),
        (["netzwerk", "--follows", "nirgends"], "no newsletter"),
        (["netzwerk", "--language", "fr"], "language"),
        (["netzwerk", "--title", ""], "title"),
    ],
)
def test_an_edit_that_cannot_be_is_refused_in_one_line(
    infomail: Infomail, arguments: list[str], problem: str
) -> None:
    before = infomail("lists", "list", "--json").out
    ran = infomail("lists", "edit", *arguments)
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert problem in ran.err
    assert infomail("lists", "list", "--json").out == before
