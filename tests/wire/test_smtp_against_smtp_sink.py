"""Against Postfix's smtp-sink in its moods: what it refuses, drops or lets wait costs what it says, and no other mail."""

import asyncio
import os
import socket
import ssl
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mailer.smtp import About, Envelope, Outcome, Pool, Relay, Result, Timeouts
from tests.services.require import require

_PATIENCE = Timeouts(opening=5, reply=5, verdict=5, transaction=20)


@pytest.fixture
def arrivals() -> Iterator[Path]:
    """A folder that the sink may write into, whoever it runs as: not below pytest's own."""
    with tempfile.TemporaryDirectory(prefix="sink-") as folder:
        Path(folder).chmod(0o777)
        yield Path(folder)


@contextmanager
def sink(folder: Path, *options: str) -> Iterator[int]:
    """Its port; what it takes lies in `folder`."""
    command = require("postfix", "smtp-sink")["smtp-sink"]
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    as_somebody = ["-u", "nobody"] if os.geteuid() == 0 else []
    process = subprocess.Popen(
        [command, *as_somebody, *options, "-d", f"{folder}/%M.", f"127.0.0.1:{port}", "100"]
    )
    try:
        end = time.monotonic() + 10
        while time.monotonic() < end:
            with socket.socket() as knocking:
                if knocking.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.02)
        yield port
    finally:
        process.terminate()
        process.wait(10)


def sent_to(port: int, count: int, query: str = "") -> list[Result]:
    async def through() -> list[Result]:
        results: list[Result] = []
        relay = Relay.from_url(f"smtp://127.0.0.1:{port}?starttls=off{query}")
        pool = Pool([relay], ssl.create_default_context(), "me.example.org", _PATIENCE)
        envelopes = [
            Envelope(n, "a@example.org", f"b{n}@example.org", lambda n=n: b"Subject: %d\r\n\r\nx\r\n" % n)
            for n in range(count)
        ]
        try:
            async with asyncio.timeout(60):
                await pool.send(envelopes, results.extend)
        finally:
            await pool.close()
        return results

    return asyncio.run(through())


def taken(folder: Path) -> list[int]:
    """The numbers of the mails that it took whole."""
    found = (path.read_bytes().partition(b"Subject: ")[2] for path in folder.iterdir())
    return sorted(int(rest.split(b"\n", 1)[0]) for rest in found if rest)


@pytest.mark.parametrize("options", [(), ("-p",), ("-e",)], ids=["groups", "lock-step", "HELO"])
def test_everything_arrives_once_by_every_gear_it_offers(arrivals: Path, options: tuple[str, ...]) -> None:
    with sink(arrivals, *options) as port:
        results = sent_to(port, 200, "&connections=4")
    assert Counter(result.outcome for result in results) == {Outcome.SENT: 200}
    assert taken(arrivals) == list(range(200))


@pytest.mark.parametrize(
    ("options", "about"),
    [
        (("-f", "MAIL"), {About.RELAY, About.MESSAGE, About.MAILBOX}),
        (("-f", "RCPT"), {About.MAILBOX, About.RELAY, About.MESSAGE}),
        (("-f", "DATA"), {About.RELAY, About.MESSAGE}),
        (("-f", "."), {About.RELAY, About.MESSAGE}),
        (("-r", "RCPT"), {About.MAILBOX, About.RELAY, About.MESSAGE}),
    ],
)
def test_what_it_refuses_is_not_counted_as_sent(
    arrivals: Path, options: tuple[str, ...], about: set[About]
) -> None:
    with sink(arrivals, *options) as port:
        results = sent_to(port, 20, "&connections=2")
    assert sorted(result.key for result in results) == list(range(20))
    assert {result.outcome for result in results} <= {Outcome.FAILED, Outcome.DEFERRED}
    assert {result.about for result in results} <= about


@pytest.mark.parametrize("command", ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "."])
@pytest.mark.parametrize("manner", ["-q", "-Q"], ids=["without a word", "with 421"])
def test_a_hang_up_defers_and_only_after_the_last_dot_without_a_word_leaves_doubt(
    arrivals: Path, manner: str, command: str
) -> None:
    with sink(arrivals, manner, command) as port:
        results = sent_to(port, 10, "&connections=2")
    assert sorted(result.key for result in results) == list(range(10))
    outcomes = {result.outcome for result in results}
    # in doubt is what was sent to its end: those that waited behind it were not begun
    assert outcomes <= {Outcome.UNSURE, Outcome.DEFERRED}
    assert (Outcome.UNSURE in outcomes) == ((manner, command) == ("-q", "."))


def test_an_abort_in_the_midst_of_data_takes_its_own_message_only(arrivals: Path) -> None:
    # -A: 354, then 550 before the end of data, and it reads no further
    with sink(arrivals, "-A", "0") as port:
        results = sent_to(port, 6, "&connections=2")
    assert sorted(result.key for result in results) == list(range(6))
    assert Outcome.SENT not in {result.outcome for result in results}
    assert taken(arrivals) == []


def test_a_slow_verdict_is_waited_for(arrivals: Path) -> None:
    started = time.monotonic()
    with sink(arrivals, "-W", ".:1") as port:
        results = sent_to(port, 4, "&connections=4")
    assert Counter(result.outcome for result in results) == {Outcome.SENT: 4}
    assert time.monotonic() - started >= 1
    assert taken(arrivals) == list(range(4))
