"""German does not break within abbreviations, before units and after numbers; and nothing but spaces changes."""

import re
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from babel.messages.pofile import read_po
from hypothesis import given
from hypothesis import strategies as st

from mailer.render.parts import subject_line
from mailer.render.sanitize import plain_text
from mailer.render.template import environment
from mailer.render.typography import typeset, typeset_html

LOCALE = Path(__file__).parents[3] / "mailer/locale/de/LC_MESSAGES"
#: "_" is where a no-break space belongs
PLACES = [
    "Das sind z._B. Vereine, d._h. viele, i._d._R. Vereine (e._V.) und u._a. andere.",
    "nach §_5 Abs._1 Satz 2 und Art._6 Abs._1 Buchst._e, §§_3 und 4, Nr._7, S._12",
    "um 10_Uhr oder 10:30_Uhr mit 1.000_Euro, 5_% und 3_Mio._Euro",
    "am 5._März 2024, am 12._Mai, bis 31._Dez. 2024, 3._Sept.",
    "Prof._Dr._Meyer und Dr._Öz mit Dr._med._Groß in St._Musterstadt",
    "nach Art._6 Abs._1 lit._a DSGVO",
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


@pytest.mark.parametrize(
    "english",
    ["web", "mail", "desk"],
)
def test_what_we_say_in_english_is_quoted_as_english_is(english: str) -> None:
    with (LOCALE / f"{english}.po").open(encoding="utf-8") as file:
        texts = [
            text
            for message in read_po(file, locale="de")
            if message.id
            for text in ([message.id] if isinstance(message.id, str) else message.id)
        ]
    assert texts
    # commands are quoted as shells want it
    assert [text for text in texts if re.search(r"[»«„\"]", text) and "infomail" not in text] == []
    assert [text for text in texts if re.search(r"\S - \S|\.\.\.(?!\w)", text)] == []


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


def test_no_line_of_a_text_part_ends_within_what_belongs_together(tmp_path: Path) -> None:
    said = typeset("um 10 Uhr am 5. März bei Dr. Groß nach § 5 Abs. 2 mit 1.000 Euro, z. B. in St. Muster, ")
    (tmp_path / "k").mkdir()
    (tmp_path / "k/body.txt").write_text(
        "{{ said|wrapped }}\n{{ said|wrapped('- ') }}\n{{ said|underlined }}"
    )
    env = environment([tmp_path], "de", zone=ZoneInfo("Europe/Berlin"))
    for shift in range(24):
        context = {"said": "x" * shift + " " + said * 3}
        for text in (
            env.get_template("k/body.txt").render(context),
            plain_text(f"<p>{context['said']}</p>"),
        ):
            assert not re.search(r"(?:\b10|5\.|Dr\.|§|Abs\.|1\.000|z\.|St\.)$", text, re.M), text


def test_a_subject_has_no_spaces_or_hyphens_that_are_for_lines(tmp_path: Path) -> None:
    (tmp_path / "k").mkdir()
    (tmp_path / "k/subject.txt").write_text("{{ said }}")
    env = environment([tmp_path], "de", zone=ZoneInfo("Europe/Berlin"))
    context = {"said": "Nr.\xa05: Ehren\xadamt, 5\u202f% mehr"}
    assert subject_line(env, "k", context) == "Nr. 5: Ehrenamt, 5 % mehr"
