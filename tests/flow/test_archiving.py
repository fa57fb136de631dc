"""From an issue that is sent to the archive, and to the draft that somebody else sends."""

import asyncio
import contextlib
import email
import email.policy
import re
import socket
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest
from fastapi.testclient import TestClient

from mailer import clock
from mailer.archive.model import ArchivedMail
from mailer.archive.views import Views, views_of
from mailer.cli import Refused
from mailer.cli.drafts import draft_
from mailer.daemon.pages import serve_pages, write_views
from mailer.daemon.worker import drain
from mailer.installation import Installation
from mailer.issues.compose import compose
from mailer.issues.model import Entry, Issue, IssueState
from mailer.issues.release import act_on
from mailer.issues.workflow import Act
from mailer.web.app import create_app
from subscribers.model import Municipality
from tests.flow.conftest import NOW, bring_items, enrol

TOKEN = re.compile(r"(?<![a-z2-7])[a-z2-7]{45}(?![a-z2-7])", re.IGNORECASE)
PATH = "/archiv/infomail/2026-1"


def started(house: Installation) -> int:
    """An issue under way to two people, with an entry for all, one for a town and an internal one."""
    enrol(house, 2)
    bring_items(house, 1)
    with house.database.write() as session:
        session.add(Municipality(ags="05999002", name="Musterstadt", kind="Stadt"))
        newsletter = house.plan.newsletters["infomail"]
        issue = compose(session, newsletter, slot=NOW, send_at=NOW, special=True, actor="cli:t", now=NOW)
        for position, (title, values) in enumerate(
            {
                "Für alle": {"starts": NOW + timedelta(days=9), "contact": "person@example.net"},
                "Nur am Ort": {"starts": NOW + timedelta(days=8), "places": ["05999002"]},
                "Geheim": {"internal": True},
            }.items(),
            start=5,
        ):
            session.add(
                Entry(
                    issue_id=issue.id, section="Termine", section_position=1, position=position, title=title,
                    summary="<p>Text</p>", **({"places": []} | values),
                )
            )  # fmt: skip
        session.flush()
        act_on(session, issue, Act.APPROVE, actor="user:1", now=NOW)
        number = issue.id
    clock.start(house, number, actor="user:1", now=NOW)
    return number


@pytest.mark.parametrize("engine", ["house", "house_on_postgresql"])
def test_an_issue_comes_into_the_archive_when_its_last_mail_is_sent(
    engine: str, request: pytest.FixtureRequest
) -> None:
    house: Installation = request.getfixturevalue(engine)
    started(house)
    pages = TestClient(create_app(house.settings, house.database), base_url="https://infomail.example.org")
    assert clock.archive_sent(house, now=NOW) == 0
    assert pages.get(PATH).status_code == 404
    asyncio.run(drain(house))
    # the page is there at once, its mail as soon as the clock has looked
    assert "/mail" not in pages.get(PATH).text
    assert pages.get(f"{PATH}/mail").status_code == 404
    assert clock.archive_sent(house, now=NOW) == 1
    assert clock.archive_sent(house, now=NOW) == 0
    assert f"{PATH}/mail" in pages.get(PATH).text
    outputs = [
        pages.get(path).text
        for path in (PATH, f"{PATH}/mail", f"{PATH}/entwurf.eml", "/archiv/feed.atom", "/archiv/termine.ics")
    ]
    for text in outputs:
        assert "Für alle" in text or "F=C3=BCr alle" in text
        assert not [each for each in ("Nur am Ort", "Geheim", "person@", "p0@", "p1@") if each in text]
        assert TOKEN.findall(text) == []
    assert "Nur am Ort" in pages.get("/weitergeben/05999002/feed.atom").text


def test_an_issue_that_was_broken_off_never_comes_into_the_archive(house: Installation) -> None:
    number = started(house)
    with house.database.write() as session:
        session.get_one(Issue, number).state = IssueState.CANCELLED
    assert clock.archive_sent(house, now=NOW) == 0


def test_one_mail_that_cannot_be_rendered_stops_no_other(
    house: Installation,
) -> None:
    broken = started(house)
    asyncio.run(drain(house))
    with house.database.write() as session:
        issue = session.get_one(Issue, broken)
        issue.template = "nowhere"
        values = {
            "newsletter": "infomail", "send_at": NOW, "sent_at": NOW, "list_key": "netzwerk", "number": 2,
            "state": IssueState.SENT, "year": 2026, "title": "Infomail", "zone": "Europe/Berlin",
            "template": "issue", "subject": "Zwei", "created_at": NOW, "slot": NOW + timedelta(days=1),
        }  # fmt: skip
        session.add(Issue(**values))
    assert clock.archive_sent(house, now=NOW) == 1
    with house.database.read() as session:
        assert [mail.subject for mail in session.query(ArchivedMail)] == ["Zwei"]


@pytest.mark.parametrize(
    ("ags", "seen"), [("", {"Für alle"}), ("05999002", {"Für alle", "Nur am Ort"}), ("05999003", None)]
)
def test_the_command_line_writes_a_draft_for_a_municipality(
    house: Installation, tmp_path: Path, ags: str, seen: set[str] | None
) -> None:
    number = started(house)
    if seen is None:
        with pytest.raises(Refused, match="no municipality '05999003'"):
            draft_(number, ags, None)  # type: ignore[arg-type]  # typer gives None
        return
    draft_(number, ags, tmp_path / "x.eml")
    mail = email.message_from_bytes((tmp_path / "x.eml").read_bytes(), policy=email.policy.default)
    assert mail["X-Unsent"] == "1"
    assert not {"from", "to", "message-id", "list-id", "date"} & {name.lower() for name in mail}
    for part in mail.iter_parts():
        text = part.get_content()
        assert {each for each in ("Für alle", "Nur am Ort", "Geheim") if each in text} == seen
        assert TOKEN.findall(text) == []
        assert "person@" not in text
        # it is on its way: no page that everybody may read has its events
        assert ".ics" not in text


def test_what_the_pages_counted_is_written_and_a_failure_loses_nothing(house: Installation) -> None:
    number = started(house)
    asyncio.run(drain(house))
    views = Views()
    pages = TestClient(create_app(house.settings, house.database, views=views))
    for _ in range(3):
        pages.get(PATH)
    with house.database.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE archive_views RENAME TO gone")
    write_views(house.database, views)
    with house.database.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE gone RENAME TO archive_views")
    write_views(house.database, views)
    write_views(house.database, views)
    with house.database.read() as session:
        assert views_of(session, session.get_one(Issue, number)) == 3


def test_the_pages_write_what_they_counted_when_they_end(house: Installation) -> None:
    """`infomail web` as `serve` runs it: opened, looked at, told to stop."""
    number = started(house)
    asyncio.run(drain(house))

    async def look() -> None:
        listening = socket.create_server(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listening.getsockname()[1]}{PATH}"
        async with serve_pages(house, listening, asyncio.Event()):
            for _ in range(100):
                with contextlib.suppress(OSError):
                    await asyncio.to_thread(httpx2.get, url)
                    return
                await asyncio.sleep(0.05)

    asyncio.run(look())
    with house.database.read() as session:
        assert views_of(session, session.get_one(Issue, number)) == 1
