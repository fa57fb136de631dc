"""Mistakes in templates are found in the line they stand in, all of them, and the shipped ones have none."""

import re
import shutil
import time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from mailer.render.check.findings import Finding
from mailer.render.check.kinds import check_templates
from mailer.shipped import shipped
from tests.mailer.render.payloads import BOMBS, ESCAPES

BERLIN = ZoneInfo("Europe/Berlin")
SHIPPED = shipped("templates") / "mail"
MJML = """<mjml lang="de">
<mj-head><mj-title>{{ issue.title }}</mj-title></mj-head>
<mj-body><mj-section><mj-column>
%s
</mj-column></mj-section></mj-body></mjml>
"""
HTML = """<!doctype html>
<html lang="de"><head><title>{{ issue.title }}</title>
%s
</head><body>
%s
</body></html>
"""


def found(tmp_path: Path, kind: str = "brief", **files: str) -> list[Finding]:
    """What is wrong in a kind of one's own; `body_mjml` is body.mjml."""
    own = {"subject_txt": "{{ issue.subject }}", "body_txt": "{{ issue.title }}"} | files
    if "body_mjml" not in own and "body_html" not in own:
        own["body_mjml"] = MJML % "<mj-text><p>{{ issue.title }}</p></mj-text>"
    (tmp_path / kind).mkdir()
    for name, source in own.items():
        (tmp_path / kind / name.replace("_", ".")).write_text(source, encoding="utf-8")
    parts = tmp_path.with_name(f"{tmp_path.name}-shipped")  # looking at all kinds each time would take long
    shutil.copytree(SHIPPED / "_layout", parts / "_layout")
    (parts / "issue").mkdir()
    shutil.copy(SHIPPED / "issue/entry.mjml", parts / "issue")
    folders = [tmp_path, parts]
    return [each for each in check_templates(folders, zone=BERLIN) if each.file.startswith(f"{kind}/")]


def said(findings: list[Finding]) -> list[tuple[int, str]]:
    return [(each.line, each.says) for each in findings if not each.warns]


def test_nothing_is_wrong_in_what_is_shipped_and_that_is_known_soon() -> None:
    began = time.thread_time()
    assert check_templates([SHIPPED], zone=BERLIN) == []
    assert time.thread_time() - began < 3


def test_a_kind_of_ones_own_without_a_mistake_is_in_order(tmp_path: Path) -> None:
    assert found(tmp_path) == []


