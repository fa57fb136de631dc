"""The sandbox of editors' templates: nothing escapes, nothing runs forever, dates are German."""

import time
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from jinja2.exceptions import SecurityError, TemplateError, UndefinedError

from mailer.render.template import TooMuch, environment

BERLIN = ZoneInfo("Europe/Berlin")


def fill(folder: Path, source: str, name: str = "a.txt", language: str = "de", **context: object) -> str:
    (folder / name).write_text(source)
    return environment([folder], language, zone=BERLIN).get_template(name).render(context)


ESCAPES = [
    "{{ ''.__class__ }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ ''['__class__'] }}",
    "{{ ''|attr('__class__') }}",
    "{{ [].__class__.__base__ }}",
    "{{ {}.__class__ }}",
    "{{ rows.__init__.__globals__ }}",
    "{{ self.__init__.__globals__ }}",
    "{{ self._TemplateReference__context }}",
    "{{ namespace.__init__.__globals__ }}",
    "{{ range.__self__ }}",
    "{{ gettext.__globals__ }}",
    "{{ _.__closure__ }}",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{{ joiner.__init__.__globals__ }}",
    "{{ lipsum.__globals__['os'].popen('id').read() }}",
    "{{ config }}",
    "{{ '{0.__class__}'.format('') }}",
    "{{ '{0.__class__}'.format_map(rows) }}",
    "{{ '%s'|format(1) }}",
    "{{ '%c' % 65 }}",
    "{% macro m() %}{% endmacro %}{{ m.__call__.__globals__ }}",
    "{% macro m() %}{% endmacro %}{{ m._func.__code__ }}",
    "{{ rows.append(1) }}",
    "{% for x in [1] %}{{ loop.__init__.__globals__ }}{% endfor %}",
    "{% for x in [1] %}{{ loop._iterator }}{% endfor %}",
    "{% include '../../etc/passwd' %}",
    "{% import 'os' as os %}{{ os.system('id') }}",
    "{{ day.strftime('%9999999999Y') }}",
    "{{ rows|map(attribute='__class__')|join }}",
]


@pytest.mark.parametrize("source", ESCAPES)
def test_no_template_gets_out_of_the_sandbox(tmp_path: Path, source: str) -> None:
    with pytest.raises(TemplateError):
        fill(tmp_path, source, rows=[1, 2], day=date(2024, 3, 5))


BOMBS = [
    "{{ range(99999999)|length }}",
    "{% for a in range(1000) %}{% for b in range(1000) %}{% for c in range(1000) %}{% endfor %}{% endfor %}{% endfor %}",
    "{% for a in range(900) %}" + "x" * 2000 + "{% endfor %}",
    "{{ 'x' * 999999999 }}",
    "{{ 9 ** 9 ** 9 ** 9 }}",
    "{{ 'x'.ljust(999999999) }}",
    "{{ 'x'|center(999999999) }}",
    "{{ '%999999999d' % 1 }}",
    "{{ '{:>999999999}'.format(1) }}",
    "{{ (1).to_bytes(999999999) }}",
    "{% set n = namespace(x='xxxx') %}{% for i in range(60) %}{% set n.x = n.x ~ n.x %}{% endfor %}",
    "{% set n = namespace(x='xxxx') %}{% for i in range(60) %}{% set n.x = n.x + n.x %}{% endfor %}",
    "{% set n = namespace(x=9) %}{% for i in range(60) %}{% set n.x = n.x * n.x %}{% endfor %}",
    "{% set n = namespace(x='xxxx') %}{% for i in range(60) %}{% set n.x %}{{ n.x }}{{ n.x }}{% endset %}{% endfor %}",
    "{% set n = namespace(x=[1]) %}{% for i in range(60) %}{% set n.x = [n.x, n.x] %}{% endfor %}{{ n.x }}",
    "{% set n = namespace(x=[1]) %}{% for i in range(60) %}{% set n.x = [n.x, n.x] %}{% endfor %}{{ n.x|upper }}",
    "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(40) }}",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "{% include 'a.txt' %}",
    "{% for i in range(3) recursive %}{{ loop(range(3)) }}{% endfor %}",
    "{{ _('%(x)999999999s', x=1) }}",
]


@pytest.mark.parametrize("source", BOMBS)
def test_no_template_runs_forever_or_fills_memory(tmp_path: Path, source: str) -> None:
    began = time.process_time()
    with pytest.raises(TemplateError):
        fill(tmp_path, source)
    assert time.process_time() - began < 2


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
        (at(2024, 3, 5, 10), None, "Dienstag, 5. März 2024, 10:00\xa0Uhr", "Tuesday, 5 March 2024, 10:00"),
        (at(2024, 3, 5, 10), at(2024, 3, 5, 12), "Dienstag, 5. März 2024, 10:00–12:00\xa0Uhr", "Tuesday, 5 March 2024, 10:00–12:00"),
        (at(2024, 7, 5, 10), at(2024, 7, 5, 9), "Freitag, 5. Juli 2024, 10:00–09:00\xa0Uhr", "Friday, 5 July 2024, 10:00–09:00"),
        # the night belongs to the evening
        (at(2024, 3, 5, 20), at(2024, 3, 6, 1), "Dienstag, 5. März 2024, 20:00–01:00\xa0Uhr", "Tuesday, 5 March 2024, 20:00–01:00"),
        # from midnight to midnight is a day
        (at(2024, 3, 5), at(2024, 3, 6), "Dienstag, 5. März 2024", "Tuesday, 5 March 2024"),
        (date(2024, 3, 5), None, "Dienstag, 5. März 2024", "Tuesday, 5 March 2024"),
        (at(2024, 3, 5, 10), at(2024, 3, 7, 12), "5.–7. März 2024", "5–7 March 2024"),
        (at(2024, 3, 30), at(2024, 4, 3), "30. März – 2. April 2024", "30 March – 2 April 2024"),
        (at(2024, 12, 30, 9), at(2025, 1, 2, 9), "30. Dezember 2024 – 2. Januar 2025", "30 December 2024 – 2 January 2025"),
    ],
)  # fmt: skip
def test_when_is_said_as_in_a_letter(
    tmp_path: Path, starts: date, ends: date | None, german: str, english: str
) -> None:
    for language, said in (("de", german), ("en", english)):
        assert fill(tmp_path, "{{ s|when(e) }}", language=language, s=starts, e=ends) == said


def test_a_long_date_is_the_day_where_the_mail_is_read(tmp_path: Path) -> None:
    late = datetime(2024, 3, 4, 23, 30, tzinfo=UTC)
    assert fill(tmp_path, "{{ d|longdate }}", d=late) == "Dienstag, 5. März 2024"
