"""A real PostgreSQL for the tests: a cluster in a folder of its own, reached by socket only."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.services.require import require

_names = count(1)


@pytest.fixture(scope="session")
def postgresql_cluster() -> Iterator[tuple[Path, Path]]:
    """Start a throw-away cluster; gives its socket folder and its createdb."""
    programs = require("postgresql", "initdb", "pg_ctl", "createdb")
    # socket paths are limited to 107 bytes, so not below pytest's long folder names
    folder = Path(tempfile.mkdtemp(prefix="infomail-pg-"))
    as_user: list[str] = []
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        user = pwd.getpwnam("postgres")
        os.chown(folder, user.pw_uid, user.pw_gid)
        as_user = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    data = folder / "data"
    initdb = ["-D", data, "-U", "infomail", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N"]
    subprocess.run([*as_user, programs["initdb"], *initdb], check=True, capture_output=True)
    options = f"-c listen_addresses='' -c unix_socket_directories='{folder}' -c fsync=off"
    start = ["-D", data, "-w", "-l", folder / "log", "-o", options, "start"]
    subprocess.run([*as_user, programs["pg_ctl"], *start], check=True, stdout=subprocess.DEVNULL)
    yield folder, programs["createdb"]
    stop = ["-D", data, "-m", "immediate", "stop"]
    subprocess.run([*as_user, programs["pg_ctl"], *stop], check=True, stdout=subprocess.DEVNULL)
    shutil.rmtree(folder)


@pytest.fixture
def postgresql(postgresql_cluster: tuple[Path, Path]) -> str:
    """The URL of an empty database of its own."""
    folder, createdb = postgresql_cluster
    name = f"test{next(_names)}"
    subprocess.run([createdb, "-h", folder, "-U", "infomail", name], check=True)
    return f"postgresql+psycopg://infomail@/{name}?host={folder}"
