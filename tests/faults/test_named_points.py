"""A worker that dies at each named point, one after the other: the sum always holds, and everybody gets the mail."""

import asyncio
import signal
from pathlib import Path

import pytest

from bench.judge import Judge, judging
from bench.launch import POINTS
from bench.rows import CONNECTIONS, WINDOW
from bench.stage import Stage, opened, set_up, verdict
from mailer.daemon.worker import drain
from mailer.issues.model import Issue

PEOPLE = 120
#: a passing somewhere in the send, where there are many
NTH = {"before-250": 4, "after-250": 3, "before-commit": 2, "in-commit": 2, "after-commit": 2}


@pytest.fixture(scope="module")
def approved(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """An issue that only has to be started."""
    folder = tmp_path_factory.mktemp("stages") / "approved"
    return set_up(folder, relays="smtp://127.0.0.1:9", people=PEOPLE, size=13_000, started=False)


@pytest.fixture(scope="module")
def frozen(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """An issue that is being sent."""
    folder = tmp_path_factory.mktemp("stages") / "frozen"
    return set_up(folder, relays="smtp://127.0.0.1:9", people=PEOPLE, size=13_000)


SENDING = [(point, "bdat") for point in POINTS if "freeze" not in point] + [
    # what the bytes look like depends on the gear
    (point, "data")
    for point in POINTS
    if point.endswith(("-mail", "-data", "-dot"))
]


def recover(stage: Stage) -> None:
    """What a worker does that starts after the other's death."""
    with opened(stage) as house:
        asyncio.run(drain(house))


@pytest.mark.parametrize(("point", "gear"), SENDING)
def test_a_death_at_a_point_of_the_send(tmp_path: Path, frozen: Stage, point: str, gear: str) -> None:
    judge = Judge(tmp_path / "account", gear=gear)
    with judging(judge) as port:
        relays = f"smtp://127.0.0.1:{port}?starttls=off&connections={CONNECTIONS}&window={WINDOW}"
        stage = frozen.copy(tmp_path / "house", relays)
        code = stage.worker("--drain", tricks=["--kill", f"{point}={NTH.get(point, 1)}"]).wait()
        assert code == -signal.SIGKILL
        midway = verdict(stage, judge.account)
        assert midway.problems(most_duplicates=0) == []
        recover(stage)
    found = verdict(stage, judge.account)
    assert found.problems(most_duplicates=CONNECTIONS * WINDOW) == []
    assert found.states == {"sent": PEOPLE}
    assert found.is_called_sent


@pytest.mark.parametrize("point", [point for point in POINTS if "freeze" in point])
def test_a_death_at_the_freeze_makes_all_deliveries_or_none(
    tmp_path: Path, approved: Stage, point: str
) -> None:
    judge = Judge(tmp_path / "account")
    with judging(judge) as port:
        relays = f"smtp://127.0.0.1:{port}?starttls=off"
        stage = approved.copy(tmp_path / "house", relays)
        send = ("issues", "send", str(stage.issue))
        assert stage.command(*send, tricks=["--kill", point]).wait() == -signal.SIGKILL
        midway = verdict(stage, judge.account)
        assert midway.adds_up
        assert midway.frozen == (PEOPLE if point == "after-freeze" else 0)
        if not midway.frozen:
            assert stage.command(*send).wait() == 0
        recover(stage)
    found = verdict(stage, judge.account)
    assert found.problems(most_duplicates=0) == []
    assert found.states == {"sent": PEOPLE}
    database = stage.database()
    with database.read() as session:
        assert session.get_one(Issue, stage.issue).frozen_at is not None
    database.close()
