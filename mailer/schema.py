"""Which schema a database has, and how it comes to the newest one."""

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, inspect, text

from mailer.database import Database
from subscribers.base import Base

_VERSIONS = Path(__file__).parent / "migrations" / "versions"


def upgrade(database: Database, to: str = "head") -> None:
    """Bring the database to the newest schema, or the one numbered `to`; an empty one is created."""
    # it takes a while to load, and most commands only ask what there is
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "mailer:migrations")
    config.attributes["metadata"] = Base.metadata
    with database.engine.connect() as connection:
        is_sqlite = connection.dialect.name == "sqlite"
        if is_sqlite:
            # where a table is made anew, dropping the old one must not take what refers to it along
            _say(connection, "PRAGMA foreign_keys=OFF")
        with connection.begin():
            config.attributes["connection"] = connection
            command.upgrade(config, to)
            if is_sqlite:
                lost = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
                assert not lost, f"rows refer to nothing: {lost[:3]}"
        if is_sqlite:
            _say(connection, "PRAGMA foreign_keys=ON")


def _say(connection: Connection, statement: str) -> None:
    """To the driver itself: SQLAlchemy would begin a transaction, in which SQLite ignores this."""
    driver: Any = connection.connection.driver_connection
    driver.execute(statement)


def is_current(database: Database) -> bool:
    """Whether the schema is the newest one."""
    return _revision(database) == max(_known())


def is_newer(database: Database) -> bool:
    """Whether the schema is one that this program does not know: a later version made it."""
    return _revision(database) not in {None, *_known()}


def _revision(database: Database) -> str | None:
    with database.engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
        return revision


def _known() -> list[str]:
    """Revisions are numbers, and stand before the names of their files."""
    return [path.name.partition("_")[0] for path in _VERSIONS.glob("[0-9]*.py")]
