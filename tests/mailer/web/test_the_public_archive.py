"""What everybody may read of the issues that were sent, and nothing else."""

import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from icalendar import Calendar
from sqlalchemy import select
from starlette.testclient import TestClient

from mailer.archive.model import ArchiveViews
from mailer.archive.views import Views, add_views, views_of
from mailer.database import Database
from mailer.issues.model import Issue, IssueState
from mailer.web.app import create_app
from subscribers.model import MailingList, Visibility
from tests.mailer.web.archived import HIDDEN, NOW, PATH, Archived, add_entry, add_issue, fill_archive
from tests.mailer.web.sample import Sample, sample_settings

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; sandbox"


@pytest.fixture
def archived(database: Database) -> Archived:
    return fill_archive(database)


def test_the_list_has_every_issue_newest_first_by_year(client: TestClient, archived: Archived) -> None:
    page = client.get("/archiv")
    assert re.findall(r'class="kern-link" href="(/archiv/\w+/[^"]+)"', page.text) == [
        PATH,
        "/archiv/termine/2026-3",
        "/archiv/termine/2026-2",
        "/archiv/termine/2026-1",
        "/archiv/infomail/2026-9",
    ]
    assert "Infomail – 10/2026: &lt;Neues&gt; &amp; Altes" in page.text
    assert '<meta name="robots" content="index">' in page.text
    assert "/archiv/infomail/" not in client.get("/archiv/termine").text


def test_a_long_list_has_pages_and_years(client: TestClient, database: Database) -> None:
    fill_archive(database, years=3, each=10)
    seen: list[str] = []
    for number in (1, 2):
        text = client.get(f"/archiv?seite={number}").text
        assert f"Seite {number} von 2" in text
        seen += re.findall(r'href="(/archiv/\w+/2[^"]+)"', text)
    assert len(seen) == len(set(seen)) == 3 * 10 + 2
    of_2025 = client.get("/archiv/termine?jahr=2025&lang=en").text
    assert len(re.findall(r'href="/archiv/termine/2025-\d+\?lang=en"', of_2025)) == 10
    assert "2024-" not in of_2025


@pytest.mark.parametrize(
    "path",
    [
        "/archiv?seite=2", "/archiv?jahr=2020", "/archiv/nichts", "/archiv/infomail/2026-11",
        "/archiv/infomail/2026-010", "/archiv/infomail/1", "/archiv/termine/2026-10", f"{PATH}/2/weitergeben",
        f"{PATH}/99/weitergeben", f"{PATH}/x/weitergeben", f"{PATH}/termin/2.ics", f"{PATH}/termin/7.ics",
        "/archiv/feed.rss", "/archiv/feed.", "/archiv/%00/2026-10", "/archiv/infomail/%00",
        "/archiv/..%2f..%2fetc/passwd", "/archiv/infomail/2026-10%2f..", "/archiv/Infomail/2026-10",
        "/archiv/infomail/٢٠٢٦-١٠", "/archiv/infomail/2026-10/", "/weitergeben/%00/feed.atom",
        "/weitergeben/99999999/feed.atom", "/weitergeben/05999/feed.xml", f"/archiv/infomail/2026-{'9' * 50}",
        "/archiv/termine/2026-1/mail", "/archiv/termine/2026-1/entwurf.eml",
    ],
)  # fmt: skip
def test_what_is_not_there_is_one_plain_404(client: TestClient, archived: Archived, path: str) -> None:
    answer = client.get(path, follow_redirects=False)
    assert (answer.status_code, answer.text) == (404, client.get("/nirgends").text)


@pytest.mark.parametrize("query", ["seite=0", "seite=x", "jahr=1", "seite=99999999999999999999"])
def test_a_query_without_sense_is_refused(client: TestClient, archived: Archived, query: str) -> None:
    assert client.get(f"/archiv?{query}").status_code == 422


def test_an_issue_shows_what_everybody_may_read(client: TestClient, archived: Archived) -> None:
    page = client.get(PATH)
    assert page.status_code == 200
    text = page.text
    assert "Nr.\N{NO-BREAK SPACE}10/2026" in text
    assert "ein <em>Gruß</em>" in text
    assert "Förderung für &lt;b&gt;Ehrenamt&lt;/b&gt; &amp; Vereine" in text
    assert 'Anträge <a href="https://www.example.org/antrag">hier</a>.' in text
    assert "Kommune: Köthen am Muster" in text
    assert "auch bei: Staatskanzlei" in text
    assert f'href="{PATH}/termin/6.ics"' in text
    assert f'<iframe class="mail" src="{PATH}/mail"' in text
    assert '<link rel="alternate" type="application/atom+xml"' in text
    assert page.headers["content-security-policy"].endswith("; frame-src 'self'")
    assert page.headers["cache-control"] == "no-store"
    assert '<meta name="robots" content="index">' in text


