"""Whatever feeds and strangers write, the mail made of it runs nothing, fetches nothing, and is made."""

import re
from html.parser import HTMLParser

from hypothesis import example, given, settings
from hypothesis import strategies as st

from mailer.render.sanitize import clean_html
from tests.mailer.render.issues import a_chooser, a_key, an_event, an_issue, pressed

_NASTY = (
    "<script>x()</script>", "<img src=x onerror=x()>", "<a href='javascript:x()'>y</a>", "<svg/onload=x()>", "</p>",
    "<style>@import '//example.org/x'</style>", "<iframe src='//example.org'>", "<b><i>x</b></i>", "<mj-text>", "</mj-text>",
    "<mj-raw><script>", "]]>", "<![CDATA[", "<!--", "-->", "<!--[if mso]>", "<![endif]-->", "{{ 7 * 7 }}", "{% if %}", "&lt;script&gt;",
    "&#60;img&#62;", "<a href=\"https://example.org/'onclick='x()\">y</a>", "<p style='background:url(//example.org)'>", "\x00", "\u2028",
    "\ud7ff", "<td background='//example.org/x'>", "<form action=x>", "<a", '"', "'", "<", ">", "&", "<base href='//example.org'>",
)  # fmt: skip
FOREIGN = st.lists(st.one_of(st.sampled_from(_NASTY), st.text(max_size=12)), max_size=12).map("".join)


class _Looker(HTMLParser):
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in {"script", "img", "iframe", "svg", "form", "base", "object", "link", "video"}
        for name, value in attrs:
            assert not name.startswith("on")
            assert name not in {"src", "srcset", "background", "poster", "action"}
            assert name != "href" or re.match("https?:|mailto:|#", value or "")
            assert name != "style" or "url(" not in (value or "")


@settings(max_examples=60, deadline=None)
@given(title=FOREIGN, summary=FOREIGN, place=FOREIGN)
@example(title="".join(_NASTY), summary="".join(_NASTY), place="".join(_NASTY))
def test_a_mail_made_of_foreign_words_runs_and_fetches_nothing(title: str, summary: str, place: str) -> None:
    entry = an_event(1, title=title, summary=clean_html(summary), location=place, source=place, contact=title)
    issue = an_issue(title=place or "Titel", editorial=clean_html(title))
    edition = pressed(issue, a_chooser(issue, [entry]), a_key())
    for html in (edition.html, edition.page_html):
        _Looker().feed(html)
