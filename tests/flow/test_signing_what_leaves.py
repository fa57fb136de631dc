"""With keys in the settings every mail leaves signed: issues in both formats, notices, trials."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sqlalchemy import select

from mailer import clock
from mailer.cli.issues import trial
from mailer.daemon.worker import drain
from mailer.database import Database
from mailer.installation import Installation, open_installation
from mailer.notices.model import Notice
from mailer.render.model import Edition
from mailer.settings import Settings
from subscribers.model import Format, MailingList, Request, RequestKind, Subscriber
from tests.flow.conftest import NOW, Sink, enrol
from tests.flow.test_sending import started
from tests.mailer.render.verifiers import dkimpy_accepts


@pytest.fixture
def environment_with_keys(environment: dict[str, str], tmp_path: Path) -> dict[str, str]:
    keys: dict[str, RSAPrivateKey | Ed25519PrivateKey] = {
        "r": generate_private_key(65537, 2048),
        "e": Ed25519PrivateKey.generate(),
    }
    for name, key in keys.items():
        (tmp_path / f"{name}.pem").write_bytes(
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        )
    return environment | {"INFOMAIL_DKIM_KEYS": f"r2026:{tmp_path}/r.pem,e2026:{tmp_path}/e.pem"}


@pytest.fixture
def signing_house(
    environment_with_keys: dict[str, str], database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Installation]:
    for name, value in environment_with_keys.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    with database.write() as session:
        session.add(MailingList(key="netzwerk", title="Netzwerk", created_at=NOW))
    with open_installation(Settings()) as opened:
        yield opened


def test_every_mail_leaves_signed_and_is_stored_unsigned(
    signing_house: Installation, sink: Sink, capsys: pytest.CaptureFixture[str]
) -> None:
    house = signing_house
    people = enrol(house, 3)
    with house.database.write() as session:
        reader = session.scalars(select(Subscriber).where(Subscriber.address == people[1])).one()
        reader.format = Format.TEXT
        doubled = session.scalars(select(Subscriber).where(Subscriber.address == people[2])).one()
        doubled.given, doubled.family = "Erika  ", "von  Muster"
        session.add(
            Request(
                kind=RequestKind.CONFIRM, list_key="netzwerk", address="neu@example.org", actor="form",
                details={"wording": "Ja.", "wording_version": "1", "source": "form"}, created_at=NOW,
            )
        )  # fmt: skip
    issue = started(house)
    clock.answer_requests(house, now=datetime.now(UTC))
    asyncio.run(drain(house))
    trial(issue, ["trial@example.org"], language="de", places="", roles="")
    assert "trial@example.org: sent" in capsys.readouterr().out

    assert sink.mails.keys() == {*people, "neu@example.org", "trial@example.org"}
    assert house.signer is not None
    for (mail,) in sink.mails.values():
        assert mail.count(b"DKIM-Signature: ") == 2
        assert dkimpy_accepts(mail, house.signer)
    with house.database.read() as session:
        stored = [*session.scalars(select(Edition.message)), *session.scalars(select(Notice.message))]
    assert len(stored) > 1
    assert not any(b"DKIM" in message for message in stored)


def test_without_keys_nothing_is_signed(house: Installation, sink: Sink) -> None:
    people = enrol(house, 1)
    started(house)
    asyncio.run(drain(house))
    assert b"DKIM" not in sink.mails[people[0]][0]
