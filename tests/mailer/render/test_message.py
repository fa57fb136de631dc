"""The prepared mail: whatever is put into it arrives as it was, in lines a server takes."""

import email
import email.policy
import html as html_entities
import quopri

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.render.headerlines import one_line
from mailer.render.message import (
    Image,
    Prepared,
    Slot,
    encode,
    header_value,
    quoted_printable,
    salutation,
    text_only,
)

SENTINELS = {
    "xSALUTATIONTEXTx": Slot.SALUTATION_TEXT,
    "xSALUTATIONHTMLx": Slot.SALUTATION_HTML,
    "xUNSUBSCRIBEx": Slot.UNSUBSCRIBE,
}
#: text as a template may give it: no NUL (refused), no lone surrogate (no UTF-8)
TEXT = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"))
DOTTED = st.text(st.sampled_from(".=\r\n aä€"), max_size=300)


RICH = "<p>xSALUTATIONHTMLx</p>"


def _mail(
    text: str = "xSALUTATIONTEXTx\n\nxUNSUBSCRIBEx\n", html: str = "<p>xSALUTATIONHTMLx</p>"
) -> Prepared:
    return Prepared(_encoded(text, html))


def _encoded(text: str, html: str = "<p>xSALUTATIONHTMLx</p>") -> bytes:
    return encode(
        headers=[("From", "Infomail <info@example.org>"), ("Subject", "Ehrenamt – Überblick")],
        lines=[
            b"To: " + Slot.TO.value,
            b"Date: " + Slot.DATE.value,
            b"Message-ID: <" + Slot.MESSAGE_ID.value + b"@example.org>",
        ],
        text=text,
        html=html,
        sentinels=SENTINELS,
        boundary="b" * 30,
    )


def _fill(mail: Prepared, greeting: str = "Guten Tag,", token: str = "t" * 45) -> bytes:
    as_text, as_html = salutation(greeting)
    return mail.fill(
        {
            Slot.TO: header_value("anna@example.org"),
            Slot.DATE: b"Tue, 05 Mar 2024 10:00:00 +0100",
            Slot.MESSAGE_ID: token.encode(),
            Slot.UNSUBSCRIBE: token.encode(),
            Slot.SALUTATION_TEXT: as_text,
            Slot.SALUTATION_HTML: as_html,
        }
    )


def _parts(raw: bytes) -> tuple[str, str]:
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert not message.defects
    plain, rich = message.iter_parts()
    assert not plain.defects
    assert not rich.defects
    return _lines(plain.get_content()), _lines(rich.get_content())


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


@given(text=TEXT | DOTTED)
def test_quoted_printable_comes_back_as_it_was_in_lines_that_need_no_stuffing(text: str) -> None:
    encoded = quoted_printable(text)
    assert quopri.decodestring(encoded).decode().replace("\r\n", "\n") == _lines(text)
    for line in encoded.split(b"\r\n"):
        assert len(line) <= 76
        assert not line.startswith(b".")
        assert line.isascii()
        assert b"\r" not in line
        assert b"\n" not in line


@given(before=TEXT | DOTTED, greeting=TEXT | DOTTED, after=TEXT | DOTTED)
def test_a_slot_may_stand_anywhere_and_hold_anything(before: str, greeting: str, after: str) -> None:
    before, greeting, after = _lines(before), _lines(greeting), _lines(after)
    raw = _fill(_mail(text=f"{before}xSALUTATIONTEXTx{after}\n"), greeting=greeting)
    assert all(len(line) <= 78 and not line.startswith(b".") for line in raw.split(b"\r\n"))
    body = raw.split(b"quoted-printable\r\n\r\n", 1)[1].split(b"\r\n--bbb", 1)[0]
    assert _lines(quopri.decodestring(body).decode()) == f"{before}{one_line(greeting)}{after}\n"


