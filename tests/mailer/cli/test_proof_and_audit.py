"""What proves a consent, who did what, and who is barred: from the command line."""

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from mailer.cli.surroundings import read_settings
from mailer.database import Database
from mailer.installation import suppression_key
from mailer.notices.model import Notice
from subscribers.addresses import address_hash
from subscribers.chain import Record
from subscribers.evidence import Evidence, Wording
from subscribers.model import Subscriber, SuppressionReason
from subscribers.subscribing import admit, await_confirmation, confirm, leave, suppress
from tests.mailer.cli.conftest import Infomail

NOW = datetime(2026, 11, 23, 8, 0, 7, tzinfo=UTC)
MAIL = "Subject: =?utf-8?q?Bitte_best=C3=A4tigen?=\nContent-Type: text/plain; charset=utf-8\n\nIch willige ein, <ja>."


@pytest.fixture
def database(folder: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{folder}/infomail.sqlite")
    yield database
    database.close()


@pytest.fixture
def anna(database: Database) -> int:
    """The handle of somebody who confirmed by the mail on record."""
    with database.write() as session:
        person = admit(
            session, address="anna@example.org", suppression_key=suppression_key(read_settings()), now=NOW
        )
        await_confirmation(session, subscriber=person, list_key="netzwerk", now=NOW)
        notice = Notice(
            kind="confirm", list_key="netzwerk", subscriber_id=person.id, key_id=1, subject="Bitte bestätigen",
            message=MAIL.encode(), created_at=NOW,
        )  # fmt: skip
        session.add(notice)
        session.flush()
        confirm(
            session, subscriber=person, list_key="netzwerk", actor="token:abcdefgh", now=NOW + timedelta(hours=1),
            proof=Evidence(
                Wording("Ich willige ein, <ja>.", "de-1"), source="https://infomail.example.org/anmelden/netzwerk",
                requested_at=NOW, notice=notice.handle, mail_sha256=hashlib.sha256(MAIL.encode()).hexdigest(),
                privacy_version="2026-11",
            ),
        )  # fmt: skip
        return person.handle


def test_the_proof_has_all_that_a_court_asks_for(infomail: Infomail, folder: Path, anna: int) -> None:
    assert infomail("subscribers", "evidence", "Anna@example.org", "--html", "proof.html").code == 0
    page = (folder / "proof.html").read_text(encoding="utf-8")
    for said in (
        "anna@example.org", "Ich willige ein, &lt;ja&gt;.", "de-1", "Fassung 2026-11", "Bitte bestätigen",
        "https://infomail.example.org/anmelden/netzwerk", "23.\xa0November 2026, 09:00:07\xa0Uhr (+0100)",
        "23.\xa0November 2026, 10:00:07\xa0Uhr", "stimmt mit dem Eintrag überein", "token:abcdefgh", "1:",
        "ohne Beanstandung",
    ):  # fmt: skip
        assert said in page, said
    assert "<ja>" not in page


def test_a_mail_that_was_exchanged_shows(infomail: Infomail, database: Database, anna: int) -> None:
    with database.write() as session:
        session.execute(update(Notice).values(message=MAIL.encode() + b"!"))
    assert "<strong>nicht</strong>" in infomail("subscribers", "evidence", "anna@example.org").out


def test_reading_the_proof_is_on_record_without_the_address(infomail: Infomail, anna: int) -> None:
    infomail("subscribers", "evidence", "anna@example.org", "--reason", "Auskunft", "--as", "berta")
    ran = infomail("audit", "list", "--json", "--action", "evidence.")
    (row,) = json.loads(ran.out)
    assert (row["actor"], row["action"], row["subject"]) == ("cli:berta", "evidence.read", f"{anna:016x}")
    assert row["details"] == {"reason": "Auskunft"}
    assert "anna" not in ran.out


def test_blocked_proof_is_read_for_a_reason_only(infomail: Infomail, database: Database, anna: int) -> None:
    with database.write() as session:
        person = session.scalars(select(Subscriber)).one()
        leave(
            session, subscriber=person, list_key="netzwerk", through=None, source="link", actor="t", now=NOW
        )
    ran = infomail("subscribers", "evidence", "anna@example.org")
    assert (ran.code, ran.out) == (1, "")
    assert "--reason" in ran.err
    page = infomail("subscribers", "evidence", "anna@example.org", "--reason", "Klage 1 O 1/26").out
    assert "Gesperrt seit" in page
    assert "Klage 1 O 1/26" in page
    assert "Einwilligung widerrufen" in page


def test_nobody_has_no_proof(infomail: Infomail) -> None:
    ran = infomail("subscribers", "evidence", "nobody@example.org")
    assert (ran.code, ran.err) == (1, "infomail: nobody here has the address nobody@example.org\n")


def test_an_untouched_chain_has_exit_code_0_and_a_head_to_keep(infomail: Infomail, anna: int) -> None:
    ran = infomail("subscribers", "verify-consents", "--json")
    found = json.loads(ran.out)
    assert (ran.code, found["records"], found["problems"]) == (0, 1, [])
    assert infomail("subscribers", "verify-consents", "--anchor", found["head"]).code == 0
    lost = infomail("subscribers", "verify-consents", "--anchor", "9:abc")
    assert (lost.code, "9:abc is not in the chain" in lost.err) == (1, True)


def test_a_changed_record_has_exit_code_1_and_a_line(
    infomail: Infomail, database: Database, anna: int
) -> None:
    with database.write() as session:
        session.execute(update(Record).values(actor="cli:jemand"))
    ran = infomail("subscribers", "verify-consents")
    assert (ran.code, ran.err) == (1, "infomail: record 1: was changed\n")


def test_staff_bar_an_address_and_take_it_back(infomail: Infomail, database: Database) -> None:
    key = suppression_key(read_settings())
    assert infomail("subscribers", "suppress", "X@example.org", "--reason", "Bitte am Telefon").code == 0
    assert infomail("subscribers", "lift", "x@example.org", "--reason", "Irrtum").code == 0
    ran = infomail("subscribers", "lift", "x@example.org", "--reason", "Irrtum")
    assert (ran.code, ran.err) == (1, "infomail: the address is not barred\n")
    with database.write() as session:
        for reason in (SuppressionReason.HARD, SuppressionReason.COMPLAINT):
            suppress(
                session, address_hash=address_hash(key, "x@example.org"), reason=reason, actor="t", now=NOW
            )
    ran = infomail("subscribers", "lift", "x@example.org", "--reason", "Postfach geht wieder")
    assert (ran.code, "still barred: complaint" in ran.err) == (1, True)
    acts = json.loads(infomail("audit", "list", "--json").out)
    assert [act["action"] for act in acts] == [
        "subscriber.lifted", "subscriber.lifted", "subscriber.suppressed",
    ]  # fmt: skip
    assert infomail("audit", "verify").code == 0
