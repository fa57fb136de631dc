"""The public pages as people see them: accessible, from one place only, no sideways scrolling."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from fastapi import FastAPI
from playwright.sync_api import Browser, Page

from mailer.database import Database
from mailer.web.app import create_app
from subscribers.model import MailingList, SubscriptionState
from subscribers.subscribing import subscription_of
from subscribers.tokens import Keys
from tests.mailer.web.archived import PATH, fill_archive
from tests.mailer.web.contributors import fill_contributions, photo
from tests.mailer.web.officers import fill_offices
from tests.mailer.web.sample import fill, mailed_links, sample_settings, subscriber_of

Serve = Callable[[Callable[[str], FastAPI]], str]


@pytest.fixture
def place(serve: Serve, database: Database) -> tuple[str, dict[str, str]]:
    """Where the pages are, and the links of the sample."""
    url = serve(lambda public_url: create_app(sample_settings(public_url), database))
    keys = Keys.parse(sample_settings(url).secret_keys.get_secret_value())
    sample = fill(database)
    fill_archive(database, years=2, each=12)
    contributed = fill_contributions(database, keys)
    del contributed["bild"]  # no page
    return url, mailed_links(keys, sample) | fill_offices(database, keys, sample) | contributed


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
    archive = ["/archiv", "/archiv?seite=2", "/archiv/infomail", "/archiv/termine?jahr=2025", PATH]
    archive += ["/archiv/infomail/2026-9", f"{PATH}/1/weitergeben", f"{PATH}/zum-kopieren"]
    public = ["/", "/impressum", "/einstellungen", "/anmelden/netzwerk", "/beitrag", "/nirgends"]
    return [*public, *archive, *(path for name, path in links.items() if name != "e")]


def _acts(links: dict[str, str]) -> list[tuple[str, Callable[[Page], None]]]:
    return [
        ("/anmelden/netzwerk", _press),
        ("/anmelden/verein", _fill_in),
        ("/beitrag", _press),
        ("/beitrag", _send_in),
        (links["beitrag"], _press),
        ("/einstellungen", _press),
        ("/einstellungen", _ask_for_link),
        (links["einstellungen"], _misspell),
        (links["einstellungen"], _pause),
        (links["einstellungen"], _join),
        (links["abmelden"], _pause_for_ever),
        ("/anmelden/netzwerk", _claim_nowhere),
        (links["wechsel"], _press),
        (links["wechsel"], _hand_over),
        (links["einladung"], _press),
        (links["noch-richtig"], lambda page: page.locator("main button[type=submit]").last.click()),
        (links["noch-richtig"], lambda page: page.locator("main button[type=submit]").first.click()),
        (links["bestaetigen"], _press),
        (links["bestaetigen"], lambda _: None),
        (links["abmelden"], _press),
        (links["abmelden"], lambda _: None),
        (links["rueckgaengig"], _press),
        (links["daten"], _press),
        (links["daten"], _tick_and_press),
    ]


def _press(page: Page) -> None:
    page.locator("main button[type=submit]").first.click()


def _send_in(page: Page) -> None:
    page.locator("#kind-event").check()
    page.locator("#municipality").fill("Musterstadt")
    page.locator("#title").fill("Sommerfest")
    page.locator("#text").fill("Alle sind da.")
    page.locator("#day").fill(f"{datetime.now(UTC) + timedelta(days=9):%Y-%m-%d}")
    page.locator("#email").fill("amt@example.net")
    page.locator("#alt").fill("Ein Platz")
    page.locator("#credit").fill("Erika Muster")
    page.locator("#picture").set_input_files({"name": "x.jpg", "mimeType": "image/jpeg", "buffer": photo()})
    _press(page)
    assert page.locator(".kern-alert--info").count() == 1


def _ask_for_link(page: Page) -> None:
    page.locator("#email").fill("active@example.org")
    _press(page)


def _misspell(page: Page) -> None:
    page.locator("#given").evaluate("field => field.removeAttribute('maxlength')")
    page.locator("#given").fill("x" * 101)
    page.locator("form[aria-labelledby=details-title] button").click()


def _pause(page: Page) -> None:
    page.locator("select[name=months]").first.select_option("3")
    page.locator("form:has(select) button").first.click()


def _join(page: Page) -> None:
    page.locator("details summary").first.click()
    page.locator("form:has(input[value=join]) button").first.click()


def _pause_for_ever(page: Page) -> None:
    page.locator("#until").fill("2099-01-01")
    page.locator("form[aria-labelledby=pause-title] button").click()


def _fill_in(page: Page) -> None:
    page.locator("#email").fill("new@example.org")
    page.locator("#municipality").fill("musterstadt")
    _press(page)


def _claim_nowhere(page: Page) -> None:
    page.locator("#email").fill("new@example.org")
    page.locator("#successor").check()
    _press(page)


def _hand_over(page: Page) -> None:
    page.locator("#last_day").fill(datetime.now(UTC).date().isoformat())
    page.locator("#successor").fill("new@example.org")
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
    for path in [
        "/",
        "/anmelden/netzwerk",
        "/archiv",
        PATH,
        *(path for name, path in links.items() if name != "e"),
    ]:
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


@pytest.mark.parametrize("javascript", [True, False])
def test_ones_own_page_works_with_and_without_javascript(
    browser: Browser, place: tuple[str, dict[str, str]], database: Database, javascript: bool
) -> None:
    url, links = place
    context = browser.new_context(java_script_enabled=javascript, locale="de")
    page = context.new_page()
    page.goto(url + links["abmelden"])
    page.get_by_role("button", name="Link zusenden").click()
    assert page.get_by_role("heading", level=1).inner_text() == "Schauen Sie in Ihr Postfach"
    page.goto(url + links["einstellungen"])
    page.get_by_label("Vorname").fill("Erika")
    page.get_by_label("Nur Text").check()
    page.get_by_role("button", name="Speichern").click()
    assert page.get_by_text("Ihre Angaben sind gespeichert.").is_visible()
    page.get_by_role("button", name=re.compile("Zustimmen.*Vereinsbrief")).click()
    page.get_by_role("button", name=re.compile("Abmelden.*Vereinsbrief")).click()
    with database.read() as session:
        person = subscriber_of(session, "active")
        assert (person.given, person.format) == ("Erika", "text")
        left = subscription_of(session, person, "verein")
        assert left is not None
        assert left.state is SubscriptionState.UNSUBSCRIBED
    context.close()
