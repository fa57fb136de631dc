"""A PostgreSQL of its own, which can be stopped and started while it is in use; reached by socket only."""

import os
import pwd
import shutil
import subprocess
import tempfile
from itertools import count
from pathlib import Path

_PLACES = ("/usr/lib/postgresql", "/usr/local/bin", "/usr/bin")


class Missing(Exception):
    """PostgreSQL's programs are not on this machine."""


class Cluster:
    """fsync on, as an operator runs it. Raises Missing."""

    def __init__(self) -> None:
        # socket paths are limited to 107 bytes
        self.folder = Path(tempfile.mkdtemp(prefix="infomail-pg-"))
        self._data = self.folder / "data"
        self._names = count(1)
        self._as_user: list[str] = []
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            user = pwd.getpwnam("postgres")
            os.chown(self.folder, user.pw_uid, user.pw_gid)
            self._as_user = [
                "setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"
            ]  # fmt: skip
        self._run(
            "initdb", "-D", self._data, "-U", "infomail", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8"
        )
        self.start()

    def start(self) -> None:
        options = f"-c listen_addresses='' -c unix_socket_directories='{self.folder}'"
        self._run("pg_ctl", "-D", self._data, "-w", "-l", self.folder / "log", "-o", options, "start")

    def stop(self, mode: str = "immediate") -> None:
        """`immediate` is the crash of the server: no checkpoint, every connection cut."""
        self._run("pg_ctl", "-D", self._data, "-w", "-m", mode, "stop")

    def database(self) -> str:
        """The URL of a new, empty database."""
        name = f"bench{next(self._names)}"
        self._run("createdb", "-h", self.folder, "-U", "infomail", name)
        return f"postgresql+psycopg://infomail@/{name}?host={self.folder}"

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self.folder)

    def _run(self, program: str, *arguments: str | Path) -> None:
        subprocess.run(
            [*self._as_user, _find(program), *arguments],
            check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip


def _find(program: str) -> Path:
    found = [path for place in _PLACES for path in sorted(Path(place).glob(f"*/bin/{program}"), reverse=True)]
    if not found and (on_path := shutil.which(program)):
        found = [Path(on_path)]
    if not found:
        raise Missing(f"{program} not found: install the Debian package postgresql")
    return found[0]
