"""Mail scanners open every link with GET and HEAD; for every route that there is, that changes no row."""

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import anyio
import pytest
from fastapi import FastAPI, Request
from sqlalchemy import delete
from sqlalchemy.exc import OperationalError
from starlette.testclient import TestClient

from mailer.database import Database
from mailer.web.surroundings import READING, _opened
from subscribers.model import Subscription
from subscribers.tokens import Keys
from tests.mailer.web.contributors import fill_contributions
from tests.mailer.web.officers import fill_offices
from tests.mailer.web.sample import Sample, dump


def test_get_and_head_of_every_route_change_no_row(
    app: FastAPI,
    client: TestClient,
    database: Database,
    links: dict[str, str],
    keys: Keys,
    sample: Sample,
) -> None:
    links = links | fill_offices(database, keys, sample) | fill_contributions(database, keys)
    before = dump(database)
    paths = [_filled(path, links) for path in sorted(_paths(app))]
    assert len(paths) >= 11
    for path in paths:
        for query in ("", "?act=leave&List-Unsubscribe=One-Click&lang=en"):
            read = client.get(path + query, follow_redirects=False)
            head = client.head(path + query, follow_redirects=False)
            assert read.status_code == head.status_code, path
            assert read.status_code in (200, 302), path
            assert head.content == b""
    assert dump(database) == before


def _paths(app: FastAPI) -> set[str]:
    """The paths of all routes, whatever router they came through."""
    return {path for path, methods in _routes(app.routes) if "GET" in methods}


def _routes(routes: Any) -> Iterator[tuple[str, set[str]]]:
    for route in routes:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            yield from _routes(inner.routes)
        elif getattr(route, "methods", None):
            yield route.path, route.methods


def _filled(path: str, links: dict[str, str]) -> str:
    if path.startswith("/ausgabe/{token}/"):
        return path.replace("/ausgabe/{token}", links["ausgabe"]).replace("{number}", "1")
    if path.startswith("/e/"):
        return links["e"]
    if "{token}" in path:
        # by the page below a token if there is one, else by the first word; a file stands beside its page
        page, dot, file = path.rpartition("/")[2].replace("{token}", "").partition(".")
        return links[page or path.split("/")[1]] + dot + file
    filled = path.replace("{list_key}", "netzwerk").replace("/bild/{handle}", links["bild"])
    # the issue of the sample, whose only entry is an event
    filled = filled.replace("{newsletter}", "infomail").replace("{name}", "2026-1").replace("{number}", "1")
    filled = filled.replace("{ags}", "05999001").replace("{kind}", "atom")
    assert not re.search(r"[{}]", filled), f"teach this test what to put into {path}"
    return filled


@pytest.mark.parametrize("method", READING)
def test_what_reading_opens_cannot_write_even_if_its_handler_tries(
    app: FastAPI, database: Database, links: dict[str, str], method: str
) -> None:
    with _open(app, method) as session, pytest.raises(OperationalError, match="readonly"):
        session.execute(delete(Subscription))


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_every_other_method_may_write(app: FastAPI, links: dict[str, str], method: str) -> None:
    with _open(app, method) as session:
        assert session.execute(delete(Subscription)).rowcount == 2


def _open(app: FastAPI, method: str) -> AbstractContextManager[Any]:
    request = Request({"type": "http", "method": method, "app": app, "headers": []})
    return anyio.run(_opened, request)()
