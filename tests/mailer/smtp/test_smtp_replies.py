from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.smtp.replies import (
    MAX_LINE,
    MAX_LINES,
    MAX_TEXT,
    About,
    GarbledReplyError,
    Kind,
    Reply,
    ReplyReader,
    Stage,
    about,
    printable,
)


def read(*pieces: bytes) -> list[Reply]:
    reader, replies = ReplyReader(), []
    for piece in pieces:
        reader.feed(piece)
        while (reply := reader.next_reply()) is not None:
            replies.append(reply)
    return replies


@pytest.mark.parametrize(
    ("raw", "code", "enhanced", "text"),
    [
        (b"250 OK\r\n", 250, None, "OK"),
        (b"250\r\n", 250, None, ""),
        (b"250 \r\n", 250, None, ""),
        (b"250 OK\n", 250, None, "OK"),
        (b"250 2.1.5 Ok\r\n", 250, "2.1.5", "Ok"),
        (b"550 5.1.1\r\n", 550, "5.1.1", ""),
        (b"550-5.1.1 No such\r\n550 5.1.1 user\r\n", 550, "5.1.1", "No such user"),
        # RFC 2034 section 4: a status of another class than the code's is no status
        (b"550 2.1.5 odd\r\n", 550, None, "2.1.5 odd"),
        (b"550 5.1.1user\r\n", 550, None, "5.1.1user"),
        (b"550 5.1.1234 user\r\n", 550, None, "5.1.1234 user"),
        (b"550 \x1b[31mred\x07\r\n", 550, None, "\\x1b[31mred\\x07"),
        ("550 Empfänger unbekannt\r\n".encode(), 550, None, "Empfänger unbekannt"),
        (b"550 Empf\xe4nger\r\n", 550, None, "Empf\\xe4nger"),
        (b"550 a\rb\r\n", 550, None, "a\\rb"),
    ],
)
def test_a_reply_is_read_with_its_enhanced_status_and_printable_text(
    raw: bytes, code: int, enhanced: str | None, text: str
) -> None:
    assert read(raw) == [Reply(code, enhanced, text)]


@pytest.mark.parametrize(
    "raw",
    [
        b"hello\r\n",
        b"\r\n",
        b"25 short\r\n",
        b"199 no such class\r\n",
        b"650 no such class\r\n",
        b"250_ok\r\n",
        b"2500 ok\r\n",
        b" 250 ok\r\n",
        b"250-a\r\n251 b\r\n",
        b"HTTP/1.1 400 Bad Request\r\n",
        b"\x16\x03\x01\x02\x00\x01\n",
        b"250 " + b"x" * MAX_LINE,
        b"250-x\r\n" * (MAX_LINES + 1),
    ],
)
def test_garbage_and_floods_raise_one_clear_exception(raw: bytes) -> None:
    with pytest.raises(GarbledReplyError):
        read(raw)


def test_the_longest_allowed_line_and_reply_are_read() -> None:
    line = b"250 " + b"x" * (MAX_LINE - 6) + b"\r\n"
    assert len(line) == MAX_LINE
    assert len(read(line)) == 1
    assert len(read(b"250-x\r\n" * (MAX_LINES - 1) + b"250 y\r\n")) == 1


@given(st.lists(st.integers(0, 60), max_size=5))
def test_where_the_bytes_are_split_makes_no_difference(cuts: list[int]) -> None:
    raw = b"220 hello\r\n250-one\r\n250 two\r\n550 5.1.1 no\r\n"
    edges = [0, *sorted(cuts), len(raw)]
    assert read(*(raw[a:b] for a, b in pairwise(edges))) == read(raw)


@given(st.binary(max_size=300))
def test_whatever_comes_is_a_reply_or_garbled_and_never_anything_else(raw: bytes) -> None:
    try:
        shown = [str(reply) for reply in read(raw)]
    except GarbledReplyError as error:
        shown = [str(error)]
    assert all(line.isprintable() for line in shown)


