"""Signatures that others accept, over whatever a mail may hold, and that fall with any change of it."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from mailer.render.dkim import BadKey, Signer, read_key, relaxed, relaxed_body, relaxed_headers
from mailer.render.message import Prepared, Slot, header_value, salutation, text_only
from tests.mailer.render.issues import a_chooser, a_key, an_entry, an_event, an_issue, pressed
from tests.mailer.render.verifiers import DOMAIN, dkimpy_accepts, opendkim_accepts, signer

AT = 1_700_000_000
MAIL = (
    b"From: Amt <amt@example.org>\r\nTo: b@example.net\r\nSubject: Nr. 1\r\n"
    b"Date: Tue, 05 Mar 2024 10:00:00 +0100\r\nMessage-ID: <1@example.org>\r\n"
    b"List-Unsubscribe: <https://example.org/a>,\r\n <mailto:a@example.org>\r\n"
    b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nMIME-Version: 1.0\r\n\r\nText\r\n"
)


@pytest.mark.parametrize(
    ("body", "relaxed"),
    # the example of RFC 6376 3.4.5, and its edges
    [
        (b" C \r\nD \t E\r\n\r\n\r\n", b" C\r\nD E\r\n"),
        (b"", b""),
        (b"\r\n", b""),
        (b"\r\n\r\n\r\n", b""),
        (b"a", b"a\r\n"),
        (b"a \t", b"a\r\n"),
        (b"a\r\n \t\r\n", b"a\r\n"),
        (b"\ta  b\t\tc\r\n", b" a b c\r\n"),
    ],
)
def test_a_body_is_relaxed_as_the_rfc_says(body: bytes, relaxed: bytes) -> None:
    assert relaxed_body(body) == relaxed


def test_headers_are_relaxed_as_the_rfc_says() -> None:
    """The example of RFC 6376 3.4.5, and a header that is empty."""
    assert relaxed_headers(b"A: X\r\nB : Y\t\r\n\tZ  \r\nC:\t") == [(b"a", b"X"), (b"b", b"Y Z"), (b"c", b"")]


_TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60)
_BODY = st.lists(
    st.sampled_from([b" ", b"\t", b"\r\n", b"a", b".", b"=", b"\xc3\xa4", b"  \r\n"]), max_size=60
)


@given(subject=_TEXT, body=_BODY)
def test_whatever_stands_in_a_mail_its_signatures_are_accepted(subject: str, body: list[bytes]) -> None:
    mail = MAIL.replace(b"Nr. 1", subject.encode()).replace(b"Text\r\n", b"".join((*body, b"\r\n")))
    assert dkimpy_accepts(signer().sign(mail, at=AT), signer())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Text", b"text"),
        (b"Nr. 1", b"Nr. 2"),
        (b"=One-Click", b"=Two-Click"),
        (b"https://example.org/a", b"https://example.org/b"),
        (b"\r\n\r\nText", b"\r\nSubject: another\r\n\r\nText"),
        (b"\r\n\r\nText", b"\r\nReply-To: evil@example.net\r\n\r\nText"),
        (b"\r\n\r\nText", b"\r\nContent-Type: text/html\r\n\r\nText"),
        (b"Text\r\n", b"Text\r\nand more\r\n"),
    ],
)
def test_a_mail_that_was_changed_or_added_to_is_not_accepted(old: bytes, new: bytes) -> None:
    signed = signer().sign(MAIL, at=AT)
    head, body = signed[: -len(MAIL)], signed[-len(MAIL) :]
    assert not dkimpy_accepts(head + body.replace(old, new), signer())


def test_blanks_that_a_relay_changes_break_nothing() -> None:
    signed = signer().sign(MAIL, at=AT)
    assert dkimpy_accepts(
        signed.replace(b"Nr. 1", b"Nr.   1").replace(b"Text\r\n", b"Text  \r\n\r\n"), signer()
    )


def test_no_line_of_a_signature_is_long() -> None:
    signed = signer().sign(MAIL, at=AT)
    assert max(len(line) for line in signed.split(b"\r\n")) <= 78
    assert signed.endswith(MAIL)


def _filled(number: int, *, as_text: bool = False) -> bytes:
    issue = an_issue(
        subject=f"Infomail – Übersicht {number}", editorial=f"<p>{'Grüße  aus Köln. ' * (number % 40)}</p>"
    )
    entries = [
        an_entry(1, title=f"Meldung Nr. {number}"),
        an_event(2, summary=f"<p>{'lang ' * (number % 90)}</p>"),
    ]
    encoded = pressed(issue, a_chooser(issue, entries), a_key()).message
    prepared = Prepared(text_only(encoded) if as_text else encoded)
    as_plain, as_html = salutation(f"Guten Tag  Änne {number},")
    values = {
        Slot.TO: header_value(f"person{number}@example.net"),
        Slot.DATE: b"Tue, 05 Mar 2024 10:00:00 +0100",
        Slot.MESSAGE_ID: b"t" * 45,
        Slot.UNSUBSCRIBE: b"u" * 45,
        Slot.SALUTATION_TEXT: as_plain,
        Slot.SALUTATION_HTML: as_html,
    }
    message = prepared.fill(values)
    assert prepared.relaxed(values) == relaxed(message)
    return signer().sign(message, at=AT, form=prepared.relaxed(values))


def test_two_verifiers_accept_a_thousand_different_mails(tmp_path: Path) -> None:
    # each edition is rendered once in earnest, and goes to twenty people
    editions = [_filled(number, as_text=number % 2 == 1) for number in range(50)]
    mails = [
        signer().sign(
            edition.partition(b"\r\nFrom:")[2].join([b"From:", b""]).replace(b"person", b"p%d-" % person),
            at=AT,
        )
        for edition in editions
        for person in range(20)
    ]
    assert len(set(mails)) == 1000
    assert all(dkimpy_accepts(mail, signer()) for mail in (*editions, *mails))
    assert opendkim_accepts(mails, signer(), tmp_path) == 1000


def _pem(private: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def test_a_key_of_either_kind_is_read_and_tells_its_record(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    for private, kind in (
        (rsa.generate_private_key(public_exponent=65537, key_size=2048), "rsa"),
        (ed25519.Ed25519PrivateKey.generate(), "ed25519"),
    ):
        path.write_bytes(_pem(private))
        key = read_key("s2026", path)
        assert key.algorithm == f"{kind}-sha256"
        assert key.record().startswith(f"v=DKIM1; k={kind}; p=")
        assert "private" not in repr(key)
        alone = Signer(DOMAIN, (key,))
        assert dkimpy_accepts(alone.sign(MAIL, at=AT), alone)


@pytest.mark.parametrize("selector", ["", "a b", "a;b", "-a", "a..b", "ä"])
def test_a_selector_that_is_no_name_in_dns_is_refused(tmp_path: Path, selector: str) -> None:
    (tmp_path / "key").write_bytes(_pem(ed25519.Ed25519PrivateKey.generate()))
    with pytest.raises(BadKey):
        read_key(selector, tmp_path / "key")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no key",
        _pem(ec.generate_private_key(ec.SECP256R1())),
        ed25519.Ed25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        ),
    ],
)
def test_what_is_no_key_to_sign_with_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "key").write_bytes(content)
    with pytest.raises(BadKey):
        read_key("s", tmp_path / "key")
