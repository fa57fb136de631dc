"""Append-only files of what was accepted, a worker's own: what a crash must not forget.

The database follows in groups; the journal has each 250 the moment it is read. A write survives
the death of the process (kill -9), and `sync` (fsync, once per group) that of the machine. The
next start replays the journals of workers that are dead, before anything is claimed; replaying
twice changes nothing, since settling is fenced by worker and try.

A journal is a few segments, WORKER.N.journal, of which one is written to. While the database is told what is
in another nothing is added to that, so that neither waits for the disk of the other; then it is
cleared and used again. Each has its room on the disk from the start, so that a disk that fills up stops
the claims (`has_room`) and never the record of a mail that is on its way. A worker is alive as long as
it holds the locks on them: the kernel lets go of those with the process, whatever killed it.
"""

import contextlib
import fcntl
import os
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

_SUFFIX = ".journal"
#: bytes of a segment after which no further claims are made for it
_LONG = 1 << 20
#: bytes for what is in hand and under way, kept free in each; a record takes about 100
_AHEAD = 1 << 20


class Accepted(NamedTuple):
    """The next server took responsibility for try number `attempt` of a delivery."""

    delivery: int
    attempt: int
    at: datetime
    relay: str
    reply: str


@dataclass(slots=True)
class _Segment:
    path: Path
    file: int
    size: int = 0
    is_synced: bool = True


class Journal:
    """The journal of one living worker. Raises OSError where the disk refuses."""

    def __init__(self, folder: Path, worker: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._worker = folder, worker
        self._number = 0
        #: segments that nothing is added to any more until the database has what is in them
        self._full: list[_Segment] = []
        self._current, self._spare = self._begun(), self._begun_if_there_is_room()

    @property
    def has_room(self) -> bool:
        """Whether there is room for whatever may be accepted of what is claimed now."""
        return self._current.size <= _LONG

    def append(self, accepted: Sequence[Accepted]) -> None:
        """Write these records; they survive this process from now on."""
        current, data = self._current, b"".join(map(_line, accepted))
        current.is_synced = False
        written = os.pwrite(current.file, data, current.size)
        current.size += written
        if written != len(data):
            # a full disk takes a part of it; replay passes the torn record by
            raise OSError(f"{current.path}: wrote {written} of {len(data)} bytes")

    def roll(self) -> None:
        """Go on in another segment: the database is told now what was appended.

        Where the disk has no room for another, it goes on in this one, which is cleared when that is with
        the database, too.
        """
        if not self._current.size:
            return
        following = self._spare or self._begun_if_there_is_room()
        self._spare = None
        if following is not None:
            self._full.append(self._current)
            self._current = following

    def sync(self) -> None:
        """What was appended survives the machine from now on."""
        for segment in (*self._full, self._current):
            if not segment.is_synced:
                segment.is_synced = True
                os.fdatasync(segment.file)

    def settled(self, *, all_of_it: bool) -> None:
        """The database has what was appended before the last `roll`, or all of it: forget that."""
        for segment in self._full:
            if self._spare is None:
                self._spare = self._cleared(segment)
            else:
                segment.path.unlink(missing_ok=True)
                os.close(segment.file)
        self._full.clear()
        if all_of_it:
            self._cleared(self._current)

    def close(self) -> bool:
        """End the worker's life. Returns whether the database had everything; else the next start replays."""
        is_settled = not self._current.size and not self._full
        for segment in (self._current, *self._full, *([self._spare] if self._spare else [])):
            if not segment.size:
                segment.path.unlink(missing_ok=True)
            os.close(segment.file)
        return is_settled

    def _cleared(self, segment: _Segment) -> _Segment:
        # cutting it would give its room away. Should these zeros get lost, what is replayed is settled
        os.pwrite(segment.file, bytes(segment.size), 0)
        segment.size, segment.is_synced = 0, True
        return segment

    def _begun_if_there_is_room(self) -> _Segment | None:
        try:
            return self._begun()
        except OSError:
            return None

    def _begun(self) -> _Segment:
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
        return _Segment(path, file)


@contextlib.contextmanager
def of_the_dead(folder: Path) -> Iterator[list[tuple[str, list[Accepted]]]]:
    """Each worker that is dead and left a journal, with all its records; locked against other starters.

    When the block ends without an exception those journals are gone.
    """
    found: dict[str, list[Accepted]] = {}
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
            found.setdefault(worker, []).extend(_records(path))
        yield list(found.items())
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
