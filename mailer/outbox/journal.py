"""Append-only files of what was accepted, a worker's own: what a crash must not forget.

The database follows in groups; the journal has each 250 the moment it is read. A write survives
the death of the process (kill -9), and `sync` (fsync, once per group) that of the machine. The
next start replays the journals of workers that are dead, before anything is claimed; replaying
twice changes nothing, since settling is fenced by worker and try.

A journal is a row of segments, WORKER.N.journal: a new one is begun from time to time, and one whose
records the database has is deleted. Each has its room on the disk from the start, so that a disk that
fills up stops the claims (`has_room`) and never the record of a mail that is on its way. A worker is
alive as long as it holds the locks on them: the kernel lets go of those with the process, whatever
killed it.
"""

import contextlib
import fcntl
import os
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

_SUFFIX = ".journal"
#: bytes of a segment after which another is begun
_LONG = 1 << 20
#: bytes for what is in hand and under way, kept free in each; a record takes about 100
_AHEAD = 1 << 20


@dataclass(frozen=True, slots=True)
class Accepted:
    """The next server took responsibility for try number `attempt` of a delivery."""

    delivery: int
    attempt: int
    at: datetime
    relay: str
    reply: str


class Journal:
    """The journal of one living worker. Raises OSError where the disk refuses."""

    def __init__(self, folder: Path, worker: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._worker = folder, worker
        self._number = self._size = 0
        #: (path, file) of segments that are full, until the database has what is in them
        self._full: list[tuple[Path, int]] = []
        self._begin()

    @property
    def has_room(self) -> bool:
        """Whether there is room for whatever may be accepted of what is claimed now."""
        return self._size <= _LONG

    def append(self, accepted: Sequence[Accepted]) -> None:
        """Write these records; they survive this process from now on."""
        data = b"".join(map(_line, accepted))
        written = os.pwrite(self._file, data, self._size)
        self._size += written
        if written != len(data):
            # a full disk takes a part of it; replay passes the torn record by
            raise OSError(f"{self.path}: wrote {written} of {len(data)} bytes")

    def sync(self) -> None:
        """What was appended survives the machine from now on."""
        os.fdatasync(self._file)

    def roll(self) -> None:
        """Begin another segment if this one is long: what is in it by now is with the database soon.

        Where the disk has no room for another, it goes on in this one.
        """
        if self._size >= _LONG:
            full = self.path, self._file
            with contextlib.suppress(OSError):
                self._begin()
                os.fdatasync(full[1])
                self._full.append(full)

    def settled(self, *, all_of_it: bool) -> None:
        """The database has what was appended before the last `roll`, or all of it: forget that."""
        for path, file in self._full:
            path.unlink(missing_ok=True)
            os.close(file)
        self._full.clear()
        if all_of_it and self._size:
            # cutting it would give its room away. Should these zeros get lost, what is replayed is settled
            os.pwrite(self._file, bytes(self._size), 0)
            self._size = 0

    def close(self) -> bool:
        """End the worker's life. Returns whether the database had everything; else the next start replays."""
        is_settled = not self._size and not self._full
        if is_settled:
            self.path.unlink(missing_ok=True)
        for _, file in self._full:
            os.close(file)
        os.close(self._file)
        return is_settled

    def _begin(self) -> None:
        path = self._folder / f"{self._worker}.{self._number + 1}{_SUFFIX}"
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.posix_fallocate(file, 0, _LONG + _AHEAD)
            os.fsync(file)
            _sync_folder(self._folder)
        except OSError:
            path.unlink(missing_ok=True)
            os.close(file)
            raise
        self._number += 1
        self.path, self._file, self._size = path, file, 0


@contextlib.contextmanager
def of_the_dead(folder: Path) -> Iterator[list[tuple[str, list[Accepted]]]]:
    """Worker and records of each journal whose worker is dead, locked against other starters.

    When the block ends without an exception those journals are gone.
    """
    found: list[tuple[str, list[Accepted]]] = []
    held: list[tuple[Path, int]] = []
    try:
        for path in sorted(folder.glob(f"*{_SUFFIX}")):
            file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(file)
                continue
            held.append((path, file))
            worker = path.name.removesuffix(_SUFFIX).rpartition(".")[0]
            found.append((worker, list(_records(path))))
        yield found
        for path, _ in held:
            path.unlink(missing_ok=True)
    finally:
        for _, file in held:
            os.close(file)


def _line(accepted: Accepted) -> bytes:
    when = int(accepted.at.timestamp() * 1000)
    reply = accepted.reply.replace("\t", " ").replace("\n", " ").replace("\r", " ")
    fields = f"{accepted.delivery}\t{accepted.attempt}\t{when}\t{accepted.relay}\t{reply}"
    data = fields.encode("utf-8", "replace")
    return b"%08x\t%s\n" % (zlib.crc32(data), data)


def _records(path: Path) -> Iterator[Accepted]:
    """The whole records; one torn by a crash or a full disk fails its checksum and is passed by."""
    for line in path.read_bytes().split(b"\n"):
        checksum, _, data = line.partition(b"\t")
        if not data or checksum != b"%08x" % zlib.crc32(data):
            continue
        delivery, attempt, when, relay, reply = data.decode().split("\t", 4)
        at = datetime.fromtimestamp(int(when) / 1000, UTC)
        yield Accepted(int(delivery), int(attempt), at, relay, reply)


def _sync_folder(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
