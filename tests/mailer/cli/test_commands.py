"""The commands as an operator meets them: what they print, and how they end."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from mailer.cli import Refused, app

FEED = (
    '<?xml version="1.0"?><rss version="2.0"><channel><title>Neues</title><item><guid>urn:1</guid>'
    "<title>Titel</title><link>https://www.example.org/1</link>"
    "<pubDate>Di, 05 Mär 2024 10:00:00 MEZ</pubDate></item></channel></rss>"
)
BOUNCE = (
    'Subject: Undelivered\nContent-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n'
    "--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.org\n\n"
    "Final-Recipient: rfc822; a@example.org\nAction: failed\nStatus: 5.1.1\n\n--b--\n"
)


def call(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments), catch_exceptions=False)


def said(*arguments: str) -> str:
    result = call(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def told(*arguments: str) -> Any:
    return json.loads(said(*arguments, "--json"))


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ready")
    said("init", str(folder))
    return folder


@pytest.fixture
def folder(ready: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as `init` makes it, with nothing in it but what it made."""
    for path in (".env", "schedule.toml", "infomail.sqlite"):
        (tmp_path / path).write_bytes((ready / path).read_bytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_init_makes_a_folder_whose_secrets_are_its_owners_and_keeps_what_is_there(tmp_path: Path) -> None:
    said("init", str(tmp_path))
    env = tmp_path / ".env"
    before = env.read_text()
    assert env.stat().st_mode & 0o077 == 0
    said("init", str(tmp_path))
    assert env.read_text() == before


def test_what_is_written_is_its_owners_whatever_the_umask(tmp_path: Path) -> None:
    made = tmp_path / "made"
    for arguments, where in ((["init", str(made)], tmp_path), (["worker", "--drain"], made)):
        subprocess.run(
            [sys.executable, "-m", "mailer", *arguments], cwd=where, umask=0, check=True, capture_output=True
        )
    assert {path.name for path in made.iterdir()} >= {"infomail.sqlite", "schedule.toml", "spool"}
    assert [path for path in (made, *made.rglob("*")) if path.stat().st_mode & 0o077] == []


def test_check_names_what_is_wrong_with_its_line(folder: Path) -> None:
    with pytest.raises(Refused, match="INFOMAIL_SENDER_NAME: empty"):
        call("check")
    plan = folder / "schedule.toml"
    plan.write_text(plan.read_text().replace('send = "mon 07:30"', 'send = "monday at noon"'))
    with pytest.raises(Refused, match=r"schedule\.toml:\d+: newsletter\.termine\.send: expected"):
        call("check")


def test_config_shows_where_a_value_came_from_and_no_secret(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INFOMAIL_HELLO_NAME", "mail.example.org")
    rows = {row["name"]: (row["value"], row["from"]) for row in told("config")}
    assert rows["INFOMAIL_HELLO_NAME"] == ("mail.example.org", "environment")
    assert rows["INFOMAIL_SECRET_KEYS"] == ("***", ".env")
    assert rows["INFOMAIL_SPOOL"][1] == "default"
    assert rows["INFOMAIL_DATABASE_URL"][0] == "sqlite:///infomail.sqlite"


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("DATABASE_URL", "postgresql+psycopg://u:geheim@h:5432/n", "postgresql+psycopg://u:***@h:5432/n"),
        ("DATABASE_URL", "postgresql+psycopg://u:ge/he@im@h/n", "postgresql+psycopg://u:***@h/n"),
        (
            "DATABASE_URL", "postgresql+psycopg://h/n?user=u&password=geheim&x=1",
            "postgresql+psycopg://h/n?user=u&password=***&x=1",
        ),
        (
            "SMTP_URLS", "smtp://me@example.org:geheim@a:587?starttls=required,smtps://u:ge,heim@b,smtp://c:25",
            "smtp://me@example.org:***@a:587?starttls=required,smtps://u:***@b,smtp://c:25",
        ),
        ("SMTP_URLS", "u:geheim@a", "***"),
        ("HTTP_PROXY", "http://u:geheim@proxy:3128", "http://u:***@proxy:3128"),
        ("PUBLIC_URL", "https://infomail.example.org", "https://infomail.example.org"),
    ],
)  # fmt: skip
def test_of_an_address_only_the_password_is_masked(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, shown: str
) -> None:
    monkeypatch.setenv(f"INFOMAIL_{name}", value)
    assert {row["name"]: row["value"] for row in told("config")}[f"INFOMAIL_{name}"] == shown


