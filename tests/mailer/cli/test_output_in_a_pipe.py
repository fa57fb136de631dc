"""What a command does when whoever reads its output had enough, or nothing takes it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

INFOMAIL = [sys.executable, "-m", "mailer"]


def unread(folder: Path, *arguments: str) -> tuple[int, str]:
    """Exit code and stderr of a command into a pipe that nobody reads any more."""
    reading, writing = os.pipe()
    os.close(reading)
    ran = subprocess.run(
        [*INFOMAIL, *arguments], cwd=folder, stdout=writing, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writing)
    return ran.returncode, ran.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["municipalities", "list"],  # more than a buffer holds
        ["municipalities", "list", "--json"],
        ["lists", "list", "--json"],  # so little that it is written at the end only
        ["subscribers", "export", "--list", "netzwerk"],
        ["check", "--help"],
        ["--help"],
    ],
)
def test_a_reader_that_had_enough_is_no_error(folder: Path, arguments: list[str]) -> None:
    assert unread(folder, *arguments) == (0, "")


def test_what_is_refused_is_refused_though_nobody_reads(folder: Path) -> None:
    assert unread(folder, "issues", "approve", "9")[0] == 1


def test_a_full_disk_is_an_error_in_one_line(folder: Path) -> None:
    with Path("/dev/full").open("w") as full:
        ran = subprocess.run(
            [*INFOMAIL, "lists", "list"],
            cwd=folder,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (ran.returncode, ran.stderr) == (1, "infomail: the system: No space left on device\n")
