"""A file as rows: bounded, decoded, each line a row of its own. Knows nothing of what they say.

CSV in some charset, or a sheet of a workbook -> CSV in UTF-8 -> header -> rows, one by one
"""

import codecs
import csv
import re
import tempfile
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from subscribers.sheet import BadSheet, write_csv

_LONGEST_LINE = 64 * 1024  # bytes
_LONGEST_CELL = 254  # characters: the longest address, RFC 5321 4.5.3.1.3
_BLOCK = 1 << 20
#: a line of nothing else is empty; spreadsheets write such below their last row
_EMPTY = b' ,;|"\t\r\n\v\f'
#: the quote that an export puts before what a spreadsheet would run
_EXPORTED = re.compile(r"^'(?=[=+\-@\t\r'＝＋－＠])")
#: what a spreadsheet shows where a formula failed
_ERRORS = frozenset(
    ("#REF!", "#NAME?", "#VALUE!", "#DIV/0!", "#N/A", "#NULL!", "#NUM!", "#BEZUG!", "#WERT!", "#NV")
)
#: what stands at the beginning of files that are no CSV
_WORKBOOK = b"PK\x03\x04"
_FOREIGN = {
    b"\xd0\xcf\x11\xe0": "an old (.xls) or encrypted workbook; save it as .xlsx without a password",
    b"%PDF": "a PDF; expected CSV or XLSX",
    b"\x1f\x8b": "compressed; unpack it first",
    b"<!DO": "a web page; expected CSV or XLSX",
    b"<htm": "a web page; expected CSV or XLSX",
}
#: byte order marks, the longer before those they begin with
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class BadFile(ValueError):
    """The file as a whole cannot be read; says why in one line."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How the columns of a file are to be understood."""

    #: the names we have; the cells of those that the file lacks are ""
    columns: Sequence[str]
    required: str
    #: other names, in lower case -> ours
    aliases: Mapping[str, str] = field(default_factory=dict)
    #: what the caller says of this file: its name -> ours, or "" for a column to leave out
    mapping: Mapping[str, str] = field(default_factory=dict)
    #: "" to find out
    charset: str = ""
    #: name of the sheet of a workbook; "" for the first
    sheet: str = ""


#: line number, and cells by column or what is wrong with the row
Rows = Iterator[tuple[int, dict[str, str] | str]]


@contextmanager
def open_rows(path: Path, layout: Layout) -> Iterator[tuple[str, Rows]]:
    """What the file was read as (a charset, or "sheet"), and its rows. Raises BadFile."""
    with path.open("rb") as file, tempfile.TemporaryFile() as converted:
        charset = _kind(file) or layout.charset or _charset(file)
        if charset == "sheet":
            try:
                write_csv(path, layout.sheet, converted)
            except BadSheet as problem:
                raise BadFile(str(problem)) from None
        elif charset != "utf-8":
            _convert(file, charset, converted)
        text = file if charset == "utf-8" else converted
        text.seek(0)
        if text.read(3) != codecs.BOM_UTF8:
            text.seek(0)
        yield charset, read_rows(text, layout)


def read_rows(file: BinaryIO, layout: Layout) -> Rows:
    """The rows of CSV in UTF-8, whose first line names the columns. Raises BadFile."""
    head = file.readline(_LONGEST_LINE + 1)
    if not head.strip():
        raise BadFile("the file is empty")
    if len(head) > _LONGEST_LINE or b"\0" in head:
        raise BadFile("the first line is no header of a CSV file")
    header_text = head.decode("utf-8", "replace").rstrip("\r\n")
    separator = max(",;\t|", key=header_text.count)
    try:
        cells = next(csv.reader([header_text], delimiter=separator, strict=True))
    except csv.Error as error:
        # among them the line ends of old Macs, which make one line of the whole file
        raise BadFile(f"line 1: {error}") from None
    return _cells(file, separator, _header([cell.strip() for cell in cells], layout), layout.columns)


def _header(cells: list[str], layout: Layout) -> list[str]:
    """Our name for each column of the file, "" for one that is left out. Raises BadFile."""
    said = {name.strip().lower(): ours for name, ours in layout.mapping.items()}
    absent = [name for name in said if name not in {cell.lower() for cell in cells}]
    if absent:
        raise BadFile(f"line 1: there is no column {absent[0]!r} to map")
    header, unknown = [], []
    for cell in cells:
        name = cell.lower()
        ours = said.get(name, name if name in layout.columns else layout.aliases.get(name))
        # a column without a name and without cells is what spreadsheets leave at the edge
        if ours is None and name:
            unknown.append(cell)
        header.append(ours or "")
    named = [name for name in header if name]
    if unknown:
        wrong = ", ".join(repr(name[:40]) for name in unknown[:5])
        raise BadFile(
            f"line 1: unknown columns: {wrong}; expected {', '.join(layout.columns)}."
            f" Say --map {unknown[0][:40]!r}=COLUMN, or --map {unknown[0][:40]!r}= to leave it out"
        )
    if layout.required not in named:
        raise BadFile(
            f"line 1: expected a header with the column {layout.required}, of {', '.join(layout.columns)}"
        )
    if len(set(named)) != len(named):
        twice = next(name for name in named if named.count(name) > 1)
        raise BadFile(f"line 1: the column {twice} stands there twice")
    return header


def _kind(file: BinaryIO) -> str:
    """ "sheet", a charset that a mark tells, or "". Raises BadFile for what is neither text nor workbook."""
    begins = file.read(4)
    file.seek(0)
    if begins == _WORKBOOK:
        return "sheet"
    for mark, what in _FOREIGN.items():
        if begins.startswith(mark):
            raise BadFile(f"this is {what}")
    return next((charset for mark, charset in _MARKS if begins.startswith(mark)), "")


def _charset(file: BinaryIO) -> str:
    """UTF-8 if the whole file is, else Windows-1252; the file stands at its beginning."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        while block := file.read(_BLOCK):
            decoder.decode(block)
        decoder.decode(b"", final=True)
        charset = "utf-8"
    except UnicodeDecodeError:
        charset = "cp1252"
    file.seek(0)
    return charset


def _convert(file: BinaryIO, charset: str, out: BinaryIO) -> None:
    """The text as UTF-8; what cannot be read in its charset is marked, and costs its own row."""
    try:
        decoder = codecs.getincrementaldecoder(charset)("replace")
    except LookupError:
        raise BadFile(f"there is no charset {charset!r}") from None
    try:
        while block := file.read(_BLOCK):
            out.write(decoder.decode(block).encode("utf-8", "replace"))
        out.write(decoder.decode(b"", final=True).encode("utf-8", "replace"))
    except UnicodeError:
        raise BadFile(f"this is not {charset}") from None


def _cells(file: BinaryIO, separator: str, header: list[str], columns: Sequence[str]) -> Rows:
    """Each line is a row: a quote that is open at its end is that row's problem, not the next one's."""
    for number, line in _lines(file):
        if line is None:
            yield number, f"longer than {_LONGEST_LINE} bytes"
        elif b"\0" in line:
            yield number, "a NUL byte"
        elif line.strip(_EMPTY):
            yield number, _row(line.decode("utf-8", "replace"), separator, header, columns)


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
    row = {name: cell for name, cell in zip(header, cells, strict=False) if name}
    if any(len(cell) > _LONGEST_CELL for cell in row.values()):
        return f"a cell longer than {_LONGEST_CELL} characters"
    if not all(cell.isprintable() for cell in row.values()):
        return "a control character"
    if not _ERRORS.isdisjoint(row.values()):
        return "the error of a formula"
    return dict.fromkeys(columns, "") | row


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
