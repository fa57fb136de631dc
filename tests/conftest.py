"""What every test may use: a fresh database, on SQLite and, where asked for, on PostgreSQL."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from mailer.database import Database
from mailer.schema import upgrade

pytest_plugins = ["tests.services.postgresql"]


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty SQLite file, to be copied: migrating for each test would be most of its time."""
    path = tmp_path_factory.mktemp("template") / "infomail.sqlite"
    database = Database(f"sqlite:///{path}")
    upgrade(database)
    database.close()
    return path


@pytest.fixture
def database(tmp_path: Path, migrated_sqlite: Path) -> Iterator[Database]:
    """An empty SQLite database in `tmp_path`."""
    path = tmp_path / "infomail.sqlite"
    path.write_bytes(migrated_sqlite.read_bytes())
    database = Database(f"sqlite:///{path}")
    yield database
    database.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def either_database(request: pytest.FixtureRequest) -> Database:
    """The same test on both engines."""
    name = {"sqlite": "database", "postgresql": "postgresql_database"}[request.param]
    found: Database = request.getfixturevalue(name)
    return found


@pytest.fixture
def postgresql_database(postgresql: str) -> Iterator[Database]:
    """An empty, migrated PostgreSQL database of its own."""
    database = Database(postgresql)
    upgrade(database)
    yield database
    database.close()


@pytest.fixture(autouse=True)
def logs_as_they_were() -> Iterator[None]:
    """A command that ran in the test writes its logs to where nobody reads any more."""
    yield
    for handler in list(logging.root.handlers):
        if type(handler).__module__ == "mailer.logs":
            logging.root.removeHandler(handler)
    structlog.reset_defaults()
