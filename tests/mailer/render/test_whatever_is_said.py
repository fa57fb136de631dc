"""Whatever names, subjects and feeds say: one recipient, the same headers, the same words, and nothing beside them."""

import email
import email.policy
import html as html_entities
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mailer.render.headerlines import one_line
from mailer.render.message import Prepared, Slot, header_value, salutation, text_only
from mailer.render.press import Press
from mailer.render.sanitize import clean_html
from mailer.render.stationery import stationery_of
from subscribers.model import FormOfAddress
from subscribers.salutation import salutation as salutation_of
from tests.mailer.render.issues import LETTERHEAD, a_chooser, a_key, a_list, an_entry, an_issue, pressed

_NASTY = [
    "\r\nBcc: evil@example.net", "\nX-Evil: 1", "\r", "\n\n<html>", "\0", "\u2028Bcc: evil@example.net", "\u2029", "\x85", "\x0b",
    "=?utf-8?q?Bcc=3A_evil=40example.net?=", "=?utf-8?b?QmNjOg==?=", "=?", "?=", "\"", "\\", "<evil@example.net>", ",", ";", ":",
    "(", ")", "@", ".", "\r\n.\r\n", "..", "=", "=\r\n", "ä", "–", "»«", "😀", " ", "\t", "x" * 80, "é" * 50, "--=", "\u200f", "{{", "%(x)s",
]  # fmt: skip
WORDS = st.lists(st.sampled_from(_NASTY) | st.text(max_size=12), max_size=6).map("".join)
ONE = {
    "To": 1,
    "From": 1,
    "Subject": 1,
    "Date": 1,
    "Message-ID": 1,
    "Reply-To": 1,
    "List-Id": 1,
    "List-Unsubscribe": 1,
}


def _filled(encoded: bytes, person: dict[str, str]) -> bytes:
    greeting = salutation_of("de", FormOfAddress.FRAU, **person)
    as_text, as_html = salutation(greeting)
    return Prepared(encoded).fill(
        {
            Slot.TO: header_value("leserin@example.net"),
            Slot.DATE: b"Tue, 05 Mar 2024 10:00:00 +0100",
            Slot.MESSAGE_ID: b"m" * 45,
            Slot.UNSUBSCRIBE: b"u" * 45,
            Slot.SALUTATION_TEXT: as_text,
            Slot.SALUTATION_HTML: as_html,
        }
    )


def _as_subject(said: str) -> str:
    """In a list of mails nothing is kept together, and nothing broken."""
    return said.replace("\xa0", " ").replace("\u202f", " ").replace("\xad", "")


@settings(max_examples=100, deadline=None)
@given(subject=WORDS, sender=WORDS, list_title=WORDS, title=WORDS, summary=WORDS, family=WORDS, network=WORDS)
def test_nothing_that_is_said_makes_another_mail_of_it(
    subject: str, sender: str, list_title: str, title: str, summary: str, family: str, network: str
) -> None:
    issue = an_issue(subject=subject)
    entries = [an_entry(1, title=title, summary=clean_html(f"<p>{html_entities.escape(summary)}</p>"))]
    said = a_list(title=list_title, sender_name=sender)
    stationery = stationery_of(replace(LETTERHEAD, network=network))
    edition = pressed(
        issue,
        a_chooser(issue, entries, said, stationery=stationery.digest),
        a_key(),
        Press(issue, stationery),
    )
    person: dict[str, Any] = {"title": "Dr.", "given": "Anna", "family": family}
    for encoded in (edition.message, text_only(edition.message)):
        raw = _filled(encoded, person)
        assert raw.isascii()
        assert b"\0" not in raw
        assert max(map(len, raw.split(b"\r\n"))) <= 998
        assert raw.count(b"\r") == raw.count(b"\n") == raw.count(b"\r\n")
        message = email.message_from_bytes(raw, policy=email.policy.default)
        assert not [part.defects for part in message.walk() if part.defects]
        assert {name: len(message.get_all(name, [])) for name in ONE} == ONE
        assert [name for name in message if name in ("Bcc", "Cc", "X-Evil")] == []
        assert [each.addr_spec for each in message["To"].addresses] == ["leserin@example.net"]
        (author,) = message["From"].addresses
        assert author.addr_spec == "infomail@example.org"
        # Python's parser puts a blank where a long name was cut (RFC 2047 6.2 has none there)
        assert author.display_name.replace(" ", "") == (one_line(sender) or LETTERHEAD.imprint.name).replace(
            " ", ""
        )
        assert message["Subject"] == one_line(_as_subject(subject))
        plain = message.get_body(("plain",))
        assert plain is not None
        arrived = set(plain.get_content().replace("\r\n", "\n").split("\n"))
        meant = set(edition.text.replace("\0", "").replace("\r\n", "\n").replace("\r", "\n").split("\n"))
        # all but what is each reader's own
        assert meant - arrived <= {"Guten Tag,", "https://infomail.example.org"}
        assert len(arrived - meant) <= 2
