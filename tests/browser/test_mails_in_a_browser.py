"""The mails as a reader sees them: light and dark, wide and narrow, and by the rules of WCAG 2.2 AA."""

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, sync_playwright

from tests.mailer.render.letters import HARD, LETTERS, rendered
from tests.services.require import require

_QUIET = "--no-sandbox --disable-gpu --disable-background-networking --disable-component-update --disable-sync --no-first-run"
#: a mail is an article on the page of a mail program, which has the landmarks
_OF_THE_PAGE_AROUND = {"landmark-one-main": {"enabled": False}, "region": {"enabled": False}}


@pytest.fixture(scope="module")
def browser_for_mails() -> Iterator[Browser]:
    chromium = require("chromium", "chromium")["chromium"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=_QUIET.split())
        yield browser
        browser.close()


@pytest.mark.parametrize("width", [600, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", LETTERS)
def test_a_mail_is_accessible_fits_and_fetches_nothing(
    browser_for_mails: Browser, kind: str, scheme: str, width: int
) -> None:
    look_at(browser_for_mails, rendered(kind, LETTERS[kind])[1], scheme, width)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("case", HARD)
def test_an_issue_that_is_hard_to_set_is_too(browser_for_mails: Browser, case: str, scheme: str) -> None:
    look_at(browser_for_mails, rendered("issue", HARD[case])[1], scheme, 320)


def look_at(browser: Browser, html: str, scheme: str, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)  # type: ignore[arg-type]
    fetched: list[str] = []
    page.on("request", lambda request: fetched.append(request.url))
    page.set_content(html)
    found = Axe().run(page, options={"resultTypes": ["violations"], "rules": _OF_THE_PAGE_AROUND})
    widest = page.evaluate("document.documentElement.scrollWidth")
    page.close()
    assert [(each["id"], each["nodes"][0]["html"]) for each in found.response["violations"]] == []
    assert widest <= width
    assert fetched == []
