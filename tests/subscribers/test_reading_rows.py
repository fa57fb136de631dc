"""A CSV file as rows, whatever its bytes: each row is cells or a problem, and a refusal is one line."""

import io

from hypothesis import example, given, settings
from hypothesis import strategies as st

from subscribers.rows import BadFile, Layout, read_rows

COLUMNS = ("email", "given", "ags")
LAYOUT = Layout(columns=COLUMNS, required="email")


@settings(deadline=None)
@given(st.binary(max_size=400))
@example(b"a@example.org;\xc2\xa0;05111000")
@example(b'";\n"";"\r";\x1b\n')
def test_whatever_the_bytes_each_row_is_cells_or_a_problem(content: bytes) -> None:
    rows = read_rows(io.BytesIO(b"email;given;ags\n" + content), LAYOUT)
    for _line, row in rows:
        if isinstance(row, str):
            assert row.isprintable()
        else:
            assert list(row) == list(COLUMNS)
            assert all(cell.isprintable() for cell in row.values())


@settings(deadline=None)
@given(st.binary(max_size=100))
@example(b"\xef\xbb\xbf")
@example(b"email,\x1b[31m\n")
@example(b"email,\x81\n")
@example(b"email\ra@example.org\r")
def test_whatever_the_first_line_it_is_a_header_or_refused_in_one_line(content: bytes) -> None:
    problem = ""
    try:
        read_rows(io.BytesIO(content), LAYOUT)
    except BadFile as refusal:
        problem = str(refusal)
    assert problem.isprintable()


def test_rows_keep_their_line_numbers_over_empty_and_broken_lines() -> None:
    file = io.BytesIO(b'email,given\n\na@example.org,A\n,,\n"open\nb@example.org,B\n')
    rows = read_rows(file, LAYOUT)
    assert [(line, row if isinstance(row, str) else row["given"]) for line, row in rows] == [
        (3, "A"), (5, "unexpected end of data"), (6, "B"),
    ]  # fmt: skip
