"""`infomail subscribers show · rectify · erase` and `infomail privacy`: what the law asks of the operator."""

import contextlib
import json
import mailbox
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from mailer.cli.surroundings import read_settings
from mailer.database import Database
from subscribers.chain import Chain
from subscribers.evidence import of_person
from subscribers.model import Subscriber, Suppression, SuppressionReason
from tests.mailer.cli.conftest import Infomail

PEOPLE = """\
email,form,title,given,family,role,ags,language
b@straße.example.org,herr,,Bert,Muster,head,05711000,de
anna@example.org,frau,Dr.,Anna,Muster,head,05111000,en
"""


@pytest.fixture
def people(folder: Path, infomail: Infomail) -> None:
    (folder / "people.csv").write_text(PEOPLE, encoding="utf-8")
    ran = infomail("subscribers", "import", "people.csv", "--list", "netzwerk", "--basis", "public-task")
    assert ran.code == 0, ran.err


def _audit(address: str) -> list[tuple[str, str, object]]:
    """Actor, action and content of the audit records about a person, by her present address."""
    database = Database(read_settings().database_url.get_secret_value())
    with contextlib.closing(database), database.read() as session:
        handle = session.scalars(select(Subscriber.handle).where(Subscriber.address == address)).one()
        return [(row.actor, row.action, row.content) for row in of_person(session, handle, Chain.AUDIT)]


def test_show_is_the_whole_answer_and_goes_on_record(infomail: Infomail, people: None) -> None:
    found = json.loads(infomail("subscribers", "show", "B@Straße.example.org", "--as", "Ina").out)
    assert found["address"] == "b@xn--strae-oqa.example.org"
    assert (found["given"], found["form"], found["suppressed"]) == ("Bert", "herr", [])
    assert datetime.fromisoformat(found["created_at"]).utcoffset() == datetime.now(UTC).utcoffset()
    assert [(row["ags"], row["role"], row["to"]) for row in found["offices"]] == [("05711000", "head", None)]
    assert [(row["list"], row["state"], row["basis"]) for row in found["subscriptions"]] == [
        ("netzwerk", "active", "public-task")
    ]
    assert found["about"]["legal_bases"][0].startswith("Wahrnehmung einer Aufgabe")
    assert _audit("b@xn--strae-oqa.example.org") == [("cli:Ina", "subscriber.exported", {"as": "json"})]


def test_show_writes_a_page_in_the_language_of_the_person(
    infomail: Infomail, people: None, folder: Path
) -> None:
    assert infomail("subscribers", "show", "anna@example.org", "--html", "anna.html").out == "anna.html\n"
    page = (folder / "anna.html").read_text(encoding="utf-8")
    assert '<html lang="en">' in page
    assert "<h1>Your data</h1>" in page
    assert ".held__entry" in page
    assert "<link" not in page
    assert "url(" not in page


def test_rectify_changes_what_is_named_and_records_the_names_only(infomail: Infomail, people: None) -> None:
    ran = infomail(
        "subscribers", "rectify", "anna@example.org", "--family", "Neu", "--title", "", "--given", "Anna"
    )
    assert (ran.code, ran.out) == (0, "changed family, title\n")
    found = json.loads(infomail("subscribers", "show", "anna@example.org").out)
    assert (found["title"], found["given"], found["family"]) == ("", "Anna", "Neu")
    assert _audit("anna@example.org")[0][1:] == ("subscriber.rectified", {"fields": ["family", "title"]})


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--form", "fräulein"], 1, "form: expected frau, herr, neutral"),
        (["--language", "fr"], 1, "language: expected de, en"),
        (["--format", "pdf"], 1, "format: expected both, text"),
        (["--given", "x" * 101], 1, "longer than 100"),
        (["--given", "a\nBcc: b"], 1, "control character"),
        (["--address", "new@example.org"], 1, "signs up with the new one and confirms it"),
        ([], 2, "at least one field"),
    ],
)
def test_rectify_refuses_what_cannot_be(
    infomail: Infomail, people: None, options: list[str], code: int, said: str
) -> None:
    ran = infomail("subscribers", "rectify", "anna@example.org", *options)
    assert ran.code == code
    assert said in " ".join(ran.err.replace("│", " ").split())
    assert _audit("anna@example.org") == []


