"""Real servers are the tests' peers: find their programs, or say what to install."""

import os
import shutil
from pathlib import Path

import pytest

#: name of a peer -> the Debian package that brings it
_PACKAGES = {
    "PostgreSQL": "postgresql",
    "Postfix": "postfix",
    "Dovecot": "dovecot-imapd dovecot-lmtpd",
    "Chromium": "chromium",
}

_FOLDERS = ("/usr/sbin", "/usr/lib/postgresql/*/bin", "/usr/lib/postfix/sbin", "/usr/lib/dovecot")


def require(name: str, *programs: str) -> dict[str, Path]:
    """Where the programs of the peer `name` are.

    Without them the test is skipped with a line that says what to install; under
    INFOMAIL_REQUIRE_SERVICES=1 it fails instead.
    """
    found = {program: _find(program) for program in programs}
    missing = [program for program, path in found.items() if path is None]
    if missing:
        line = f"{name} is missing ({', '.join(missing)}): apt-get install {_PACKAGES[name]}"
        if os.environ.get("INFOMAIL_REQUIRE_SERVICES") == "1":
            pytest.fail(line)
        pytest.skip(line)
    return {program: path for program, path in found.items() if path is not None}


def _find(program: str) -> Path | None:
    on_path = shutil.which(program)
    if on_path:
        return Path(on_path).resolve()
    root = Path("/")
    return next(
        (path for folder in _FOLDERS for path in sorted(root.glob(f"{folder[1:]}/{program}"), reverse=True)),
        None,
    )
