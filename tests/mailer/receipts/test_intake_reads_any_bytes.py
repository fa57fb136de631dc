"""Hypothesis talks to the intake: any commands, any bytes, cut anywhere."""

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailer.receipts.arrivals import Arrivals
from mailer.receipts.listening import Limits, Speaks
from tests.mailer.receipts.conftest import ADDRESS, Intake, codes, envelope

_QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
_COMMANDS = st.sampled_from(
    [
        b"LHLO x", b"EHLO x", b"HELO x", b"MAIL FROM:<>", b"MAIL FROM:<a@example.net> SIZE=10 BODY=8BITMIME",
        b"MAIL FROM:<\xff@x>", b"RCPT TO:<" + ADDRESS.encode() + b">", b"RCPT TO:<a@example.net>", b"RCPT TO:",
        b"RCPT TO:<" + b"(" * 400, b"DATA", b"DATA x", b".", b"..", b"RSET", b"NOOP", b"VRFY \xff", b"HELP DATA",
        b"STARTTLS", b"AUTH LOGIN", b"QUIT", b"", b"\x00", b"Subject: x", b"BDAT 10 LAST",
    ]
)  # fmt: skip
_ENDS = st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r"])
_LINES = st.lists(st.tuples(st.one_of(_COMMANDS, st.binary(max_size=80)), _ENDS).map(b"".join), max_size=25)


def _cut(raw: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({place % (len(raw) + 1) for place in places})
    return [raw[start:end] for start, end in zip([0, *ends], [*ends, len(raw)], strict=True)]


@_QUICK
@given(lines=_LINES, cuts=st.lists(st.integers(0, 10_000), max_size=5), speaks=st.sampled_from(Speaks))
def test_whatever_is_said_is_answered_in_codes_and_nothing_foreign_is_kept(
    lines: list[bytes], cuts: list[int], speaks: Speaks
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        intake = Intake(Arrivals(Path(folder)), speaks=speaks, limits=Limits(size=5_000, idle=0.3))
        said = intake.tell(*_cut(b"".join(lines) + b"\r\n.\r\nQUIT\r\n", cuts))
        answers = said.split(b"\r\n")
        assert answers.pop() == b""
        assert all(answer[:1] in b"2345" and answer[:3].isdigit() for answer in answers), said
        assert b"Traceback" not in said
        assert {kept.recipient for kept in intake.kept()} <= {ADDRESS}
        # whatever is there was acknowledged, and the other way round
        assert (b"250 2.0.0 stored" in said) == bool(intake.kept())


@_QUICK
@given(
    body=st.lists(st.binary(max_size=60).filter(lambda line: b"\r\n" not in line), max_size=12),
    cuts=st.lists(st.integers(0, 10_000), max_size=6),
)
def test_a_mail_cut_anywhere_is_kept_byte_by_byte(body: list[bytes], cuts: list[int]) -> None:
    mail = b"".join(line.rstrip(b"\r") + b"\r\n" for line in body)
    stuffed = b"\r\n".join(b"." + line if line.startswith(b".") else line for line in mail.split(b"\r\n"))
    with tempfile.TemporaryDirectory() as folder:
        intake = Intake(Arrivals(Path(folder)))
        said = intake.tell(*_cut(envelope(ADDRESS) + b"DATA\r\n" + stuffed + b".\r\nQUIT\r\n", cuts))
        assert codes(said) == ["250", "250", "250", "354", "250", "221"]
        assert [kept.raw for kept in intake.kept()] == [mail]
