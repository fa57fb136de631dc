"""What strangers may do to the intake, and what it answers."""

import asyncio
import errno
import os
from datetime import timedelta

import pytest

from mailer.receipts.listening import Limits, Speaks
from tests.mailer.receipts.conftest import ADDRESS, NOW, TOKEN, Intake, codes, converse, envelope

OTHER = f"bounce+{TOKEN[:-1]}c@example.org"
MAIL = b"Subject: report\r\n\r\nText\r\n"


def sent(*recipients: str, mail: bytes = MAIL) -> tuple[bytes, bytes]:
    return envelope(*recipients) + b"DATA\r\n", mail + b".\r\nQUIT\r\n"


def test_a_mail_is_kept_as_it_came_with_its_envelope(intake: Intake) -> None:
    said = intake.tell(*sent(ADDRESS, mail=b"A: b\r\n\r\n..dot\r\n\xff\x00\r\n"))
    assert codes(said) == ["250", "250", "250", "354", "250", "221"]
    (kept,) = intake.kept()
    assert (kept.raw, kept.recipient, kept.sender) == (b"A: b\r\n\r\n.dot\r\n\xff\x00\r\n", ADDRESS, "<>")
    assert kept.received_at == NOW


def test_lmtp_answers_for_each_recipient(intake: Intake) -> None:
    said = intake.tell(*sent(ADDRESS, "someone@example.org", OTHER))
    assert codes(said) == ["250", "250", "250", "550", "250", "354", "250", "250", "221"]
    assert {kept.recipient for kept in intake.kept()} == {ADDRESS, OTHER}


def test_smtp_answers_once(intake: Intake) -> None:
    intake.speaks = Speaks.SMTP
    said = intake.tell(envelope(ADDRESS, OTHER, hello="EHLO") + b"DATA\r\n", MAIL + b".\r\nQUIT\r\n")
    assert codes(said) == ["250", "250", "250", "250", "354", "250", "221"]
    assert len(intake.kept()) == 2


def test_the_same_mail_twice_is_one(intake: Intake) -> None:
    for _ in range(2):
        intake.tell(*sent(ADDRESS))
    assert len(intake.kept()) == 1


@pytest.mark.parametrize(
    "recipient", ["someone@example.org", "bounce@example.org", f"{ADDRESS}.evil.example"]
)
def test_foreign_recipients_are_refused(intake: Intake, recipient: str) -> None:
    assert codes(intake.tell(*sent(recipient)))[2:4] == ["550", "503"]
    assert intake.kept() == []


@pytest.mark.parametrize(
    ("problem", "answer"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), b"452 4.3.1"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), b"452 4.3.1"),
        (OSError(errno.EIO, "secret path"), b"451 4.3.0"),
        (RuntimeError("secret path"), b"451 4.3.0"),
    ],
)
@pytest.mark.parametrize("speaks", Speaks)
def test_what_cannot_be_kept_is_answered_for_later_and_without_reasons(
    intake: Intake, problem: Exception, answer: bytes, speaks: Speaks
) -> None:
    intake.broken, intake.speaks = problem, speaks
    hello = "LHLO" if speaks is Speaks.LMTP else "EHLO"
    said = intake.tell(envelope(ADDRESS, OTHER, hello=hello) + b"DATA\r\n", MAIL + b".\r\nQUIT\r\n")
    assert said.count(answer) == (2 if speaks is Speaks.LMTP else 1)
    assert b"secret" not in said
    assert b"Error" not in said
    assert b"250 2.0.0" not in said


def test_a_full_disk_is_said_before_the_mail_is_sent(intake: Intake) -> None:
    intake.room = False
    assert codes(intake.tell(*sent(ADDRESS)))[:2] == ["250", "452"]


def test_a_mail_too_large_is_refused_for_each_recipient_and_the_next_one_is_taken(intake: Intake) -> None:
    intake.limits = Limits(size=10_000)
    said = intake.tell(
        envelope(ADDRESS, OTHER) + b"DATA\r\n", b"x" * 70 + b"\r\n", (b"x" * 70 + b"\r\n") * 200,
        b".\r\n" + b"".join(sent(ADDRESS)).replace(b"LHLO client.example.net\r\n", b""),
    )  # fmt: skip
    assert codes(said)[4:] == ["354", "552", "552", "250", "250", "354", "250", "221"]
    assert [kept.raw for kept in intake.kept()] == [MAIL]


def test_a_declared_size_too_large_is_refused_at_once(intake: Intake) -> None:
    said = intake.tell(b"LHLO x\r\nMAIL FROM:<> SIZE=99999999\r\nQUIT\r\n")
    assert codes(said) == ["250", "552", "221"]


