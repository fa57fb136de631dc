"""HTML of others: what stays, what goes, and that no input takes long."""

import time
from html.parser import HTMLParser

import pytest

from mailer.render.mjml import compile_mjml
from mailer.render.sanitize import clean_html, excerpt, plain_text

BASE = "https://example.org/aktuelles/"


@pytest.mark.parametrize(
    ("given", "cleaned"),
    [
        ("", ""),
        ("Hallo <b>Welt</b> &amp; <i>du</i>", "<p>Hallo <strong>Welt</strong> &amp; <em>du</em></p>"),
        ("<h2>Titel</h2>Text", "<p><strong>Titel</strong></p><p>Text</p>"),
        ("<p id=x class=y style='color:red'>a<br>b</p>", "<p>a<br>b</p>"),
        ("a<br><br>b<br>", "<p>a</p><p>b</p>"),
        ("<ul><li>eins<li>zwei</ul>nach", "<ul><li>eins</li><li>zwei</li></ul><p>nach</p>"),
        ("<blockquote>Zitat</blockquote>", "<blockquote><p>Zitat</p></blockquote>"),
        ("<b><p>a</p><p>b</p></b>", "<p><strong>a</strong></p><p><strong>b</strong></p>"),
        ("<p>x <img src=x onerror=alert(1)>y</p>", "<p>x y</p>"),
        ("<script>alert(1)</script><style>p{}</style>x", "<p>x</p>"),
        ("<form>a <select><option>b</select><input>c</form>", "<p>a c</p>"),
        ("<svg><a href='https://e.org'>x</a></svg>y", "<p>y</p>"),
        ('<a href="mehr?a=1&amp;b=2">l</a>', '<p><a href="https://example.org/aktuelles/mehr?a=1&amp;b=2">l</a></p>'),
        ('<a href="mailto:a@example.org">m</a>', '<p><a href="mailto:a@example.org">m</a></p>'),
        ('<a href="javascript:alert(1)">j</a>', "<p>j</p>"),
        ('<a href="java&#10;script:alert(1)">j</a>', "<p>j</p>"),
        ('<a href="data:text/html,x">d</a>', "<p>d</p>"),
        ("<p title='a > b'>z</p>", "<p>z</p>"),
        ("1 < 2 <", "<p>1 &lt; 2 &lt;</p>"),
        ("<mj-include path='/etc/passwd'/>x<mj-raw>y</mj-raw>", "<p>xy</p>"),
        ("abc\u202edef\0", "<p>abcdef</p>"),
        ("x<!-- y", "<p>x</p>"),
        ("<p>a</p><p>&nbsp;</p><p>\u200b</p><div>&nbsp; &nbsp;</div><p>b</p>", "<p>a</p><p>b</p>"),
        ("a<br>&nbsp;<br>b", "<p>a</p><p>b</p>"),
        ("<b>10</b>&nbsp;<i>Uhr</i>", "<p><strong>10</strong>&nbsp;<em>Uhr</em></p>"),
        ("&#99999999999999;", "<p>\ufffd</p>"),
    ],
)  # fmt: skip
def test_only_what_a_mail_needs_is_kept(given: str, cleaned: str) -> None:
    assert clean_html(given, base_url=BASE) == cleaned
    assert clean_html(cleaned) == cleaned


def test_a_relative_link_without_a_base_keeps_its_text_only() -> None:
    assert clean_html('<a href="/x">hier</a>') == "<p>hier</p>"


def test_text_that_looks_like_mjml_stays_text() -> None:
    cleaned = clean_html("&lt;mj-image src=&quot;http://example.org/x.png&quot;&gt;")
    html = compile_mjml(
        "<mjml><mj-body><mj-section><mj-column><mj-text>"
        f"{cleaned}</mj-text></mj-column></mj-section></mj-body></mjml>"
    )
    assert "&lt;mj-image" in html
    assert "<img" not in html


def test_plain_text_has_lists_and_link_targets() -> None:
    html = (
        '<p>Mehr <a href="https://example.org/a?b=1&amp;c=2">hier</a> &amp; bei '
        '<a href="https://example.org/">example.org</a>.</p><ul><li>eins<ul><li>tief</li></ul></li><li>zwei</li></ul>'
        "<ol><li>A</li><li>B</li></ol><blockquote>Zitat</blockquote>"
    )
    assert plain_text(html) == (
        "Mehr hier <https://example.org/a?b=1&c=2> & bei example.org.\n\n"
        "– eins\n  – tief\n– zwei\n\n1. A\n2. B\n\n> Zitat"
    )


def test_plain_text_is_no_wider_than_asked() -> None:
    text = plain_text(
        "<p>" + "Wörter und mehr Wörter " * 40 + "</p><ul><li>" + "noch mehr " * 40 + "</li></ul>", 60
    )
    assert max(map(len, text.splitlines())) <= 60


def test_plain_text_begins_and_ends_with_text() -> None:
    assert (
        plain_text("<p>&nbsp;</p><ul><li>eins<ul><li>tief</li></ul></li></ul><p>&nbsp;</p>")
        == "– eins\n  – tief"
    )


class _Balance(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.is_open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag != "br":
            self.is_open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.is_open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("limit", range(20, 200, 7))
def test_an_excerpt_is_balanced_and_short_enough_wherever_it_is_cut(limit: int) -> None:
    html = (
        "<ul><li>Ein <b>fettes <i>Wort</i></b> &amp; <a href='https://example.org'>ein Verweis</a>.</li></ul>"
        * 4
    )
    balance = _Balance()
    balance.feed(excerpt(html, limit))
    balance.close()
    assert balance.is_open == []
    assert len(balance.text) <= limit
    assert balance.text.endswith(" …") or len(balance.text) < limit


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("Kurz.", "<p>Kurz.</p>"),
        # 13 + 1 + 26 = 40 characters; the limit of 32 keeps the first sentence
        ("Erster langer Satz ist da. Zweiter Satz dazu.", "<p>Erster langer Satz ist da. …</p>"),
        ("Das Treffen findet am 5. März in der Stadthalle statt", "<p>Das Treffen findet am 5. März …</p>"),
    ],
)
def test_an_excerpt_ends_behind_a_sentence_or_a_word(text: str, cut: str) -> None:
    assert excerpt(f"<p>{text}</p>", 32) == cut


@pytest.mark.parametrize(
    "piece",
    [
        "<", "<a ", '<a "', "<b>", "<ul><li>", "<blockquote>", "<div>", "&#9", "&", "<!--", '<a href="', "<script>",
        "</p>", "<svg>", "<table>", "<br>", "<a '>", "<em><strong>x", "\xa0", "aaa. A", '<a href="http://a.b">x',
    ],
)  # fmt: skip
def test_hostile_input_takes_no_longer_than_other_input(piece: str) -> None:
    html = piece * (100_000 // len(piece))
    began = time.process_time()
    clean_html(html)
    # about 0.05 s where it was written; what grows with the square takes minutes
    assert time.process_time() - began < 0.5
