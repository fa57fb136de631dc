"""The others of bench/send.py, each a process of its own: `python -m bench.peers NAME HOST:PORT N BYTES`.

smtplib with 8 threads and aiosmtplib with 8 connections send N ready-made mails, keep connections open and
record nothing: the best that each can do.
"""

import asyncio
import smtplib
import sys
import threading

_LANES = 8
_SENDER = "bounce@example.org"


def _message(n: int, size: int) -> bytes:
    head = (
        f"From: Infomail <infomail@example.org>\r\nTo: person{n}@example.org\r\nSubject: Infomail\r\n"
        f"Message-ID: <{n}@example.org>\r\nList-Unsubscribe: <https://example.org/{n}>\r\n\r\n"
    ).encode()
    line = b"x" * 74 + b"\r\n"
    return head + line * ((size - len(head)) // len(line))


def _smtplib(host: str, port: int, count: int, size: int) -> None:
    def lane(first: int) -> None:
        with smtplib.SMTP(host, port) as server:
            for n in range(first, count, _LANES):
                server.sendmail(_SENDER, f"person{n}@example.org", _message(n, size))

    lanes = [threading.Thread(target=lane, args=(first,)) for first in range(_LANES)]
    for each in lanes:
        each.start()
    for each in lanes:
        each.join()


def _aiosmtplib(host: str, port: int, count: int, size: int) -> None:
    import aiosmtplib

    async def lane(first: int) -> None:
        async with aiosmtplib.SMTP(hostname=host, port=port, start_tls=False) as server:
            for n in range(first, count, _LANES):
                await server.sendmail(_SENDER, [f"person{n}@example.org"], _message(n, size))

    async def all_lanes() -> None:
        await asyncio.gather(*map(lane, range(_LANES)))

    asyncio.run(all_lanes())


PEERS = {"smtplib": _smtplib, "aiosmtplib": _aiosmtplib}


if __name__ == "__main__":
    where, _, port_ = sys.argv[2].rpartition(":")
    PEERS[sys.argv[1]](where, int(port_), int(sys.argv[3]), int(sys.argv[4]))
