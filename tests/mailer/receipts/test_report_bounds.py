"""Reports are written by strangers: no bytes may stop or slow the reader."""

import re
import time
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailer.receipts import notice, opening, reasons, report, verdict, wording
from mailer.receipts.report import Kind, read_report

_HEAD = b"From: MAILER-DAEMON@mx.example.net\nSubject: failure notice\n"


def _nested(parts: int) -> bytes:
    return b"".join(
        b'Content-Type: multipart/mixed; boundary="b%d"\n\n--b%d\n' % (number, number)
        for number in range(parts)
    )


_BOMBS = {
    "10,000 nested parts": _HEAD + _nested(10_000),
    "nested parts and many lines": _HEAD + _nested(16) + b"x\n" * 500_000,
    "10,000 enclosed mails": _HEAD + b"Content-Type: message/rfc822\n\n" * 10_000,
    "10,000 parts": _HEAD + b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nx\n" * 10_000,
    "a million header lines": _HEAD + b"X-A: b\n" * 1_000_000 + b"\n",
    "one header folded without end": _HEAD + b"X-A: b\n" + b" c\n" * 300_000,
    "one endless line": _HEAD + b"\n" + b"a" * 3_000_000,
    "an unknown charset": _HEAD + b"Content-Type: text/plain; charset=klingon\n\nerna@example.net: 550",
    "a broken charset": _HEAD + b'Content-Type: text/plain; charset="\xff\x00"\n\n\xff\xfe',
    "broken words in the subject": b"Subject: =?utf-8?b?====?= =?x?q?=ZZ?= =?utf-8?q?\xff?=\n\n",
    "a codec that is no charset": _HEAD + b"Content-Type: text/plain; charset=zip\n\nabc",
    "broken base64": _HEAD + b"Content-Transfer-Encoding: base64\n\n=a=b=c\xff",
    "many status blocks": _HEAD
    + b"Content-Type: message/delivery-status\n\n"
    + b"Final-Recipient: rfc822; a@b.example\n\n" * 20_000,
    "ten thousand addresses": _HEAD
    + b"\n"
    + b"".join(b"<a%d@b.example>:\n" % each for each in range(10_000)),
    "base64 without end": _HEAD + b"Content-Transfer-Encoding: base64\n\n" + b"QUJD" * 2_000_000,
    "HTML that opens and never closes": _HEAD
    + b"Content-Type: text/html\n\n"
    + b"<style><script><p" * 100_000,
    "data that nests": _HEAD + b"\n" + b'{"a":[' * 300_000,
    "lines of at signs": _HEAD + b"\n" + b"to: <a@a.b>\n" * 90_000,
    "nothing": b"",
}


@pytest.mark.parametrize("raw", _BOMBS.values(), ids=_BOMBS.keys())
def test_a_hostile_mail_is_read_within_a_second(raw: bytes) -> None:
    began = time.process_time()
    read_report(raw)
    assert time.process_time() - began < 1


def test_a_mail_of_a_hundred_megabytes_takes_little_time_and_memory() -> None:
    raw = _HEAD + b"\n" + (b"y" * 990 + b"\n") * 101_000
    began = time.process_time()
    read_report(raw)
    assert time.process_time() - began < 1
    tracemalloc.start()
    try:
        read_report(raw)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def test_who_names_thousands_is_not_told_apart_without_end() -> None:
    raw = _HEAD + b"\n" + b"".join(b"<a%d@b.example>: 550 5.1.1 no\n" % each for each in range(5_000))
    assert len(read_report(raw).recipients) == 100


def _patterns() -> Iterator[tuple[str, re.Pattern[str]]]:
    for module in (notice, opening, reasons, report, verdict, wording):
        for name, value in vars(module).items():
            if isinstance(value, re.Pattern) and isinstance(value.pattern, str):
                yield f"{module.__name__}.{name}", value
    for reason, pattern in reasons.WORDS:
        yield f"reasons.WORDS.{reason}", pattern


#: what makes alternatives begin again and again
_SEEDS = (
    "a", " ", "-", "<", "@", '"', "=", "1", "5.", "a@", "<a", "- ", "a ", "\n ", "re: ", "<a@b.c>... ", "550 ",
    "user ", "user x", "no such ", "unknown ", "exceed ", "not a ", "5.4.1 ", "bitte ", "newsletter a ",
    "ich bin a ", "melden sie mich a ", "rejected by ", "delivery ", "empfänger ", "this is a ", "--- original ",
)  # fmt: skip


@pytest.mark.parametrize("pattern", [each for _, each in _patterns()], ids=[name for name, _ in _patterns()])
def test_every_pattern_is_linear(pattern: re.Pattern[str]) -> None:
    for seed in _SEEDS:
        hostile = (seed * 100_000)[:100_000] + "!"
        began = time.process_time()
        for _ in pattern.finditer(hostile):
            pass
        assert time.process_time() - began < 0.1, seed


def test_enough_patterns_are_looked_at() -> None:
    assert sum(1 for _ in _patterns()) > 15


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400), st.sampled_from(list(_BOMBS.values())[-8:]), st.integers(0, 200))
def test_no_bytes_raise(noise: bytes, base: bytes, at: int) -> None:
    found = read_report(base[:at] + noise + base[at : at + 400])
    assert found.kind in list(Kind)
    "".join([found.subject, found.envelope_id, *found.references]).encode()
    for each in found.recipients:
        "".join([each.address, each.status, each.action, each.said]).encode()


def test_a_report_that_lost_its_boundary_is_still_read() -> None:
    raw = (
        b'From: MAILER-DAEMON@mx.example.net\nContent-Type: multipart/report; boundary="other"\n\n--cut\n'
        b"Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.net\n\n"
        b"Final-Recipient: rfc822; erna@example.net\nAction: failed\nStatus: 5.1.1\n\n--cut--\n"
    )
    assert [(each.address, each.kind) for each in read_report(raw).recipients] == [
        ("erna@example.net", Kind.HARD)
    ]


def test_flufl_bounce_stumbling_is_no_reason_to_fail(caplog: pytest.LogCaptureFixture) -> None:
    # its detectors expect a From that is text: bytes above 127 make it a Header
    found = read_report(b"From: \xe4\xf6\xfc <erna@example.net>\nSubject: Hallo\n\nGuten Tag\n")
    assert found.kind is Kind.OTHER
    assert not caplog.records
