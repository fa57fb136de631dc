"""Templates of plain HTML: the same bounds as MJML's, styles in the elements, the doctype kept."""

import re

import pytest

from mailer.render.finish import BadPage, finished
from mailer.render.parts import body_names, html_part
from mailer.render.press import Press
from mailer.render.samples import CONFIRM
from mailer.render.selfcontained import NotSelfContained
from mailer.render.stationery import template_sources
from mailer.render.template import environment
from mailer.shipped import shipped
from tests.mailer.render.issues import LETTERHEAD, STATIONERY, a_chooser, a_key, an_entry, an_issue, pressed
from tests.mailer.render.test_template import BERLIN

_STYLE = "<style>p { color: #123456 } @media (prefers-color-scheme: dark) { p { color: #ffffff } }</style>"
PAGE = f"""<!DOCTYPE html>
<html lang="de"><head><title>Titel</title>
<!--[if mso]><xml><o:OfficeDocumentSettings><o:AllowPNG/></o:OfficeDocumentSettings></xml><![endif]-->
{_STYLE}</head>
<body><!--[if mso]><table role="presentation"><tr><td width="600"><![endif]-->
%s
<!--[if mso]></td></tr></table><![endif]--></body></html>"""


def test_styles_go_into_the_elements_and_media_queries_stay() -> None:
    html = finished(PAGE % "<p>Grüße</p>")
    assert '<p style="color:#123456">Grüße</p>' in html
    assert "@media (prefers-color-scheme: dark)" in html


@pytest.mark.parametrize(
    "doctype",
    [
        "<!DOCTYPE html>",
        '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">',
    ],
)
def test_the_doctype_is_kept_and_stands_once(doctype: str) -> None:
    html = finished(PAGE.replace("<!DOCTYPE html>", doctype) % "<p>x</p>")
    assert html.startswith(f"{doctype}\n<html")
    assert html.lower().count("<!doctype") == 1
    assert finished("<p>x</p>").startswith("<!doctype html>\n<html>")


@pytest.mark.parametrize(
    "content",
    [
        '<img src="https://example.org/x.png" />',
        '<p style="background:url(https://example.org/x)">x</p>',
        "<style>p { background: url(//example.org/x) }</style>",
        "<style>@import 'https://example.org/x.css';</style>",
        '<link rel="stylesheet" href="https://example.org/x.css">',
        "<script>x()</script>",
        '<a href="#a" onclick="x()">x</a>',
        '<!--[if mso]><v:fill src="https://example.org/x.png" /><![endif]-->',
    ],
)
def test_what_would_fetch_or_run_something_is_refused(content: str) -> None:
    with pytest.raises(NotSelfContained):
        finished(PAGE % content)


@pytest.mark.parametrize("source", ["", "  \n", "<!doctype html>"])
def test_nothing_is_no_page(source: str) -> None:
    with pytest.raises(BadPage):
        finished(source)


def test_a_notice_is_made_of_what_its_folder_has_and_plain_html_goes_first() -> None:
    mail = template_sources([shipped("templates") / "mail"])
    own = mail | {
        "confirm/body.html": PAGE % "<p>{{ list_title }}: {{ confirm_url }} &lt;{{ salutation }}</p>"
    }
    for templates, there in ((own, True), (mail, False)):
        html = html_part(environment(templates, "de", zone=BERLIN), body_names("confirm"), CONFIRM)
        assert ("&lt;Guten Tag," in html) == there


@pytest.mark.parametrize("entry", ["", "entry.html", "entry.mjml"])
def test_an_issue_in_plain_html_sets_its_entries_in(entry: str) -> None:
    body = "{% for s in sections %}{% for entry in s.entries %}<div class='e'>{{ entry.block }}</div>{% endfor %}{% endfor %}"
    templates = {**STATIONERY.templates, "letter/body.html": PAGE % (body + "{{ slots.salutation }}")}
    templates["letter/subject.txt"] = templates["issue/subject.txt"]
    templates["letter/body.txt"] = templates["issue/body.txt"]
    if entry == "entry.html":
        templates["letter/entry.html"] = PAGE % "{{ cut }}<p>Im Brief: {{ entry.title }}</p>{{ cut }}"
    if entry == "entry.mjml":
        templates["letter/entry.mjml"] = templates["issue/entry.mjml"].replace(
            "{{ cut }}", "{{ cut }}<b>Gesetzt:</b>", 1
        )
    issue = an_issue(template="letter")
    edition = pressed(
        issue, a_chooser(issue, [an_entry(1), an_entry(2)]), a_key(), Press(issue, _stationery(templates))
    )
    said = {
        "": "Meldung 2",
        "entry.html": '<p style="color:#123456">Im Brief: Meldung 2</p>',
        "entry.mjml": "<b>Gesetzt:</b>",
    }
    assert said[entry] in edition.html
    assert edition.html.startswith("<!DOCTYPE html>")
    assert not re.search(r"x[0-9a-f]{24}", edition.html)


def _stationery(templates: dict[str, str]) -> object:
    return type(STATIONERY)(digest="", templates=templates, letterhead=LETTERHEAD.record(), versions={})
