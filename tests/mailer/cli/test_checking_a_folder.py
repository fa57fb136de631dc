"""`infomail check`, and what commands say of a database that is not of their time."""

import re
import sqlite3
from pathlib import Path

import pytest

from tests.mailer.cli.conftest import Infomail

#: what the shipped .env leaves to be filled in
IMPRINT = ("NAME", "STREET", "CITY", "EMAIL", "RESPONSIBLE")


def put(folder: Path, **settings: str) -> None:
    env = folder / ".env"
    text = env.read_text(encoding="utf-8")
    for name, value in settings.items():
        text, found = re.subn(rf"(?m)^#?INFOMAIL_{name}=.*$", f"INFOMAIL_{name}={value}", text)
        assert found == 1, name
    env.write_text(text, encoding="utf-8")


@pytest.fixture
def filled(folder: Path) -> Path:
    put(folder, **{f"SENDER_{name}": "x@example.org" for name in IMPRINT})
    return folder


def test_what_works_on_this_machine_only_is_noted_and_not_refused(infomail: Infomail, filled: Path) -> None:
    ran = infomail("check")
    assert (ran.code, ran.out) == (0, "plan, settings and templates are in order\n")
    assert [line.partition(": ")[2] for line in ran.err.splitlines()] == [
        "INFOMAIL_PUBLIC_URL: http://127.0.0.1:8025: only this machine can follow the mailed links",
        "INFOMAIL_SENDER_ADDRESS: infomail@localhost: what others send there does not arrive",
        "INFOMAIL_RETURN_PATH: bounce+{token}@localhost: what others send there does not arrive",
    ]


@pytest.mark.parametrize("url", ["http://localhost", "http://[::1]:8025", "http://pages.localhost:1"])
def test_every_name_of_this_machine_is_noted(infomail: Infomail, filled: Path, url: str) -> None:
    put(filled, PUBLIC_URL=url)
    assert f"note: INFOMAIL_PUBLIC_URL: {url}: only this machine" in infomail("check").err


def test_a_real_set_up_is_in_order_without_a_note(infomail: Infomail, filled: Path) -> None:
    put(
        filled, PUBLIC_URL="https://infomail.example.org", SENDER_ADDRESS="infomail@example.org",
        RETURN_PATH="bounce+{token}@example.org",
    )  # fmt: skip
    ran = infomail("check")
    assert (ran.code, ran.err) == (0, "")


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("https://a:geheim@example.org", "expected imaps://USER:PASSWORD@HOST/MAILBOX?read=FOLDER"),
        (
            "imaps://bounce%40example.org@example.org/INBOX",
            "without a password it needs INFOMAIL_IMAP_TOKEN_URL",
        ),
    ],
)
def test_a_mailbox_that_cannot_be_read_is_named_without_its_password(
    infomail: Infomail, filled: Path, url: str, complaint: str
) -> None:
    put(filled, IMAP_URL=url)
    ran = infomail("check")
    assert ran.code == 1
    assert f"INFOMAIL_IMAP_URL: {complaint}" in ran.err
    assert "geheim" not in ran.err


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("INFOMAIL_PUBLIC_URI", "nearest is INFOMAIL_PUBLIC_URL"),
        ("infomail_sender_adress", "nearest is INFOMAIL_SENDER_ADDRESS"),
        ("INFOMAIL_ZZZZ", "`infomail config` shows them all"),
    ],
)
def test_a_misspelt_setting_is_named_with_its_line_and_the_nearest(
    infomail: Infomail, filled: Path, name: str, advice: str
) -> None:
    env = filled / ".env"
    env.write_text(f"# mine\nOTHER=1\n{name}=x\n" + env.read_text(encoding="utf-8"), encoding="utf-8")
    ran = infomail("check")
    assert (ran.code, ran.out, ran.err) == (1, "", f"infomail: .env:3: {name}: no such setting; {advice}\n")


@pytest.mark.parametrize("arguments", [["lists", "list"], ["db", "upgrade"], ["init"], ["check"]])
def test_a_database_of_a_later_version_is_refused_as_such(
    infomail: Infomail, filled: Path, arguments: list[str]
) -> None:
    with sqlite3.connect(filled / "infomail.sqlite") as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'from the future'")
    connection.close()
    ran = infomail(*arguments)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("infomail: this program is older than the database: ")
    assert len(ran.err.splitlines()) == 1
