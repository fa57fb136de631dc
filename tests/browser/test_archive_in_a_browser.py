"""An archived issue may do next to nothing, but its events can be taken over."""

from collections.abc import Callable
from pathlib import Path

from fastapi import FastAPI
from playwright.sync_api import Browser

from mailer.database import Database
from mailer.render.model import Edition
from mailer.web.app import create_app
from subscribers.tokens import Keys
from tests.mailer.web.sample import fill, mailed_links, sample_settings


def test_an_event_of_an_archived_issue_is_downloaded(
    browser: Browser, serve: Callable[[Callable[[str], FastAPI]], str], database: Database
) -> None:
    sample = fill(database)
    url = serve(lambda public_url: create_app(sample_settings(public_url), database))
    keys = Keys.parse(sample_settings(url).secret_keys.get_secret_value())
    page_path = mailed_links(keys, sample)["ausgabe"]
    with database.write() as session:
        edition = session.query(Edition).one()
        edition.html = (
            f'<!doctype html><title>1</title><a href="{page_path}/termin/1.ics">In den Kalender</a>'
        )
    page = browser.new_page()
    page.goto(url + page_path)
    with page.expect_download(timeout=5_000) as downloading:
        page.get_by_role("link").click()
    assert downloading.value.suggested_filename == "termin-1.ics"
    assert "SUMMARY:Treffen" in Path(downloading.value.path()).read_text(encoding="utf-8")
    page.close()
