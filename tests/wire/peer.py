"""A server that speaks from a script, over a real socket, and keeps every byte it hears."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial

from mailer.smtp import Envelope, Pool, Relay, Result, Timeouts


class Peer:
    """The server's end of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.heard = b""

    async def say(self, raw: bytes) -> None:
        self.writer.write(raw)
        await self.writer.drain()

    async def hear(self, until: bytes = b"\r\n") -> bytes:
        raw = await self.reader.readuntil(until)
        self.heard += raw
        return raw

    async def greet(self, *extensions: str) -> None:
        await self.say(b"220 wire\r\n")
        await self.hear()
        await self.say(
            "".join(f"250-{line}\r\n" for line in ("wire", *extensions)).encode() + b"250 HELP\r\n"
        )

    async def take(self, verdict: bytes = b"250 2.0.0 taken\r\n") -> bytes:
        """One whole transaction; the bytes between 354 and the end of data, dots and all."""
        for answer in (b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"):
            await self.hear()
            await self.say(answer)
        content = await self.hear(b"\r\n.\r\n")
        await self.say(verdict)
        return content

    def reset(self) -> None:
        self.writer.transport.abort()


Script = Callable[[Peer], Awaitable[None]]


@dataclass
class Wire:
    """A listening server; connection n follows script n, and those beyond follow the last."""

    relay: Relay
    peers: list[Peer] = field(default_factory=list)


@asynccontextmanager
async def listening(*scripts: Script, query: str = "") -> AsyncIterator[Wire]:
    tasks: list[asyncio.Task[None]] = []

    async def play(peer: Peer, script: Script) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await script(peer)
        peer.writer.close()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Peer(reader, writer)
        script = scripts[min(len(wire.peers), len(scripts) - 1)]
        wire.peers.append(peer)
        tasks.append(asyncio.ensure_future(play(peer, script)))

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    wire = Wire(Relay.from_url(f"smtp://127.0.0.1:{port}{query}"))
    try:
        yield wire
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for peer in wire.peers:
            peer.writer.transport.abort()
        await server.wait_closed()


def envelopes(*messages: bytes) -> list[Envelope]:
    return [
        Envelope(number, "a@example.org", f"b{number}@example.org", partial(bytes, message))
        for number, message in enumerate(messages)
    ]


def pool(*relays: Relay, timeouts: Timeouts | None = None) -> Pool:
    return Pool(relays, ssl.create_default_context(), "me.example.org", timeouts)


async def sent(through: Pool, *messages: bytes) -> list[Result]:
    """Send `messages`; their results in the order of the messages, having checked there is one each."""
    results: list[Result] = []
    async with asyncio.timeout(10):
        await through.send(envelopes(*messages), results.extend)
    assert sorted(str(result.key) for result in results) == sorted(str(n) for n in range(len(messages)))
    return sorted(results, key=lambda result: str(result.key).zfill(9))


@asynccontextmanager
async def closing(through: Pool) -> AsyncIterator[Pool]:
    try:
        yield through
    finally:
        await through.close()
