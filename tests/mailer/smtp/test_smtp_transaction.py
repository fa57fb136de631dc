import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.smtp import Envelope, Outcome
from mailer.smtp.envelope import UnsendableError
from mailer.smtp.replies import Reply
from mailer.smtp.transaction import extensions, prepare

ALL = {"SIZE": "0", "8BITMIME": "", "SMTPUTF8": "", "DSN": ""}


def envelope(
    recipient: str = "b@example.org",
    message: bytes = b"Subject: x\r\n\r\ny\r\n",
    sender: str = "a@example.org",
    envelope_id: str = "",
) -> Envelope:
    return Envelope(1, sender, recipient, lambda: message, envelope_id)


def test_parameters_are_used_where_the_server_offers_them() -> None:
    bare = prepare(envelope(envelope_id="x"), {})
    assert (bare.mail, bare.rcpt) == (b"MAIL FROM:<a@example.org>\r\n", b"RCPT TO:<b@example.org>\r\n")
    full = prepare(envelope("b+c=d@example.org", envelope_id="i+1"), ALL)
    # xtext (RFC 3461): + is +2B, = is +3D; SIZE: 10 + 2 + 2 + 3 octets
    assert full.mail == b"MAIL FROM:<a@example.org> SIZE=17 RET=HDRS ENVID=i+2B1\r\n"
    assert full.rcpt == (
        b"RCPT TO:<b+c=d@example.org> NOTIFY=FAILURE,DELAY ORCPT=rfc822;b+2Bc+3Dd@example.org\r\n"
    )


def test_the_null_sender_asks_for_no_report() -> None:
    transaction = prepare(envelope(sender="", envelope_id="x"), ALL)
    assert transaction.mail == b"MAIL FROM:<> SIZE=17\r\n"
    assert transaction.rcpt == b"RCPT TO:<b@example.org>\r\n"


def test_smtputf8_is_asked_for_by_a_local_part_but_not_by_a_domain() -> None:
    assert prepare(envelope("b@münster.example"), {}).rcpt == b"RCPT TO:<b@xn--mnster-3ya.example>\r\n"
    international = prepare(envelope("jürgen@münster.example"), ALL)
    assert international.mail.endswith(b" SMTPUTF8 RET=HDRS\r\n")
    assert b"ORCPT=utf-8;j\\x{FC}rgen@xn--mnster-3ya.example" in international.rcpt
    with pytest.raises(UnsendableError, match="SMTPUTF8"):
        prepare(envelope("jürgen@example.org"), {})


def test_8_bit_text_needs_the_extension() -> None:
    message = "Subject: x\r\n\r\nä".encode()
    assert b"BODY=8BITMIME" in prepare(envelope(message=message), ALL).mail
    assert b"SMTPUTF8" not in prepare(envelope(message=message), ALL).mail
    with pytest.raises(UnsendableError, match="8BITMIME"):
        prepare(envelope(message=message), {})


def test_a_message_beyond_the_stated_size_is_refused_here() -> None:
    assert prepare(envelope(), {"SIZE": "17"}).mail.endswith(b"SIZE=17\r\n")
    with pytest.raises(UnsendableError, match="17 octets, the relay takes 16") as caught:
        prepare(envelope(), {"SIZE": "16"})
    assert caught.value.outcome is Outcome.FAILED


def test_a_message_that_cannot_be_made_is_deferred() -> None:
    def broken() -> bytes:
        raise KeyError("no\nname")

    with pytest.raises(UnsendableError, match="KeyError") as caught:
        prepare(Envelope(1, "a@example.org", "b@example.org", broken), {})
    assert caught.value.outcome is Outcome.DEFERRED
    assert caught.value.problem.isprintable()


