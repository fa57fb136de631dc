"""Whether a mail names an address, however it spells it: what an erasure looks for in what nobody could read."""

import base64
import quopri
from email.message import EmailMessage

import pytest

from mailer.receipts.forget import mentions

ADDRESS = "jörg.muster@xn--strae-oqa.example.org"
SPELLED = "Jörg.Muster@Straße.example.org"


def _in_a_mail(text: str, encoding: str, charset: str = "utf-8") -> bytes:
    mail = EmailMessage()
    mail["Subject"] = "Bericht"
    mail.set_content(text, cte=encoding, charset=charset)
    mail.add_attachment(b"more", maintype="application", subtype="octet-stream")
    return mail.as_bytes()


@pytest.mark.parametrize(
    "raw",
    [
        ADDRESS.encode(),
        SPELLED.encode(),
        SPELLED.encode("latin-1"),
        ADDRESS.upper().encode(),
        "jo\u0308rg.muster@straße.example.org".encode(),  # o and a combining diaeresis
        f"Final-Recipient: rfc822;{ADDRESS}\r\n".encode(),
        f"Return-Path: <bounce+{ADDRESS.replace('@', '=')}@example.org>".encode(),
        f"From: <SRS0=HHH=TT=xn--strae-oqa.example.org={ADDRESS.partition('@')[0]}@forwarder.example>".encode(),
        _in_a_mail(f"An: {SPELLED}.", "base64"),
        _in_a_mail(f"{'x' * 70} {SPELLED} " * 9, "quoted-printable"),
        _in_a_mail(SPELLED, "quoted-printable", "latin-1"),
        b"Subject: =?utf-8?B?" + base64.b64encode(SPELLED.encode()) + b"?=\r\n",
        b"To: =?iso-8859-1?Q?" + quopri.encodestring(SPELLED.encode("latin-1")) + b"?=\r\n",
        base64.encodebytes(f"{SPELLED} ".encode() * 40),
    ],
)
def test_every_spelling_of_the_address_is_found(raw: bytes) -> None:
    assert mentions(raw, ADDRESS)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"a.muster@xn--strae-oqa.example.org",
        f"hans.{ADDRESS}".encode(),
        f"{ADDRESS}.evil.example".encode(),
        ADDRESS.replace(".", "x").encode(),
        b"=" * 5000,
        b"A" * 100_000,
        b"\xff" * 1000,
    ],
)
def test_others_are_not_taken_for_her(raw: bytes) -> None:
    assert not mentions(raw, ADDRESS)


def test_a_dot_before_the_at_sign_ends_nothing_and_a_full_stop_behind_it_does() -> None:
    assert mentions(f"We wrote to {ADDRESS}. It failed.".encode(), ADDRESS)
    assert not mentions(f"{ADDRESS}.de".encode(), ADDRESS)


def test_a_large_mail_is_looked_through_in_linear_time() -> None:
    hostile = (b"QUJD" * 18 + b"\n") * 20_000 + b"=?x?b?" * 20_000 + b"a@" * 100_000
    assert not mentions(hostile, ADDRESS)
