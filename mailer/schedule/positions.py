"""On which line each key and value of a TOML text stands.

tomllib checks the text and gives the values, but forgets where they stood; no TOML package tells. This reads
the same text once more for the lines only. It is given nothing that tomllib has not accepted (TOML 1.0.0), so
it needs to know where things begin and end, and never whether they are right.
"""

import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

# From the root of the document: names of keys, and numbers (from 0) within arrays and arrays of tables.
Path = tuple[str | int, ...]

_TOKEN = re.compile(
    r'''(?P<string>"""(?:[^"\\]|\\[\s\S]|"{1,2}(?!"))*"{3,5}'''
    r"""|\'\'\'(?:[^']|'{1,2}(?!'))*'{3,5}"""
    r"""|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')"""
    r"|(?P<blank>[ \t\r]+|\#[^\n]*)"
    r"|(?P<newline>\n)"
    r"|(?P<mark>[\[\]{},=.])"
    r"""|(?P<bare>[^\s\[\]{},=.#"']+)"""
)


class _Token(NamedTuple):
    kind: str
    text: str
    line: int


_END = _Token("end", "", 0)


def positions(text: str) -> dict[Path, int]:
    """The line, from 1, of every table, key and array element in `text`, which tomllib accepts.

    A table has the line of its header or, without one, the first line that mentions it. A value begins on the
    line of its key.
    """
    return _Reader(text).read()


class _Reader:
    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._next = next(self._tokens, _END)
        self._lines: dict[Path, int] = {}
        self._tables_in: Counter[Path] = Counter()  # how many each array of tables has so far

    def read(self) -> dict[Path, int]:
        table: Path = ()
        while self._next.kind != "end":
            if self._next.kind == "newline":
                self._take()
            elif self._next.text == "[":
                table = self._header()
            else:
                self._assignment(table)
        return self._lines

    def _take(self) -> _Token:
        token, self._next = self._next, next(self._tokens, _END)
        return token

    def _header(self) -> Path:
        """[a.b] or [[a.b]]: the path of the table that begins here."""
        self._take()
        is_array = self._next.text == "["
        if is_array:
            self._take()
        table: Path = ()
        while self._next.text != "]":
            token = self._take()
            if token.text == ".":
                continue
            table = self._inside_array(table)
            table += (_name(token),)
            self._lines.setdefault(table, token.line)
        line = self._take().line
        if is_array:
            self._take()
            self._tables_in[table] += 1
            table = self._inside_array(table)
        self._lines[table] = line
        return table

    def _inside_array(self, table: Path) -> Path:
        """In an array of tables a name means its latest table."""
        return (*table, self._tables_in[table] - 1) if table in self._tables_in else table

    def _assignment(self, table: Path) -> None:
        path = table
        while self._next.text != "=" or self._next.kind != "mark":
            token = self._take()
            if token.kind != "mark":
                path += (_name(token),)
                self._lines.setdefault(path, token.line)
        self._take()
        self._value(path)

    def _value(self, path: Path) -> None:
        if self._next.kind == "mark" and self._next.text == "[":
            self._array(path)
        elif self._next.kind == "mark" and self._next.text == "{":
            self._inline_table(path)
        else:
            # A number or a date may be several tokens: 1.5, 2026-06-04 09:00:00
            while self._next.kind in ("string", "bare") or self._next.text == ".":
                self._take()

    def _array(self, path: Path) -> None:
        self._take()
        count = 0
        while self._next.text != "]" or self._next.kind != "mark":
            if self._next.kind == "newline" or self._next.text == ",":
                self._take()
                continue
            self._lines[(*path, count)] = self._next.line
            self._value((*path, count))
            count += 1
        self._take()

    def _inline_table(self, path: Path) -> None:
        self._take()
        while self._next.text != "}" or self._next.kind != "mark":
            if self._next.kind == "newline" or self._next.text == ",":
                self._take()
                continue
            self._assignment(path)
        self._take()


def _tokens(text: str) -> Iterator[_Token]:
    line = 1
    for found in _TOKEN.finditer(text):
        kind = found.lastgroup or ""
        if kind != "blank":
            yield _Token(kind, found[0], line)
        line += found[0].count("\n")


def _name(token: _Token) -> str:
    """The key that a token spells, with its escapes resolved by tomllib itself."""
    if token.kind == "bare":
        return token.text
    (name,) = tomllib.loads(f"{token.text} = 0")
    return name
