"""The folder that a demo runs in: everything on free ports of loopback, and one demo at a time."""

import contextlib
import fcntl
import re
import socket
from collections.abc import Iterator
from pathlib import Path

from mailer.installation import NotConfigured

_SETTINGS = {
    "INFOMAIL_SENDER_NAME": '"Geschäftsstelle Musternetzwerk"',
    "INFOMAIL_SENDER_STREET": '"Musterstraße 1"',
    "INFOMAIL_SENDER_CITY": '"00000 Musterstadt"',
    "INFOMAIL_SENDER_REPRESENTED_BY": '"die Leitung der Geschäftsstelle"',
    "INFOMAIL_SENDER_EMAIL": "geschaeftsstelle@example.org",
    "INFOMAIL_SENDER_PHONE": '"0000 000000"',
    "INFOMAIL_SENDER_RESPONSIBLE": '"Erika Muster, Anschrift wie oben"',
    "INFOMAIL_SENDER_PRIVACY_URL": "https://www.example.org/datenschutz",
    "INFOMAIL_SENDER_ADDRESS": "infomail@example.org",
    "INFOMAIL_OPERATOR_ADDRESS": "betrieb@example.org",
    "INFOMAIL_MESSAGE_ID_DOMAIN": "example.org",
    "INFOMAIL_RETURN_PATH": "bounce+{token}@example.org",
}


@contextlib.contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Hold the folder for this demo. Raises NotConfigured when another one runs there."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".demo.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise NotConfigured(f"{folder}: another demo runs there") from None
        yield


def settings_for(folder: Path) -> dict[str, str]:
    """The settings of a new demo folder: everything on ports of loopback that are free."""
    if (folder / ".env").exists():
        return {}
    http, lmtp, smtp = _free_ports(3)
    return _SETTINGS | {
        "INFOMAIL_PUBLIC_URL": f"http://127.0.0.1:{http}",
        "INFOMAIL_HTTP_LISTEN": f"127.0.0.1:{http}",
        "INFOMAIL_LMTP_LISTEN": f"127.0.0.1:{lmtp}",
        "INFOMAIL_INBOX_LISTEN": f"127.0.0.1:{smtp}",
        "INFOMAIL_SMTP_URLS": f"smtp://127.0.0.1:{smtp}?starttls=off&connections=4",
    }


def feeds_on_loopback(plan: Path) -> None:
    """Turn the feeds' addresses to the demo's own server, once."""
    text = plan.read_text(encoding="utf-8")
    if "http://127.0.0.1:" in text:
        return
    port = _free_ports(1)[0]
    plan.write_text(
        re.sub(
            r'(?m)^url = "https?://[^/"]+(/[^"]*)?"',
            lambda match: f'url = "http://127.0.0.1:{port}{match[1] or "/"}"\nallow_private = true',
            text,
        ),
        encoding="utf-8",
    )


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [each.getsockname()[1] for each in sockets]
