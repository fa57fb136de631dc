"""The register of municipalities and their membership in the network: read from files, kept in tables.

A register is a folder of two CSV files, municipalities.csv and (where there is one) members.csv.
Nothing here knows a state: keys are text, and places are their prefixes.
"""

import csv
import unicodedata
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
    """How many rows are new, differ from what was on record, or say the same. Nothing is ever deleted."""

    added: int
    changed: int
    unchanged: int

    def __add__(self, other: "Imported") -> "Imported":
        return Imported(
            self.added + other.added, self.changed + other.changed, self.unchanged + other.unchanged
        )


def import_register(session: Session, folder: Path) -> Imported:
    """Bring the register up to the files of a folder (or one CSV of municipalities). Raises BadRegister."""
    bodies = folder / "municipalities.csv" if folder.is_dir() else folder
    done = _import_bodies(session, bodies)
    members = folder / "members.csv"
    return done + _import_members(session, members) if members.exists() else done


def current(on: date) -> Select[Membership]:
    """Selects the step of each body's membership that holds on a day: the latest dated one."""
    latest = (
        select(
            Membership.id,
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
    return (
        select(Membership).join(latest, latest.c.id == Membership.id).where(latest.c.step == latest.c.steps)
    )


def members(session: Session, on: date) -> list[str]:
    """The keys of the network's members on a day, in order."""
    query = current(on).where(Membership.state == MembershipState.MEMBER).order_by(Membership.ags)
    return [step.ags for step in session.scalars(query)]


def named(session: Session, name: str) -> Municipality | None:
    """The body that somebody means by this name; None when none or several have it.

    A municipality is preferred to a district of the same name.
    """
    wanted = _folded(name)
    # compared here: SQLite's lower() knows ASCII only
    found = [body for body in session.scalars(select(Municipality)) if _folded(body.name) == wanted]
    if len(found) > 1:
        found = [body for body in found if body.district] or found
    return found[0] if len(found) == 1 else None


def all_names(session: Session) -> list[str]:
    """The names of all bodies, sorted, for a form to suggest."""
    return list(session.scalars(select(Municipality.name).distinct().order_by(Municipality.name)))


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name.strip()).casefold()


def _import_bodies(session: Session, path: Path) -> Imported:
    known = {body.ags: body for body in session.scalars(select(Municipality))}
    seen: set[str] = set()
    added = changed = 0
    for line, row in _rows(path, _BODIES):
        if not _is_key(row["ags"]) or not row["name"]:
            raise BadRegister(
                f"{path.name}:{line}: expected a key of digits (or with a letter first), and a name"
            )
        if row["ags"] in seen:
            raise BadRegister(f"{path.name}:{line}: {row['ags']} stands in the file before")
        seen.add(row["ags"])
        body = known.get(row["ags"])
        if body is None:
            session.add(Municipality(**row))
            added += 1
        elif any(getattr(body, column) != row[column] for column in _BODIES):
            for column in _BODIES:
                setattr(body, column, row[column])
            changed += 1
    session.flush()
    return Imported(added, changed, len(seen) - added - changed)


def _import_members(session: Session, path: Path) -> Imported:
    known = {(step.ags, step.since, step.state): step for step in session.scalars(select(Membership))}
    bodies = set(session.scalars(select(Municipality.ags)))
    seen: set[tuple[str, date | None, MembershipState]] = set()
    added = changed = 0
    for line, row in _rows(path, _MEMBERS):
        if row["ags"] not in bodies:
            raise BadRegister(f"{path.name}:{line}: {row['ags']!r} is not in the register")
        try:
            state = MembershipState(row["state"])
            since = date.fromisoformat(row["since"]) if row["since"] else None
        except ValueError as error:
            raise BadRegister(f"{path.name}:{line}: {error}") from None
        if (row["ags"], since, state) in seen:
            raise BadRegister(f"{path.name}:{line}: this step of {row['ags']} stands in the file before")
        seen.add((row["ags"], since, state))
        step = known.get((row["ags"], since, state))
        told = {column: row[column] for column in ("round", "reference", "note")}
        if step is None:
            session.add(Membership(ags=row["ags"], state=state, since=since, **told))
            added += 1
        elif any(getattr(step, column) != value for column, value in told.items()):
            for column, value in told.items():
                setattr(step, column, value)
            changed += 1
    session.flush()
    return Imported(added, changed, len(seen) - added - changed)


def _rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, Mapping[str, str]]]:
    """Line number and these columns of each row; columns the file has beyond them are for its readers."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            missing = set(columns) - set(reader.fieldnames or ())
            if missing:
                raise BadRegister(f"{path.name}:1: expected the columns {', '.join(columns)}")
            for row in reader:
                cells = {column: (row[column] or "").strip() for column in columns}
                if not all(cell.isprintable() for cell in cells.values()):
                    raise BadRegister(f"{path.name}:{reader.line_num}: a control character")
                yield reader.line_num, cells
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
