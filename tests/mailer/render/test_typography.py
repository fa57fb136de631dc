"""German does not break within abbreviations, before units and after numbers; and nothing but spaces changes."""

import re
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from hypothesis import given
from hypothesis import strategies as st

from mailer.render.typography import typeset, typeset_html

LOCALE = Path(__file__).parents[3] / "mailer/locale/de/LC_MESSAGES"
#: "_" is where a no-break space belongs
PLACES = [
    "Das sind z._B. Vereine, d._h. viele, i._d._R. Vereine (e._V.) und u._a. andere.",
    "nach §_5 Abs._1 Satz 2 und Art._6 Abs._1 Buchst._e, §§_3 und 4, Nr._7, S._12",
    "um 10_Uhr oder 10:30_Uhr mit 1.000_Euro, 5_% und 3_Mio._Euro",
    "am 5._März 2024, am 12._Mai",
    "Prof._Dr._Meyer und Dr._Öz",
    "Ehrenamt_– ein Gewinn",
]  # fmt: skip


@pytest.mark.parametrize("meant", PLACES)
def test_spaces_do_not_break_where_they_belong_to_both_sides(meant: str) -> None:
    plain = meant.replace("_", " ")
    assert typeset(plain).replace("\xa0", "_") == meant
    assert typeset_html(f"<p>{plain}</p>").replace("\xa0", "_") == f"<p>{meant}</p>"


@pytest.mark.parametrize(
    "plain",
    ["Das ist A. Er kam.", "im Jahr 2024 kamen 5 Vereine", "um 10 Uhrmacher", "1. Platz", "– Frist: morgen", "Ein Nr. ohne"],
)  # fmt: skip
def test_other_spaces_break(plain: str) -> None:
    assert typeset(plain) == plain


def test_tags_stay_as_they_are() -> None:
    html = '<a href="https://example.org/?q=10 Uhr" title="um 10 Uhr > 9 Uhr">um 10 Uhr</a>'
    assert typeset_html(html) == html.replace(">um 10 Uhr<", ">um 10\xa0Uhr<")


@given(
    st.text()
    | st.lists(st.sampled_from([*"<>\"'ab 5.%§–", "10 Uhr", "z. B.", " – ", "<a title='"])).map("".join)
)
def test_nothing_but_spaces_changes_and_twice_is_as_good_as_once(text: str) -> None:
    for change in (typeset, typeset_html):
        changed = change(text)
        assert [
            (a, b) for a, b in zip(text, changed, strict=True) if a != b and (a, b) != (" ", "\xa0")
        ] == []
        assert change(changed) == changed


@pytest.mark.parametrize("catalogue", ["web", "mail", "desk"])
def test_what_we_say_in_german_is_typeset_and_quoted_as_german_is(catalogue: str) -> None:
    with (LOCALE / f"{catalogue}.po").open(encoding="utf-8") as file:
        texts = [
            text
            for message in read_po(file, locale="de")
            if message.id
            for text in ([message.string] if isinstance(message.string, str) else message.string)
        ]
    assert texts
    # a placeholder may stand for a number
    filled = [re.sub(r"%\(\w+\)[sd]", "5", text) for text in texts]
    assert [text for text in filled if typeset(text) != text] == []
    # commands are quoted as shells want it
    assert [
        text for text in filled if re.search(r"[„“”]|(?<!\S)\"|\"(?!\S)", text) and "infomail" not in text
    ] == []
    assert [text for text in filled if re.search(r"\S - \S|\.\.\.(?!\w)", text)] == []
