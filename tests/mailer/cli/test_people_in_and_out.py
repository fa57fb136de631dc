"""`infomail subscribers`: import, export, show."""

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mailer.cli.surroundings import read_settings
from mailer.database import Database
from mailer.installation import suppression_key
from subscribers.addresses import address_hash
from subscribers.importing import COLUMNS
from subscribers.model import SuppressionReason
from subscribers.subscribing import suppress
from tests.mailer.cli.conftest import Infomail

_ROOT = Path(__file__).parents[3]

PEOPLE = """\
email;form;title;given;family;role;ags;language
Anna@Example.org;frau;Dr.;Anna;Muster;head;05711000;de
"b@straße.example.org";herr;;Bert;"Muster; der Jüngere";;05111000;en
nobody;;;;;;05711000;
"""


@pytest.fixture
def officers(folder: Path) -> Path:
    path = folder / "officers.csv"
    path.write_text(PEOPLE, encoding="utf-8")
    return path


def _import(infomail: Infomail, file: str, *more: str, basis: str = "public-task") -> tuple[int, str, str]:
    ran = infomail("subscribers", "import", file, "--list", "netzwerk", "--basis", basis, *more)
    return ran.code, ran.out, ran.err


def _export(infomail: Infomail) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(infomail("subscribers", "export", "--list", "netzwerk").out)))


def test_good_rows_go_in_and_the_report_has_a_line_for_each(infomail: Infomail, officers: Path) -> None:
    code, out, err = _import(infomail, "officers.csv")
    lines = [line.split("\t")[:3] for line in out.splitlines()]
    assert lines == [
        ["2", "anna@example.org", "added"],
        ["3", "b@xn--strae-oqa.example.org", "added"],
        ["4", "nobody", "refused"],
        ["officers.csv (utf-8): 2 added, 1 refused"],
    ]
    assert (code, err) == (0, "")


def test_the_report_as_json_is_one_object(infomail: Infomail, officers: Path) -> None:
    code, out, _ = _import(infomail, "officers.csv", "--json")
    report = json.loads(out)
    assert code == 0
    assert report["charset"] == "utf-8"
    assert report["outcomes"] == {"added": 2, "refused": 1}
    assert report["rows"][0] == {"line": 2, "email": "anna@example.org", "outcome": "added", "problem": ""}
    assert report["rows"][2]["problem"].startswith("email: ")


def test_a_file_without_rows_is_json_too(infomail: Infomail, folder: Path) -> None:
    (folder / "none.csv").write_text("email\n")
    code, out, _ = _import(infomail, "none.csv", "--json")
    assert (code, json.loads(out)) == (0, {"rows": [], "charset": "utf-8", "outcomes": {}})


def test_strict_refuses_the_whole_file_and_still_reports(infomail: Infomail, officers: Path) -> None:
    for more in ([], ["--dry-run"]):
        code, out, err = _import(infomail, "officers.csv", "--strict", "--json", *more)
        assert code == 1
        assert err == "infomail: officers.csv: 1 rows refused: nothing was imported\n"
        assert [row["outcome"] for row in json.loads(out)["rows"]] == ["added", "added", "refused"]
        assert _export(infomail) == []


def test_a_dry_run_writes_nothing(infomail: Infomail, officers: Path) -> None:
    assert _import(infomail, "officers.csv", "--dry-run")[0] == 0
    assert _export(infomail) == []


def test_imported_with_consent_nobody_is_active(infomail: Infomail, officers: Path) -> None:
    _, out, _ = _import(infomail, "officers.csv", basis="consent")
    assert "2 pending, 1 refused" in out
    assert _export(infomail) == []


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "No such file"),
        (b"", "the file is empty"),
        (b"\x7fELF\0\0\0", "no header"),
        (b"name\nAnna\n", "column email"),
        (b"email\ra@example.org\r", "new-line character"),
    ],
)
def test_a_file_that_is_none_is_refused_in_one_line(
    infomail: Infomail, folder: Path, content: bytes | None, problem: str
) -> None:
    if content is not None:
        (folder / "people.csv").write_bytes(content)
    code, out, err = _import(infomail, "people.csv", "--json")
    assert (code, out) == (1, "")
    assert problem in err
    assert err.count("\n") == 1


def test_what_is_read_twice_cannot_come_through_a_pipe(infomail: Infomail, folder: Path) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"email\na@example.org\n")
    os.close(writing)
    code, _, err = _import(infomail, f"/dev/fd/{reading}")
    os.close(reading)
    assert code == 1
    assert "None" not in err


def test_another_basis_is_wrong_usage(infomail: Infomail, officers: Path) -> None:
    assert _import(infomail, "officers.csv", basis="because")[0] == 2


