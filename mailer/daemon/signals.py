"""When a process is to end."""

import asyncio
import os
import signal


def stop_signal() -> asyncio.Event:
    """An event that SIGTERM and SIGINT set."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    return stop


async def stop_at_end_of_stdin(stop: asyncio.Event) -> None:
    """The parent holds the other end of our stdin and lets go of it whatever way it dies."""
    loop = asyncio.get_running_loop()

    def on_stdin() -> None:
        if not os.read(0, 1024):
            loop.remove_reader(0)
            stop.set()

    loop.add_reader(0, on_stdin)
