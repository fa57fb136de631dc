"""What stood in an older schema is all there in the newest, on both engines."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select, text

from mailer.database import Database
from mailer.notices.model import Notice
from mailer.schema import is_current, upgrade
from subscribers.chain import Chain, verify
from subscribers.evidence import GRANTED, WITHDRAWN, of_person
from subscribers.model import MailingList, Office, Request

_AT = "2026-03-29 08:00:00.000000"
_ROWS = f"""
INSERT INTO municipalities VALUES ('05315000', 'Köln', 'Stadt', '', '');
INSERT INTO lists VALUES ('netzwerk', 'Netzwerk', NULL, 'public', 'de', '', '', '', '', '', '{_AT}');
INSERT INTO subscribers VALUES (1, -7, 'a@example.org', 'hash', 'example.org', 'neutral', '', '', '', 'de',
    'both', '{_AT}');
INSERT INTO offices (id, municipality, role, subscriber_id, starts)
    VALUES (1, '05315000', 'contact', 1, '2026-01-01');
INSERT INTO requests VALUES (1, 'confirm', 'netzwerk', 'a@example.org', NULL, '{{}}', 'form', '{_AT}', 'written', '');
INSERT INTO notices VALUES (1, 9, 'confirm', 'netzwerk', 1, 1, 1, 'Bitte', 'mail', '{_AT}');
INSERT INTO subscriptions VALUES (1, 'netzwerk', 1, 'active', 'consent', '{_AT}', NULL);
INSERT INTO consents VALUES (1, -7, 'netzwerk', 'granted', 'Ja.', 'v1', 'https://form', '{_AT}', '{_AT}', 9, 'token:x');
INSERT INTO consents VALUES (2, -7, 'netzwerk', 'withdrawn', '', '', 'link', NULL, '{_AT}', NULL, 'token:y');
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def first_schema(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database of the first schema with a person in it."""
    url = (
        request.getfixturevalue("postgresql") if request.param == "postgresql" else f"sqlite:///{tmp_path}/1"
    )
    database = Database(url)
    upgrade(database, "0001")
    with database.engine.begin() as connection:
        for statement in filter(str.strip, _ROWS.split(";\n")):
            connection.execute(text(statement.replace(":", r"\:")))
    yield database
    database.close()


def test_people_and_their_consents_come_along_from_the_first_schema(first_schema: Database) -> None:
    assert not is_current(first_schema)
    upgrade(first_schema)
    assert is_current(first_schema)
    with first_schema.read() as session:
        proofs = of_person(session, 2**64 - 7)
        assert [(proof.action, proof.actor) for proof in proofs] == [
            (GRANTED, "token:x"),
            (WITHDRAWN, "token:y"),
        ]
        assert proofs[0].at == datetime(2026, 3, 29, 8, tzinfo=UTC)
        assert proofs[0].content == {
            "list": "netzwerk", "wording": "Ja.", "wording_version": "v1", "source": "https://form",
            "requested_at": "2026-03-29T08:00:00+00:00", "notice": "0000000000000009",
        }  # fmt: skip
        assert not verify(session, Chain.CONSENT).problems
        notice = session.scalars(select(Notice)).one()
        assert (notice.request_id, notice.answered_at) == (1, proofs[0].at)
        assert session.scalars(select(Request)).one().list_key == "netzwerk"
        assert session.scalars(select(Office)).one().asked == 0
        assert session.scalars(select(MailingList)).one().privacy_version == ""