def test_prior_consent_is_proved_and_released_by_a_second_person(
    infomail: Infomail, officers: Path, folder: Path
) -> None:
    (folder / "wortlaut.txt").write_text("Ja, gern.\n", encoding="utf-8")
    claim = ("--given-on", "2024-05-03", "--source", "Tagung", "--as", "berta")
    code, _, err = _import(infomail, "officers.csv", *claim, basis="prior-consent")
    assert (code, "in which words" in err) == (1, True)
    code, out, _ = _import(
        infomail, "officers.csv", *claim, "--wording", "wortlaut.txt", basis="prior-consent"
    )
    assert (code, out.splitlines()[-1]) == (0, "officers.csv (utf-8): 2 held, 1 refused")
    assert _export(infomail) == []
    own = infomail("imports", "release", "1", "--as", "berta")
    assert (own.code, "a second person must" in own.err) == (1, True)
    assert infomail("imports", "release", "1", "--as", "carla").out == "2 people released\n"
    (row,) = json.loads(infomail("imports", "list", "--json").out)
    assert (row["state"], row["by"], row["decided_by"], row["people"]) == (
        "released", "cli:berta", "cli:carla", 2,
    )  # fmt: skip
    assert len(_export(infomail)) == 2
    assert infomail("subscribers", "verify-consents").code == 0


def test_an_export_holds_no_formula_and_comes_back_as_it_was(
    infomail: Infomail, folder: Path, ready_folder: Path
) -> None:
    hostile = ["=1+1", "+49", "-x", "@SUM(A1)", "'quoted", "'=1"]
    with (folder / "people.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for n, text in enumerate(hostile):
            writer.writerow([f"p{n}@example.org", "", "", "given", f"x{text}", "head", "05711000", "de"])
    _import(infomail, "people.csv")
    database = Database("sqlite:///infomail.sqlite")
    with database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE subscribers SET family = substr(family, 2)")
    database.close()
    exported = infomail("subscribers", "export", "--list", "netzwerk").out
    rows = list(csv.DictReader(io.StringIO(exported)))
    assert [row["family"] for row in rows] == [f"'{text}" for text in hostile]
    assert {(row["form"], row["role"], row["ags"], row["language"]) for row in rows} == {
        ("neutral", "head", "05711000", "de")
    }

    shutil.copy(ready_folder / "infomail.sqlite", folder)  # as it was before anybody came
    (folder / "exported.csv").write_text(exported, newline="")
    assert "6 added" in _import(infomail, "exported.csv")[1]
    assert infomail("subscribers", "export", "--list", "netzwerk").out == exported
    shown = json.loads(infomail("subscribers", "show", "p5@example.org").out)
    assert shown["family"] == "'=1"


def test_an_export_of_no_list_is_refused(infomail: Infomail) -> None:
    ran = infomail("subscribers", "export", "--list", "nowhere")
    assert (ran.code, ran.out) == (1, "")


def test_show_tells_what_is_held_on_a_person(infomail: Infomail, officers: Path) -> None:
    _import(infomail, "officers.csv")
    database = Database("sqlite:///infomail.sqlite")
    with database.write() as session:
        hashed = address_hash(suppression_key(read_settings()), "anna@example.org")
        suppress(
            session, address_hash=hashed, reason=SuppressionReason.HARD, actor="test", now=datetime.now(UTC)
        )
    database.close()
    shown = json.loads(infomail("subscribers", "show", " ANNA@example.org").out)
    assert (shown["title"], shown["form"], shown["suppressed"]) == ("Dr.", "frau", ["hard"])
    assert [(office["ags"], office["role"]) for office in shown["offices"]] == [("05711000", "head")]
    assert [(row["list"], row["state"], row["basis"]) for row in shown["subscriptions"]] == [
        ("netzwerk", "active", "public-task")
    ]


@pytest.mark.parametrize("address", ["nobody@example.org", "nonsense"])
def test_show_refuses_who_is_not_here(infomail: Infomail, address: str) -> None:
    ran = infomail("subscribers", "show", address)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.count("\n") == 1


def test_whoever_stops_reading_the_report_does_not_stop_the_import(infomail: Infomail, folder: Path) -> None:
    rows = 6000  # several chunks, and more report than a pipe holds
    (folder / "many.csv").write_text(
        "email,ags\n" + "".join(f"p{n}@example.org,05711000\n" for n in range(rows))
    )
    command = [sys.executable, "-m", "mailer", "subscribers", "import", "many.csv", "--list", "netzwerk"]
    with subprocess.Popen(
        [*command, "--basis", "public-task"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(_ROOT)},
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0
    assert len(_export(infomail)) == rows


def test_an_export_is_on_record(infomail: Infomail, officers: Path) -> None:
    infomail("subscribers", "export", "--list", "netzwerk", "--as", "berta")
    (row,) = json.loads(infomail("audit", "list", "--json", "--action", "people.exported").out)
    assert (row["actor"], row["details"]) == ("cli:berta", {"list": "netzwerk"})