def test_lists_are_added_once_and_shown(folder: Path) -> None:
    said("lists", "add", "stadt", "--title", "Stadt", "--municipality", "05111000", "--follows", "infomail")
    rows = {row["key"]: row for row in told("lists", "list")}
    assert rows["stadt"]["municipality"] == "05111000"
    assert rows["netzwerk"]["municipality"] == ""
    with pytest.raises(Refused, match="there is no newsletter 'infomial' in the schedule: infomail, termine"):
        call("lists", "add", "vereine", "--title", "T", "--follows", "infomial")
    for key, municipality, problem in (
        ("stadt", "05111000", "already"), ("Stadt!", "05111000", "expected a key"), ("neu", "1", "register"),
    ):  # fmt: skip
        with pytest.raises(Refused, match=problem):
            call("lists", "add", key, "--title", "T", "--municipality", municipality)


def test_the_register_is_listed_with_its_427_bodies(folder: Path) -> None:
    bodies = told("municipalities", "list")
    assert len(bodies) == 427
    assert {"ags", "name", "kind", "district", "region", "membership"} == set(bodies[0])
    assert all(body["membership"] == "member" for body in told("municipalities", "list", "--members"))


def test_people_go_in_and_come_out_as_they_were(folder: Path) -> None:
    people = [
        ["email", "form", "title", "given", "family", "role", "ags", "language"],
        ["a@example.org", "frau", "Dr.", "=1+1", "Muster", "contact", "05111000", "de"],
        ["b@example.org", "neutral", "", "", "", "mailbox", "05711000", "en"],
    ]
    text = "\n".join(",".join(row) for row in people)
    (folder / "people.csv").write_text(text + "\nbad,,,,,,,\n")
    report = told("subscribers", "import", "people.csv", "--list", "netzwerk", "--basis", "public-task")
    assert report["outcomes"] == {"added": 2, "refused": 1}
    assert [row["line"] for row in report["rows"]] == [2, 3, 4]
    exported = said("subscribers", "export", "--list", "netzwerk")
    assert "'=1+1" in exported
    (folder / "again.csv").write_text(exported)
    again = told("subscribers", "import", "again.csv", "--list", "netzwerk", "--basis", "public-task")
    assert again["outcomes"] == {"known": 2}
    rows = list(csv.reader(io.StringIO(exported)))
    assert [[cell.removeprefix("'") for cell in row] for row in rows] == people
    shown = json.loads(said("subscribers", "show", "A@example.org"))
    assert shown["subscriptions"][0]["state"] == "active"
    with pytest.raises(Refused, match="1 rows refused"):
        call(
            "subscribers", "import", "people.csv", "--list", "netzwerk", "--basis", "public-task", "--strict"
        )


@pytest.mark.usefixtures("items")
def test_an_issue_goes_through_its_workflow_by_hand(folder: Path) -> None:
    issue = said("issues", "compose", "infomail").strip()
    assert said("issues", "compose", "infomail", "--slot", "2026-12-01T09:00").strip() != issue
    assert said("issues", "compose", "infomail", "--slot", "2026-12-01T09:00") == said(
        "issues", "compose", "infomail", "--slot", "2026-12-01T08:00:00+00:00"
    )
    assert told("issues", "show", issue)["state"] == "draft"
    html, text = said("issues", "preview", issue, "--to", "preview").split()
    assert Path(html).read_text(encoding="utf-8").startswith("<!doctype html>")
    assert "Impressum" in Path(text).read_text(encoding="utf-8")
    with pytest.raises(Refused, match="the imprint is not complete"):
        call("issues", "send", issue)
    env = folder / ".env"
    for name in ("NAME", "STREET", "CITY", "EMAIL", "RESPONSIBLE"):
        env.write_text(
            env.read_text().replace(f"INFOMAIL_SENDER_{name}=\n", f"INFOMAIL_SENDER_{name}=x@example.org\n")
        )
    with pytest.raises(Refused, match="cannot start an issue that is draft"):
        call("issues", "send", issue)
    said("issues", "approve", issue, "--as", "erika")
    assert told("issues", "show", issue)["approved_by"] == "cli:erika"
    assert said("issues", "send", issue).strip() == "0"
    said("issues", "pause", issue)
    said("issues", "resume", issue)
    said("issues", "pause", issue)
    said("issues", "cancel", issue)
    with pytest.raises(Refused, match="cannot approve an issue that is cancelled"):
        call("issues", "approve", issue)
    with pytest.raises(Refused, match="there is no issue 99"):
        call("issues", "approve", "99")