def test_its_mail_has_exactly_the_policy_that_lets_it_do_nothing(
    client: TestClient, archived: Archived
) -> None:
    answer = client.get(f"{PATH}/mail")
    assert answer.headers["content-security-policy"] == POLICY
    assert answer.headers["x-robots-tag"] == "noindex"
    assert "Guten Tag" in answer.text


def test_a_correction_stands_above_the_page_and_the_mail(client: TestClient, archived: Archived) -> None:
    for path in ("/archiv/infomail/2026-9", "/archiv/infomail/2026-9/mail"):
        text = client.get(path).text
        assert text.index("Nicht &lt;b&gt;heute&lt;/b&gt;.") < text.index("Eine ältere Meldung: der Text")


PUBLIC = [
    "/archiv", "/archiv/infomail", PATH, f"{PATH}/mail", f"{PATH}/termine.ics", f"{PATH}/entwurf.eml",
    f"{PATH}/zum-kopieren", f"{PATH}/1/weitergeben", "/archiv/feed.atom", "/archiv/feed.json",
    "/archiv/termine.ics", "/weitergeben/05999001/feed.atom", "/weitergeben/05999001/feed.json",
]  # fmt: skip


@pytest.mark.parametrize("path", PUBLIC)
def test_nowhere_is_what_is_internal_regional_or_for_roles(
    client: TestClient, archived: Archived, path: str
) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert [hidden for hidden in HIDDEN if hidden in answer.text] == []


@pytest.mark.parametrize("field", ["subject", "editorial"])
def test_words_that_name_a_hidden_entry_are_not_repeated(
    client: TestClient, database: Database, archived: Archived, field: str
) -> None:
    with database.write() as session:
        setattr(session.get_one(Issue, archived.rich), field, "Es geht um: Nur in Zwillingen")
    for path in ("/archiv", PATH, "/archiv/feed.atom"):
        assert "Nur in Zwillingen" not in client.get(path).text
    assert "Infomail – 10/2026" in client.get(PATH).text


@pytest.mark.parametrize("path", PUBLIC)
def test_the_host_header_stands_in_no_answer_and_no_cookie_is_set(
    client: TestClient, archived: Archived, path: str
) -> None:
    spoofed = {"Host": "evil.example.net", "X-Forwarded-Host": "evil.example.net", "Forwarded": "host=evil"}
    answer = client.get(path, headers=spoofed)
    assert answer.content == client.get(path).content
    assert "evil" not in answer.text + str(answer.headers)
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("state", [state for state in IssueState if state is not IssueState.SENT])
def test_only_what_was_sent_to_its_last_reader_is_public(
    client: TestClient, database: Database, archived: Archived, state: IssueState
) -> None:
    with database.write() as session:
        session.get_one(Issue, archived.rich).state = state
    _is_gone(client)


@pytest.mark.parametrize("change", ["invitation", "municipal", "own-issue", "correcting"])
def test_other_issues_are_not(
    client: TestClient, database: Database, archived: Archived, change: str
) -> None:
    with database.write() as session:
        issue = session.get_one(Issue, archived.rich)
        if change == "invitation":
            session.get_one(MailingList, "netzwerk").visibility = Visibility.INVITATION
        elif change == "municipal":
            issue.list_key = "verein"
        elif change == "own-issue":
            issue.for_list = "verein"
        else:
            issue.corrects = archived.corrected
    _is_gone(client)


def _is_gone(client: TestClient) -> None:
    for path in (PATH, f"{PATH}/mail", f"{PATH}/entwurf.eml", f"{PATH}/termine.ics", f"{PATH}/1/weitergeben"):
        assert client.get(path).status_code == 404, path
    for path in (
        "/archiv",
        "/archiv/feed.atom",
        "/archiv/feed.json",
        "/archiv/termine.ics",
        "/weitergeben/05999001/feed.atom",
    ):
        text = client.get(path).text
        assert PATH not in text
        assert "Netzwerktreffen" not in text


def test_a_number_given_twice_names_the_first_and_the_other_by_its_handle(
    client: TestClient, database: Database, archived: Archived
) -> None:
    with database.write() as session:
        second = add_issue(session, 10, sent_at=NOW, subject="Noch eine Zehn")
        add_entry(session, second, 0, "Meldung der zweiten")
        by_handle = f"/archiv/infomail/{second.handle:016x}"
        first = session.get_one(Issue, archived.rich)
        of_first = f"/archiv/infomail/{first.handle:016x}"
    assert "Noch eine Zehn" not in client.get(PATH).text
    assert "Meldung der zweiten" in client.get(by_handle).text
    assert client.get(of_first).status_code == 404
    assert {PATH, by_handle} <= set(re.findall(r'href="([^"]+)"', client.get("/archiv").text))


