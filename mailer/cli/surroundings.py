"""What a command works on: settings, database and plan of the current folder; who acts, and when."""

import getpass
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import typer
from pydantic import ValidationError

from mailer.cli import Refused
from mailer.settings import Settings

if TYPE_CHECKING:  # some commands need neither database nor plan, and start in half the time
    from mailer.database import Database
    from mailer.installation import Installation


def read_settings() -> Settings:
    """The settings of the current folder and environment. Raises Refused."""
    try:
        return Settings()
    except UnicodeDecodeError:
        raise Refused(".env: not UTF-8") from None
    except ValidationError as error:
        first = error.errors()[0]
        name = "INFOMAIL_" + "_".join(str(part) for part in first["loc"]).upper()
        raise Refused(f"{name}: {first['msg'].removeprefix('Value error, ')}") from None


@contextmanager
def open_house() -> Iterator["Installation"]:
    """The whole installation of the current folder. Raises Refused."""
    from mailer.installation import open_installation

    with _refusing(), open_installation(read_settings()) as house:
        yield house


@contextmanager
def open_database() -> Iterator["Database"]:
    """Its database alone, for what needs neither plan nor keys. Raises Refused."""
    from mailer import installation

    with _refusing(), installation.open_database(read_settings()) as database:
        yield database


@contextmanager
def _refusing() -> Iterator[None]:
    from sqlalchemy.exc import DBAPIError

    from mailer.installation import NotConfigured

    try:
        yield
    except NotConfigured as error:
        raise Refused(str(error)) from None
    except DBAPIError as error:
        raise Refused(f"the database refused: {str(error.orig).splitlines()[0]}") from error


def actor(name: str | None) -> str:
    """Who acts, for the record: the name given by --as, else the user of the operating system."""
    return f"cli:{name or getpass.getuser()}"


def now() -> datetime:
    return datetime.now(UTC)


def print_json(value: object) -> None:
    """JSON on stdout, and nothing else; times in ISO 8601, other things JSON has no form for as text."""
    json.dump(value, sys.stdout, ensure_ascii=False, default=_as_text, indent=None)
    sys.stdout.write("\n")


def _as_text(value: object) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)  # a datetime is a date, too


#: options that many commands share
JSON = typer.Option(False, "--json", help="Print only JSON.")
AS = typer.Option(
    None, "--as", metavar="NAME", help="Who acts; the user of the operating system if not given."
)
#: what makes an option one of days
DAY: dict[str, Any] = {"parser": date.fromisoformat, "metavar": "DATE"}
