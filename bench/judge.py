"""The judge of "nothing lost": an SMTP sink with an account of its own, and with faults at will.

    python -m bench.judge ACCOUNT [--listen HOST:PORT] [--fault NAME[=NUMBER]] [--gear bdat|data|lock-step]

A line (Message-ID, recipient, time) is written and synced to ACCOUNT before each 250 to a mail. It shares
no code with the service. Mails that come in one piece are synced together. The faults:

    none          every mail is taken
    storm         4xx for every recipient
    tarpit=S      each answer takes S seconds
    no-banner     connections are taken and never greeted
    half-open=N   after N mails it reads on and answers nothing
    reset-mid=N   the connection is reset in the middle of each Nth mail
    reset-dot=N   each Nth mail is taken, put on the account, and the connection reset instead of a 250
    421=N         after N mails on a connection: 421, and it ends
    slow-tls=S    STARTTLS is offered, and its handshake begins S seconds late, with nothing behind it
"""

import argparse
import asyncio
import contextlib
import os
import re
import socket
import struct
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

_GEARS = {
    "bdat": ("PIPELINING", "CHUNKING"),
    "data": ("PIPELINING",),
    "lock-step": (),
}
FAULTS = (
    "none", "storm", "tarpit", "no-banner", "half-open", "reset-mid", "reset-dot", "421", "slow-tls",
)  # fmt: skip
_MESSAGE_ID = re.compile(rb"^message-id:[ \t\r\n]*<([^>]*)>", re.IGNORECASE | re.MULTILINE)


class Taken(NamedTuple):
    message_id: str
    recipient: str
    at: float


