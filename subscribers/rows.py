"""A CSV file as rows: bounded, decoded, each line a row of its own. Knows nothing of what they say."""

import codecs
import csv
import re
from collections.abc import Iterator, Sequence
from typing import BinaryIO

#: bytes of the longest line, and characters of the longest cell
_LONGEST_LINE = 64 * 1024
_LONGEST_CELL = 200
#: the quote that an export puts before what a spreadsheet would run
_EXPORTED = re.compile(r"^'(?=[=+\-@\t\r'])")


class BadFile(ValueError):
    """The file as a whole cannot be read; says why in one line."""


def read_rows(
    file: BinaryIO, columns: Sequence[str], required: str
) -> tuple[str, Iterator[tuple[int, dict[str, str] | str]]]:
    """The charset, and line number with cells (or a problem) of each row. Raises BadFile.

    The first line names some of `columns`, `required` among them; the cells of the others are "".
    """
    charset = _charset(file)
    head = file.readline(_LONGEST_LINE + 1)
    if not head.strip():
        raise BadFile("the file is empty")
    if len(head) > _LONGEST_LINE or b"\0" in head:
        raise BadFile("the first line is no header of a CSV file")
    header_text = head.decode(charset)
    separator = max(",;\t", key=header_text.count)
    header = [cell.strip().lower() for cell in next(csv.reader([header_text], delimiter=separator))]
    if required not in header:
        raise BadFile(f"line 1: expected a header with the column {required}, of {', '.join(columns)}")
    unknown = [name for name in header if name not in columns]
    if unknown or len(set(header)) != len(header):
        wrong = ", ".join(name[:40] or "(none)" for name in unknown[:5]) or "a column twice"
        raise BadFile(f"line 1: unknown columns: {wrong}; expected {', '.join(columns)}")
    return charset, _cells(file, charset, separator, header, columns)


def _charset(file: BinaryIO) -> str:
    """UTF-8 (with or without a mark) if the whole file is, else Windows-1252; the file stands at its text."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        while block := file.read(1 << 20):
            decoder.decode(block)
        decoder.decode(b"", final=True)
        charset = "utf-8"
    except UnicodeDecodeError:
        charset = "cp1252"
    file.seek(0)
    if file.read(3) != codecs.BOM_UTF8:
        file.seek(0)
    return charset


def _cells(
    file: BinaryIO, charset: str, separator: str, header: list[str], columns: Sequence[str]
) -> Iterator[tuple[int, dict[str, str] | str]]:
    """Each line is a row: a quote that is open at its end is that row's problem, not the next one's."""
    for number, line in _lines(file):
        if line is None:
            yield number, f"longer than {_LONGEST_LINE} bytes"
        elif b"\0" in line:
            yield number, "a NUL byte"
        elif line.strip():
            yield number, _row(line.decode(charset, "replace"), separator, header, columns)


def _row(text: str, separator: str, header: list[str], columns: Sequence[str]) -> dict[str, str] | str:
    try:
        rows = list(csv.reader([text.rstrip("\r\n")], delimiter=separator, strict=True))
    except csv.Error as error:
        return str(error)
    cells = [_EXPORTED.sub("", cell.strip()) for cell in rows[0]]
    if len(cells) > len(header):
        return f"{len(cells)} cells, expected {len(header)}"
    if any(len(cell) > _LONGEST_CELL for cell in cells):
        return f"a cell longer than {_LONGEST_CELL} characters"
    if any(not character.isprintable() for cell in cells for character in cell):
        return "a control character"
    return dict.fromkeys(columns, "") | dict(zip(header, cells, strict=False))


def _lines(file: BinaryIO) -> Iterator[tuple[int, bytes | None]]:
    """Numbered lines from 2 on; None for one that is too long, of which only a piece is ever held."""
    number = 1
    while line := file.readline(_LONGEST_LINE):
        number += 1
        if len(line) < _LONGEST_LINE or line.endswith(b"\n"):
            yield number, line
            continue
        while line and not line.endswith(b"\n"):
            line = file.readline(_LONGEST_LINE)
        yield number, None
