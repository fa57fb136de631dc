"""The register of municipalities and their membership in the network: read from files, kept in tables.

A register is a folder of two CSV files, municipalities.csv and (where there is one) members.csv.
Nothing here knows a state: keys are text, and places are their prefixes.
"""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from sqlalchemy import Select, func, nulls_first, or_, select
from sqlalchemy.orm import Session

from subscribers.model import Membership, MembershipState, Municipality

_BODIES = ("ags", "name", "kind", "district", "region")
_MEMBERS = ("ags", "state", "since", "round", "reference", "note")


class BadRegister(ValueError):
    """A file is no register; says the line and what was expected."""


@dataclass(frozen=True, slots=True)
class Imported:
    """How many rows are new and how many differ from what was on record. Nothing is ever deleted."""

    added: int
    changed: int


def import_register(session: Session, folder: Path) -> Imported:
    """Bring the register up to the files of a folder (or one CSV of municipalities). Raises BadRegister."""
    bodies = folder / "municipalities.csv" if folder.is_dir() else folder
    added, changed = _import_bodies(session, bodies)
    members = folder / "members.csv"
    if members.exists():
        more, other = _import_members(session, members)
        added, changed = added + more, changed + other
    return Imported(added, changed)


def current(on: date) -> Select[str, MembershipState]:
    """Selects key and state of each body's membership on a day: the latest of its dated steps holds."""
    latest = (
        select(
            Membership.ags,
            Membership.state,
            func.row_number()
            .over(
                partition_by=Membership.ags,
                order_by=(nulls_first(Membership.since.asc()), Membership.id),
            )
            .label("step"),
            func.count().over(partition_by=Membership.ags).label("steps"),
        )
        .where(or_(Membership.since.is_(None), Membership.since <= on))
        .subquery()
    )
    return select(latest.c.ags, latest.c.state).where(latest.c.step == latest.c.steps)


def members(session: Session, on: date) -> list[str]:
    """The keys of the network's members on a day, in order."""
    return sorted(ags for ags, state in session.execute(current(on)) if state is MembershipState.MEMBER)


def named(session: Session, name: str) -> Municipality | None:
    """The body that somebody means by this name; None when none or several have it.

    A municipality is preferred to a district of the same name.
    """
    found = session.scalars(
        select(Municipality).where(func.lower(Municipality.name) == name.strip().lower())
    ).all()
    if len(found) > 1:
        found = [body for body in found if body.district] or found
    return found[0] if len(found) == 1 else None


def all_names(session: Session) -> list[str]:
    """The names of all bodies, sorted, for a form to suggest."""
    return list(session.scalars(select(Municipality.name).distinct().order_by(Municipality.name)))


def _import_bodies(session: Session, path: Path) -> tuple[int, int]:
    known = {body.ags: body for body in session.scalars(select(Municipality))}
    added = changed = 0
    for line, row in _rows(path, _BODIES):
        if not _is_key(row["ags"]) or not row["name"]:
            raise BadRegister(
                f"{path.name}:{line}: expected a key of digits (or with a letter first), and a name"
            )
        body = known.get(row["ags"])
        if body is None:
            known[row["ags"]] = Municipality(**row)
            session.add(known[row["ags"]])
            added += 1
        elif any(getattr(body, column) != row[column] for column in _BODIES):
            for column in _BODIES:
                setattr(body, column, row[column])
            changed += 1
    session.flush()
    return added, changed


def _import_members(session: Session, path: Path) -> tuple[int, int]:
    known = {(step.ags, step.since, step.state): step for step in session.scalars(select(Membership))}
    bodies = set(session.scalars(select(Municipality.ags)))
    added = changed = 0
    for line, row in _rows(path, _MEMBERS):
        if row["ags"] not in bodies:
            raise BadRegister(f"{path.name}:{line}: {row['ags']!r} is not in the register")
        try:
            state = MembershipState(row["state"])
            since = date.fromisoformat(row["since"]) if row["since"] else None
        except ValueError as error:
            raise BadRegister(f"{path.name}:{line}: {error}") from None
        step = known.get((row["ags"], since, state))
        told = {column: row[column] for column in ("round", "reference", "note")}
        if step is None:
            step = Membership(ags=row["ags"], state=state, since=since, **told)
            known[row["ags"], since, state] = step
            session.add(step)
            added += 1
        elif any(getattr(step, column) != value for column, value in told.items()):
            for column, value in told.items():
                setattr(step, column, value)
            changed += 1
    session.flush()
    return added, changed


def _rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, Mapping[str, str]]]:
    """Line number and these columns of each row; columns the file has beyond them are for its readers."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            missing = set(columns) - set(reader.fieldnames or ())
            if missing:
                raise BadRegister(f"{path.name}:1: expected the columns {', '.join(columns)}")
            for row in reader:
                yield reader.line_num, {column: (row[column] or "").strip() for column in columns}
    except UnicodeDecodeError:
        raise BadRegister(f"{path.name}: expected UTF-8") from None
    except csv.Error as error:
        raise BadRegister(f"{path.name}: {error}") from None
    except OSError as error:
        raise BadRegister(f"{path}: {error.strerror}") from None


def _is_key(ags: str) -> bool:
    if ags.isascii() and ags.isdigit():
        return len(ags) in (2, 3, 5, 8)
    return ags[:1].isalpha() and ags.isprintable() and " " not in ags and "," not in ags
