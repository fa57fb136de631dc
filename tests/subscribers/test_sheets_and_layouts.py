"""Workbooks, charsets and headers as offices have them, and as an attacker would make them."""

import time
import zipfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from xml.sax.saxutils import escape
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from mailer.database import Database
from subscribers.importing import LAYOUT, Layout, Report, RowReport, import_people
from subscribers.model import Basis, MailingList, Municipality, Office, Subscriber
from subscribers.rows import BadFile

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_LINKS = "http://schemas.openxmlformats.org/package/2006/relationships"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"

Cell = str | int | float
Load = Callable[..., tuple[Report, list[RowReport]]]


def sheet_xml(rows: Sequence[Sequence[Cell]]) -> str:
    def cell(place: int, number: int, value: Cell) -> str:
        name = f"{chr(65 + place)}{number}"
        if isinstance(value, str) and value.startswith("#"):
            return f'<c r="{name}" t="e"><v>{value}</v></c>'
        if isinstance(value, str):
            return f'<c r="{name}" t="inlineStr"><is><t xml:space="preserve">{escape(value)}</t></is></c>'
        return f'<c r="{name}"><v>{value}</v></c>'

    lines = (
        f'<row r="{n}">{"".join(cell(place, n, value) for place, value in enumerate(row))}</row>'
        for n, row in enumerate(rows, 1)
    )
    return f'<worksheet xmlns="{_MAIN}"><sheetData>{"".join(lines)}</sheetData></worksheet>'


def workbook(path: Path, **sheets: str) -> Path:
    """The smallest workbook with these sheets, given as XML."""
    names = list(sheets)
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    parts = {
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        f'<Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{_LINKS}"><Relationship Id="r" Type="{_OFFICE}/officeDocument"'
        ' Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>'
        + "".join(f'<sheet name="{name}" sheetId="{n}" r:id="r{n}"/>' for n, name in enumerate(names, 1))
        + "</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_LINKS}">'
        + "".join(
            f'<Relationship Id="r{n}" Type="{_OFFICE}/worksheet" Target="worksheets/s{n}.xml"/>'
            for n, _ in enumerate(names, 1)
        )
        + "</Relationships>",
        **{f"xl/worksheets/s{n}.xml": sheets[name] for n, name in enumerate(names, 1)},
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, f'<?xml version="1.0" encoding="UTF-8"?>{content}')
    return path


@pytest.fixture
def load(database: Database) -> Load:
    with database.write() as session:
        session.add(Municipality(ags="05111000", name="Musterstadt", kind="Stadt"))
        session.add(MailingList(key="netzwerk", title="Netzwerk", created_at=NOW))

    def load(path: Path, layout: Layout = LAYOUT) -> tuple[Report, list[RowReport]]:
        told: list[RowReport] = []
        report = import_people(
            database, path, list_key="netzwerk", basis=Basis.PUBLIC_TASK, actor="cli:t", suppression_key=b"k" * 32,
            zone=ZoneInfo("Europe/Berlin"), now=NOW, layout=layout, tell=told.append,
        )  # fmt: skip
        return report, told

    return load


def test_a_sheet_of_an_office_is_read_by_its_own_words(
    load: Load, tmp_path: Path, database: Database
) -> None:
    rows = [
        ["E-Mail", "Anrede", "Titel", "Vorname", "Nachname", "Funktion", "Gemeindeschlüssel", "Sprache"],
        ["Anna@Example.org", "Frau", "Dr.", "Anna", "Muster", "Ansprechperson", 5111000, "Deutsch"],
        ["b@example.org", "männlich", "", "Bert", "von Muster", "Stellvertretung", 5111000.0, "Englisch"],
        [],
        ["c@example.org", "Frau", "", "Zeile\nzwei", "X", "Gast", "05111000", ""],
        ["d@example.org", "Frau", "", "#REF!", "X", "Gast", "05111000", ""],
    ]
    report, told = load(workbook(tmp_path / "liste.dat", Personen=sheet_xml(rows)))
    assert (report.charset, report.outcomes) == ("sheet", {"added": 3, "refused": 1})
    assert [(row.line, row.outcome, row.problem) for row in told] == [
        (2, "added", ""), (3, "added", ""), (5, "refused", "a control character"),
        (6, "added", ""),
    ]  # fmt: skip
    with database.read() as session:
        anna, _, last = session.scalars(select(Subscriber).order_by(Subscriber.id)).all()
        office = session.scalars(select(Office).order_by(Office.id)).all()
    assert (anna.address, anna.form, anna.title, anna.family, anna.language) == (
        "anna@example.org", "frau", "Dr.", "Muster", "de",
    )  # fmt: skip
    # a formula that failed says nothing
    assert last.given == ""
    # a spreadsheet takes the key for a number
    assert [(row.municipality, row.role) for row in office] == [
        ("05111000", "contact"), ("05111000", "deputy"), ("05111000", "guest"),
    ]  # fmt: skip


def test_another_sheet_is_read_by_its_name(load: Load, tmp_path: Path) -> None:
    path = workbook(
        tmp_path / "x.xlsx", Erklärung=sheet_xml([["Bitte lesen"]]),
        Personen=sheet_xml([["email", "ags"], ["a@example.org", "05111000"]]),
    )  # fmt: skip
    assert load(path, Layout(LAYOUT.columns, "email", sheet="Personen"))[0].outcomes == {"added": 1}
    with pytest.raises(BadFile, match="there is no sheet 'Nirgends'"):
        load(path, Layout(LAYOUT.columns, "email", sheet="Nirgends"))
    with pytest.raises(BadFile, match="unknown columns: 'Bitte lesen'"):
        load(path)


