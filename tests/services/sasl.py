"""A private Dovecot that does nothing but check passwords, as Postfix asks it to (smtpd_sasl_type = dovecot)."""

import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree

from tests.services.require import require

PASSWORD = "geheim"
_CONFIGURATION = """\
base_dir = {root}/run
state_dir = {root}/state
log_path = {root}/dovecot.log
protocols =
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login xoauth2
default_internal_user = {user}
default_login_user = {user}
default_internal_group = {group}
first_valid_uid = 1
passdb {{
  driver = static
  mechanisms = plain login
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={root}
}}
service auth {{
  inet_listener {{
    address = 127.0.0.1
    port = {port}
  }}
}}
service anvil {{
  chroot =
}}
"""


@contextmanager
def running() -> Iterator[dict[str, str]]:
    """Settings of a Postfix that lets in whoever has PASSWORD, while the block lasts."""
    command = require("dovecot-imapd", "dovecot")["dovecot"]
    root = Path(tempfile.mkdtemp(prefix="sasl-"))
    try:
        root.chmod(0o755)
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            port = listener.getsockname()[1]
        user, group = ("dovecot", "dovecot") if os.geteuid() == 0 else (str(os.getuid()), str(os.getgid()))
        configuration = root / "dovecot.conf"
        configuration.write_text(
            _CONFIGURATION.format(root=root, port=port, user=user, group=group, password=PASSWORD)
        )
        with (root / "start.log").open("wb") as log:
            process = subprocess.Popen([command, "-F", "-c", configuration], stdout=log, stderr=log)
        try:
            _await(port, root)
            yield {
                "smtpd_sasl_auth_enable": "yes",
                "smtpd_sasl_type": "dovecot",
                "smtpd_sasl_path": f"inet:127.0.0.1:{port}",
                "smtpd_relay_restrictions": "permit_sasl_authenticated, reject",
                # else a client of this machine would need no password
                "mynetworks": "192.0.2.0/24",
            }
        finally:
            process.terminate()
            process.wait(10)
    finally:
        rmtree(root, ignore_errors=True)


def _await(port: int, root: Path) -> None:
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
                if connection.recv(7) == b"VERSION":
                    return
        except OSError:
            pass
        time.sleep(0.05)
    said = [path.read_text(errors="replace") for path in root.glob("*.log")]
    raise RuntimeError(f"Dovecot checks no passwords: {said}")
