"""How the values of the plan are taken out of its tables, and how a problem with one is put.

A `Table` hands out the values of one TOML table by shape and notes every problem with its line, so that
reading goes on and the operator sees all of them at once.
"""

import difflib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from mailer.schedule.plan import PlanProblem
from mailer.schedule.positions import Path
from mailer.schedule.shapes import KEY, Shape

T = TypeVar("T")


@dataclass(slots=True)
class Notes:
    """The problems found so far, and where things stand in the file."""

    lines: Mapping[Path, int]
    problems: list[PlanProblem] = field(default_factory=list)

    def add(self, path: Path, what: str) -> None:
        """Note a problem with what lies at `path`: on its line or, when it is missing, on its table's."""
        line = self.lines.get(path) or self.lines.get(path[:-1], 1)
        self.problems.append(PlanProblem(line, f"{_dotted(path)}: {what}"))


class Table:
    """One TOML table at `path`. `keys` are all that it may have; any other is noted as a problem."""

    def __init__(self, raw: Mapping[str, Any], path: Path, keys: Collection[str], notes: Notes) -> None:
        self._raw = raw
        self._path = path
        self._keys = keys
        self._notes = notes
        for key in raw:
            if key not in keys:
                notes.add((*path, key), f"unknown key, {nearest(key, keys)}")

    def __contains__(self, key: str) -> bool:
        return key in self._raw

    def need(self, key: str, shape: Shape[T], placeholder: T) -> T:
        """The value of a key that must be there. With a problem noted, `placeholder` lets reading go on."""
        if key not in self._raw:
            self.note(f"expected {shape.expected}, but it is missing", key)
        return self.take(key, shape, placeholder)

    def take(self, key: str, shape: Shape[T], default: T) -> T:
        """The value of a key, or `default` without it."""
        assert key in self._keys
        if key not in self._raw:
            return default
        fitting = self._fitting(self._raw[key], shape, (key,))
        return default if fitting is None else fitting[0]

    def need_all(self, key: str, shape: Shape[T]) -> tuple[T, ...]:
        """The values of a list that must be there and not empty."""
        if not self._raw.get(key, []):
            self.note(f"expected at least one of {shape.expected}", key)
        return self.take_all(key, shape)

    def take_all(self, key: str, shape: Shape[T], *, or_one: bool = False) -> tuple[T, ...]:
        """The values of a list, each of one shape; with `or_one` a single value stands for a list of one."""
        assert key in self._keys
        raw = self._raw.get(key, [])
        if not isinstance(raw, list):
            if or_one:
                return self._fitting(raw, shape, (key,)) or ()
            self.note(f"expected a list of {shape.expected}, got {shown(raw)}", key)
            return ()
        found: tuple[T, ...] = ()
        for number, element in enumerate(raw):
            found += self._fitting(element, shape, (key, number)) or ()
        return found

    def table(self, key: str, keys: Collection[str]) -> "Table":
        """A table below this one; empty without the key."""
        return Table(self._mapping(key), (*self._path, key), keys, self._notes)

    def tables(self, key: str, keys: Collection[str]) -> list["Table"]:
        """An array of tables, [[like.this]]."""
        assert key in self._keys
        raw = self._raw.get(key, [])
        if not isinstance(raw, list) or not all(isinstance(element, dict) for element in raw):
            self.note(
                f"expected tables in double brackets, {_header((*self._path, key))}, got {shown(raw)}", key
            )
            return []
        return [
            Table(element, (*self._path, key, number), keys, self._notes)
            for number, element in enumerate(raw)
        ]

    def named_tables(self, key: str, keys: Collection[str]) -> dict[str, "Table"]:
        """Tables by names of the operator's choice, [feed.NAME]."""
        raw = self._mapping(key)
        names = Table(raw, (*self._path, key), raw.keys(), self._notes)
        for name in raw:
            names._fitting(name, KEY, (name,))
        return {name: names.table(name, keys) for name in raw}

    def note(self, what: str, *steps: str | int) -> None:
        """Note a problem with this table or, with `steps`, with what lies at them in it."""
        self._notes.add((*self._path, *steps), what)

    def _fitting(self, raw: object, shape: Shape[T], steps: Path) -> tuple[T] | None:
        try:
            return (shape.read(raw),)
        except ValueError as error:
            self.note(f"expected {str(error) or shape.expected}, got {shown(raw)}", *steps)
            return None

    def _mapping(self, key: str) -> Mapping[str, Any]:
        assert key in self._keys
        raw = self._raw.get(key, {})
        if isinstance(raw, dict):
            return raw
        self.note(f"expected a table, got {shown(raw)}", key)
        return {}


def nearest(word: str, known: Collection[str]) -> str:
    """Advice for somebody who wrote `word` where one of `known` was expected."""
    close = difflib.get_close_matches(word[:40], known, n=1, cutoff=0.5)
    if close:
        return f'nearest is "{close[0]}"'
    return "expected one of " + ", ".join(known) if known else "there is none"


def shown(raw: object) -> str:
    """A raw value for a message: short, on one line, as TOML writes it."""
    if isinstance(raw, dict):
        return "a table"
    if isinstance(raw, list):
        return "a list"
    text = json.dumps(raw, ensure_ascii=False) if isinstance(raw, str | bool) else str(raw)
    text = "".join(each if each.isprintable() else f"\\u{ord(each):04x}" for each in text)
    return text if len(text) <= 60 else text[:57] + "..."


def _dotted(path: Path) -> str:
    """newsletter.infomail.section[2].max; tables of an array are counted from 1, as people do."""
    name = ""
    for step in path:
        if isinstance(step, int):
            name += f"[{step + 1}]"
        else:
            name += ("." if name else "") + (step if len(step) <= 60 else step[:57] + "...")
    return name


def _header(path: Path) -> str:
    return "[[" + ".".join(str(step) for step in path) + "]]"
