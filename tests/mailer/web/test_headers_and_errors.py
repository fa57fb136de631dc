"""What every response carries, and what a page looks like when something is wrong."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from mailer.database import Database
from mailer.web.app import create_app
from mailer.web.assets import NotBuilt
from tests.mailer.web.sample import Sample, sample_settings

PATHS = ["/", "/impressum", "/anmelden/netzwerk", "/nirgends", "/healthz", "/abmelden/nonsense"]


@pytest.mark.parametrize("path", PATHS)
def test_every_response_forbids_what_no_page_needs(client: TestClient, sample: Sample, path: str) -> None:
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'self';")
    assert "script-src" not in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert headers["strict-transport-security"] == "max-age=31536000"
    assert "set-cookie" not in headers


def test_without_https_no_strict_transport_is_promised(database: Database) -> None:
    with TestClient(create_app(sample_settings("http://127.0.0.1:8025"), database)) as client:
        assert "strict-transport-security" not in client.get("/").headers


def test_a_failure_inside_is_a_page_with_all_headers_and_no_word_about_it(
    app: FastAPI, client: TestClient
) -> None:
    @app.get("/broken")
    def broken() -> None:
        raise RuntimeError("the canary of the cellar")

    answer = client.get("/broken")
    assert answer.status_code == 500
    assert "Bei uns ist etwas kaputt" in answer.text
    assert "canary" not in answer.text
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert answer.headers["cache-control"] == "no-store"


def test_a_wrong_method_is_told_in_german_which_ones_are_right(client: TestClient) -> None:
    answer = client.delete("/")
    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}
    assert "Das hat nicht geklappt" in answer.text


@pytest.mark.parametrize("path", ["/anmelden/netzwerk", "/impressum"])
def test_a_slash_too_many_is_not_found_and_never_redirected(
    client: TestClient, sample: Sample, path: str
) -> None:
    answer = client.get(path + "/", headers={"Host": "evil.example.net"}, follow_redirects=False)
    assert answer.status_code == 404


@pytest.mark.parametrize("path", PATHS)
def test_the_host_header_stands_in_no_answer(client: TestClient, sample: Sample, path: str) -> None:
    spoofed = {"Host": "evil.example.net", "X-Forwarded-Host": "evil.example.net"}
    answer = client.get(path, headers=spoofed)
    assert "evil" not in answer.text
    assert "evil" not in str(answer.headers)


def test_a_body_longer_than_64_kilobytes_is_refused(client: TestClient, sample: Sample) -> None:
    answer = client.post("/anmelden/netzwerk", data={"email": "a" * 70_000})
    assert answer.status_code == 413
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")


def test_a_body_that_hides_its_length_is_cut_while_it_is_read(client: TestClient, sample: Sample) -> None:
    sent = 0

    def chunks() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(1000):
            sent += 1024
            yield b"a" * 1024

    answer = client.post(
        "/anmelden/netzwerk",
        content=chunks(),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert answer.status_code == 413


def test_static_files_are_kept_for_ever_under_a_path_that_names_their_content(client: TestClient) -> None:
    page = client.get("/").text
    sheets = re.findall(r'href="(/static/[0-9a-f]{12}/[^"]+\.css)"', page)
    assert len(sheets) == 2
    for sheet in sheets:
        answer = client.get(sheet)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["content-encoding"] == "gzip"
    gone = client.get(re.sub(r"static/[0-9a-f]{12}", "static/000000000000", sheets[0]))
    assert gone.status_code == 404
    assert gone.headers["cache-control"] == "no-store"


def test_a_checkout_without_the_files_of_kern_says_what_to_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database: Database
) -> None:
    monkeypatch.setattr("mailer.web.assets.FOLDER", tmp_path)
    with pytest.raises(NotBuilt, match="pip install -e"):
        create_app(sample_settings("https://example.org"), database)


def test_no_page_has_a_script_or_a_style_inside(client: TestClient, sample: Sample) -> None:
    for path in PATHS:
        text = client.get(path).text
        assert "<script" not in text
        assert "<style" not in text
        assert " style=" not in text


def test_links_carry_the_path_of_the_public_url(database: Database, sample: Sample) -> None:
    with TestClient(create_app(sample_settings("https://example.org/infomail/"), database)) as client:
        text = client.get("/").text
    assert 'href="/infomail/anmelden/netzwerk"' in text
    assert 'href="/infomail/static/' in text


def test_health_reads_the_database(client: TestClient, database: Database) -> None:
    assert client.get("/healthz").text == "ok\n"
    with database.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE lists RENAME TO gone")
    assert client.get("/healthz").status_code == 503


def test_no_machine_description_is_offered(client: TestClient) -> None:
    for path in ("/openapi.json", "/docs", "/redoc"):
        assert client.get(path).status_code == 404
