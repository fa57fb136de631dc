"""The public pages as people see them: accessible, from one place only, no sideways scrolling."""

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from fastapi import FastAPI
from playwright.sync_api import Browser, Page

from mailer.database import Database
from mailer.web.app import create_app
from subscribers.model import MailingList, SubscriptionState
from subscribers.subscribing import subscription_of
from subscribers.tokens import Keys
from tests.mailer.web.sample import fill, mailed_links, sample_settings, subscriber_of

Serve = Callable[[Callable[[str], FastAPI]], str]


@pytest.fixture
def place(serve: Serve, database: Database) -> tuple[str, dict[str, str]]:
    """Where the pages are, and the links of the sample."""
    url = serve(lambda public_url: create_app(sample_settings(public_url), database))
    keys = Keys.parse(sample_settings(url).secret_keys.get_secret_value())
    return url, mailed_links(keys, fill(database))


@pytest.mark.parametrize(
    ("width", "language", "scheme"),
    [(390, "de", "dark"), (390, "en", "light"), (1280, "de", "light"), (1280, "en", "dark")],
)
def test_no_page_breaks_a_rule_of_axe_or_scrolls_sideways(
    browser: Browser, place: tuple[str, dict[str, str]], width: int, language: str, scheme: str
) -> None:
    url, links = place
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        locale=language,
        color_scheme="dark" if scheme == "dark" else "light",
        bypass_csp=True,  # axe is a script, and no page of ours may run one
    )
    page = context.new_page()
    for path in _paths(links):
        page.goto(url + path)
        assert page.locator("html").get_attribute("lang") == language
        _check(page, path)
    for path, act in _acts(links):
        page.goto(url + path)
        act(page)
        _check(page, f"after {path}")
    context.close()


def _paths(links: dict[str, str]) -> list[str]:
    mailed = [path for name, path in links.items() if name != "ausgabe"]
    return ["/", "/impressum", "/anmelden/netzwerk", "/nirgends", *mailed]


def _acts(links: dict[str, str]) -> list[tuple[str, Callable[[Page], None]]]:
    return [
        ("/anmelden/netzwerk", _press),
        ("/anmelden/verein", _fill_in),
        (links["bestaetigen"], _press),
        (links["bestaetigen"], lambda _: None),
        (links["abmelden"], _press),
        (links["abmelden"], lambda _: None),
        (links["rueckgaengig"], _press),
        (links["daten"], _press),
        (links["daten"], _tick_and_press),
    ]


def _press(page: Page) -> None:
    page.locator("main button[type=submit]").click()


def _fill_in(page: Page) -> None:
    page.locator("#email").fill("new@example.org")
    page.locator("#municipality").fill("musterstadt")
    _press(page)


def _tick_and_press(page: Page) -> None:
    page.locator("#sure").check()
    _press(page)


def _check(page: Page, where: str) -> None:
    found = Axe().run(page)
    assert found.violations_count == 0, f"{where}: {found.generate_report()}"
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), where


def test_no_request_leaves_the_service_and_no_script_of_a_title_runs(
    browser: Browser, place: tuple[str, dict[str, str]], database: Database
) -> None:
    url, links = place
    canary = "<img src=https://elsewhere.example.org/x onerror=alert(1)><script>alert(2)</script>"
    with database.write() as session:
        session.get_one(MailingList, "netzwerk").title = canary
    context = browser.new_context()
    page = context.new_page()
    asked: list[str] = []
    dialogs: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    page.on("console", lambda message: complaints.append(message.text))
    for path in ["/", "/anmelden/netzwerk", *links.values()]:
        page.goto(url + path)
    assert [each for each in asked if not each.startswith((url + "/", "data:"))] == []
    assert dialogs == []
    # neither does a style or font of our own meet the Content-Security-Policy
    assert complaints == []
    assert any(each.endswith(".woff2") for each in asked)
    context.close()


def test_leaving_and_coming_back_works_without_javascript(
    browser: Browser, place: tuple[str, dict[str, str]], database: Database
) -> None:
    url, links = place
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(url + links["abmelden"])
    _press(page)
    assert _state(database) is SubscriptionState.UNSUBSCRIBED
    _press(page)
    assert _state(database) is SubscriptionState.ACTIVE
    context.close()


def _state(database: Database) -> SubscriptionState:
    with database.read() as session:
        subscription = subscription_of(session, subscriber_of(session, "active"), "netzwerk")
        assert subscription is not None
        return subscription.state