@pytest.mark.parametrize(
    ("message", "content"),
    [
        (b"", b""),
        (b"a", b"a\r\n"),
        (b"a\r\n", b"a\r\n"),
        (b"a\nb\rc\r\n", b"a\r\nb\r\nc\r\n"),
        (b"a\r\r\nb", b"a\r\n\r\nb\r\n"),
        (b"a\n\rb", b"a\r\n\r\nb\r\n"),
        (b".", b"..\r\n"),
        (b".\r\n.\r\n..x", b"..\r\n..\r\n...x\r\n"),
        (b"a\n.\nMAIL FROM:<x@example.org>\n", b"a\r\n..\r\nMAIL FROM:<x@example.org>\r\n"),
        (b"a\r.\r", b"a\r\n..\r\n"),
        (b"a\n.\r\n", b"a\r\n..\r\n"),
        (b"a.\r\n b.", b"a.\r\n b.\r\n"),
    ],
)
def test_line_ends_are_crlf_and_leading_dots_doubled(message: bytes, content: bytes) -> None:
    assert prepare(envelope(message=message), ALL).stuffed == content


@given(st.lists(st.sampled_from([b"\r", b"\n", b".", b"a", b"\r\n", b"\r\n.\r\n", b"\0"])).map(b"".join))
def test_no_message_ends_itself_and_every_one_arrives_whole(message: bytes) -> None:
    content = prepare(envelope(message=message), ALL).stuffed
    assert b"\r\n.\r\n" not in b"\r\n" + content
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", content)
    # what a receiver does (RFC 5321 section 4.5.2) gives the same lines back
    received = [line.removeprefix(b".") for line in content.split(b"\r\n")[:-1]]
    lines = re.split(rb"\r\n|\r|\n", message)
    assert received == (lines[:-1] if lines[-1] == b"" else lines)


HOSTILE = [
    "",
    "b",
    "b@",
    "@example.org",
    "b@example.org\r\nRCPT TO:<c@example.org>",
    "b@example.org\n",
    "b@example.org\r",
    "b\0@example.org",
    "b@example.org> NOTIFY=NEVER",
    "b@example.org>",
    "<b@example.org",
    "b c@example.org",
    '"b\r\nc"@example.org',
    "b@exam\u2028ple.org",
    "b\u0085@example.org",
    "b\ud800@example.org",
    "b\u202e@example.org",
    "b@[127.0.0.1\r\n]",
    "b@c@example.org",
    "@relay.example:b@example.org",
    "b@-ä-.example",
    "b" * 250 + "@example.org",
]


@pytest.mark.parametrize("address", HOSTILE)
def test_an_address_that_could_smuggle_anything_is_refused_as_recipient_and_sender(address: str) -> None:
    with pytest.raises(UnsendableError) as caught:
        prepare(envelope(address), ALL)
    assert caught.value.problem.isprintable()
    if address:
        with pytest.raises(UnsendableError):
            prepare(envelope(sender=address), ALL)


@pytest.mark.parametrize("envelope_id", ["a\r\nRSET", "a\n", "\0", "ä", "x" * 101, "+" * 34])
def test_an_envelope_id_is_short_printable_ascii(envelope_id: str) -> None:
    with pytest.raises(UnsendableError):
        prepare(envelope(envelope_id=envelope_id), ALL)


@given(st.text(), st.text(), st.text())
def test_a_command_is_one_line_whatever_is_handed_over(sender: str, recipient: str, envelope_id: str) -> None:
    try:
        transaction = prepare(envelope(recipient, b"", sender, envelope_id), ALL)
    except UnsendableError:
        return
    for command in (transaction.mail, transaction.rcpt):
        assert re.fullmatch(rb"[^\x00-\x1f\x7f]+\r\n", command)


@pytest.mark.parametrize(
    "address", ["o'b+c@example.org", '"b c"@example.org', "b@[127.0.0.1]", "b@localhost"]
)
def test_unusual_addresses_that_are_valid_pass(address: str) -> None:
    assert prepare(envelope(address), {}).rcpt == f"RCPT TO:<{address}>\r\n".encode()


def test_extensions_are_read_from_the_ehlo_reply() -> None:
    lines = ("mail.example.org", "size 1000", "Auth PLAIN", "AUTH=LOGIN", "STARTTLS")
    assert extensions(Reply(250, None, "", lines)) == {
        "SIZE": "1000",
        "AUTH": "PLAIN LOGIN",
        "STARTTLS": "",
    }
