"""One command, several processes that deliver."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from mailer.installation import Installation
from tests.flow.conftest import Sink, enrol
from tests.flow.test_sending import started, states


def test_two_processes_share_the_work_double_nobody_and_end_together(
    house: Installation, sink: Sink, environment: dict[str, str], tmp_path: Path
) -> None:
    people = enrol(house, 300)
    started(house)
    with (tmp_path / "log").open("wb") as log:
        worker = subprocess.Popen(
            [sys.executable, "-m", "mailer", "worker", "--processes", "2"],
            env=os.environ | environment | {"PYTHONPATH": str(Path(__file__).parents[2])}, cwd=tmp_path,
            stdout=log, stderr=log,
        )  # fmt: skip
    try:
        deadline = time.monotonic() + 30
        while sum(sink.accepted().values()) < 300 and time.monotonic() < deadline:
            time.sleep(0.05)
    finally:
        worker.send_signal(signal.SIGTERM)
        assert worker.wait() == 0
    assert sink.accepted() == dict.fromkeys(people, 1)
    assert states(house) == {"sent": 300}
    said = (tmp_path / "log").read_text()
    assert said.count('"worker.started"') == said.count('"worker.stopped"') == 2


def test_draining_is_the_work_of_one_process(environment: dict[str, str], tmp_path: Path) -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "mailer", "worker", "--drain", "--processes", "2"],
        env=os.environ | environment | {"PYTHONPATH": str(Path(__file__).parents[2])}, cwd=tmp_path,
        capture_output=True, text=True,
    )  # fmt: skip
    assert answer.returncode == 2
    assert "--drain" in answer.stderr
