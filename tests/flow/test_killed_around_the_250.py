"""The intake is killed, again and again, just before, at and just after its 250.

What was acknowledged is there afterwards; what was not, the sender still has. A few times in every test
run; `INFOMAIL_KILLS=200` (or `make kills`) does it two hundred times.
"""

import contextlib
import os
import random
import signal
import smtplib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import select

from mailer.installation import Installation
from mailer.receipts.model import Receipt
from tests.mailer.receipts.conftest import TOKEN

KILLS = int(os.environ.get("INFOMAIL_KILLS", "4"))
ADDRESS = f"bounce+{TOKEN}@example.org"
ROOT = Path(__file__).parents[2]
#: seconds that a mail takes, about: the kill falls anywhere before and after its 250
_MOMENT = 0.015


def test_a_kill_loses_no_acknowledged_mail(
    house: Installation, environment: dict[str, str], tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = environment | {"INFOMAIL_LMTP_LISTEN": f"127.0.0.1:{port}"}
    chance = random.Random(20261123)
    acknowledged: list[str] = []
    sent = 0
    for _ in range(KILLS):
        with _intake(settings, tmp_path) as process, _connected(port) as client:
            for last in (*[False] * chance.randint(1, 5), True):
                sent += 1
                if _hand_over(client, f"mail {sent}", process if last else None, chance):
                    acknowledged.append(f"mail {sent}")
    # one more start brings in what still waits in the folder
    with _intake(settings, tmp_path) as process:
        _connected(port).close()
        process.terminate()
        assert process.wait(30) == 0
    with house.database.read() as session:
        rows = session.scalars(select(Receipt.raw)).all()
    stored = [raw.split(b"\r\n")[0].decode().removeprefix("Subject: ") for raw in rows]
    assert len(acknowledged) >= KILLS
    assert [name for name in acknowledged if name not in stored] == []
    assert len(stored) == len(set(stored)) <= sent


@contextlib.contextmanager
def _intake(settings: dict[str, str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "mailer", "intake"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | settings
    with subprocess.Popen(command, env=environment, cwd=folder, stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


def _connected(port: int) -> smtplib.LMTP:
    end = time.monotonic() + 30
    while True:
        try:
            client = smtplib.LMTP("127.0.0.1", port, timeout=30)
        except OSError:
            assert time.monotonic() < end, "the intake does not start"
            time.sleep(0.02)
        else:
            client.ehlo()  # LHLO, here
            return client


def _hand_over(
    client: smtplib.LMTP, name: str, victim: subprocess.Popen[bytes] | None, chance: random.Random
) -> bool:
    """Whether the 250 came. `victim` is killed at some moment after the mail's last byte was sent."""
    try:
        client.mail("")
        client.rcpt(ADDRESS)
        client.docmd("DATA")
        client.send(f"Subject: {name}\r\n\r\n{'x' * 2000}\r\n.\r\n")
        if victim is not None:
            time.sleep(chance.uniform(0, _MOMENT))
            victim.send_signal(signal.SIGKILL)
        code, _ = client.getreply()
    except (OSError, smtplib.SMTPException):
        return False
    return code == 250
