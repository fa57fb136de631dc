"""The journal: what was written survives, what was torn is passed by, and only the dead are replayed."""

import errno
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.outbox.journal import Accepted, Journal, of_the_dead

AT = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)

RECORD = st.builds(
    Accepted,
    delivery=st.integers(1, 2**40),
    attempt=st.integers(1, 100),
    at=st.just(AT),
    relay=st.just("relay.example.org:25"),
    reply=st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=60),
)


def left_behind(folder: Path, content: bytes, worker: str = "w") -> None:
    folder.mkdir(exist_ok=True)
    (folder / f"{worker}.1.journal").write_bytes(content)


def written(folder: Path, records: list[Accepted]) -> bytes:
    journal = Journal(folder, "writer")
    for record in records:
        journal.append([record])
    journal.roll()
    journal.sync()
    content = b"".join(records_of(path) for path in sorted(folder.glob("writer.*")))
    journal.settled(all_of_it=False)
    assert journal.close()
    assert list(folder.glob("writer.*")) == []
    return content


def records_of(path: Path) -> bytes:
    """What was written into a segment, without the room that it has beyond."""
    return path.read_bytes().rstrip(b"\0")


@given(records=st.lists(RECORD, max_size=5), cut=st.integers(0, 400))
def test_a_journal_cut_anywhere_gives_back_its_whole_records(
    tmp_path_factory: object, records: list[Accepted], cut: int
) -> None:
    folder = tmp_path_factory.mktemp("spool")  # type: ignore[attr-defined]
    content = written(folder, records)
    kept = content[: -cut or None]
    left_behind(folder, kept)
    # the line end is no part of a record
    ends = [len(line) - 1 for line in accumulate(content.splitlines(keepends=True))]
    whole = sum(end <= len(kept) for end in ends)
    with of_the_dead(folder) as dead:
        assert dead == [("w", records[:whole])]


def test_a_flipped_bit_costs_its_own_record_alone(tmp_path: Path) -> None:
    records = [Accepted(n, 1, AT, "r:25", "250 ok") for n in (1, 2, 3)]
    content = bytearray(written(tmp_path, records))
    content[content.index(b"\n") + 12] ^= 1
    left_behind(tmp_path, bytes(content))
    with of_the_dead(tmp_path) as dead:
        assert [record.delivery for _, found in dead for record in found] == [1, 3]


def test_a_reply_cannot_forge_a_record(tmp_path: Path) -> None:
    evil = Accepted(1, 1, AT, "r:25", "250 ok\n00000000\t2\t1\t0\tr\tforged")
    left_behind(tmp_path, written(tmp_path, [evil]))
    with of_the_dead(tmp_path) as dead:
        assert [record.delivery for _, found in dead for record in found] == [1]


def test_a_living_workers_journal_is_left_alone_and_a_killed_ones_is_replayed_once(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from datetime import UTC, datetime\n"
        "from mailer.outbox.journal import Accepted, Journal\n"
        "j = Journal(Path(sys.argv[1]), 'other')\n"
        "j.append([Accepted(7, 1, datetime.now(UTC), 'r:25', '250 ok')])\n"
        "print('ready', flush=True); time.sleep(60)"
    )
    worker = subprocess.Popen([sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE, cwd=Path.cwd())
    assert worker.stdout is not None
    assert worker.stdout.readline() == b"ready\n"
    with of_the_dead(tmp_path) as dead:
        assert dead == []
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    worker.stdout.close()
    with of_the_dead(tmp_path) as dead:
        assert [(name, record.delivery) for name, found in dead for record in found] == [("other", 7)]
    with of_the_dead(tmp_path) as dead:
        assert dead == []


def test_a_replay_that_fails_keeps_the_journal(tmp_path: Path) -> None:
    left_behind(tmp_path, written(tmp_path, [Accepted(1, 1, AT, "r:25", "250 ok")]))
    try:
        with of_the_dead(tmp_path):
            raise RuntimeError
    except RuntimeError:
        pass
    with of_the_dead(tmp_path) as dead:
        assert len(dead) == 1


def records_in(folder: Path) -> list[int]:
    return sorted(records_of(path).count(b"\n") for path in folder.iterdir())


def test_what_the_database_has_is_forgotten_and_nothing_that_came_meanwhile(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "w")
    journal.append([Accepted(n, 1, AT, "r:25", "250 ok") for n in (1, 2)])
    journal.roll()
    journal.append([Accepted(3, 1, AT, "r:25", "250 ok")])
    assert records_in(tmp_path) == [1, 2]
    journal.settled(all_of_it=False)
    assert records_in(tmp_path) == [0, 1]
    # not everything is in the database: that segment stays for the next start
    assert not journal.close()
    with of_the_dead(tmp_path) as dead:
        assert [(worker, [record.delivery for record in found]) for worker, found in dead] == [("w", [3])]


def test_what_the_database_could_not_take_stays_with_what_came_after(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "w")
    for number in (1, 2, 3):
        journal.append([Accepted(number, 1, AT, "r:25", "250 ok")])
        journal.roll()
    assert records_in(tmp_path) == [0, 1, 1, 1]
    journal.settled(all_of_it=False)
    # no more room is kept than is of use
    assert records_in(tmp_path) == [0, 0]
    assert journal.close()
    assert records_in(tmp_path) == []


def test_few_segments_serve_for_long(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "w")
    for number in range(100):
        journal.append([Accepted(number, 1, AT, "r:25", "250 ok")])
        journal.roll()
        journal.settled(all_of_it=False)
    assert len(records_in(tmp_path)) == 2
    assert journal.close()


def test_a_disk_that_is_full_takes_what_is_accepted_and_no_more_claims(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path, "w")
    long = [Accepted(n, 1, AT, "relay.example.org:25", "250 ok" * 20) for n in range(7_500)]

    def refuse(*_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(os, "posix_fallocate", refuse)
        with pytest.raises(OSError, match="No space"):
            Journal(tmp_path, "late")
        journal.append([Accepted(10_000, 1, AT, "r:25", "250 ok")])
        journal.roll()
        journal.append(long)
        assert not journal.has_room
        journal.roll()  # there is no room for a third, and what is under way still has some here
        journal.append([Accepted(10_001, 1, AT, "r:25", "250 ok")])
        assert records_in(tmp_path) == [1, 7_501]
        assert not journal.has_room
    journal.roll()
    assert journal.has_room
    assert records_in(tmp_path) == [0, 1, 7_501]
    journal.settled(all_of_it=True)
    assert journal.close()


def test_all_segments_of_the_dead_are_replayed_and_none_of_the_living(tmp_path: Path) -> None:
    living = Journal(tmp_path, "host-1.2")
    living.append([Accepted(n, 1, AT, "r:25", "x" * 200) for n in range(10_000)])
    living.roll()
    living.append([Accepted(10_000, 1, AT, "r:25", "x")])
    with of_the_dead(tmp_path) as dead:
        assert dead == []
    assert not living.close()
    with of_the_dead(tmp_path) as dead:
        assert [(worker, len(found)) for worker, found in dead] == [("host-1.2", 10_001)]
