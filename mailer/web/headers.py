"""Headers of every response: nothing from elsewhere, nothing kept, nobody told where the reader came from."""

from collections.abc import Mapping

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: icons in KERN's style sheet are data: images
_CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; font-src 'self'; img-src 'self' data:; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)

#: a page that shows an archived mail in a frame
FRAMING_SECURITY_POLICY = f"{_CONTENT_SECURITY_POLICY}; frame-src 'self'"

#: the mail itself has its styles inside and may do nothing but show itself. What a sandbox keeps it from
#: (opening windows, saving a calendar file) the page around it offers
MAIL_SECURITY_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; sandbox"

#: of a picture by itself
IMAGE_HEADERS = {
    "Cache-Control": "public, max-age=86400",
    "Content-Disposition": "inline",
    "Content-Security-Policy": "default-src 'none'; sandbox",
}


def security_headers(public_url: str) -> Mapping[str, str]:
    """What every response says unless its page says otherwise."""
    headers = {
        "Content-Security-Policy": _CONTENT_SECURITY_POLICY,
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cache-Control": "no-store",
    }
    if public_url.startswith("https://"):
        headers["Strict-Transport-Security"] = "max-age=31536000"
    return headers


class SecurityHeaders:
    """ASGI middleware: adds `headers` where the response has none of that name."""

    def __init__(self, app: ASGIApp, headers: Mapping[str, str]) -> None:
        self._app = app
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    present.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)
