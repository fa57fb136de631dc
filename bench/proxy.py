"""A TCP proxy that makes the way longer: `python -m bench.proxy HOST:PORT SECONDS`; prints its port.

Every byte arrives SECONDS later than it would, in each direction; as much as one sends may be on its way.
"""

import asyncio
import contextlib
import sys


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    on_the_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def arrive() -> None:
        while True:
            at, data = await on_the_way.get()
            await asyncio.sleep(max(0.0, at - loop.time()))
            if not data:
                writer.close()
                return
            writer.write(data)
            await writer.drain()

    arriving = asyncio.create_task(arrive())
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(1 << 18):
            on_the_way.put_nowait((loop.time() + seconds, data))
    on_the_way.put_nowait((loop.time() + seconds, b""))
    with contextlib.suppress(ConnectionError):
        await arriving


async def _serve(host: str, port: int, seconds: float) -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        beyond, back = await asyncio.open_connection(host, port, limit=1 << 20)
        await asyncio.gather(_carry(reader, back, seconds), _carry(beyond, writer, seconds))

    server = await asyncio.start_server(connected, "127.0.0.1", 0, limit=1 << 20)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    where, _, port_ = sys.argv[1].rpartition(":")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(where, int(port_), float(sys.argv[2])))
