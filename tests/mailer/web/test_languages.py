"""German unless the reader prefers English or chooses it."""

import pytest
from starlette.testclient import TestClient

from mailer.web.pages import preferred, web_link
from tests.mailer.web.sample import Sample


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "de"),
        ("en", "en"),
        ("en-GB,en;q=0.9", "en"),
        ("de-DE,de;q=0.9,en;q=0.8", "de"),
        ("fr,en;q=0.5,de;q=0.4", "en"),  # the best of what we have
        ("fr", "de"),
        ("en;q=0,de;q=0.1", "de"),  # q=0 means: not this one
        ("en;q=x", "de"),
        ("en;q=nan", "de"),
        ("*", "de"),
        (",;,=;q", "de"),
        ("de;q=0.1," * 30 + "en", "de"),  # only the first twenty count
    ],
)
def test_the_language_is_the_one_of_ours_that_the_browser_ranks_highest(header: str, language: str) -> None:
    assert preferred(header) == language


def test_a_language_chosen_by_hand_wins_and_stays_in_the_links(client: TestClient, sample: Sample) -> None:
    chosen = client.get("/?lang=en", headers={"Accept-Language": "de"})
    assert '<html lang="en">' in chosen.text
    assert 'href="/anmelden/netzwerk?lang=en"' in chosen.text
    assert chosen.headers["content-language"] == "en"
    assert chosen.headers["vary"] == "Accept-Language"
    assert "?lang=en" not in client.get("/anmelden/netzwerk").text.replace('href="?lang=en"', "")


def test_a_language_we_do_not_have_is_as_if_none_was_asked_for(client: TestClient) -> None:
    assert '<html lang="de">' in client.get("/?lang=../../etc").text


@pytest.mark.parametrize("path", ["/", "/impressum", "/anmelden/netzwerk", "/nirgends"])
def test_no_german_page_has_an_english_sentence_left(client: TestClient, sample: Sample, path: str) -> None:
    german = client.get(path).text
    for word in (" the ", " you ", "Subscribe", "Please", "Imprint", "(optional)"):
        assert word not in german


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://example.org/x", True),
        ("http://example.org", True),
        ("javascript:alert(1)", False),
        ("data:text/html,x", False),
        ("//example.org", False),
        ("", False),
    ],
)
def test_only_web_addresses_stand_behind_configured_links(url: str, kept: bool) -> None:
    assert web_link(url) == (url if kept else "")
