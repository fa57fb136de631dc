"""A real PostgreSQL that may be crashed, and folders for stages."""

from collections.abc import Iterator

import pytest

from bench.cluster import Cluster, Missing
from tests.services.require import require


@pytest.fixture(scope="session")
def crashing_cluster() -> Iterator[Cluster]:
    require("postgresql", "initdb", "pg_ctl", "createdb")
    try:
        cluster = Cluster()
    except Missing as problem:
        pytest.skip(str(problem))
    yield cluster
    cluster.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def either_engine(request: pytest.FixtureRequest) -> Cluster | None:
    """None is SQLite."""
    if request.param == "sqlite":
        return None
    found: Cluster = request.getfixturevalue("crashing_cluster")
    return found
