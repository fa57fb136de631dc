"""A private Dovecot: takes mail by LMTP into Maildirs and hands it out by IMAP, on loopback."""

import imaplib
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree

from tests.services.require import require

_CONFIGURATION = """\
base_dir = {root}/run
state_dir = {root}/state
log_path = {root}/dovecot.log
protocols = imap lmtp
listen = 127.0.0.1
ssl = {ssl}
disable_plaintext_auth = no
default_internal_user = {user}
default_login_user = {user}
default_internal_group = {group}
first_valid_uid = 1
mail_location = maildir:{root}/mail/%u
passdb {{
  driver = static
  args = nopassword=y
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={root}/mail/%u
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {lmtp}
  }}
}}
service anvil {{
  chroot =
}}
"""


@dataclass(frozen=True, slots=True)
class Dovecot:
    imap: int
    lmtp: int
    root: Path

    def wait_for(
        self, address: str, number: int, seconds: float = 20, *, folder: str = "INBOX"
    ) -> list[bytes]:
        """The mails for `address` as IMAP gives them, once there are `number`; fewer if time runs out."""
        end = time.monotonic() + seconds
        while len(mails := self._mailbox(address, folder)) < number and time.monotonic() < end:
            time.sleep(0.1)
        return mails

    def _mailbox(self, address: str, folder: str) -> list[bytes]:
        with imaplib.IMAP4("127.0.0.1", self.imap, timeout=10) as client:
            client.login(address, "anything")
            client.select(folder, readonly=True)
            _, numbers = client.search(None, "ALL")
            found = []
            for number in numbers[0].split():
                _, answer = client.fetch(number.decode(), "(BODY.PEEK[])")
                part = answer[0]
                assert isinstance(part, tuple)
                found.append(part[1])
            return found


@contextmanager
def running(
    *, settings: str = "", files: Mapping[str, str] | None = None, ssl: str = "no"
) -> Iterator[Dovecot]:
    """Run a Dovecot that knows every address, whatever the password.

    `settings` come before the rest of its configuration, with ROOT for its folder, into which `files`
    are written, too.
    """
    command = require("dovecot-imapd and dovecot-lmtpd", "dovecot")["dovecot"]
    root = Path(tempfile.mkdtemp(prefix="dovecot-"))
    try:
        root.chmod(0o755)
        imap, lmtp = _free_port(), _free_port()
        user, group = ("dovecot", "dovecot") if os.geteuid() == 0 else (str(os.getuid()), str(os.getgid()))
        mail = root / "mail"
        mail.mkdir()
        mail.chmod(0o777)
        configuration = root / "dovecot.conf"
        rest = _CONFIGURATION.format(root=root, imap=imap, lmtp=lmtp, user=user, group=group, ssl=ssl)
        configuration.write_text(settings.replace("ROOT", str(root)) + rest)
        for name, text in (files or {}).items():
            path = root / name
            path.parent.mkdir(exist_ok=True)
            path.parent.chmod(0o777)  # Dovecot keeps what it compiled beside its scripts
            path.write_text(text.replace("ROOT", str(root)).replace("USER", user).replace("GROUP", group))
        with (root / "start.log").open("wb") as log:
            process = subprocess.Popen([command, "-F", "-c", configuration], stdout=log, stderr=log)
        try:
            _await_port(imap, root)
            yield Dovecot(imap, lmtp, root)
        finally:
            process.terminate()
            process.wait(10)
    finally:
        rmtree(root, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _await_port(port: int, root: Path) -> None:
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
                if connection.recv(4) == b"* OK":
                    return
        except OSError:
            pass
        time.sleep(0.05)
    said = [path.read_text(errors="replace") for path in root.glob("*.log")]
    raise RuntimeError(f"Dovecot does not answer: {said}")
