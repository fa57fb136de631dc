"""An intake on loopback, and what it says to bytes."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mailer.receipts.arrivals import Arrival, Arrivals
from mailer.receipts.listening import Limits, Speaks, Taking, listen
from mailer.receipts.returnpath import ReturnPath

TOKEN = "a2" * 22 + "b"
ADDRESS = f"bounce+{TOKEN}@example.org"
NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


@dataclass
class Intake:
    """What is given to a listening intake, and what it kept."""

    arrivals: Arrivals
    room: bool = True
    #: raised instead of keeping
    broken: Exception | None = None
    limits: Limits = field(default_factory=Limits)
    speaks: Speaks = Speaks.LMTP

    def keep(self, arrival: Arrival) -> None:
        if self.broken:
            raise self.broken
        self.arrivals.keep(arrival)

    def kept(self) -> list[Arrival]:
        return [arrival for _, arrival in self.arrivals.waiting(10_000)]

    def run(self, talk: Callable[[int], Awaitable[None]]) -> None:
        """Listen while `talk` lasts; it is handed the port."""

        async def both() -> None:
            door = socket.create_server(("127.0.0.1", 0))
            port: int = door.getsockname()[1]
            taking = Taking(
                ReturnPath.parse("bounce+{token}@example.org"), self.keep, lambda: self.room, lambda: NOW
            )
            async with listen([(door, self.speaks)], taking, name="intake.example.org", limits=self.limits):
                await talk(port)

        asyncio.run(both())

    def tell(self, *pieces: bytes) -> bytes:
        """Everything it answers to these bytes, sent piece by piece, until it ends the connection."""
        said = b""

        async def talk(port: int) -> None:
            nonlocal said
            said = await converse(port, *pieces)

        self.run(talk)
        return said


async def converse(port: int, *pieces: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        return await asyncio.wait_for(reader.read(), 10)
    except ConnectionError:
        return b""
    finally:
        writer.close()


@pytest.fixture
def intake(tmp_path: Path) -> Intake:
    return Intake(Arrivals(tmp_path / "incoming"))


def envelope(*recipients: str, hello: str = "LHLO", sender: str = "") -> bytes:
    """The commands before DATA."""
    lines = [f"{hello} client.example.net", f"MAIL FROM:<{sender}>"]
    lines += [f"RCPT TO:<{each}>" for each in recipients]
    return "".join(f"{line}\r\n" for line in lines).encode()


def codes(said: bytes) -> list[str]:
    """The codes of the answers, the greeting left out; several lines of one answer count once."""
    return [line[:3] for line in said.decode().split("\r\n")[1:] if line[3:4] == " "]
