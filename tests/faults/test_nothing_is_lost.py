"""The rows of bench/crash.py in small: each breaks a send, and the judge's account says what held."""

import os
import random
from pathlib import Path

import pytest

from bench import rows
from bench.cluster import Cluster

#: settable, printed by pytest with a failure: INFOMAIL_FAULT_SEED=N repeats it
SEED = int(os.environ.get("INFOMAIL_FAULT_SEED", random.SystemRandom().randrange(2**32)))


@pytest.fixture
def rng() -> random.Random:
    print(f"INFOMAIL_FAULT_SEED={SEED}")  # noqa: T201  pytest shows it with a failure
    return random.Random(SEED)


def test_a_kill_anywhere_loses_nobody_and_doubles_what_was_in_flight(
    tmp_path: Path, rng: random.Random, either_engine: Cluster | None
) -> None:
    row = rows.killed(tmp_path / "stage", rng, people=300, kills=2, cluster=either_engine)
    assert row.problems == []


def test_the_loss_of_a_host_loses_nobody_and_adds_one_group(tmp_path: Path, rng: random.Random) -> None:
    row = rows.killed(tmp_path / "stage", rng, people=400, kills=2, lose_host=True)
    assert row.problems == []


def test_a_worker_outlives_crashes_of_postgresql_and_doubles_nobody(
    tmp_path: Path, rng: random.Random, crashing_cluster: Cluster
) -> None:
    row = rows.database_restarted(tmp_path / "stage", rng, crashing_cluster, people=1_000, times=3)
    assert row.problems == []


def test_a_worker_stopped_past_its_lease_writes_nothing_when_it_wakes(
    tmp_path: Path, rng: random.Random, crashing_cluster: Cluster
) -> None:
    row = rows.one_stopped(tmp_path / "stage", rng, crashing_cluster, people=500)
    assert row.problems == []


def test_pauses_restarts_and_rates_at_random_leave_each_exactly_one(
    tmp_path: Path, rng: random.Random
) -> None:
    row = rows.steered(tmp_path / "stage", rng, people=800, times=25)
    assert row.problems == []
