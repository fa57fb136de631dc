"""Finding the real peers that tests run against: mail servers, databases, browsers.

A missing program skips the test on a developer's machine and fails it where
``INFOMAIL_REQUIRE_SERVICES=1`` is set, so that CI cannot turn green by testing nothing.
"""

import os
import shutil
from pathlib import Path

import pytest

# Debian keeps daemons, and everything of a PostgreSQL cluster, off an ordinary user's PATH.
_PATTERNS = ("usr/sbin", "usr/lib/postgresql/*/bin", "usr/lib/postfix/sbin")


def require(name: str, *programs: str) -> dict[str, Path]:
    """Return the path of each of *programs*, or skip (in CI: fail) the calling test.

    *name* is the Debian package that brings them, for the one line that says what to install.
    Of several installed versions of a package (PostgreSQL) the newest one answers.
    """
    found = {program: _find(program) for program in programs}
    missing = sorted(program for program, path in found.items() if path is None)
    if missing:
        advice = f"{', '.join(missing)} not found: install the Debian package {name}"
        if os.environ.get("INFOMAIL_REQUIRE_SERVICES") == "1":
            pytest.fail(advice, pytrace=False)
        pytest.skip(advice)
    return {program: path for program, path in found.items() if path is not None}


def _find(program: str) -> Path | None:
    on_path = shutil.which(program)
    if on_path is not None:
        return Path(on_path)
    folders = [folder for pattern in _PATTERNS for folder in sorted(Path("/").glob(pattern), key=_version)]
    for folder in reversed(folders):
        if (candidate := shutil.which(program, path=str(folder))) is not None:
            return Path(candidate)
    return None


def _version(folder: Path) -> tuple[int, ...]:
    return tuple(int(part) for part in folder.parts if part.isdigit())
