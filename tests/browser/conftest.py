"""A real server on an ephemeral port and a real browser in front of it."""

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import uvicorn
from fastapi import FastAPI
from playwright.sync_api import Browser, sync_playwright

from tests.services.require import require

#: nothing of a browser's own errands: the machine may have no network
_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, headless."""
    programs = require("Chromium", "chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(programs["chromium"]), args=_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def serve() -> Iterator[Callable[[Callable[[str], FastAPI]], str]]:
    """`serve(make)` runs the app that `make(public_url)` returns and answers where: http://127.0.0.1:PORT."""
    stops: list[Callable[[], None]] = []

    def start(make: Callable[[str], FastAPI]) -> str:
        listening = socket.create_server(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        stops.append(_run(make(url), listening))
        return url

    yield start
    for stop in stops:
        stop()


def _run(app: FastAPI, listening: socket.socket) -> Callable[[], None]:
    config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        assert time.monotonic() < deadline, "the server did not start in time"
        time.sleep(0.02)

    def stop() -> None:
        server.should_exit = True
        thread.join()
        listening.close()

    return stop
