"""`infomail municipalities` and `infomail lists`."""

import json
from pathlib import Path

import pytest

from tests.mailer.cli.conftest import Infomail


def test_the_register_is_listed_as_json_and_as_lines(infomail: Infomail) -> None:
    bodies = json.loads(infomail("municipalities", "list", "--json").out)
    assert len(bodies) == 427
    bielefeld = next(body for body in bodies if body["ags"] == "05711000")
    assert (bielefeld["name"], bielefeld["kind"], bielefeld["region"]) == (
        "Bielefeld", "kreisfreie Stadt", "Detmold",
    )  # fmt: skip
    lines = infomail("municipalities", "list").out.splitlines()
    assert lines[0].split("\t")[:3] == ["05111000", "Düsseldorf", "kreisfreie Stadt"]
    assert len(lines) == 427


def test_members_are_shown_with_what_is_inferred_about_them(infomail: Infomail) -> None:
    members = {
        body["ags"]: body
        for body in json.loads(infomail("municipalities", "list", "--members", "--json").out)
    }
    assert len(members) == 34
    assert members["05122000"]["since"] == "2012-12-05"
    assert "inferred" in members["05122000"]["note"]
    assert members["05954008"]["since"] is None
    lines = infomail("municipalities", "list", "--members").out.splitlines()
    assert any("Solingen" in line and "inferred" in line for line in lines)


def test_another_register_is_imported_and_renames_without_deleting(infomail: Infomail, folder: Path) -> None:
    (folder / "own.csv").write_text(
        "ags,name,kind,district,region\n08111000,Musterstadt,Stadtkreis,,Musterbezirk\n05111000,Neustadt,Stadt,,X\n"
        "05112000,Duisburg,kreisfreie Stadt,,Düsseldorf\n"
    )
    ran = infomail("municipalities", "import", "own.csv")
    assert (ran.code, ran.out) == (0, "1 added, 1 changed, 1 as before\n")
    bodies = {
        body["ags"]: body["name"] for body in json.loads(infomail("municipalities", "list", "--json").out)
    }
    assert len(bodies) == 428
    assert (bodies["05111000"], bodies["08111000"]) == ("Neustadt", "Musterstadt")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "No such file"),
        ("ags;name\n", "expected the columns"),
        ("ags,name,kind,district,region\nx y,X,,,\n", ":2:"),
    ],
)
def test_what_is_no_register_is_refused_in_one_line(
    infomail: Infomail, folder: Path, content: str | None, problem: str
) -> None:
    if content is not None:
        (folder / "own.csv").write_text(content)
    ran = infomail("municipalities", "import", "own.csv")
    assert (ran.code, ran.out) == (1, "")
    assert problem in ran.err
    assert ran.err.count("\n") == 1


def test_a_list_is_added_and_listed_with_its_people(infomail: Infomail, folder: Path) -> None:
    ran = infomail(
        "lists", "add", "bielefeld", "--title", " Bielefeld engagiert ", "--municipality", "05711000",
        "--follows", "infomail", "--invitation", "--reply-to", "Ehrenamt@example.org",
    )  # fmt: skip
    assert ran.code == 0
    (folder / "people.csv").write_text("email,ags\na@example.org,05711000\nb@example.org,05711000\n")
    infomail("subscribers", "import", "people.csv", "--list", "netzwerk", "--basis", "public-task")
    lists = {row["key"]: row for row in json.loads(infomail("lists", "list", "--json").out)}
    assert lists["bielefeld"] == {
        "key": "bielefeld", "title": "Bielefeld engagiert", "municipality": "05711000",
        "visibility": "invitation", "follows": "infomail", "language": "de",
        "reply_to": "ehrenamt@example.org", "controller": "", "imprint": "", "privacy_url": "",
        "privacy_version": "", "active": 0,
        "sender_name": "", "following": "as-is", "coordinator": "", "foreword_hours": 48,
        "without_foreword": "send", "in_doubt": "resend",
    }  # fmt: skip
    assert lists["netzwerk"]["active"] == 2


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["netzwerk", "--title", "T"], "already"),
        (["Bielefeld", "--title", "T"], "expected a key"),
        (["a--b", "--title", "T"], "expected a key"),
        (["a", "--title", "T", "--municipality", "5711000"], "not in the register"),
        (["a", "--title", "T\r\nBcc: x@example.org"], "title of one line"),
        (["a", "--title", " "], "title of one line"),
        (["a", "--title", "T", "--reply-to", "nowhere"], "--reply-to"),
        (["a", "--title", "T", "--follows", "infomial"], "no newsletter 'infomial'"),
    ],
)
def test_a_list_that_cannot_be_is_refused_in_one_line(
    infomail: Infomail, arguments: list[str], problem: str
) -> None:
    before = infomail("lists", "list", "--json").out
    ran = infomail("lists", "add", *arguments)
    assert (ran.code, ran.out) == (1, "")
    assert problem in ran.err
    assert ran.err.count("\n") == 1
    assert infomail("lists", "list", "--json").out == before


def test_a_list_without_a_title_is_wrong_usage(infomail: Infomail) -> None:
    assert infomail("lists", "add", "a").code == 2