def test_erase_leaves_the_hash_and_bars_imports(infomail: Infomail, people: None, folder: Path) -> None:
    ran = infomail("subscribers", "erase", "B@STRASSE.example.org")
    assert ran.code == 1  # ß is not ss: another domain (IDNA 2008)
    ran = infomail("subscribers", "erase", "B@XN--STRAE-OQA.Example.org")
    assert ran.code == 0
    assert ran.out.startswith("erased: ")
    assert "1 people" in ran.out
    # no erasure may change what an operator keeps, but it says so
    assert "people.csv names the address" in ran.out
    (folder / "people.csv").unlink()
    spelled = [b"b@xn--strae-oqa", "b@straße".encode(), b"b@stra"]
    holding = [
        path.name
        for path in folder.rglob("*")
        if path.is_file() and any(each in path.read_bytes() for each in spelled)
    ]
    assert holding == []
    ran = infomail("subscribers", "show", "b@straße.example.org")
    assert ran.code == 1
    assert "it is barred from mail: erased" in ran.err
    (folder / "people.csv").write_text(PEOPLE, encoding="utf-8")
    ran = infomail("subscribers", "import", "people.csv", "--list", "netzwerk", "--basis", "public-task")
    assert "suppressed" in ran.out
    database = Database(read_settings().database_url.get_secret_value())
    with contextlib.closing(database), database.read() as session:
        assert session.scalars(select(Suppression.reason)).all() == [SuppressionReason.ERASED]


def test_erase_empties_the_local_inbox_of_her_mails(
    infomail: Infomail, people: None, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INFOMAIL_INBOX_LISTEN", "127.0.0.1:1")
    box = mailbox.Maildir(folder / "inbox")
    for name in ("anna", "other"):
        box.add(f"Return-Path: <x>\r\nDelivered-To: {name}@Example.org\r\nSubject: x\r\n\r\nHallo".encode())
    assert "1 mails of the local inbox" in infomail("subscribers", "erase", "anna@example.org", "--yes").out
    (left,) = (folder / "inbox" / "new").iterdir()
    assert b"other@" in left.read_bytes()


@pytest.mark.parametrize("verb", ["show", "erase", "rectify"])
@pytest.mark.parametrize("address", ["nobody@example.org", "no address"])
def test_who_is_not_there_is_one_line_on_stderr(
    infomail: Infomail, folder: Path, verb: str, address: str
) -> None:
    options = {"show": [], "erase": ["--yes"], "rectify": ["--given", "X"]}[verb]
    ran = infomail("subscribers", verb, address, *options)
    assert ran.code == 1
    assert ran.err.count("\n") == 1
    assert ran.out == ""


def test_retain_prints_a_count_for_each_class(infomail: Infomail, people: None) -> None:
    dry = json.loads(infomail("privacy", "retain", "--dry-run", "--json").out)
    assert set(dry.values()) == {0}
    lines = infomail("privacy", "retain").out.splitlines()
    assert [line.split("\t")[0] for line in lines] == list(dry)


def test_the_record_of_activities_says_what_is_set_up_and_names_what_is_missing(
    infomail: Infomail, people: None, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "INFOMAIL_SMTP_URLS", "smtp://mailer:geheim@relay.example.org:587,smtps://zwei.example.org"
    )
    monkeypatch.setenv("INFOMAIL_SENDER_NAME", "Amt für <Beispiele>")
    monkeypatch.setenv("INFOMAIL_RETENTION_DELIVERIES", "123")
    text = infomail("privacy", "record").out
    for said in (
        "relay.example.org:587 (STARTTLS verlangt, Zertifikat geprüft, mit Anmeldung)",
        "zwei.example.org:465 (TLS von Anfang an, Zertifikat geprüft)",
        "Amt für <Beispiele>",
        "public-task: Wahrnehmung",
        "Verwaltungsspitzen",
        "(pseudonymisiert): 123 Tage",
        "Datenbank: SQLite",
        "**ohne HTTPS**",
        "Datenschutzbeauftragte: **Vom Verantwortlichen zu ergänzen**",
        "public-task 2",
    ):
        assert said in text
    assert "geheim" not in text
    assert "consent:" not in text
    assert infomail("privacy", "record", "--html", "vvt.html").out == "vvt.html\n"
    page = (folder / "vvt.html").read_text(encoding="utf-8")
    assert "Amt für &lt;Beispiele&gt;" in page
    assert "<strong>ohne HTTPS</strong>" in page
    assert page.count("<h2>") == 10
    assert "\n- " not in page
