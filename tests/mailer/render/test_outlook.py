"""What Word passes over is found in finished HTML, and what stands in for it is accepted."""

import pytest

from mailer.render.check.outlook import ignored_by_outlook
from mailer.render.finish import BadPage, conditional_comments, finished
from mailer.render.samples import samples_of
from tests.mailer.render.letters import HARD, LETTERS, rendered

_GHOST = '<!--[if mso]><table role="presentation" width="600"><tr><td><![endif]-->%s<!--[if mso]></td></tr></table><![endif]-->'
_VML = '<!--[if mso]><v:rect fill="true"><v:fill src="cid:a" /><v:textbox><![endif]-->%s<!--[if mso]></v:textbox></v:rect><![endif]-->'


@pytest.mark.parametrize(
    ("html", "ignored"),
    [
        ('<div style="display: flex">x</div>', "display: flex"),
        ('<div style="display:inline-grid">x</div>', "display: inline-grid"),
        ('<div style="position:absolute">x</div>', "position"),
        ('<img style="float:left" alt="" />', "float"),
        ('<div style="max-width:600px">x</div>', "max-width"),
        ('<table style="max-width:600px;width:100%"></table>', "max-width"),
        ('<td style="background:#fff url(cid:a)">x</td>', "pictures in the background"),
        ('<td background="cid:a">x</td>', "pictures in the background"),
        ('<a style="padding:8px 16px;background:#0b4a75">x</a>', "padding on <a>"),
        ('<div style="padding:8px;border:1px solid #000">x</div>', "padding on <div>"),
        ('<table style="margin:0 auto"></table>', "margin on tables"),
        ('<p style="font:1rem Arial">x</p>', "font with rem"),
        ('<p style="font:bold 2em/1.2 Arial">x</p>', "font with em"),
        ('<td style="width:calc(100% - 8px)">x</td>', "width with calc("),
        ('<td style="color:var(--x)">x</td>', "color with var("),
        ('<td style="padding:1.5rem">x</td>', "padding with rem"),
        ("<!--[if !mso]><!--><p>x</p>", "comments for Outlook 1 begin and 0 end"),
    ],
)  # fmt: skip
def test_what_outlook_ignores_is_found_where_layout_hangs_on_it(html: str, ignored: str) -> None:
    assert any(ignored in each for each in ignored_by_outlook(html))


@pytest.mark.parametrize(
    "html",
    [
        _GHOST % '<div style="max-width:600px">x</div>',
        '<table width="600" style="max-width:600px"></table>',
        _VML % '<td style="background:url(cid:a)">x</td>',
        '<a style="border-radius:4px;color:#fff">x</a>',
        '<td style="padding:8px 16px;background:#0b4a75"><a style="color:#fff">x</a></td>',
        '<td style="mso-padding-alt:8px 16px"><a style="padding:8px 16px;background:#0b4a75">x</a></td>',
        '<!--[if !mso]><!--><div style="display:flex">x</div><!--<![endif]-->',
        '<div style="display:none;max-width:0px">x</div>',
        '<table align="center" style="margin:0 auto"></table>',
        '<table style="margin:0 0 10px"></table>',
        '<p style="font-size:16px;line-height:1.5em">x</p>',
    ],
)
def test_what_stands_in_for_it_is_accepted(html: str) -> None:
    assert ignored_by_outlook(html) == []


@pytest.mark.parametrize("kind", LETTERS)
def test_outlook_ignores_nothing_in_what_is_shipped(kind: str) -> None:
    for context in samples_of(kind):
        assert ignored_by_outlook(rendered(kind, context)[1]) == []


@pytest.mark.parametrize("name", HARD)
def test_nor_in_issues_that_are_hard_to_set(name: str) -> None:
    assert ignored_by_outlook(rendered("issue", HARD[name])[1]) == []


@pytest.mark.parametrize("kind", LETTERS)
def test_every_comment_for_outlook_comes_through_byte_by_byte_and_the_doctype_stands_first(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[str] = []

    def finished_and_kept(page: str) -> str:
        compiled.append(page)
        return finished(page)

    monkeypatch.setattr("mailer.render.mjml.finished", finished_and_kept)
    html = rendered(kind, samples_of(kind)[0])[1]
    comments = conditional_comments(html)
    assert comments == conditional_comments(compiled[0])
    assert len(comments) == html.count("<!--[if") + html.count("<!--<![endif]-->") > 10
    assert html.count("<![endif]-->") == html.count("<!--[if")
    assert html.startswith("<!doctype html>\n<html")


def test_a_page_whose_comments_are_changed_on_the_way_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailer.render.finish._inlined", lambda page: page.replace("[if mso]", "[if  mso]"))
    with pytest.raises(BadPage, match="comment for Outlook"):
        finished(f"<html><body>{_GHOST % 'x'}</body></html>")
