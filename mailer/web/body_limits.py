"""No request's body is longer than its path needs; counted while it is read, before anything is kept."""

from collections.abc import Mapping

from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send


class BodyLimits:
    """ASGI middleware: at most `longest` bytes, and on the paths of `uploads` so many as stand there."""

    def __init__(self, app: ASGIApp, longest: int, uploads: Mapping[str, int]) -> None:
        self._usual = RequestBodyLimitMiddleware(app, longest)
        self._uploads = {path: RequestBodyLimitMiddleware(app, limit) for path, limit in uploads.items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._uploads.get(scope.get("path", ""), self._usual)(scope, receive, send)
