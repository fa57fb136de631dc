"""A CSV file as rows: bounded, decoded, each line a row of its own. Knows nothing of what they say."""

import codecs
import csv
import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import BinaryIO

_LONGEST_LINE = 64 * 1024  # bytes
_LONGEST_CELL = 254  # characters: the longest address, RFC 5321 4.5.3.1.3
#: a line of nothing else is empty; spreadsheets write such below their last row
_EMPTY = b' ,;"\t\r\n\v\f'
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
    header_text = head.decode(charset, "replace").rstrip("\r\n")
    separator = max(",;\t", key=header_text.count)
    try:
        cells = next(csv.reader([header_text], delimiter=separator, strict=True))
    except csv.Error as error:
        # among them the line ends of old Macs, which make one line of the whole file
        raise BadFile(f"line 1: {error}") from None
    header = [cell.strip().lower() for cell in cells]
    if required not in header:
        raise BadFile(f"line 1: expected a header with the column {required}, of {', '.join(columns)}")
    unknown = [name for name in header if name not in columns]
    if unknown or len(set(header)) != len(header):
        wrong = ", ".join(repr(name[:40]) for name in unknown[:5]) or "a column twice"
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
        elif line.strip(_EMPTY):
            yield number, _row(line.decode(charset, "replace"), separator, header, columns)


def _row(text: str, separator: str, header: list[str], columns: Sequence[str]) -> dict[str, str] | str:
    if "\N{REPLACEMENT CHARACTER}" in text:
        return "a character that cannot be read in this charset"
    # NFC, as addresses are; and no-break spaces, which spreadsheets put into names, become spaces
    text = unicodedata.normalize("NFC", text.rstrip("\r\n")).replace("\N{NO-BREAK SPACE}", " ")
    try:
        rows = list(csv.reader([text], delimiter=separator, strict=True))
    except csv.Error as error:
        return str(error)
    cells = [_EXPORTED.sub("", cell.strip()) for cell in rows[0]]
    if len(cells) > len(header):
        return f"{len(cells)} cells, expected {len(header)}"
    if any(len(cell) > _LONGEST_CELL for cell in cells):
        return f"a cell longer than {_LONGEST_CELL} characters"
    if not all(cell.isprintable() for cell in cells):
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
