"""An archived mail may do next to nothing; the page around it lets its events be taken over."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from playwright.sync_api import Browser

from mailer.archive.model import ArchivedMail
from mailer.database import Database
from mailer.render.model import Edition
from mailer.web.app import create_app
from subscribers.tokens import Keys
from tests.mailer.web.archived import PATH, fill_archive
from tests.mailer.web.sample import fill, mailed_links, sample_settings

Serve = Callable[[Callable[[str], FastAPI]], str]
CANARY = (
    "<!doctype html><title>1</title><script>alert(1)</script><img src=x onerror=alert(2)>"
    "<img src=ELSEWHERE/pixel><link rel=stylesheet href=ELSEWHERE/x>"
    "<form action=/abmelden/x><button>Weg</button></form><p id=shown style='color:#123456'>Die Mail</p>"
)


@pytest.fixture
def place(serve: Serve, database: Database) -> tuple[str, str]:
    """Where the pages are, and the path of a mailed link to an issue."""
    sample = fill(database)
    fill_archive(database)
    url = serve(lambda public_url: create_app(sample_settings(public_url), database))
    keys = Keys.parse(sample_settings(url).secret_keys.get_secret_value())
    return url, mailed_links(keys, sample)["ausgabe"]


@pytest.mark.parametrize("name", ["Treffen", "Netzwerktreffen"])
def test_an_event_is_downloaded_from_the_page_of_an_issue(
    browser: Browser, place: tuple[str, str], name: str
) -> None:
    url, mailed = place
    page = browser.new_page(locale="de")
    page.goto(url + (mailed if name == "Treffen" else PATH))
    with page.expect_download(timeout=5_000) as downloading:
        page.get_by_role("link", name=re.compile(rf"In den Kalender\s*: {name}$")).click()
    assert downloading.value.suggested_filename.startswith("termin-")
    assert f"SUMMARY:{name}" in Path(downloading.value.path()).read_text(encoding="utf-8")
    page.close()


@pytest.mark.parametrize("public", [True, False])
@pytest.mark.parametrize("framed", [True, False])
def test_a_hostile_mail_shows_itself_and_does_nothing(
    browser: Browser, place: tuple[str, str], serve: Serve, database: Database, public: bool, framed: bool
) -> None:
    url, mailed = place
    other, asked = FastAPI(), []

    @other.get("/{path}")
    def reached(path: str) -> None:
        asked.append(path)

    hostile = CANARY.replace("ELSEWHERE", serve(lambda _: other))
    with database.write() as session:
        session.query(ArchivedMail).update({"html": hostile})
        session.query(Edition).update({"html": hostile})
    page = browser.new_page()
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    page.goto(url + (PATH if public else mailed) + ("" if framed else "/mail"))
    if framed:
        page.locator("iframe").scroll_into_view_if_needed()
        shown = page.frame_locator("iframe").locator("#shown")
    else:
        shown = page.locator("#shown")
    assert shown.inner_text() == "Die Mail"
    assert shown.evaluate("element => getComputedStyle(element).color") == "rgb(18, 52, 86)"
    assert dialogs == []
    assert asked == []
    page.close()


def test_nobody_else_can_frame_a_mail(browser: Browser, place: tuple[str, str], serve: Serve) -> None:
    url, mailed = place
    other = FastAPI()

    @other.get("/")
    def around() -> HTMLResponse:
        return HTMLResponse(f'<iframe src="{url}{mailed}/mail"></iframe>')

    elsewhere = serve(lambda _: other)
    page = browser.new_page()
    page.goto(elsewhere)
    page.wait_for_timeout(300)
    assert page.frame_locator("iframe").locator("#shown").count() == 0
    assert all("Ausgabe" not in frame.content() for frame in page.frames[1:])
    page.close()


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (600, "dark")])
def test_the_mail_for_everybody_breaks_no_rule_of_axe(
    browser: Browser, place: tuple[str, str], width: int, scheme: str
) -> None:
    url, _ = place
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme="dark" if scheme == "dark" else "light",
        bypass_csp=True,
    )
    page = context.new_page()
    # as a page of our own: in a sandbox no rule could be looked at
    page.goto(url + PATH + "/mail")
    html = page.content()
    page.goto("about:blank")
    page.set_content(html)
    of_the_page_around = {"landmark-one-main": {"enabled": False}, "region": {"enabled": False}}
    found = Axe().run(page, options={"resultTypes": ["violations"], "rules": of_the_page_around})
    assert [(each["id"], each["nodes"][0]["html"]) for each in found.response["violations"]] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    context.close()
