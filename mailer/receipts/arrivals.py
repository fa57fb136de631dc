"""What has arrived and is not in the database yet: a folder in the Maildir's way.

A mail is answered with 250 only when `keep` has returned, and whoever handed it over may forget it
then. So `keep` syncs the file, gives it its name, and syncs the folder that the name stands in: the
mail survives the loss of power, and needs no database that answers. Its name is its digest, so the
same mail twice is one file.
"""

import contextlib
import hashlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

#: bytes of the largest mail taken; a bounce that returns a whole issue is far below
LARGEST = 2_000_000
#: bytes left free on the disk, for the database and the journals of the workers
RESERVE = 64 * 1024 * 1024
#: seconds after which a half-written file is known to be of a process that died
_ABANDONED = 3600


@dataclass(frozen=True, slots=True)
class Arrival:
    """One mail with its envelope. `sender` is "<>" for the null sender and "" where nobody knows."""

    raw: bytes
    recipient: str
    sender: str
    received_at: datetime

    @property
    def digest(self) -> str:
        """SHA-256 of recipient and bytes, in hex: the same mail has the same one."""
        # the command of an SMTP client may hold any bytes
        recipient = self.recipient.lower().encode("utf-8", "replace")
        return hashlib.sha256(recipient + b"\0" + self.raw).hexdigest()


class Arrivals:
    """The folder; made where it is missing. Any number of processes may keep and take up at once."""

    def __init__(self, folder: Path) -> None:
        self._new, self._tmp, self._broken = (folder / name for name in ("new", "tmp", "broken"))
        for each in (self._new, self._tmp, self._broken):
            each.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left in self._tmp.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if time.time() - left.stat().st_mtime > _ABANDONED:
                    left.unlink()

    def has_room(self) -> bool:
        """Whether the disk has space for more."""
        return shutil.disk_usage(self._new).free >= RESERVE

    def keep(self, arrival: Arrival) -> None:
        """Store a mail; it is on the disk when this returns. Raises OSError."""
        envelope = {
            "recipient": arrival.recipient,
            "sender": arrival.sender,
            "received_at": arrival.received_at.isoformat(),
        }
        written = self._tmp / f"{arrival.digest}.{os.getpid()}.{secrets.token_hex(4)}"
        try:
            with written.open("xb") as file:
                file.write(json.dumps(envelope).encode() + b"\n" + arrival.raw)
                file.flush()
                os.fsync(file.fileno())
            written.replace(self._new / arrival.digest)
        except BaseException:
            written.unlink(missing_ok=True)
            raise
        _sync(self._new)

    def waiting(self, most: int) -> Iterator[tuple[Path, Arrival]]:
        """The oldest mails that wait, `most` of them, each with its file for `done`.

        What cannot be read (somebody else wrote it there) is put aside into `broken`.
        """
        for path in sorted(self._new.iterdir(), key=_age)[:most]:
            try:
                yield path, _read(path)
            except FileNotFoundError:
                continue  # another process was faster
            except (ValueError, KeyError):
                path.replace(self._broken / path.name)

    def done(self, path: Path) -> None:
        """Forget a mail that stands in the database now."""
        path.unlink(missing_ok=True)


def _read(path: Path) -> Arrival:
    head, newline, raw = path.read_bytes().partition(b"\n")
    if not newline:
        raise ValueError("no envelope")
    envelope = json.loads(head)
    return Arrival(
        raw, envelope["recipient"], envelope["sender"], datetime.fromisoformat(envelope["received_at"])
    )


def _age(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _sync(folder: Path) -> None:
    """A new name is durable when its folder is synced (fsync(2))."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