@pytest.mark.parametrize(
    ("source", "line", "complaint"),
    [
        # elements and attributes
        ("<mj-txt>x</mj-txt>", 4, "<mj-txt> is not known here; nearest is mj-text"),
        ("<mj-text>\n<spam>x</spam></mj-text>", 5, "<spam> is not known here; nearest is span"),
        ('<mj-text colour="red">x</mj-text>', 4, "<mj-text> has no attribute colour; nearest is color"),
        ('<mj-text><table><tr><td\n colpsan="2">x</td></tr></table></mj-text>', 5, "<td> has no attribute colpsan; nearest is colspan"),
        ("<p>x</p>", 4, "<p> cannot stand in <mj-column>; HTML stands in <mj-text>"),
        ('<mj-text><a href="#a" href="#b">x</a></mj-text>', 4, "<a> has href twice"),
        # values
        ('<mj-text color="#12345">x</mj-text>', 4, '<mj-text> color="#12345": a colour is written'),
        ('<mj-text color="rad">x</mj-text>', 4, '<mj-text> color="rad": a colour is written'),
        ('<mj-text\n padding="8">x</mj-text>', 5, '<mj-text> padding="8": one to four lengths in px'),
        ('<mj-text font-size="16pxx">x</mj-text>', 4, '<mj-text> font-size="16pxx": a length in px'),
        ('<mj-text align="centre">x</mj-text>', 4, '<mj-text> align="centre": left, center, right or justify'),
        ('<mj-text><p style="colour: red">x</p></mj-text>', 4, "there is no property colour; nearest is color"),
        ('<mj-text><p style="color: #12">x</p></mj-text>', 4, "color: #12 is no colour"),
        ('<mj-text><p style="width: 12pxx">x</p></mj-text>', 4, "width: pxx is no unit; nearest is px"),
        # what is not closed
        ("<mj-text><p><b>x</p></mj-text>", 4, "<b> is never closed"),
        ("<mj-text>\n<table><tr><td>x</tr></table></mj-text>", 5, "<td> is never closed"),
        ("<mj-text>x\n</b></mj-text>", 5, "</b> closes nothing"),
        ("<mj-text>x", 4, "<mj-text> is never closed"),
        ("<mj-text>{% if sections %}<b>{% else %}\n<i>x</i>{% endif %}</mj-text>", 4, "<b> is not closed in the branch it stands in"),
        ("<mj-text><b>{% if sections %}</b>{% endif %}</mj-text>", 4, "</b> closes what was opened outside of this branch"),
        ("<mj-text>a < b</mj-text>", 4, "“<” in a text is written &lt;"),
        # names
        ("<mj-text>{{ issue.subjct }}</mj-text>", 4, "there is no issue.subjct; nearest is issue.subject"),
        ("<mj-text>\n{{ isue.subject }}</mj-text>", 5, "there is no isue; nearest is issue"),
        ("<mj-text>{% for s in sections %}{% for e in s.entries %}{{ e.titel }}{% endfor %}{% endfor %}</mj-text>", 4, "there is no e.titel; nearest is e.title"),
        ("<mj-text>{% set i = issue %}{{ i.numbr }}</mj-text>", 4, "there is no i.numbr; nearest is i.number"),
        ("<mj-text>{{ issue.title|uper }}</mj-text>", 4, "there is no filter uper; nearest is upper"),
        ("<mj-text>{% if issue is definde %}x{% endif %}</mj-text>", 4, "there is no test definde; nearest is defined"),
        ('<mj-text>{{ _("Place: %(place)s", plase=1) }}</mj-text>', 4, "%(place)s in the text has no value; nearest is plase"),
        ("<mj-text>{{ loop_of(1) }}</mj-text>", 4, "there is no loop_of"),
        # Jinja itself
        ("<mj-text>{% if issue %}x</mj-text>", 4, "Unexpected end of template"),
        ("<mj-text>\n{{ issue. }}</mj-text>", 5, "expected name or number"),
        ('<mj-text>{% include "_layout/nothing.mjml" %}</mj-text>', 4, "there is no template _layout/nothing.mjml"),
        ("<mj-text>{% include 'brief/body.mjml' %}</mj-text>", 4, "brief/body.mjml includes itself"),
        # what is known only when it is filled
        ("<mj-text>\n\n{{ issue.date|longdate|longdate }}</mj-text>", 6, "AssertionError"),
        ('<mj-text>\n<img src="https://example.org/x.png" alt="" /></mj-text>', 5, "the mail would fetch or run something"),
        ("<mj-text>{% for s in sections %}\n\n{{ '<b>'|safe }}{% endfor %}</mj-text>", 0, "unexpected end"),
        ('<mj-text><div style="display:flex">x</div></mj-text>', 0, "<div>: Outlook ignores display: flex"),
    ],
)  # fmt: skip
def test_a_mistake_in_mjml_is_told_with_its_line(
    tmp_path: Path, source: str, line: int, complaint: str
) -> None:
    told = said(found(tmp_path, body_mjml=MJML % source))
    assert [each for each in told if each[0] == line and each[1].startswith(complaint)], told


@pytest.mark.parametrize(
    ("head", "body", "line", "complaint"),
    [
        ("", "<p><b>x</p>", 5, "<b> is never closed"),
        ("", "<table><tr><td>x\n</tr></table>", 5, "<td> is never closed"),
        ("<style>p {\n colour: red }</style>", "<p>x</p>", 4, "there is no property colour; nearest is color"),
        ("<style>p { color: red\n</style>", "<p>x</p>", 3, "“{” is never closed"),
        ("", "\n<mj-text>x</mj-text>", 6, "<mj-text> cannot stand in <body>"),
        ("", "<p>{{ issue.titel }}</p>", 5, "there is no issue.titel"),
        ("<link rel='stylesheet' href='https://example.org/x.css'>", "<p>x</p>", 3, "the mail would fetch"),
        ("", "<!--[if mso]><p>x</p><!-->", 0, "of comments for Outlook 1 begin and 0 end"),
    ],
)  # fmt: skip
def test_a_mistake_in_plain_html_is_told_with_its_line(
    tmp_path: Path, head: str, body: str, line: int, complaint: str
) -> None:
    told = said(found(tmp_path, body_html=HTML % (head, body)))
    assert [each for each in told if each[0] == line and each[1].startswith(complaint)], told


def test_all_mistakes_are_told_and_each_once(tmp_path: Path) -> None:
    source = MJML % '<mj-text colour="red">{{ issue.subjct }}{{ issue.subjct }}\n<b>{{ nothing }}</mj-text>'
    told = said(found(tmp_path, body_mjml=source, body_txt="{{ issue.tilte }}", subject_txt="\n\n{{ x"))
    assert [line for line, _ in told] == [4, 4, 5, 5, 1, 3]