def test_the_schedule_tells_the_coming_slots(folder: Path) -> None:
    slots = told("schedule", "next", "--count", "3", "--from", "2026-12-20")["slots"]
    assert [set(slot) for slot in slots] == [{"newsletter", "at", "planned", "reason"}] * 3
    assert slots[0] == {
        "newsletter": "termine", "at": "2026-12-21T07:30:00+01:00", "planned": "2026-12-21T07:30:00+01:00",
        "reason": "",
    }  # fmt: skip


def test_a_feed_is_read_from_a_file(folder: Path) -> None:
    (folder / "feed.xml").write_text(FEED)
    feed = told("feeds", "read", "feed.xml")
    assert set(feed) == {"format", "title", "items", "problems"}
    assert set(feed["items"][0]) == {
        "identity", "title", "url", "published", "updated", "summary", "starts", "ends", "location",
    }  # fmt: skip
    assert feed["items"][0]["published"] == "2024-03-05T09:00:00+00:00"
    (folder / "page.html").write_text("<!doctype html><html><body>Hallo</body></html>")
    with pytest.raises(Refused, match=r"page\.html: not a feed"):
        call("feeds", "read", "page.html")


def test_reports_are_read_from_files_a_line_each(folder: Path) -> None:
    for n in range(2):
        (folder / f"{n}.eml").write_text(BOUNCE)
    lines = said("receipts", "read", "0.eml", "1.eml", "--json").splitlines()
    assert [json.loads(line)["file"] for line in lines] == ["0.eml", "1.eml"]
    report = json.loads(lines[0])
    assert report["kind"] == "hard"
    assert set(report["recipients"][0]) == {"address", "kind", "status", "action", "reason"}


def test_what_is_refused_is_one_line_on_stderr_and_exit_code_1(folder: Path) -> None:
    for arguments, code in (
        (["issues", "approve", "99"], 1),
        (["issues", "nonsense"], 2),
        (["lists", "list"], 0),
    ):
        answer = subprocess.run(
            [sys.executable, "-m", "mailer", *arguments], capture_output=True, text=True, cwd=folder,
            env=os.environ, check=False,
        )  # fmt: skip
        assert answer.returncode == code
        if code == 1:
            assert answer.stderr == "infomail: there is no issue 99: see `infomail issues list`\n"
            assert answer.stdout == ""


def test_a_broken_template_of_ones_own_is_named(folder: Path) -> None:
    own = folder / "templates" / "mail" / "issue"
    own.mkdir(parents=True)
    (own / "body.txt").write_text("{{ issue.nonsense }}")
    issue = said("issues", "compose", "infomail").strip()
    with pytest.raises(Refused, match=r"its template: .*nonsense"):
        call("issues", "preview", issue)


def test_an_empty_database_is_refused_with_what_to_do_and_upgraded_by_it(
    tmp_path: Path, folder: Path
) -> None:
    (folder / "infomail.sqlite").unlink()
    with pytest.raises(Refused, match="infomail db upgrade"):
        call("lists", "list")
    said("db", "upgrade")
    assert told("lists", "list") == []


def test_every_command_says_what_it_does() -> None:
    for name in (
        "demo",
        "db",
        "feeds",
        "issues",
        "subscribers",
        "lists",
        "municipalities",
        "schedule",
        "receipts",
    ):
        assert "Usage: " in said(name, "--help")