def test_a_mail_without_end_is_cut_off(intake: Intake) -> None:
    """A single line that goes on, as a mail or as a command: neither is held in memory."""
    intake.limits = Limits(size=10_000)
    for start in (envelope(ADDRESS) + b"DATA\r\n", b""):
        said = intake.tell(start, *[b"x" * 10_000] * 40)
        assert b"552 5.3.4" in said or said == b""  # or the connection was reset before it was read
        assert intake.kept() == []


def test_a_long_line_is_taken(intake: Intake) -> None:
    """What a bounce returns need not keep to 1,000 octets."""
    intake.tell(*sent(ADDRESS, mail=b"Subject: x\r\n\r\n" + b"x" * 500_000 + b"\r\n"))
    assert len(intake.kept()) == 1


def test_recipients_are_limited(intake: Intake) -> None:
    intake.limits = Limits(recipients=2)
    said = intake.tell(*sent(ADDRESS, OTHER, ADDRESS))
    assert codes(said) == ["250", "250", "250", "250", "452", "354", "250", "250", "221"]


def test_connections_are_limited_and_freed(intake: Intake) -> None:
    intake.limits = Limits(connections=10, per_origin=2)

    async def talk(port: int) -> None:
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        for reader, _ in held:
            assert (await reader.readline()).startswith(b"220")
        assert (await converse(port)).startswith(b"421 4.7.0")
        for _, writer in held:
            writer.close()
            await writer.wait_closed()
        await asyncio.sleep(0.05)
        assert (await converse(port, b"QUIT\r\n")).startswith(b"220")

    intake.run(talk)


@pytest.mark.parametrize("limits", [Limits(idle=0.2), Limits(whole=0.2)])
def test_a_connection_that_says_nothing_or_goes_on_for_ever_ends(intake: Intake, limits: Limits) -> None:
    intake.limits = limits

    async def talk(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        began = asyncio.get_running_loop().time()
        writer.write(envelope(ADDRESS) + b"DATA\r\n")
        while asyncio.get_running_loop().time() - began < 3 and not reader.at_eof():
            try:
                writer.write(b"x")
                await writer.drain()
                await asyncio.wait_for(reader.read(1000), 0.05)
            except TimeoutError:
                continue
            except ConnectionError:
                break
        assert asyncio.get_running_loop().time() - began < 2
        writer.close()

    intake.run(talk)
    assert intake.kept() == []


#: ways to say "the mail ends here" that some servers believe and others do not (SMTP smuggling)
ENDS = (
    b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r.\n", b"\r\n.\n", b"\r\n.\r", b"\r.\r\n", b"\n.\r",
    b"\r\n\x00.\r\n", b"\r\n.\x00\r\n", b"\n\n.\r\r\n", b"\r\r\n.\r\r\n", b"\r\n..\r\n",
)  # fmt: skip


@pytest.mark.parametrize("end", ENDS, ids=repr)
@pytest.mark.parametrize("speaks", Speaks)
def test_only_one_end_is_the_end(intake: Intake, end: bytes, speaks: Speaks) -> None:
    intake.speaks = speaks
    hello = "LHLO" if speaks is Speaks.LMTP else "EHLO"
    smuggled = envelope(OTHER).partition(b"\r\n")[2] + b"DATA\r\n" + b"Subject: smuggled\r\n"
    said = intake.tell(
        envelope(ADDRESS, hello=hello) + b"DATA\r\n", b"A: b\r\n\r\nText" + end + smuggled + b".\r\nQUIT\r\n"
    )
    assert codes(said)[3:] == ["354", "250", "221"]
    (kept,) = intake.kept()
    assert b"smuggled" in kept.raw


def test_nobody_logs_in_relays_or_encrypts(intake: Intake) -> None:
    said = intake.tell(
        b"LHLO x\r\nSTARTTLS\r\nAUTH PLAIN AGEAYg==\r\nVRFY a@example.org\r\nEXPN x\r\nQUIT\r\n"
    )
    assert b"STARTTLS" not in said
    assert b"AUTH" not in said.partition(b"454")[0]
    assert codes(said) == ["250", "454", "538", "252", "502", "221"]


def test_a_command_given_for_ever_ends_the_connection(intake: Intake) -> None:
    said = intake.tell(b"LHLO x\r\n" + b"NOOP\r\n" * 200)
    assert said.count(b"250 OK") == 100
    assert b"421 4.7.0" in said


def test_old_half_written_files_are_removed_and_young_ones_are_not(intake: Intake) -> None:
    folder = intake.arrivals._tmp
    for name, age in (("old", timedelta(hours=2)), ("young", timedelta(minutes=1))):
        (folder / name).write_bytes(b"half")
        then = (folder / name).stat().st_mtime - age.total_seconds()
        os.utime(folder / name, (then, then))
    type(intake.arrivals)(folder.parent)
    assert [path.name for path in folder.iterdir()] == ["young"]
