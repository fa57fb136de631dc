"""DKIM over whatever bytes there are: line ends, blanks, headers twice, and an edition's body made once."""

import base64
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from mailer.render.dkim import Key, relaxed, relaxed_body, relaxed_headers, with_line_ends
from mailer.render.message import Prepared, Slot, encode, header_value, salutation, text_only
from tests.mailer.render.verifiers import dkimpy_accepts, opendkim_accepts, signer

AT = 1_700_000_000
# RFC 8463 appendix A
SECRET = b"nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="
DINNER = b"""\
From: Joe SixPack <joe@football.example.com>
To: Suzie Q <suzie@shopping.example.net>
Subject: Is dinner ready?
Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)
Message-ID: <20030712040037.46341.5F8J@football.example.com>

Hi.

We lost the game.  Are you hungry yet?

Joe.
""".replace(b"\n", b"\r\n")
HEAD = DINNER.partition(b"\r\n\r\n")[0]


def test_ed25519_signs_as_in_the_appendix_of_its_rfc() -> None:
    key = Key("brisbane", Ed25519PrivateKey.from_private_bytes(base64.b64decode(SECRET)))
    body_hash = base64.b64encode(sha256(relaxed_body(DINNER.removeprefix(HEAD + b"\r\n\r\n"))).digest())
    assert body_hash == b"2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8="
    signed = b"".join(b"%b:%b\r\n" % header for header in relaxed_headers(HEAD)) + (
        b"dkim-signature:v=1; a=ed25519-sha256; c=relaxed/relaxed; d=football.example.com; "
        b"i=@football.example.com; q=dns/txt; s=brisbane; t=1528637909; h=from : to : subject : date : "
        b"message-id : from : subject : date; bh=%b; b=" % body_hash
    )
    assert base64.b64encode(key.sign(sha256(signed).digest())) == (
        b"/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11BusFa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw=="
    )
    assert key.record() == "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="


def test_bodies_of_nothing_but_blanks_are_empty() -> None:
    assert {relaxed_body(body) for body in (b"", b" ", b"\r\n", b"\r\n\r\n", b" \t\r\n \r\n")} == {b""}


@pytest.mark.parametrize(
    "name",
    ["From", "To", "Cc", "Subject", "Date", "Reply-To", "Message-ID", "MIME-Version", "Content-Type",
     "Content-Transfer-Encoding", "List-Unsubscribe", "List-Unsubscribe-Post"],
)  # fmt: skip
def test_a_header_that_is_put_before_a_mail_breaks_its_signatures(name: str) -> None:
    assert not dkimpy_accepts(
        b"%b: x@example.net\r\n" % name.encode() + signer().sign(DINNER, at=AT), signer()
    )


@pytest.mark.parametrize(
    "name", ["List-Id", "List-Help", "List-Archive", "List-Owner", "Feedback-ID", "Auto-Submitted"]
)
def test_a_header_for_machines_is_signed(name: str) -> None:
    made = signer().sign(name.encode() + b": before\r\n" + DINNER, at=AT)
    assert dkimpy_accepts(made, signer())
    assert not dkimpy_accepts(made.replace(b": before", b": after"), signer())


def test_what_servers_put_before_a_mail_breaks_nothing() -> None:
    added = b"Received: from a by b;\r\n\tMon, 23 Nov 2026 08:00:00 +0000\r\nX-Spam-Status: No\r\n"
    assert dkimpy_accepts(added + signer().sign(DINNER, at=AT), signer())


