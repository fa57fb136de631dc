"""How fast people are imported: `python bench/import.py [--rows N] [--sheet]`.

Makes a throw-away folder with `infomail init`, a CSV file of N obviously invented people (with
`--sheet` an XLSX file) and runs `infomail subscribers import` on it, as an operator would: once
with the basis consent, once with public-task. Prints seconds, rows/s and the peak of resident memory,
medians of three, beside a yardstick of the same run: the same file through csv.reader into one
SQLite table. Exit code 1 if 100,000 rows take more than 15 s or 200 MB.
"""

import argparse
import csv
import os
import resource
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from xml.sax.saxutils import escape

_RUNS = 3
_SECONDS, _MEGABYTES, _ROWS = 15.0, 200.0, 100_000
_HEAD = ("email", "form", "title", "given", "family", "role", "ags", "language")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=_ROWS)
    parser.add_argument("--sheet", action="store_true", help="an XLSX file instead of CSV")
    arguments = parser.parse_args()
    slow = False
    with tempfile.TemporaryDirectory() as folder:
        ready, file = Path(folder) / "ready", Path(folder) / "people.csv"
        _infomail("init", str(ready))
        places = _places(ready)
        _write(file, arguments.rows, places)
        yardstick = statistics.median(_yardstick(file) for _ in range(_RUNS))
        if arguments.sheet:
            file = _as_sheet(file)
        for basis in ("consent", "public-task"):
            runs = [_import(ready, file, basis) for _ in range(_RUNS)]
            seconds = statistics.median(run[0] for run in runs)
            megabytes = max(run[1] for run in runs)
            print(
                f"{basis}: {arguments.rows} rows in {seconds:.1f} s, {arguments.rows / seconds:,.0f} rows/s,"
                f" {megabytes:.0f} MB; {seconds / yardstick:.0f} times csv into SQLite ({yardstick:.2f} s)"
            )
            allowed = _SECONDS * max(1.0, arguments.rows / _ROWS)
            slow |= seconds > allowed or (arguments.rows <= _ROWS and megabytes > _MEGABYTES)
    return int(slow)


def _infomail(*arguments: str, folder: Path | None = None) -> None:
    subprocess.run(
        [sys.executable, "-m", "mailer", *arguments], cwd=folder, check=True, stdout=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[1])},
    )  # fmt: skip


def _import(ready: Path, file: Path, basis: str) -> tuple[float, float]:
    """Seconds and megabytes of one import into a fresh copy of the folder."""
    folder = ready.with_name("run")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ready, folder)
    began = time.perf_counter()
    _infomail("subscribers", "import", str(file), "--list", "netzwerk", "--basis", basis, folder=folder)
    took = time.perf_counter() - began
    # of the largest child so far: the imports are by far the largest
    return took, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def _places(ready: Path) -> list[str]:
    with sqlite3.connect(ready / "infomail.sqlite") as connection:
        return [row[0] for row in connection.execute("SELECT ags FROM municipalities ORDER BY ags")]


def _write(file: Path, rows: int, places: list[str]) -> None:
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(_HEAD)
        for n in range(rows):
            place = places[n % len(places)]
            writer.writerow(
                (
                    f"person{n}@k{n % 5000}.example.org",
                    ("frau", "herr", "neutral")[n % 3],
                    "Dr." if n % 9 == 0 else "",
                    "Jürgen" if n % 2 else "Zoë",
                    "von Muster",
                    "contact",
                    place,
                    "en" if n % 50 == 0 else "de",
                )
            )


def _as_sheet(file: Path) -> Path:
    """The same rows as the smallest workbook that spreadsheets read."""
    sheet = file.with_suffix(".xlsx")
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    parts = {
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        f'<Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{kind}.worksheet+xml"/></Types>',
        "_rels/.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        '<Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/'
        'officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": '<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" '
        'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships">'
        '<sheets><sheet name="Personen" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/'
        'relationships"><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/'
        'relationships/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
    }
    with zipfile.ZipFile(sheet, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, f'<?xml version="1.0" encoding="UTF-8"?>{content}')
        with (
            archive.open("xl/worksheets/sheet1.xml", "w") as out,
            file.open(encoding="utf-8", newline="") as rows,
        ):
            out.write(
                b'<?xml version="1.0" encoding="UTF-8"?><worksheet xmlns="http://schemas.openxmlformats.org/'
                b'spreadsheetml/2006/main"><sheetData>'
            )
            for number, row in enumerate(csv.reader(rows), 1):
                cells = "".join(
                    f'<c r="{chr(65 + place)}{number}" t="inlineStr"><is><t>{escape(cell)}</t></is></c>'
                    for place, cell in enumerate(row)
                )
                out.write(f'<row r="{number}">{cells}</row>'.encode())
            out.write(b"</sheetData></worksheet>")
    return sheet


def _yardstick(file: Path) -> float:
    began = time.perf_counter()
    with (
        sqlite3.connect(file.with_name("yardstick.sqlite")) as connection,
        file.open(encoding="utf-8") as rows,
    ):
        connection.execute("DROP TABLE IF EXISTS people")
        connection.execute(f"CREATE TABLE people ({', '.join(_HEAD)})")
        connection.executemany(f"INSERT INTO people VALUES ({', '.join('?' * len(_HEAD))})", csv.reader(rows))
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())
