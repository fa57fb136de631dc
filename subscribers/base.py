"""What every table shares: names of constraints, instants in UTC, handles."""

import enum
import json
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    ColumnElement,
    DateTime,
    Enum,
    Integer,
    MetaData,
    Text,
    bindparam,
    func,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.types import TypeDecorator


class Base(DeclarativeBase):
    """The one declarative base; migrations are proved equal to its metadata."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Utc(TypeDecorator[datetime]):
    """An instant. Goes in as any aware datetime, comes back in UTC; a naive one is refused.

    SQLite stores text without a zone and gives naive datetimes back, so the zone is taken
    off and put on here.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"naive datetime: {value!r}")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Handle(TypeDecorator[int]):
    """A random unsigned 64-bit number that names a row outside the database, never reused.

    Row ids are no such name: SQLite gives a deleted person's id to the next one. Databases
    have signed integers only, so the upper half is stored as negative numbers.
    """

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> int | None:
        return value if value is None or value < 1 << 63 else value - (1 << 64)

    def process_result_value(self, value: int | None, dialect: Dialect) -> int | None:
        return value if value is None or value >= 0 else value + (1 << 64)


def new_handle() -> int:
    """A fresh handle: 64 random bits."""
    return secrets.randbits(64)


def insert_into(session: Session, table: type["Base"]) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that can say ON CONFLICT, which both engines know and SQLAlchemy spells for each."""
    if session.get_bind().dialect.name == "sqlite":
        return sqlite.insert(table)
    return postgresql.insert(table)


def among(session: Session, column: Any, ids: Iterable[int]) -> ColumnElement[bool]:
    """Whether a column has one of many numbers, said as one parameter: spelling them out is slow."""
    return listed(session.get_bind().dialect.name, column, None, numbers(session, ids))


def listed(
    dialect: str, column: Any, parameter: str | None, value: str | list[int] | None = None
) -> ColumnElement[bool]:
    """The same for a statement that is put together once; the parameter is what `numbers` makes."""
    if dialect == "sqlite":
        said = bindparam(parameter, value, type_=Text, required=value is None)
        found: ColumnElement[bool] = column.in_(select(func.json_each(said).table_valued("value").c.value))
    else:
        array = ARRAY(BigInteger)
        found = column == func.any(bindparam(parameter, value, type_=array, required=value is None))
    return found


def numbers(session: Session, ids: Iterable[int]) -> str | list[int]:
    """Many numbers as one parameter."""
    return json.dumps(list(ids)) if session.get_bind().dialect.name == "sqlite" else list(ids)


#: Row ids: BIGINT, but INTEGER on SQLite, which numbers rows by itself only under that name.
RowId = BigInteger().with_variant(Integer, "sqlite")

#: A JSON list of strings (places, roles, categories).
Strings = JSON


def one_of(values: type[enum.StrEnum]) -> Enum:
    """A text column that takes the values of a StrEnum and no others (a CHECK, no native type)."""
    return Enum(
        values,
        native_enum=False,
        create_constraint=True,
        name=values.__name__.lower(),
        values_callable=_values,
        length=20,
    )


def _values(members: Iterable[Any]) -> list[str]:
    return [member.value for member in members]
