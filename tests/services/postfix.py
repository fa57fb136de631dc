"""A private Postfix: Debian's programs, a configuration, queue and mailboxes of its own, on loopback.

It takes mail for the domains `example.org` and `example.net` into one Maildir per address, and
leaves the machine's own Postfix, if there is one, alone. Starting it needs root.
"""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.services.require import require

_DOMAINS = "example.org, example.net"
_MAIN = """\
compatibility_level = 3.6
queue_directory = {root}/queue
data_directory = {root}/data
maillog_file = {root}/log/mail.log
maillog_file_prefixes = {root}
mail_owner = postfix
setgid_group = postdrop
myhostname = postfix.example.org
mydestination =
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = reject_unauth_destination
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
alias_database =
local_recipient_maps =
virtual_mailbox_domains = {domains}
virtual_mailbox_base = {root}/mail
virtual_mailbox_maps = texthash:{root}/etc/mailboxes
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
default_transport = error:5.4.4 this Postfix delivers nothing to the outside
in_flow_delay = 0
smtpd_error_sleep_time = 0
smtpd_soft_error_limit = 10000
smtpd_hard_error_limit = 10000
smtpd_junk_command_limit = 10000
smtpd_peername_lookup = no
smtp_host_lookup = native
disable_dns_lookups = yes
{settings}
"""
_MASTER = """\
127.0.0.1:{port} inet n - n - 50 smtpd
cleanup   unix n - n - 0 cleanup
qmgr      unix n - n 300 1 qmgr
tlsmgr    unix - - n 1000? 1 tlsmgr
rewrite   unix - - n - - trivial-rewrite
bounce    unix - - n - 0 bounce
defer     unix - - n - 0 bounce
trace     unix - - n - 0 bounce
verify    unix - - n - 1 verify
flush     unix n - n 1000? 0 flush
proxymap  unix - - n - - proxymap
smtp      unix - - n - - smtp
lmtp      unix - - n - - lmtp
relay     unix - - n - - smtp
showq     unix n - n - - showq
error     unix - - n - - error
retry     unix - - n - - error
discard   unix - - n - - discard
local     unix - n n - - local
virtual   unix - n n - - virtual
anvil     unix - - n - 1 anvil
postlog   unix-dgram n - n - 1 postlogd
"""


@dataclass(frozen=True, slots=True)
class Postfix:
    port: int
    root: Path

    def mailbox(self, address: str) -> list[bytes]:
        """What has arrived for `address`, in order of arrival, as it lies in its Maildir."""
        files = sorted(
            (self.root / "mail" / address / "new").glob("*"), key=lambda file: file.stat().st_mtime_ns
        )
        return [file.read_bytes() for file in files]

    def wait_for(self, address: str, number: int, seconds: float = 10) -> list[bytes]:
        """The mails for `address` once there are `number`; those that came, if time runs out."""
        end = time.monotonic() + seconds
        while len(mails := self.mailbox(address)) < number and time.monotonic() < end:
            time.sleep(0.02)
        return mails

    @property
    def log(self) -> str:
        return (self.root / "log" / "mail.log").read_text(errors="replace")


@contextmanager
def running(
    *, mailboxes: tuple[str, ...], settings: dict[str, str] | None = None, port: int = 0
) -> Iterator[Postfix]:
    """Run a Postfix that knows these mailboxes. `settings` are added to main.cf and may override it.

    With `settings=relaying_to(port)` it passes everything on instead.
    """
    command = require("postfix", "postfix")["postfix"]
    if os.geteuid() != 0:
        _unavailable("Postfix can only be started by root")
    # Not below pytest's own folder: Postfix's users must be able to walk the path.
    root = Path(tempfile.mkdtemp(prefix="postfix-"))
    try:
        port = _prepare(root, mailboxes, settings or {}, port)
        arguments = [str(command), "-c", str(root / "etc")]
        with (root / "log" / "start.log").open("wb") as log:
            # To a file: daemons would keep a pipe open for as long as they live.
            started = subprocess.run([*arguments, "start"], stdout=log, stderr=log, timeout=30, check=False)
        if started.returncode != 0:
            raise RuntimeError(f"Postfix did not start: {_logs(root)}")
        try:
            _await_greeting(port, root)
            yield Postfix(port, root)
        finally:
            with (root / "log" / "stop.log").open("wb") as log:
                subprocess.run([*arguments, "abort"], stdout=log, stderr=log, timeout=30, check=True)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def relaying_to(port: int) -> dict[str, str]:
    """Settings of a smarthost that passes every mail on to 127.0.0.1:`port`, say an smtp-sink."""
    return {
        "virtual_mailbox_domains": "",
        "smtpd_relay_restrictions": "permit_mynetworks, reject",
        "default_transport": "smtp",
        "relayhost": f"[127.0.0.1]:{port}",
    }


@pytest.fixture(scope="session")
def postfix() -> Iterator[Postfix]:
    """A Postfix for the whole test run that knows b@example.org and c@example.org, and offers no TLS."""
    with running(mailboxes=("b@example.org", "c@example.org")) as server:
        yield server


def _unavailable(why: str) -> None:
    if os.environ.get("INFOMAIL_REQUIRE_SERVICES") == "1":
        pytest.fail(why, pytrace=False)
    pytest.skip(why)


def _prepare(root: Path, mailboxes: tuple[str, ...], settings: dict[str, str], wanted: int) -> int:
    owner = pwd.getpwnam("postfix")
    nobody = pwd.getpwnam("nobody")
    root.chmod(0o755)
    for name in ("etc", "queue", "data", "log", "mail"):
        (root / name).mkdir()
    os.chown(root / "data", owner.pw_uid, owner.pw_gid)
    os.chown(root / "mail", nobody.pw_uid, nobody.pw_gid)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", wanted))
        port: int = listener.getsockname()[1]
    lines = "\n".join(f"{name} = {value}" for name, value in settings.items())
    main = _MAIN.format(root=root, domains=_DOMAINS, uid=nobody.pw_uid, gid=nobody.pw_gid, settings=lines)
    (root / "etc" / "main.cf").write_text(main)
    (root / "etc" / "master.cf").write_text(_MASTER.format(port=port))
    (root / "etc" / "mailboxes").write_text("".join(f"{address} {address}/\n" for address in mailboxes))
    return port


def _await_greeting(port: int, root: Path) -> None:
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
                if connection.recv(3) == b"220":
                    return
        except ConnectionError:
            pass
        time.sleep(0.05)
    raise RuntimeError(f"Postfix does not answer: {_logs(root)}")


def _logs(root: Path) -> str:
    return "\n".join(file.read_text(errors="replace") for file in sorted((root / "log").iterdir()))
