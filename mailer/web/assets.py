"""Style sheets and fonts, under a path that names their content, so that they may be kept for ever."""

import hashlib
from pathlib import Path

from starlette.datastructures import MutableHeaders
from starlette.middleware.gzip import GZipMiddleware
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

FOLDER = Path(__file__).resolve().parent / "static"
_FOR_EVER = "public, max-age=31536000, immutable"


class NotBuilt(Exception):
    """Files that the build brings in are not there."""


def version() -> str:
    """Twelve hex digits that change with any file of the folder. Raises NotBuilt."""
    if not (FOLDER / "vendor" / "kern" / "kern.min.css").exists():
        raise NotBuilt("the style sheets of KERN UX are missing: run `pip install -e .` in the checkout")
    digest = hashlib.sha256()
    for path in sorted(FOLDER.rglob("*")):
        if path.is_file():
            digest.update(path.relative_to(FOLDER).as_posix().encode() + b"\0")
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]


def assets() -> ASGIApp:
    """The files of the folder. Compressed here, where no secret stands beside what a stranger can choose."""
    return GZipMiddleware(_Kept(StaticFiles(directory=FOLDER)), compresslevel=6)


class _Kept:
    """ASGI: tells browsers and proxies to keep what was found."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_kept(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] in (200, 206, 304):
                MutableHeaders(scope=message)["Cache-Control"] = _FOR_EVER
            await send(message)

        await self._app(scope, receive, send_kept)
