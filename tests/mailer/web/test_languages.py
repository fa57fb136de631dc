"""German unless the reader prefers English or chooses it."""

from pathlib import Path

import pytest
from jinja2 import Environment
from starlette.testclient import TestClient

from mailer.database import Database
from mailer.settings import Settings
from mailer.shipped import shipped
from mailer.translations import translations
from mailer.web.app import create_app
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


def test_every_text_of_the_pages_is_translated_into_german(settings: Settings) -> None:
    environment = Environment(extensions=["jinja2.ext.i18n"], trim_blocks=True, lstrip_blocks=True)
    environment.policies["ext.i18n.trimmed"] = True
    environment.newstyle_gettext = True  # type: ignore[attr-defined]  # the extension adds it
    texts = {
        text if isinstance(text, str) else text[0]
        for template in shipped("templates").glob("web/*.html")
        for _, _, text in environment.extract_translations(template.read_text("utf-8"))  # type: ignore[attr-defined]  # likewise
    }
    assert len(texts) > 80
    german = translations("de")
    assert [text for text in texts if german.gettext(text) == text] == []


def test_templates_see_the_imprint_and_no_secret(
    settings: Settings, database: Database, tmp_path: Path, sample: Sample
) -> None:
    own = tmp_path / "own" / "web"
    own.mkdir(parents=True)
    probe = "{{ site.network }}{{ settings is defined }}{{ site.secret_keys is defined }}"
    (own / "imprint.html").write_text(probe, "utf-8")
    settings = settings.model_copy(update={"templates": own.parent})
    with TestClient(create_app(settings, database)) as client:
        assert client.get("/impressum").text == "Netz der GemeindenFalseFalse"
        # all else comes from the shipped ones
        assert "Neues &amp; Nützliches" in client.get("/").text


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
