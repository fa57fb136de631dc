"""What a command works on: the settings, database, plan and keys of the current folder."""

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError

from mailer.database import Database, is_current
from mailer.settings import Settings


class Refused(Exception):
    """The command cannot be done; its one line goes to stderr and the exit code is 1."""


def read_settings() -> Settings:
    """The settings of the current folder and environment. Raises Refused."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = "INFOMAIL_" + "_".join(str(part) for part in first["loc"]).upper()
        raise Refused(f"{name}: {first['msg']}") from None


@contextmanager
def open_database(settings: Settings) -> Iterator[Database]:
    """The database of the settings, with the newest schema. Raises Refused."""
    database = Database(settings.database_url.get_secret_value(), ca_bundle=str(settings.ca_bundle or ""))
    try:
        if not is_current(database):
            raise Refused("the database has not the newest schema: run `infomail db upgrade`")
        yield database
    except DBAPIError as error:
        raise Refused(f"the database refused: {str(error.orig).splitlines()[0]}") from error
    finally:
        database.close()


def actor(name: str | None) -> str:
    """Who acts, for the record: the name given by --as, else the user of the operating system."""
    return f"cli:{name or getpass.getuser()}"


def now() -> datetime:
    return datetime.now(UTC)