def test_a_mistake_in_a_part_is_told_for_the_part(tmp_path: Path) -> None:
    body = MJML % '<mj-text>{% include "brief/part.mjml" %}</mj-text>'
    told = found(tmp_path, body_mjml=body, part_mjml="<p>\n{{ issue.nothing }}<i></p>")
    assert [(each.file, each.line) for each in told] == [("brief/part.mjml", 2)] * 2


def test_missing_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "brief").mkdir()
    (tmp_path / "brief/body.mjml").write_text(MJML % "<mj-text>x</mj-text>")
    names = [each.file for each in check_templates([tmp_path, SHIPPED], zone=BERLIN)]
    assert names == ["brief/body.txt", "brief/subject.txt"]
    (tmp_path / "brief/body.mjml").rename(tmp_path / "brief/body.mjlm")
    assert "brief/body.mjml" in [each.file for each in check_templates([tmp_path, SHIPPED], zone=BERLIN)]


def test_a_kind_that_the_plan_names_must_have_a_folder() -> None:
    (told,) = check_templates([SHIPPED], zone=BERLIN, used=["isue", "issue"])
    assert (told.file, told.says.partition("; ")[2]) == ("isue", "nearest is issue")


def test_what_stops_nobody_is_a_note(tmp_path: Path) -> None:
    body = MJML % "<mj-text>{{ _('Grow what I sow') }}</mj-text>"
    told = found(tmp_path, body_mjml=body, body_html=HTML % ("", "<p>{{ _('Nobody said so') }}</p>"))
    assert all(each.warns for each in told)
    assert [each.line for each in told] == [0, 5]


@pytest.mark.parametrize("name", ["body_mjml", "body_html", "body_txt"])
def test_templates_that_would_escape_or_never_end_are_found_and_stop_nobody_from_looking(
    tmp_path: Path, name: str
) -> None:
    # one in fifteen: each kind of payload, and a test that ends soon
    for number, source in enumerate([*ESCAPES, *BOMBS][::15]):
        kind = tmp_path / f"k{number}"
        kind.mkdir()
        for file in ("subject_txt", "body_txt", "body_mjml"):
            (kind / file.replace("_", ".")).write_text(
                "x" if file.endswith("txt") else MJML % "<mj-text>x</mj-text>"
            )
        text = (
            source
            if name == "body_txt"
            else (HTML % ("", source) if name == "body_html" else MJML % f"<mj-text>{source}</mj-text>")
        )
        (kind / name.replace("_", ".")).write_text(text)
    began = time.thread_time()
    told = {
        each.file.partition("/")[0] for each in check_templates([tmp_path], zone=BERLIN) if not each.warns
    }
    assert told == {path.name for path in tmp_path.iterdir()}
    assert time.thread_time() - began < 1 * len(told)


@pytest.mark.parametrize(
    "content",
    [
        "{% for i in range(900) %}{% for j in range(20) %}{{ '<a '|safe }}{% endfor %}{% endfor %}",
        "{% for i in range(900) %}{{ '<!--[if mso]>'|safe }}{% endfor %}",
        "{% for i in range(900) %}{{ '<div>'|safe }}{% endfor %}",
        "<div>" * 15_000,
        "<a " + "{% if issue %}{% endif %}" * 2_000,
        "<!--" * 20_000,
        "<style>" + "* * * * * { color: red }\n" * 3_000 + "</style>" + "<div>x</div>" * 700,
        "<style>/*" + "*" * 50_000 + "</style>",
        "<style>" + "*{color:red}" * 1_500 + "</style>{% for i in range(1000) %}<p>x</p>{% endfor %}",
        "<p style='" + "a:b;" * 20_000 + "'>x</p>",
    ],
)  # fmt: skip
def test_pages_that_programs_choke_on_are_looked_at_in_no_time(tmp_path: Path, content: str) -> None:
    began = time.thread_time()
    found(tmp_path, body_html=HTML % ("", content))
    assert time.thread_time() - began < 5


def test_the_check_survives_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "brief").mkdir()
    (tmp_path / "brief/body.mjml").write_bytes(b"\xff\xfe\x00")
    told = check_templates([tmp_path], zone=BERLIN)
    assert "this is not UTF-8" in {each.says for each in told}
    assert re.fullmatch(r"[a-z./]+", told[0].file)