def test_a_shown_text_is_one_line_of_at_most_500_characters() -> None:
    assert printable("a\r\nb\u2028c\0\u202e") == "a\\r\\nb\\u2028c\\x00\\u202e"
    assert len(printable("\n" * 1000)) == MAX_TEXT == 500
    assert len(str(Reply(550, "5.1.1", "x" * 500))) == 500


def test_the_first_digit_says_what_kind_a_reply_is() -> None:
    kinds = [Reply(code, None, "").kind for code in (250, 354, 451, 550)]
    assert kinds == [Kind.OK, Kind.GO_ON, Kind.TRANSIENT, Kind.PERMANENT]


R, D, M, S = Stage.RCPT, Stage.CONTENT, Stage.MAIL, Stage.SESSION


@pytest.mark.parametrize(
    ("stage", "raw", "expected"),
    [
        (R, "550 5.1.1 User unknown", About.MAILBOX),
        (R, "550 No such user", About.MAILBOX),
        (R, "551 User not local", About.MAILBOX),
        (R, "553 Mailbox name not allowed", About.MAILBOX),
        (R, "550 5.2.1 Mailbox disabled", About.MAILBOX),
        (R, "452 4.2.2 Mailbox full", About.MAILBOX),
        (R, "550 5.4.1 Recipient address rejected: Access denied", About.MAILBOX),
        (R, "556 5.1.10 Null MX", About.MAILBOX),
        (R, "450 4.2.0 Greylisted", About.MAILBOX),
        (D, "550 5.1.1 User unknown", About.MAILBOX),
        # a bare 550 after the content is its filter speaking
        (D, "550 Rejected", About.MESSAGE),
        (D, "550 5.7.1 Spam", About.MESSAGE),
        (D, "554 Transaction failed", About.MESSAGE),
        (D, "554 5.6.0 Malformed", About.MESSAGE),
        (D, "552 5.3.4 Too big", About.MESSAGE),
        (R, "552 5.2.3 Too long for this mailbox", About.MESSAGE),
        (R, "550 5.7.1 Refused by policy", About.MESSAGE),
        (R, "553 5.6.7 Non-ASCII address", About.MESSAGE),
        (M, "552 Too big", About.MESSAGE),
        # before RCPT nobody was named, so nobody's mailbox can be meant
        (M, "550 5.1.1 odd", About.MESSAGE),
        (M, "550 Sender refused", About.MESSAGE),
        (M, "550 5.1.8 Sender's domain unknown", About.MESSAGE),
        (M, "530 5.7.0 Must issue STARTTLS", About.RELAY),
        (M, "530 5.7.1 Authentication required", About.RELAY),
        (R, "554 5.7.1 <x@example.org>: Relay access denied", About.RELAY),
        (R, "554 5.7.1 <x@example.org>: Recipient address rejected: Access denied", About.RELAY),
        (R, "554 5.7.1 <mail.example.org[192.0.2.1]>: Client host rejected: Access denied", About.RELAY),
        (R, "550 5.4.1 Recipient address rejected: Access denied. [x.outbound.example.net]", About.MAILBOX),
        (R, "550 relay not permitted", About.RELAY),
        (R, "550 5.7.54 SMTP; Unable to relay recipient", About.RELAY),
        (R, "421 4.7.0 Too many errors", About.RELAY),
        (R, "451 4.3.0 Temporary lookup failure", About.RELAY),
        (R, "503 5.5.1 Need MAIL", About.RELAY),
        (M, "452 4.3.1 Insufficient system storage", About.RELAY),
        (D, "451 4.4.1 No connection", About.RELAY),
        (S, "550 5.1.1 whatever", About.RELAY),
        (S, "535 5.7.8 Bad credentials", About.RELAY),
    ],
)
def test_a_refusal_is_about_the_mailbox_the_message_or_the_relay(
    stage: Stage, raw: str, expected: About
) -> None:
    (reply,) = read(raw.encode() + b"\r\n")
    assert about(reply, stage) is expected
