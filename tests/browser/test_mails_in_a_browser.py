"""The mails as a reader sees them: light and dark, wide and narrow, without images, and by the rules of WCAG 2.2 AA.

A picture of each is left in the folder that INFOMAIL_SCREENSHOTS names, to be looked at.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from tests.mailer.render.letters import HARD, ILLUSTRATED, LETTERS, rendered
from tests.services.require import require

_QUIET = "--no-sandbox --disable-gpu --disable-background-networking --disable-component-update --disable-sync --no-first-run"
#: a mail is an article on the page of a mail program, which has the landmarks
_OF_THE_PAGE_AROUND = {"landmark-one-main": {"enabled": False}, "region": {"enabled": False}}
_TREES = Path(__file__).parent / "trees"
_SCHEMES = ("light", "dark")


@pytest.fixture(scope="module")
def browser_for_mails() -> Iterator[Browser]:
    chromium = require("chromium", "chromium")["chromium"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=_QUIET.split())
        yield browser
        browser.close()


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = Path(os.environ.get("INFOMAIL_SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.mark.parametrize("width", [600, 390])
@pytest.mark.parametrize("scheme", _SCHEMES)
@pytest.mark.parametrize("kind", LETTERS)
def test_a_mail_is_accessible_fits_and_fetches_nothing(
    browser_for_mails: Browser, pictures: Path, kind: str, scheme: str, width: int
) -> None:
    html = rendered(kind, LETTERS[kind])[1]
    look_at(browser_for_mails, html, scheme, width, pictures / f"{kind}-{width}-{scheme}.png")


@pytest.mark.parametrize("scheme", _SCHEMES)
@pytest.mark.parametrize("case", HARD)
def test_an_issue_that_is_hard_to_set_is_too(
    browser_for_mails: Browser, pictures: Path, case: str, scheme: str
) -> None:
    # as narrow as a page of 600 pixels is for who reads it at twice its size (WCAG 1.4.10)
    html = rendered("issue", HARD[case])[1]
    look_at(browser_for_mails, html, scheme, 300, pictures / f"hard-{case}-{scheme}.png")


@pytest.mark.parametrize("width", [600, 390])
@pytest.mark.parametrize("scheme", _SCHEMES)
@pytest.mark.parametrize("kind", ILLUSTRATED)
def test_pictures_fit_and_break_no_rule(
    browser_for_mails: Browser, pictures: Path, kind: str, scheme: str, width: int
) -> None:
    html = rendered(kind, ILLUSTRATED[kind])[1]
    look_at(browser_for_mails, html, scheme, width, pictures / f"{kind}-illustrated-{width}-{scheme}.png")


@pytest.mark.parametrize("width", [600, 390])
@pytest.mark.parametrize("kind", ILLUSTRATED)
def test_a_mail_says_all_without_its_images(
    browser_for_mails: Browser, pictures: Path, kind: str, width: int
) -> None:
    # a program that shows no images has the place of each, and what it shows in words
    html = re.sub(
        r'src="data:[^"]+"', 'src="https://images.example.org/off.png"', rendered(kind, ILLUSTRATED[kind])[1]
    )
    page = browser_for_mails.new_page(viewport={"width": width, "height": 800})
    page.route("**/*", lambda route: route.abort())
    page.set_content(html)
    page.screenshot(path=pictures / f"{kind}-without-images-{width}.png", full_page=True)
    described = page.get_by_alt_text("Menschen an einem Tisch").first.bounding_box()
    assert described is not None
    assert (described["width"] > 150, described["height"] >= 16) == (True, True)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


@pytest.mark.parametrize("kind", LETTERS)
def test_what_a_screen_reader_is_told_of_a_mail_is_what_somebody_read_and_found_good(
    browser_for_mails: Browser, kind: str
) -> None:
    """INFOMAIL_WRITE_TREES=1 writes them anew: then read what has changed."""
    page = browser_for_mails.new_page(viewport={"width": 600, "height": 800})
    page.set_content(rendered(kind, LETTERS[kind])[1])
    told = page.locator("body").aria_snapshot() + "\n"
    page.close()
    kept = _TREES / f"{kind}.txt"
    if os.environ.get("INFOMAIL_WRITE_TREES"):
        kept.write_text(told, encoding="utf-8")
    assert told == kept.read_text(encoding="utf-8")


def look_at(browser: Browser, html: str, scheme: str, width: int, picture: Path) -> None:
    fetched: list[str] = []
    page = _opened(browser, html, scheme, width, fetched)
    page.screenshot(path=picture, full_page=True)
    found = Axe().run(page, options={"resultTypes": ["violations"], "rules": _OF_THE_PAGE_AROUND})
    widest = page.evaluate("document.documentElement.scrollWidth")
    page.close()
    assert [(each["id"], each["nodes"][0]["html"]) for each in found.response["violations"]] == []
    assert widest <= width
    assert [url for url in fetched if not url.startswith("data:")] == []


def _opened(browser: Browser, html: str, scheme: str, width: int, fetched: list[str] | None = None) -> Page:
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)  # type: ignore[arg-type]
    if fetched is not None:
        page.on("request", lambda request: fetched.append(request.url))
    page.set_content(html)
    return page
