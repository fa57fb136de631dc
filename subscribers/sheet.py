"""A workbook (XLSX, ODS) as CSV: `python -m subscribers.sheet FILE [SHEET]` writes it to stdout.

The library that reads workbooks lays a sheet out in memory as wide and high as its farthest cells,
so one small hostile file could take all there is. Hence a process of its own, with limits on memory
and time; what it writes goes the way of any CSV file.
"""

import csv
import resource
import subprocess
import sys
import zipfile
from datetime import date, datetime
from pathlib import Path
from typing import BinaryIO

from python_calamine import CalamineError, CalamineWorkbook, WorksheetNotFound

#: of the process that reads: bytes of memory, seconds of CPU
_MEMORY = 3 << 30
_SECONDS = 180
#: bytes that the parts of a workbook may have unpacked, all together
_UNPACKED = 1 << 30
#: exit code that says: one line on stderr says why
_REFUSED = 3
#: stands for a line break in a cell, which a row of CSV cannot have: no name or address has either
_BREAK = "\x0b"


class BadSheet(ValueError):
    """The workbook cannot be read; says why in one line."""


def write_csv(path: Path, sheet: str, out: BinaryIO) -> None:
    """Write a sheet ("": the first) as UTF-8 CSV, a line for each of its rows. Raises BadSheet."""
    _check_size(path)
    child = subprocess.run(  # noqa: S603  this very module
        [sys.executable, "-m", "subscribers.sheet", str(path), sheet],
        stdout=out,
        stderr=subprocess.PIPE,
        check=False,
        env={"PYTHONPATH": str(Path(__file__).resolve().parents[1]), "PYTHONUTF8": "1"},
    )
    if child.returncode == _REFUSED:
        raise BadSheet(child.stderr.decode(errors="replace").strip().splitlines()[-1])
    if child.returncode:
        raise BadSheet("the sheet is too large or too broken to be read; save it as CSV")


def _check_size(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        raise BadSheet("the workbook is broken or cut off") from None
    if sum(part.file_size for part in parts) > _UNPACKED:
        raise BadSheet("the workbook is too large when unpacked; save it as CSV")
    if any(part.flag_bits & 1 for part in parts):
        raise BadSheet("the workbook is encrypted; save it without a password")


def _main(path: str, sheet: str) -> int:
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
    try:
        with CalamineWorkbook.from_path(path) as workbook:
            rows = workbook.get_sheet_by_name(sheet) if sheet else workbook.get_sheet_by_index(0)
            writer = csv.writer(sys.stdout, lineterminator="\n")
            for _ in range(rows.start[0] if rows.start else 0):
                sys.stdout.write("\n")  # so that rows keep their numbers
            for row in rows.iter_rows():
                writer.writerow([_text(cell) for cell in row])
    except WorksheetNotFound:
        print(f"there is no sheet {sheet!r} in the workbook", file=sys.stderr)  # noqa: T201  our own channel
        return _REFUSED
    except (CalamineError, OSError):
        print("the workbook cannot be read", file=sys.stderr)  # noqa: T201  likewise
        return _REFUSED
    return 0


def _text(cell: object) -> str:
    """A cell as somebody would have typed it: 5711000 and not 5711000.0, 2024-05-03 and no time of day."""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, datetime):
        return cell.isoformat(" ") if cell.time() != datetime.min.time() else cell.date().isoformat()
    if isinstance(cell, date):
        return cell.isoformat()
    return str(cell).replace("\r\n", _BREAK).replace("\n", _BREAK).replace("\r", _BREAK)


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:3]))
