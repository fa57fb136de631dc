"""Commands in a folder of their own, run as `infomail` runs them."""

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mailer.cli import main
from mailer.database import Database
from mailer.feeds.model import Feed, Item
from mailer.setup import set_up


@dataclass(frozen=True, slots=True)
class Ran:
    code: int
    out: str
    err: str


Infomail = Callable[..., Ran]


@pytest.fixture(scope="session")
def ready_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `infomail init` makes, to be copied."""
    folder = tmp_path_factory.mktemp("ready")
    set_up(folder, overrides={}, now=datetime.now(UTC))
    return folder


@pytest.fixture
def folder(ready_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder made ready, and the current one."""
    shutil.copytree(ready_folder, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def imprint(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a release needs (§ 5 DDG)."""
    for name in ("NAME", "STREET", "CITY", "RESPONSIBLE"):
        monkeypatch.setenv(f"INFOMAIL_SENDER_{name}", "Muster")
    monkeypatch.setenv("INFOMAIL_SENDER_EMAIL", "amt@example.org")


@pytest.fixture
def infomail(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Infomail:
    """Run a command in `folder`: its exit code, stdout and stderr."""

    def run(*arguments: str) -> Ran:
        monkeypatch.setattr(sys, "argv", ["infomail", *arguments])
        mask = os.umask(0o022)
        try:
            with pytest.raises(SystemExit) as ended:
                main()
        finally:
            os.umask(mask)  # main sets one for its process, which is ours here
        captured = capsys.readouterr()
        return Ran(int(ended.value.code or 0), captured.out, captured.err)

    return run


@pytest.fixture
def items(folder: Path) -> None:
    """What an earlier fetch of a feed of the shipped plan brought: three items."""
    database = Database(f"sqlite:///{folder}/infomail.sqlite")
    now = datetime.now(UTC)
    with database.write() as session:
        session.add(Feed(key="engagiert-in-nrw-netzwerk", url="https://www.example.org/", every=3600))
        session.add_all(
            Item(
                feed_key="engagiert-in-nrw-netzwerk", identity=f"urn:{n}", title=f"Meldung {n}", digest=f"{n}",
                first_seen_at=now, fetched_at=now,
            )
            for n in range(3)
        )  # fmt: skip
    database.close()
