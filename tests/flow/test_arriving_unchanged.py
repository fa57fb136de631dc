"""All mails of a sample through a real Postfix into a real Dovecot mailbox: not a byte is changed, and signatures hold."""

import asyncio
import re
import ssl
from collections.abc import Iterator
from functools import partial

import pytest

from mailer.render.message import Prepared, Slot, encode, header_value, salutation, text_only
from mailer.smtp import Envelope, Outcome, Pool, Relay, Result
from tests.mailer.render.issues import a_chooser, a_key, a_list, an_entry, an_event, an_issue, pressed
from tests.mailer.render.letters import LETTERS, rendered
from tests.mailer.render.verifiers import dkimpy_accepts, opendkim_accepts, signer
from tests.services import dovecot as dovecots
from tests.services import postfix as postfixes
from tests.services.dovecot import Dovecot
from tests.services.postfix import Postfix

READER = "leserin@example.org"


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[Postfix, Dovecot]]:
    with dovecots.running() as mailboxes:
        to_dovecot = {"virtual_transport": f"lmtp:inet:127.0.0.1:{mailboxes.lmtp}"}
        with postfixes.running(mailboxes=(READER,), settings=to_dovecot) as relay:
            yield relay, mailboxes


def _issues() -> list[bytes]:
    mails = []
    town = a_list(
        "verein", title="Vereinsbrief", municipality="05999002", sender_name="Stadt Köthen am Muster"
    )
    for kind in ("issue", "event", "short", "municipal"):
        issue = an_issue(template=kind, subject=f"Infomail – »Übersicht« {kind}")
        entries = [an_entry(1, title="Zeile mit . am Anfang", summary="<p>.</p><p>.x</p>"), an_event(2)]
        for list_key, language in (("netzwerk", "de"), ("netzwerk", "en"), ("verein", "de")):
            encoded = pressed(
                issue, a_chooser(issue, entries, a_list(), town), a_key(list_key, language=language)
            ).message
            mails += [_filled(encoded), _filled(text_only(encoded))]
    return mails


def _filled(encoded: bytes) -> bytes:
    as_text, as_html = salutation("Sehr geehrte Frau Dr. Größe,")
    return Prepared(encoded).fill(
        {
            Slot.TO: header_value(READER),
            Slot.DATE: b"Tue, 05 Mar 2024 10:00:00 +0100",
            Slot.MESSAGE_ID: b"m" * 45,
            Slot.UNSUBSCRIBE: b"u" * 45,
            Slot.SALUTATION_TEXT: as_text,
            Slot.SALUTATION_HTML: as_html,
        }
    )


def _notices() -> list[bytes]:
    mails = []
    for kind, context in LETTERS.items():
        if "slots" in context:  # an issue
            continue
        for language in ("de", "en"):
            subject, html, text = rendered(kind, context | {"language": language})
            mails.append(
                encode(
                    headers=[("From", "Infomail <info@example.org>"), ("Subject", subject)],
                    lines=[
                        f"To: {READER}".encode(),
                        b"Date: Tue, 05 Mar 2024 10:00:00 +0100",
                        f"Message-ID: <{kind}.{language}@example.org>".encode(),
                    ],
                    text=text,
                    html=html,
                    sentinels={},
                    boundary="=n=",
                )
            )
    return mails


def test_what_is_sent_is_what_is_read_and_its_signatures_hold(
    servers: tuple[Postfix, Dovecot], tmp_path_factory: pytest.TempPathFactory
) -> None:
    relay, mailboxes = servers
    sent = [signer().sign(mail, at=1_700_000_000) for mail in (*_issues(), *_notices())]
    assert len(sent) > 40
    results: list[Result] = []

    async def send() -> None:
        pool = Pool([Relay("127.0.0.1", relay.port)], ssl.create_default_context(), "me.example.org")
        envelopes = [
            Envelope(number, "bounce@example.org", READER, partial(bytes, mail))
            for number, mail in enumerate(sent)
        ]
        await pool.send(envelopes, results.extend)
        await pool.close()

    asyncio.run(send())
    assert {result.outcome for result in results} == {Outcome.SENT}
    arrived = mailboxes.wait_for(READER, len(sent))
    # what servers put on top ends where the signatures begin
    bare = [re.sub(rb"\A.*?(?=DKIM-Signature:)", b"", mail, count=1, flags=re.DOTALL) for mail in arrived]
    assert sorted(bare) == sorted(sent)
    assert all(dkimpy_accepts(mail, signer()) for mail in arrived)
    assert opendkim_accepts(arrived, signer(), tmp_path_factory.mktemp("opendkim")) == len(sent)