@dataclass
class Judge:
    """What the server does, and what it has taken."""

    account: Path
    gear: str = "bdat"
    fault: str = "none"
    #: what the fault's number means, see above
    number: float = 1
    #: seconds that each mail takes, for relays that are slower than loopback
    delay: float = 0.0
    mails: int = 0
    connections: int = 0
    _file: int = field(init=False)

    def __post_init__(self) -> None:
        self._file = os.open(self.account, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write_down(self, taken: list[tuple[bytes, bytes]]) -> None:
        """Synced when this returns."""
        now = time.time()
        lines = [b"%s %s %.6f\n" % (message_id, recipient, now) for message_id, recipient in taken]
        os.write(self._file, b"".join(lines))
        os.fdatasync(self._file)
        self.mails += len(taken)

    def close(self) -> None:
        os.close(self._file)


def read_account(path: Path) -> list[Taken]:
    """What a judge has taken, in order."""
    found = []
    for line in path.read_text().splitlines() if path.exists() else ():
        message_id, recipient, at = line.split(" ")
        found.append(Taken(message_id, recipient, float(at)))
    return found


def times_taken(path: Path) -> Counter[str]:
    """How often a mail to each recipient was taken."""
    return Counter(each.recipient for each in read_account(path))


class Session(asyncio.Protocol):
    """One connection: commands in, answers out, all that came in one piece answered in one."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._buffer = bytearray()
        self._answers: list[bytes] = []
        self._taken: list[tuple[bytes, bytes]] = []
        self._recipient = b""
        self._chunks = bytearray()
        self._in_data = False
        self._mails = 0
        self._is_dumb = False
        self._is_over = False
        self._sending: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._judge.connections += 1
        if self._judge.fault != "no-banner":
            self._answer(b"220 judge.example.org ESMTP")
            self._send()

    def data_received(self, data: bytes) -> None:
        if self._is_dumb or self._is_over or self._judge.fault == "no-banner":
            return
        self._buffer += data
        while not self._is_over and not self._is_dumb and self._step():
            pass
        self._send()

    def _step(self) -> bool:
        """Take one command, chunk or mail from the buffer; False where it holds no whole one."""
        if self._in_data:
            end = self._buffer.find(b"\r\n.\r\n")
            if end < 0:
                self._maybe_reset_within(len(self._buffer))
                return False
            content = bytes(self._buffer[: end + 2])
            del self._buffer[: end + 5]
            self._in_data = False
            self._mail(content)
            return True
        end = self._buffer.find(b"\r\n")
        if end < 0:
            return False
        line = bytes(self._buffer[:end])
        verb = line[:4].upper()
        if verb == b"BDAT":
            size = int(line.split()[1])
            if len(self._buffer) < end + 2 + size:
                self._maybe_reset_within(len(self._buffer) - end)
                return False
            chunk = bytes(self._buffer[end + 2 : end + 2 + size])
            del self._buffer[: end + 2 + size]
            self._bdat(chunk, is_last=line.upper().endswith(b"LAST"))
            return True
        del self._buffer[: end + 2]
        self._command(verb, line)
        return True

    def _command(self, verb: bytes, line: bytes) -> None:
        judge = self._judge
        if verb in (b"EHLO", b"HELO"):
            extensions = [*_GEARS[judge.gear], "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "DSN"]
            if judge.fault == "slow-tls":
                extensions.append("STARTTLS")
            said = ["judge.example.org", *extensions]
            self._answers += [b"250-%s\r\n" % word.encode() for word in said[:-1]]
            self._answer(b"250 " + said[-1].encode())
        elif verb == b"RCPT":
            if judge.fault == "storm":
                self._answer(b"451 4.7.1 try again later")
                return
            found = re.search(rb"<([^>]*)>", line)
            self._recipient = found[1] if found else b""
            self._answer(b"250 2.1.5 ok")
        elif verb == b"DATA":
            self._in_data = bool(self._recipient)
            self._answer(b"354 go" if self._recipient else b"503 5.5.1 no recipient")
        elif verb == b"STAR":
            self._answer(b"220 2.0.0 begin")
            self._send()
            # no handshake ever comes: the client's patience is what is tried
            self._is_dumb = True
            asyncio.get_running_loop().call_later(judge.number, self._reset)
        elif verb == b"QUIT":
            self._answer(b"221 2.0.0 bye")
            self._send()
            self._is_over = True
            self._transport.close()
        else:
            self._answer(b"250 2.0.0 ok")

    def _bdat(self, chunk: bytes, *, is_last: bool) -> None:
        self._chunks += chunk
        if not is_last:
            self._answer(b"250 2.0.0 chunk")
            return
        content, self._chunks = bytes(self._chunks), bytearray()
        if self._recipient:
            self._mail(content)
        else:
            self._answer(b"503 5.5.1 no recipient")

    def _mail(self, content: bytes) -> None:
        judge = self._judge
        found = _MESSAGE_ID.search(content)
        assert found, "a mail without Message-ID"
        nth = judge.mails + len(self._taken) + 1
        if judge.fault == "reset-mid" and nth % int(judge.number) == 0:
            judge.mails += 1  # so that the next one is not the Nth again
            self._reset()
            return
        if judge.fault == "half-open" and self._mails >= judge.number:
            self._is_dumb = True
            return
        self._taken.append((found[1], self._recipient))
        self._recipient = b""
        self._mails += 1
        if judge.fault == "reset-dot" and nth % int(judge.number) == 0:
            self._taken, last = self._taken[:-1], self._taken[-1:]
            self._send()
            judge.write_down(last)
            self._reset()
            return
        self._answer(b"250 2.0.0 taken")
        if judge.fault == "421" and self._mails >= judge.number:
            self._answer(b"421 4.3.2 enough for one connection")
            self._send()
            self._is_over = True
            self._transport.close()

    def _maybe_reset_within(self, arrived: int) -> None:
        judge = self._judge
        if judge.fault == "reset-mid" and arrived > 2000 and (judge.mails + 1) % int(judge.number) == 0:
            judge.mails += 1
            self._reset()

    def _answer(self, line: bytes) -> None:
        self._answers.append(line + b"\r\n")

    def _send(self) -> None:
        """First the account, then the 250."""
        if self._taken:
            self._judge.write_down(self._taken)
        seconds = len(self._taken) * self._judge.delay
        self._taken = []
        answers, self._answers = self._answers, []
        if not answers or self._transport.is_closing():
            return
        if self._judge.fault == "tarpit":
            seconds += len(answers) * self._judge.number
        if not seconds:
            self._transport.write(b"".join(answers))
            return
        self._sending = asyncio.ensure_future(self._send_late(answers, seconds, self._sending))

    async def _send_late(
        self, answers: list[bytes], seconds: float, before: asyncio.Task[None] | None
    ) -> None:
        if before is not None:
            await before
        for answer in answers:
            await asyncio.sleep(seconds / len(answers))
            if not self._transport.is_closing():
                self._transport.write(answer)

    def _reset(self) -> None:
        """RST, not FIN (SO_LINGER 0)."""
        self._is_over = True
        connection = self._transport.get_extra_info("socket")
        if connection is not None and not self._transport.is_closing():
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()


@contextlib.contextmanager
def judging(judge: Judge) -> Iterator[int]:
    """The judge on a port of loopback, in a thread of its own; gives the port. Its fault may be changed."""
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(loop.create_server(lambda: Session(judge), "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        _clear(loop)
        judge.close()


def _clear(loop: asyncio.AbstractEventLoop) -> None:
    async def end() -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    loop.run_until_complete(end())
    loop.close()


async def _serve(judge: Judge, host: str, port: int, started: Callable[[int], None]) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: Session(judge), host, port)
    started(server.sockets[0].getsockname()[1])
    async with server:
        await server.serve_forever()


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("account", type=Path)
    parser.add_argument("--listen", default="127.0.0.1:0", metavar="HOST:PORT")
    parser.add_argument("--gear", choices=_GEARS, default="bdat")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds that each mail takes")
    parser.add_argument("--fault", default="none", metavar="NAME[=NUMBER]")
    arguments = parser.parse_args()
    fault, _, number = arguments.fault.partition("=")
    if fault not in FAULTS:
        parser.error(f"no such fault: {fault}")
    host, _, port = arguments.listen.rpartition(":")
    judge = Judge(
        arguments.account, gear=arguments.gear, fault=fault, number=float(number or 1), delay=arguments.delay
    )
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(judge, host, int(port), lambda bound: print(bound, flush=True)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
