"""MJML: mistakes are found with their line, and nothing remote gets into a mail."""

import pytest

from mailer.render.mjml import BadMjml, compile_mjml
from mailer.render.selfcontained import NotSelfContained


def page(content: str = "<mj-text>x</mj-text>", head: str = "") -> str:
    return (
        f'<mjml lang="de">\n<mj-head><mj-title>Titel</mj-title>{head}</mj-head>\n<mj-body><mj-section><mj-column>'
        f"\n{content}\n</mj-column></mj-section></mj-body></mjml>"
    )


def test_a_page_has_doctype_language_and_title_and_nothing_remote() -> None:
    html = compile_mjml(page())
    assert html.startswith('<!doctype html>\n<html lang="de"')
    assert "<title>Titel</title>" in html
    assert html.lower().count("<!doctype") == 1
    assert "fonts.googleapis" not in html


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        (page("<mj-txt>x</mj-txt>"), "line 4: <mj-txt> is not known"),
        (page('<mj-text colour="red">x</mj-text>'), "line 4: <mj-text> has no attribute colour"),
        (page("<mj-text><mj-text>x</mj-text></mj-text>"), "line 4: <mj-text> cannot stand in <mj-text>"),
        (page('<mj-include path="/etc/passwd" />'), "line 4: <mj-include> is not known"),
        (page("<mj-text>x"), "line 5: </mj-column> closes nothing"),
        (page('<mj-image src="https://example.org/x.png" />'), "line 4: <mj-image> is not known"),
        ("<mjml>\n<mj-body>", "line 2: <mj-body> is never closed"),
        (page("<mj-text>a <b>c</mj-text>"), ""),
        (page("<mj-text><p title='x>x</p></mj-text>"), "line 4: <p is never closed"),
        (page("<mj-text><a <a <a"), "line 5"),
        (page("<mj-text><!--[if mso]>x</mj-text>"), "line 4: <!--[if is never closed"),
        (
            page("<mj-text>" + "<div>" * 20_000 + "</div>" * 20_000 + "</mj-text>"),
            "line 4: <div> is nested too deeply",
        ),
    ],
)
def test_a_mistake_is_told_with_its_line(source: str, complaint: str) -> None:
    with pytest.raises(BadMjml) as told:
        compile_mjml(source)
    assert str(told.value).startswith(complaint)


@pytest.mark.parametrize(
    "source",
    [
        page('<mj-text><img src="https://example.org/x.png" /></mj-text>'),
        page('<mj-text><img src="//example.org/x.png" /></mj-text>'),
        page('<mj-text><p style="background:url(https://example.org/x)">x</p></mj-text>'),
        page('<mj-raw><link rel="stylesheet" href="https://example.org/x.css" /></mj-raw>'),
        page("<mj-raw><!--[if mso]><img src='https://example.org/x.png' /><![endif]--></mj-raw>"),
        page(head="<mj-style>@media screen { p { background: url(http://127.0.0.1:9/x) } }</mj-style>"),
        page(head="<mj-style>@import url(http://127.0.0.1:9/x.css);</mj-style>"),
        page(head="<mj-style>@font-face { font-family: x; src: url(http://127.0.0.1:9/x) }</mj-style>"),
        page('<mj-raw><table><tr><td background="https://example.org/x.png">x</td></tr></table></mj-raw>'),
        page('<mj-text><svg><image href="https://example.org/x.png"></image></svg></mj-text>'),
        page("<mj-text><p style=\"background:src('https://example.org/x')\">x</p></mj-text>"),
        page("<mj-text><p style=\"background:image('https://example.org/x')\">x</p></mj-text>"),
        page('<mj-text><p style="behavior:x">x</p></mj-text>'),
        page('<mj-text color="red;background:url(//example.org/x)">x</mj-text>'),
        page("<mj-raw><!--[if mso]><v:imagedata o:href='https://example.org/x' /><![endif]--></mj-raw>"),
        page(head='<mj-raw><meta http-equiv="Refresh" content="0;url=https://example.org/" /></mj-raw>'),
        page('<mj-text><a href="https://example.org/" ping="https://example.org/p">x</a></mj-text>'),
        page('<mj-text><form action="https://example.org/"><input name="a" /></form></mj-text>'),
        page('<mj-text><a href="#a" onclick="x()">x</a></mj-text>'),
        page('<mj-text><a href="javascript:x()">x</a></mj-text>'),
        page('<mj-text><a href=" java&#10;script:x()">x</a></mj-text>'),
        page('<mj-button href="data:text/html,x">x</mj-button>'),
        page("<mj-raw><script>x()</script></mj-raw>"),
    ],
)
def test_what_would_fetch_or_run_something_is_refused(source: str) -> None:
    with pytest.raises(NotSelfContained):
        compile_mjml(source)


def test_text_may_speak_of_such_things() -> None:
    assert "@import url(x)" in compile_mjml(page("<mj-text>@import url(x)</mj-text>"))


def test_styles_go_into_the_elements_and_media_queries_stay() -> None:
    html = compile_mjml(
        page(
            '<mj-text><p class="k">x</p></mj-text>',
            "<mj-style>.k { color: #123456 } @media (prefers-color-scheme: dark) { .k { color: #fff !important } }</mj-style>",
        )
    )
    assert 'style="' in html.partition('<p class="k"')[2].partition(">")[0]
    assert "prefers-color-scheme: dark" in html


def test_opaque_tokens_and_escaped_links_survive() -> None:
    html = compile_mjml(page('<mj-text><a href="https://example.org/x0aFx?a=1&amp;b=2">x0bFx</a></mj-text>'))
    assert 'href="https://example.org/x0aFx?a=1&amp;b=2"' in html
    assert ">x0bFx<" in html


def test_what_xml_cannot_hold_is_left_out() -> None:
    assert ">abcd\U0001f600<" in compile_mjml(page("<mj-text>a\0b\x0bc\ufffed\ud800\U0001f600</mj-text>"))


@pytest.mark.parametrize(
    "href", ["https://example.org/", "mailto:a@example.org", "tel:+492110", "#anker", "x0aFx"]
)
def test_a_link_may_lead_to_pages_addresses_and_places(href: str) -> None:
    assert f'href="{href}"' in compile_mjml(page(f'<mj-text><a href="{href}">x</a></mj-text>'))