def _far_apart(path: Path) -> Path:
    cells = '<row r="1"><c r="A1" t="inlineStr"><is><t>email</t></is></c></row>'
    cells += '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
    return workbook(path, S=f'<worksheet xmlns="{_MAIN}"><sheetData>{cells}</sheetData></worksheet>')


def _bomb(path: Path) -> Path:
    workbook(path, S=sheet_xml([["email"]]))
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive, archive.open("xl/x.xml", "w") as part:
        for _ in range(1025):
            part.write(bytes(1 << 20))
    return path


def _entities(path: Path) -> Path:
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    xml = f'<!DOCTYPE x [<!ENTITY l0 "ha">{laughs}]>'
    cell = '<row r="1"><c r="A1" t="inlineStr"><is><t>&l11;</t></is></c></row>'
    return workbook(path, S=f'{xml}<worksheet xmlns="{_MAIN}"><sheetData>{cell}</sheetData></worksheet>')


def _cut_off(path: Path) -> Path:
    whole = workbook(path, S=sheet_xml([["email"]] * 50)).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    return path


def _not_a_workbook(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "kein Arbeitsblatt")
    return path


def _begins(content: bytes) -> Callable[[Path], Path]:
    def make(path: Path) -> Path:
        path.write_bytes(content)
        return path

    return make


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (_far_apart, "too large or too broken"),
        (_bomb, "too large when unpacked"),
        (_entities, "cannot be read|unknown columns|expected a header|file is empty"),
        (_cut_off, "broken or cut off"),
        (_not_a_workbook, "cannot be read"),
        (_begins(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)), "old .* or encrypted"),
        (_begins(b"%PDF-1.7\n"), "a PDF"),
        (_begins(b"\x1f\x8b\x08\x00"), "compressed"),
        (_begins(b"<!DOCTYPE html>"), "a web page"),
        (_begins(b"PK\x03\x04" + bytes(100)), "broken or cut off"),
        (_begins(b""), "empty"),
    ],
)
def test_a_file_that_is_no_list_is_refused_in_one_line_and_in_time(
    load: Load, tmp_path: Path, make: Callable[[Path], Path], said: str
) -> None:
    path = make(tmp_path / "people.xlsx")
    began = time.monotonic()
    with pytest.raises(BadFile, match=said) as refusal:
        load(path)
    assert str(refusal.value).isprintable()
    assert time.monotonic() - began < 20


@pytest.mark.parametrize(
    ("charset", "content", "read"),
    [
        ("utf-8", "email;given;ags\na@example.org;Jürgen;05111000\n".encode(), "utf-8"),
        ("", "email;given;ags\na@example.org;Jürgen;05111000\n".encode("utf-8-sig"), "utf-8"),
        ("", "email\tgiven\tags\r\na@example.org\tJürgen\t05111000\r\n".encode("utf-16"), "utf-16"),
        ("", b"\xfe\xff" + "email|given|ags\na@example.org|Jürgen|05111000\n".encode("utf-16-be"), "utf-16"),
        ("", "email,given,ags\na@example.org,Jürgen,05111000\n".encode("cp1252"), "cp1252"),
        ("mac_roman", "email,given,ags\na@example.org,Jürgen,05111000\n".encode("mac_roman"), "mac_roman"),
    ],
)
def test_a_charset_is_told_by_the_file_or_by_whoever_brings_it(
    load: Load, tmp_path: Path, database: Database, charset: str, content: bytes, read: str
) -> None:
    path = tmp_path / "people.csv"
    path.write_bytes(content)
    report, _ = load(path, Layout(LAYOUT.columns, "email", charset=charset))
    assert (report.charset, report.outcomes) == (read, {"added": 1})
    with database.read() as session:
        assert session.scalars(select(Subscriber)).one().given == "Jürgen"


def test_an_unknown_charset_is_refused(load: Load, tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text("email\n")
    with pytest.raises(BadFile, match="there is no charset 'klingonisch'"):
        load(path, Layout(LAYOUT.columns, "email", charset="klingonisch"))


def test_columns_are_mapped_or_left_out_by_whoever_brings_the_file(load: Load, tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text("Kontakt,Bemerkung,AGS\na@example.org,\x01 geheim,05111000\n")
    with pytest.raises(BadFile, match=r"'Kontakt', 'Bemerkung'.*--map 'Kontakt'=COLUMN"):
        load(path)
    mapping = {"kontakt": "email", "Bemerkung": ""}
    layout = Layout(LAYOUT.columns, "email", aliases=LAYOUT.aliases, mapping=mapping)
    assert load(path, layout)[0].outcomes == {"added": 1}
    with pytest.raises(BadFile, match="no column 'nirgends'"):
        load(path, Layout(LAYOUT.columns, "email", mapping={"Nirgends": ""}))


def test_five_hundred_columns_or_a_cell_of_ten_megabytes_cost_their_row(load: Load, tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text(
        "email,ags\n" + "x," * 499 + "x\n" + f"{'y' * 10_000_000},05111000\n" + "a@example.org,05111000\n"
    )
    report, told = load(path)
    assert report.outcomes == {"refused": 2, "added": 1}
    assert [row.problem for row in told][:2] == ["500 cells, expected 2", "longer than 65536 bytes"]
    path.write_text(",".join(f"c{n}" for n in range(500)) + "\n")
    with pytest.raises(BadFile, match="unknown columns"):
        load(path)