#: what a value may hold; other white space than blanks and tabs at its ends is seen differently by verifiers
VALUE = st.lists(st.sampled_from(["a", "B", "ä", " ", "  ", "\t", ":", ";", "=", "\r\n ", "\r\n\t"])).map(
    lambda pieces: ("x" + "".join(pieces) + "x").encode()
)
NAME = st.sampled_from(
    [
        "From",
        "TO",
        "to",
        "Subject",
        "subject",
        "Cc",
        "List-Unsubscribe",
        "LIST-ID",
        "X-Other",
        "Received",
        "Content-Type",
    ]
)
BODY = st.binary(max_size=200) | st.lists(
    st.sampled_from([b"a", b".", b" ", b"  ", b"\t", b"\r\n", b"\r\n\r\n", b"\n", b"\r", b"\0"])
).map(b"".join)


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    headers: Sequence[tuple[str, bytes]] = draw(st.lists(st.tuples(NAME, VALUE), max_size=8))
    fields = [b"%b:%b\r\n" % (name.encode(), value) for name, value in headers]
    fields.insert(draw(st.integers(0, len(fields))), b"From: a@example.org\r\n")
    return b"".join(fields) + b"\r\n" + draw(BODY)


@given(messages())
def test_dkimpy_accepts_whatever_is_signed(message: bytes) -> None:
    made = signer().sign(message, at=AT)
    assert dkimpy_accepts(made, signer())
    assert made.endswith(with_line_ends(message))
    whole = with_line_ends(message)
    assert signer().sign(whole, at=AT, form=relaxed(whole)) == made


AWKWARD = [
    DINNER,
    HEAD + b"\r\n",
    HEAD + b"\r\n\r\n",
    DINNER.replace(b"hungry", b" \t hungry \t"),
    DINNER.replace(b"\r\n\r\nJoe", b"\r\n \r\n\t\r\nJoe") + b" \r\n\r\n",
    b"Subject: one\r\nsubject:two \t \r\n three\r\nTo:\t a@example.net,\r\n\t b@example.net\r\n" + DINNER,
    b"From: b@example.org\r\n" + DINNER,
    "Subject: »Größe«\r\n".encode() + DINNER + "Übermaß\r\n.\r\n..\r\n".encode(),
    DINNER + b"a\nb\rc\r\nd",
    DINNER + b" " * 3000 + b"x" * 3000,
]


def test_opendkim_accepts_what_is_awkward(tmp_path: Path) -> None:
    made = [signer().sign(message, at=AT) for message in AWKWARD]
    assert all(dkimpy_accepts(message, signer()) for message in made)
    assert opendkim_accepts(made, signer(), tmp_path) == len(AWKWARD)


def test_opendkim_refuses_what_was_changed(tmp_path: Path) -> None:
    made = signer().sign(DINNER, at=AT)
    changed = [made.replace(b"Joe.", b"Jon."), made.replace(b"dinner", b"supper"), made + b"more\r\n"]
    assert opendkim_accepts(changed, signer(), tmp_path) == 0


@pytest.mark.parametrize(
    "message", [b"", b"Subject: x\r\n\r\n", b"\r\nFrom: a@example.org\r\n\r\n", b"From\r\n\r\n"]
)
def test_a_mail_without_from_cannot_be_signed(message: bytes) -> None:
    with pytest.raises(ValueError, match="From"):
        signer().sign(message, at=AT)


@given(
    parts=st.lists(st.sampled_from(["SALUTATION", "TOKEN", "a", " ", "  ", "\t", "\n", "\n\n", ".", "ä"])),
    greeting=st.text(st.sampled_from("a.ä \t\n="), max_size=90),
)
def test_what_is_made_once_for_an_edition_signs_like_the_whole_mail(parts: list[str], greeting: str) -> None:
    text = "".join(parts)
    encoded = encode(
        headers=[("From", "a@example.org"), ("Subject", "Größe")],
        lines=[b"To: " + Slot.TO.value],
        text=text,
        html=f"<p>{text}</p>",
        sentinels={"SALUTATION": Slot.SALUTATION_TEXT, "TOKEN": Slot.UNSUBSCRIBE},
        boundary="b",
    )
    as_text, as_html = salutation(greeting)
    values = {
        Slot.TO: header_value("b@example.org"),
        Slot.UNSUBSCRIBE: b"t" * 45,
        Slot.SALUTATION_TEXT: as_text,
        Slot.SALUTATION_HTML: as_html,
    }
    for mail in (encoded, text_only(encoded)):
        prepared = Prepared(mail)
        filled = prepared.fill(values)
        assert prepared.relaxed(values) == relaxed(filled)
