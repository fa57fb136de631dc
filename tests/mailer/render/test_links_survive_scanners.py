"""Scanners of municipalities wrap each address into one of their own; whoever follows it gets where the mail meant."""

import re
from html import unescape
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from tests.mailer.render.letters import LETTERS, rendered

_WRAPPED = "https://scanner.example.net/?url={}&data=05%7C02&reserved=0"
#: what scanners take for an address in a text: all up to a blank or a bracket
_IN_TEXT = re.compile(r"https?://[^\s<>()\"']+")
_IN_HTML = re.compile(r'(?<=href=")(https?://[^"]+)')


def wrapped(url: str) -> str:
    return _WRAPPED.format(quote(url, safe=""))


def unwrapped(url: str) -> str:
    (inside,) = parse_qs(urlsplit(url).query)["url"]
    return inside


@pytest.mark.parametrize("kind", LETTERS)
def test_addresses_lead_where_they_did_after_a_scanner_wrapped_them(kind: str) -> None:
    _, html, text = rendered(kind, LETTERS[kind])
    meant = {unescape(url) for url in _IN_HTML.findall(html)}
    assert meant
    rewritten = _IN_HTML.sub(lambda found: wrapped(unescape(found[0])).replace("&", "&amp;"), html)
    assert {unwrapped(unescape(url)) for url in _IN_HTML.findall(rewritten)} == meant
    # in the text nothing is glued to an address, such as the full stop of a sentence
    in_text = _IN_TEXT.findall(text)
    assert [url for url in in_text if url[-1] in ".,;:!?"] == []
    rewritten = _IN_TEXT.sub(lambda found: wrapped(found[0]), text)
    assert [unwrapped(url) for url in _IN_TEXT.findall(rewritten)] == in_text


@pytest.mark.parametrize("kind", LETTERS)
def test_no_link_names_an_address_that_a_wrapped_link_would_belie(kind: str) -> None:
    # mail programs warn of a link whose words are an address other than the one it leads to
    _, html, _ = rendered(kind, LETTERS[kind])
    words = [re.sub(r"<[^>]+>", "", inside) for inside in re.findall(r"<a [^>]*>(.*?)</a>", html, re.DOTALL)]
    assert [each for each in words if re.search(r"https?://|www\.", each)] == []
