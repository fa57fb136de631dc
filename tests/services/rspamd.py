"""A private rspamd: Debian's program and rules, a configuration and files of its own, on loopback, unprivileged.

It asks no name server (its DNS is a closed port of this machine), keeps no statistics and knows no maps.
"""

import os
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import chown, rmtree

import pytest

from tests.services.require import require

_CONFIGURATION = """\
pidfile = "{root}/pid";
options {{
  tempdir = "{root}";
  url_tld = "/usr/share/rspamd/effective_tld_names.dat";
  cache_file = "{root}/symbols.cache";
  hs_cache_dir = "{root}";
  control_socket = "{root}/control.sock mode=0600";
  stats_file = "{root}/stats.ucl";
  history_file = "{root}/history";
  local_addrs = [];
  filters = "chartable,regexp";
  dns {{ nameserver = ["127.0.0.1:{closed}"]; timeout = 0.1s; retransmits = 1; }}
}}
logging {{ type = "console"; level = "error"; }}
lua = "/usr/share/rspamd/rules/rspamd.lua";
.include "/etc/rspamd/metrics.conf"
.include "/etc/rspamd/actions.conf"
.include "/etc/rspamd/groups.conf"
worker "normal" {{ bind_socket = "127.0.0.1:{port}"; count = 1; }}
"""
#: loading its rules takes it a while
_PATIENCE = 60.0


@contextmanager
def running() -> Iterator[str]:
    """The URL of an rspamd, while the block lasts."""
    command = require("rspamd", "rspamd")["rspamd"]
    # not below pytest's own folder: an unprivileged user must be able to walk the path
    root = Path(tempfile.mkdtemp(prefix="rspamd-"))
    try:
        port, closed = _ports()
        configuration = root / "rspamd.conf"
        configuration.write_text(_CONFIGURATION.format(root=root, port=port, closed=closed))
        is_root = os.geteuid() == 0
        if is_root:
            chown(root, "nobody", "nogroup")
        with (root / "log").open("wb") as log:
            server = subprocess.Popen(
                [command, "--no-fork", "--config", configuration],
                stdout=log,
                stderr=log,
                user="nobody" if is_root else None,
                group="nogroup" if is_root else None,
                extra_groups=[] if is_root else None,
            )
        try:
            url = f"http://127.0.0.1:{port}"
            _await_pong(url, server, root)
            yield url
        finally:
            server.terminate()
            server.wait(timeout=30)
    finally:
        rmtree(root, ignore_errors=True)


@pytest.fixture(scope="session")
def rspamd() -> Iterator[str]:
    """The URL of an rspamd for the whole test run."""
    with running() as url:
        yield url


def _ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        for each in (one, other):
            each.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


def _await_pong(url: str, server: "subprocess.Popen[bytes]", root: Path) -> None:
    end = time.monotonic() + _PATIENCE
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while time.monotonic() < end and server.poll() is None:
        try:
            with opener.open(f"{url}/ping", timeout=5) as answer:
                if answer.read().startswith(b"pong"):
                    return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    raise RuntimeError(f"rspamd does not answer: {(root / 'log').read_text(errors='replace')}")