def test_no_row_id_stands_in_an_address(client: TestClient, database: Database) -> None:
    with database.write() as session:
        session.add(MailingList(key="netzwerk", title="Netz", created_at=NOW))
        session.flush()
        issue = add_issue(session, 4, sent_at=NOW, id=987654)
        add_entry(session, issue, 0, "Meldung", id=876543, url="", places=[])
    for path in ("/archiv", "/archiv/infomail/2026-4", "/archiv/feed.atom", "/archiv/feed.json"):
        text = client.get(path).text
        assert "987654" not in text
        assert "876543" not in text


def test_views_are_counted_without_writing_and_without_anybody(
    database: Database, sample: Sample, links: dict[str, str], archived: Archived
) -> None:
    views = Views()
    client = TestClient(create_app(sample_settings("https://infomail.example.org"), database, views=views))
    for path in (PATH, PATH, links["ausgabe"]):
        assert client.get(path).status_code == 200
    for path in (f"{PATH}/mail", f"{PATH}/1/weitergeben", "/archiv", "/archiv/infomail/2026-77"):
        client.get(path)
    client.head(PATH)
    taken = views.take()
    assert sorted(taken.values()) == [1, 2]
    assert {day for _, day in taken} <= {datetime.now(UTC).date() + timedelta(days=n) for n in (0, 1)}
    assert views.take() == {}


def test_views_add_up_over_processes_and_days(either_database: Database) -> None:
    with either_database.write() as session:
        session.add(MailingList(key="netzwerk", title="Netz", created_at=NOW))
        session.flush()
        issue = add_issue(session, 1, sent_at=NOW)
    today, before = NOW.date(), NOW.date() - timedelta(days=1)
    for counted in (
        {(issue.id, today): 2, (issue.id, before): 5, (issue.id + 1, today): 9},
        {(issue.id, today): 3},
    ):
        with either_database.write() as session:
            add_views(session, counted)
    with either_database.read() as session:
        assert views_of(session, issue) == 2 + 3 + 5
        rows = session.execute(select(ArchiveViews.day, ArchiveViews.views).order_by(ArchiveViews.day)).all()
        assert rows == [(before, 5), (today, 5)]


def test_what_could_not_be_written_is_counted_on() -> None:
    views = Views()
    views.count(1, NOW.date())
    taken = views.take()
    views.count(1, NOW.date())
    views.give_back(taken)
    assert views.take() == Counter({(1, NOW.date()): 2})


def test_the_calendar_has_what_comes_and_the_last_thirty_days_each_once(
    client: TestClient, database: Database, archived: Archived
) -> None:
    with database.write() as session:
        again = add_issue(session, 11, sent_at=NOW - timedelta(days=1))
        met = session.scalars(select(Issue).where(Issue.id == archived.rich)).one()
        starts = (NOW + timedelta(days=10)).replace(hour=9, minute=0, second=0)
        common: dict[str, Any] = {"section": "Termine", "location": "Neuer Ort"}
        add_entry(session, again, 0, "Netzwerktreffen", starts=starts, **common)
        add_entry(session, again, 1, "Gestern", starts=NOW - timedelta(days=29), **common)
        add_entry(session, again, 2, "Lange her", starts=NOW - timedelta(days=31), **common)
        first_uid = f"infomail-{met.handle:016x}-6"
    answer = client.get("/archiv/termine.ics")
    found = Calendar.from_ical(answer.content)
    events = {str(event["SUMMARY"]): event for event in found.walk("VEVENT")}
    assert list(events) == ["Gestern", "Tag des Ehrenamts", "Netzwerktreffen"] or list(events) == [
        "Gestern",
        "Netzwerktreffen",
        "Tag des Ehrenamts",
    ]
    assert str(events["Netzwerktreffen"]["UID"]) == first_uid
    assert str(events["Netzwerktreffen"]["LOCATION"]) == "Neuer Ort"
    assert str(found["X-WR-CALNAME"]) == "Netz der Gemeinden"
    assert answer.headers["cache-control"] == "public, max-age=900"
    assert (
        client.get("/archiv/termine.ics", headers={"If-None-Match": answer.headers["etag"]}).status_code
        == 304
    )


def test_an_empty_archive_is_no_error(client: TestClient, app: FastAPI) -> None:
    assert "Noch ist keine Ausgabe erschienen." in client.get("/archiv").text
    assert client.get("/archiv/feed.json").json()["items"] == []
    assert "<updated>1970-01-01T00:00:00Z</updated>" in client.get("/archiv/feed.atom").text
    assert b"VEVENT" not in client.get("/archiv/termine.ics").content
