"""The sandbox of editors' templates: nothing escapes, nothing runs forever, dates are German."""

import time
import tracemalloc
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from jinja2.exceptions import SecurityError, TemplateError, UndefinedError
from markupsafe import Markup

from mailer.render.bounds import SECONDS, TooMuch
from mailer.render.template import environment
from tests.mailer.render.payloads import BOMBS, ESCAPES

BERLIN = ZoneInfo("Europe/Berlin")
_CANARY = "canary-5e0f2a"
_CONTEXT: dict[str, Any] = {
    "rows": [1, 2],
    "day": date(2024, 3, 5),
    "now": datetime(2024, 3, 5, 9, 0, tzinfo=UTC),
    "text": "hallo",
    "html": Markup("<b>x</b>"),
    "d": {"a": 1},
    "big": "x" * 50_000,
}


def fill(folder: Path, source: str, name: str = "a.txt", language: str = "de", **context: object) -> str:
    (folder / name).write_text(source)
    return environment([folder], language, zone=BERLIN).get_template(name).render(context)


@pytest.mark.parametrize("source", ESCAPES)
def test_no_template_gets_out_of_the_sandbox(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    monkeypatch.setenv("CANARY", _CANARY)
    (tmp_path / "canary.txt").write_text(_CANARY)
    folder = tmp_path / "templates"
    folder.mkdir()
    with pytest.raises(TemplateError) as refused:
        fill(folder, source, **_CONTEXT)
    assert _CANARY not in str(refused.value)


@pytest.mark.parametrize("source", BOMBS)
def test_no_template_runs_forever(tmp_path: Path, source: str) -> None:
    began = time.thread_time()
    with pytest.raises(TemplateError):
        fill(tmp_path, source, **_CONTEXT)
    assert time.thread_time() - began < 1


def test_templates_that_include_each_other_twice_and_twice_again_are_stopped(tmp_path: Path) -> None:
    for at in range(40):
        (tmp_path / f"{at}.txt").write_text(f"{{% include ['{at + 1}.txt'] %}}" * 2)
    (tmp_path / "40.txt").write_text("")
    began = time.thread_time()
    with pytest.raises(TooMuch):
        environment([tmp_path], "de", zone=BERLIN).get_template("0.txt").render()
    assert time.thread_time() - began < 1


def test_a_pause_of_the_machine_makes_no_template_guilty(tmp_path: Path) -> None:
    pauses = iter([SECONDS + 0.01])

    def greeting() -> str:
        until = time.thread_time() + next(pauses, 0)
        while time.thread_time() < until:
            pass
        return "Guten Tag"

    assert fill(tmp_path, "{{ greeting() }}", greeting=greeting) == "Guten Tag"


@pytest.mark.parametrize("source", BOMBS)
def test_no_template_fills_memory(tmp_path: Path, source: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(TemplateError):
            fill(tmp_path, source, **_CONTEXT)
        assert tracemalloc.get_traced_memory()[1] < 50_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "source",
    [
        "{{ 99 // 0 }}",
        "{{ _('a', 'b') }}",
        "{{ text|when }}",
        "{{ []|first }}",
        "{{ {}['a'] }}",
        "{{ rows < 1 }}",
    ],
)
def test_every_mistake_is_a_template_error(tmp_path: Path, source: str) -> None:
    with pytest.raises(TemplateError):
        fill(tmp_path, source, **_CONTEXT)


def test_one_rendering_leaves_nothing_of_its_limits_to_the_next(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(
        "{% for a in range(1000) %}{% for b in range(100) %}{% endfor %}{% endfor %}"
    )
    (tmp_path / "b.txt").write_text("b")
    env = environment([tmp_path], "de", zone=BERLIN)
    with pytest.raises(TooMuch):
        env.get_template("a.txt").render()
    assert env.get_template("b.txt").render() == "b"


def test_markup_filled_into_a_translated_text_stays_and_text_is_escaped(tmp_path: Path) -> None:
    source = "{{ _('Place: %(place)s', place=x) }}"
    assert fill(tmp_path, source, "a.mjml", x="<&") == "Ort: &lt;&amp;"
    assert fill(tmp_path, source, "a.mjml", x=Markup("<b>")) == "Ort: <b>"
    assert fill(tmp_path, source, x="<&") == "Ort: <&"


def test_bounds_hold_for_each_rendering_anew(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(
        "{% for a in range(1000) %}{% for b in range(40) %}{% endfor %}{% endfor %}."
    )
    template = environment([tmp_path], "de", zone=BERLIN).get_template("a.txt")
    assert [template.render(), template.render()] == [".", "."]


def test_a_range_says_what_is_too_much(tmp_path: Path) -> None:
    with pytest.raises(TooMuch, match="at most 1000"):
        fill(tmp_path, "{{ range(1001)|length }}")
    assert issubclass(TooMuch, SecurityError)


def test_an_unknown_name_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UndefinedError):
        fill(tmp_path, "{{ nothing }}")


def test_mjml_is_escaped_and_text_is_not(tmp_path: Path) -> None:
    assert fill(tmp_path, "{{ x }}{{ x ~ x }}", "a.mjml", x="<&") == "&lt;&amp;" * 3
    assert fill(tmp_path, "{{ x }}", "a.txt", x="<&") == "<&"


def test_the_first_folder_wins(tmp_path: Path) -> None:
    own, shipped = tmp_path / "own", tmp_path / "shipped"
    for folder in (own, shipped):
        folder.mkdir()
        (folder / "a.txt").write_text(folder.name)
    (shipped / "b.txt").write_text("b")
    env = environment([own, shipped], "de", zone=BERLIN)
    assert env.get_template("a.txt").render() == "own"
    assert env.get_template("b.txt").render() == "b"


def at(*moment: int) -> datetime:
    return datetime(*moment, tzinfo=BERLIN).astimezone(UTC)  # type: ignore[arg-type, misc]


@pytest.mark.parametrize(
    ("starts", "ends", "german", "english"),
    [
        (at(2024, 3, 5, 10), None, "Dienstag, 5.\xa0März 2024, 10:00\xa0Uhr", "Tuesday, 5 March 2024, 10:00"),
        (at(2024, 3, 5, 10), at(2024, 3, 5, 12), "Dienstag, 5.\xa0März 2024, 10:00–12:00\xa0Uhr", "Tuesday, 5 March 2024, 10:00–12:00"),
        (at(2024, 7, 5, 10), at(2024, 7, 5, 9), "Freitag, 5.\xa0Juli 2024, 10:00–09:00\xa0Uhr", "Friday, 5 July 2024, 10:00–09:00"),
        # the night belongs to the evening
        (at(2024, 3, 5, 20), at(2024, 3, 6, 1), "Dienstag, 5.\xa0März 2024, 20:00–01:00\xa0Uhr", "Tuesday, 5 March 2024, 20:00–01:00"),
        # from midnight to midnight is a day
        (at(2024, 3, 5), at(2024, 3, 6), "Dienstag, 5.\xa0März 2024", "Tuesday, 5 March 2024"),
        (date(2024, 3, 5), None, "Dienstag, 5.\xa0März 2024", "Tuesday, 5 March 2024"),
        (at(2024, 3, 5, 10), at(2024, 3, 7, 12), "5.–7.\xa0März 2024", "5–7 March 2024"),
        (at(2024, 3, 30), at(2024, 4, 3), "30.\xa0März – 2.\xa0April 2024", "30 March – 2 April 2024"),
        (at(2024, 12, 30, 9), at(2025, 1, 2, 9), "30.\xa0Dezember 2024 – 2.\xa0Januar 2025", "30 December 2024 – 2 January 2025"),
    ],
)  # fmt: skip
def test_when_is_said_as_in_a_letter(
    tmp_path: Path, starts: date, ends: date | None, german: str, english: str
) -> None:
    for language, said in (("de", german), ("en", english)):
        assert fill(tmp_path, "{{ s|when(e) }}", language=language, s=starts, e=ends) == said


def test_a_long_date_is_the_day_where_the_mail_is_read(tmp_path: Path) -> None:
    late = datetime(2024, 3, 4, 23, 30, tzinfo=UTC)
    assert fill(tmp_path, "{{ d|longdate }}", d=late) == "Dienstag, 5.\xa0März 2024"
