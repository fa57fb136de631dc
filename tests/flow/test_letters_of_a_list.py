"""A notice of a list comes in the list's own name."""

import email
import email.policy
from datetime import UTC, datetime

from sqlalchemy import select

from mailer import clock
from mailer.installation import Installation
from mailer.notices.model import Notice
from subscribers.model import MailingList, Request, RequestKind
from tests.flow.conftest import NOW
from tests.flow.test_people import text_of


def test_a_notice_bears_sender_reply_address_and_imprint_of_its_list(house: Installation) -> None:
    with house.database.write() as session:
        mailing_list = session.get_one(MailingList, "netzwerk")
        mailing_list.sender_name = "Stadt Musterstadt"
        mailing_list.reply_to = "ehrenamt@example.net"
        mailing_list.imprint = "Stadt Musterstadt\nRathausplatz 1"
        mailing_list.controller = "Die Bürgermeisterin"
        session.add(
            Request(
                kind=RequestKind.CONFIRM, list_key="netzwerk", address="neu@example.org", actor="form",
                details={"wording": "Ja.", "wording_version": "1", "source": "form"}, created_at=NOW,
            )
        )  # fmt: skip
    clock.answer_requests(house, now=datetime.now(UTC))
    with house.database.read() as session:
        message = session.scalars(select(Notice.message)).one()
    mail = email.message_from_bytes(message, policy=email.policy.default)
    assert mail["From"] == "Stadt Musterstadt <infomail@example.org>"
    assert mail["Reply-To"] == "ehrenamt@example.net"
    text = text_of(message)
    assert "Mit freundlichen Grüßen\n\nStadt Musterstadt\n" in text.replace("\r\n", "\n")
    for said in ("Rathausplatz 1", "Die Bürgermeisterin", "Versandt im Auftrag durch:", "Geschäftsstelle"):
        assert said in text