def test_the_filled_mail_parses_without_defects_and_shows_what_was_put_in() -> None:
    raw = _fill(_mail(), greeting="Sehr geehrte Frau Dr. Groß-Größer,", token="abc234")
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert message["Subject"] == "Ehrenamt – Überblick"
    assert message["To"] == "anna@example.org"
    assert message["Message-ID"] == "<abc234@example.org>"
    plain, rich = _parts(raw)
    assert plain == "Sehr geehrte Frau Dr. Groß-Größer,\n\nabc234\n"
    assert rich == "<p>Sehr geehrte Frau Dr. Groß-Größer,</p>"


def test_a_name_is_no_markup_in_the_html_part() -> None:
    greeting = "Guten Tag <b onclick=x>&"
    _, rich = _parts(_fill(_mail(), greeting=greeting))
    assert rich == f"<p>{html_entities.escape(greeting)}</p>"


def test_one_prepared_mail_serves_many_recipients() -> None:
    mail = _mail()
    assert _parts(_fill(mail, greeting="Eins,"))[0].startswith("Eins,")
    assert _parts(_fill(mail, greeting="Zwei,"))[0].startswith("Zwei,")


@pytest.mark.parametrize("value", ["a\r\nBcc: b@example.org", "a\nb", "a\0b", "a\x7fb"])
def test_a_header_slot_refuses_control_characters(value: str) -> None:
    with pytest.raises(ValueError, match="control"):
        header_value(value)


@pytest.mark.parametrize("value", ["a\r\nBcc: b@example.org", "a\nb", "a\rb"])
def test_a_header_is_one_line_whatever_is_said(value: str) -> None:
    raw = encode(headers=[("Subject", value)], lines=[], text="", html="", sentinels={}, boundary="b")
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert (message["Subject"], message["Bcc"]) == (" ".join(value.split()), None)


def test_a_nul_in_a_part_is_left_out_since_it_would_read_as_a_slot() -> None:
    assert _parts(_fill(_mail(text="a\0u\0b\n")))[0] == "aub\n"


@given(TEXT)
def test_who_wants_text_only_gets_the_very_text_part_and_no_other(text: str) -> None:
    encoded = _encoded("xSALUTATIONTEXTx\n" + text)
    both = email.message_from_bytes(_fill(Prepared(encoded)), policy=email.policy.default)
    alone = email.message_from_bytes(_fill(Prepared(text_only(encoded))), policy=email.policy.default)
    assert alone.defects == []
    assert alone.get_content_type() == "text/plain"
    part = both.get_body(("plain",))
    assert part is not None
    assert _lines(alone.get_content()).rstrip("\n") == _lines(part.get_content()).rstrip("\n")
    for name in ("From", "To", "Subject", "Date", "Message-ID", "MIME-Version"):
        assert alone[name] == both[name]
    assert b"SALUTATIONHTML" not in text_only(encoded)


def test_pictures_that_the_html_shows_are_related_to_it_and_come_out_as_they_were() -> None:
    shown, unused = (
        Image("a@example.org", "image/png", bytes(range(256)) * 9),
        Image("b@example.org", "image/jpeg", b"j"),
    )
    raw = encode(
        headers=[("Subject", "Bild")], lines=[], text="x\n", html=f'<img alt="" src="{shown.url}">', sentinels={},
        boundary="=b=", images=[shown, unused],
    )  # fmt: skip
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert [part.get_content_type() for part in message.walk()] == [
        "multipart/alternative", "text/plain", "multipart/related", "text/html", "image/png",
    ]  # fmt: skip
    picture = list(message.walk())[-1]
    assert not any(part.defects for part in message.walk())
    assert (picture["Content-ID"], picture.get_content()) == ("<a@example.org>", shown.data)
    assert picture.get_content_disposition() == "inline"
    assert max(map(len, raw.split(b"\r\n"))) <= 76 + 2
    assert b"\n" not in raw.replace(b"\r\n", b"")
    alone = email.message_from_bytes(text_only(raw), policy=email.policy.default)
    assert (alone.get_content_type(), _lines(alone.get_content())) == ("text/plain", "x\n")
    assert b"image" not in text_only(raw)
