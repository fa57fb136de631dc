"""What issues in the browser and texts of mails point to: the logo, and the short address of an entry."""

from fastapi import FastAPI
from starlette.testclient import TestClient

from mailer.database import Database
from mailer.issues.model import Entry
from mailer.web.app import create_app
from tests.mailer.web.sample import sample_settings


def test_the_short_address_of_an_entry_leads_on_to_where_it_does(
    client: TestClient, links: dict[str, str]
) -> None:
    answer = client.get(links["e"], follow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (302, "https://www.example.org/treffen")
    assert answer.headers["Referrer-Policy"] == "no-referrer"


def test_no_other_number_and_no_other_issue_leads_anywhere(client: TestClient, links: dict[str, str]) -> None:
    issue = links["e"].split("/")[2]
    others = ["2", "0", "-1", "x", "٣", "99999999999999999999"]
    for path in (*(f"/e/{issue}/{number}" for number in others), f"/e/{'0' * 16}/1", "/e/zz/1", "/e/-1/1"):
        assert client.get(path, follow_redirects=False).status_code == 404, path


def test_where_an_internal_entry_leads_is_not_told(
    client: TestClient, links: dict[str, str], database: Database
) -> None:
    with database.write() as session:
        session.query(Entry).one().internal = True
    assert client.get(links["e"], follow_redirects=False).status_code == 404


def test_the_logo_is_a_picture_and_nothing_else(app: FastAPI, client: TestClient) -> None:
    answer = client.get("/logo")
    assert answer.content.startswith(b"\x89PNG")
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"


def test_where_no_logo_is_set_there_is_none(database: Database) -> None:
    with TestClient(create_app(sample_settings("https://example.org"), database)) as client:
        assert client.get("/logo").status_code == 404
