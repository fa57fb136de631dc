"""`infomail receipts list`: what came back, as it is kept."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mailer.database import Database
from mailer.receipts.model import Receipt, ReceiptState
from tests.mailer.cli.conftest import Infomail

AT = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


@pytest.fixture
def kept(folder: Path) -> None:
    rows = (
        (ReceiptState.APPLIED, "hard", "suppressed"),
        (ReceiptState.UNREAD, "other", "no valid token"),
        (ReceiptState.NEW, "", ""),
    )
    database = Database(f"sqlite:///{folder}/infomail.sqlite")
    with database.write() as session:
        session.add_all(
            Receipt(
                digest=f"{n}", recipient="bounce@example.org", sender="mailer@example.net", raw=b"To: a@example.org",
                received_at=AT, state=state, kind=kind, outcome=outcome,
            )
            for n, (state, kind, outcome) in enumerate(rows)
        )  # fmt: skip
    database.close()


@pytest.mark.usefixtures("kept")
def test_all_that_came_back_is_listed_without_an_address(infomail: Infomail) -> None:
    ran = infomail("receipts", "list")
    assert ran.out.splitlines() == [
        "3\t2026-11-23T08:00:00+00:00\t\tnew\t",
        "2\t2026-11-23T08:00:00+00:00\tother\tunread\tno valid token",
        "1\t2026-11-23T08:00:00+00:00\thard\tapplied\tsuppressed",
    ]
    assert "@" not in ran.out + infomail("receipts", "list", "--json").out


@pytest.mark.usefixtures("kept")
def test_the_unread_are_listed_alone(infomail: Infomail) -> None:
    assert json.loads(infomail("receipts", "list", "--unread", "--json").out) == [
        {
            "id": 2, "received_at": "2026-11-23T08:00:00+00:00", "kind": "other", "state": "unread",
            "outcome": "no valid token",
        }
    ]  # fmt: skip
