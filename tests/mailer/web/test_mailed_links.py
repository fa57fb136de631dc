"""Whatever is wrong with a mailed link, the answer is one and the same."""

import base64
from datetime import UTC, datetime

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from mailer.database import Database
from mailer.issues.correct import correct
from mailer.issues.model import Issue
from mailer.render.model import Edition
from subscribers.tokens import Keys, Purpose, sign
from tests.mailer.web.sample import DIGEST, Sample, dump

WORDS = ["abmelden", "bestaetigen", "rueckgaengig", "ausgabe", "einstellungen"]


@pytest.fixture
def not_found(client: TestClient) -> bytes:
    answer = client.get("/was/es/nie/gab")
    assert answer.status_code == 404
    return answer.content


@pytest.mark.parametrize("word", WORDS)
def test_a_link_with_any_bit_flipped_is_not_found_and_nothing_else(
    client: TestClient, database: Database, links: dict[str, str], word: str, not_found: bytes
) -> None:
    before = dump(database)
    token = links[word].rpartition("/")[2]
    for flipped in _flipped(token):
        answer = client.get(f"/{word}/{flipped}")
        assert (answer.status_code, answer.content) == (404, not_found)
    assert dump(database) == before


def _flipped(token: str) -> list[str]:
    """The token with each of its bits flipped, one at a time."""
    raw = base64.b32decode(token.upper() + "=" * (-len(token) % 8))
    changed = [
        raw[:place] + bytes([raw[place] ^ 1 << bit]) + raw[place + 1 :]
        for place in range(len(raw))
        for bit in range(8)
    ]
    return [base64.b32encode(each).decode().lower().rstrip("=") for each in changed]


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("of", WORDS)
def test_a_link_works_for_its_own_purpose_only(
    client: TestClient, database: Database, links: dict[str, str], word: str, of: str, not_found: bytes
) -> None:
    token = links[of].rpartition("/")[2]
    before = dump(database)
    answer = client.get(f"/{word}/{token}")
    if word == of:
        assert answer.status_code == 200
        return
    assert (answer.status_code, answer.content) == (404, not_found)
    for data in (
        {"act": "leave"},
        {"act": "leave-all"},
        {"act": "confirm"},
        {"act": "undo"},
        {"act": "renew"},
        {"act": "save"},
        {"List-Unsubscribe": "One-Click"},
    ):
        assert client.post(f"/{word}/{token}", data=data).status_code in (404, 405)
    assert dump(database) == before


@pytest.mark.parametrize(
    ("word", "purpose"),
    [("ausgabe", Purpose.ARCHIVE), ("einstellungen", Purpose.PREFERENCES)],
)
def test_a_well_signed_link_to_nothing_looks_like_a_bad_one(
    client: TestClient, keys: Keys, sample: Sample, word: str, purpose: Purpose, not_found: bytes
) -> None:
    answer = client.get(f"/{word}/{sign(keys, purpose, 1, 2)}")
    assert (answer.status_code, answer.content) == (404, not_found)


@pytest.mark.parametrize(
    ("word", "purpose", "act"),
    [("abmelden", Purpose.UNSUBSCRIBE, "leave"), ("rueckgaengig", Purpose.UNDO, "undo")],
)
def test_whoever_wants_to_leave_and_is_not_here_is_told_so(
    client: TestClient, database: Database, keys: Keys, sample: Sample, word: str, purpose: Purpose, act: str
) -> None:
    before = dump(database)
    link = f"/{word}/{sign(keys, purpose, 1, 2)}"
    for answer in (client.get(link), client.post(link, data={"act": act})):
        assert answer.status_code == 200
        assert "keinen Newsletter" in answer.text or "jederzeit" in answer.text
    assert dump(database) == before


@pytest.mark.parametrize("token", ["x", "a" * 5000, "%00", "ä", "'", "a b", "aaaa=", ".."])
@pytest.mark.parametrize("word", WORDS)
def test_no_text_in_place_of_a_token_breaks_a_page(
    client: TestClient, sample: Sample, word: str, token: str, not_found: bytes
) -> None:
    answer = client.get(f"/{word}/{token}")
    assert (answer.status_code, answer.content) in ((404, not_found), (200, client.get("/").content))


@pytest.mark.parametrize("word", WORDS)
def test_a_link_in_capitals_is_the_same_link(client: TestClient, links: dict[str, str], word: str) -> None:
    token = links[word].rpartition("/")[2]
    assert client.get(f"/{word}/{token.upper()}").status_code == 200


def test_an_archived_mail_is_shown_as_sent_and_can_do_nothing(
    client: TestClient, links: dict[str, str]
) -> None:
    answer = client.get(links["ausgabe"] + "/mail")
    assert "<p style='color:#333'>Ausgabe im Archiv" in answer.text
    assert answer.headers["content-security-policy"] == (
        "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; sandbox"
    )
    assert answer.headers["x-frame-options"] == "SAMEORIGIN"
    assert answer.headers["x-robots-tag"] == "noindex"
    assert answer.headers["cache-control"] == "no-store"


def test_the_page_around_it_frames_it_and_shows_its_entries(
    client: TestClient, links: dict[str, str]
) -> None:
    answer = client.get(links["ausgabe"])
    assert f'<iframe class="mail" src="{links["ausgabe"]}/mail"' in answer.text
    assert f'href="{links["ausgabe"]}/termin/1.ics"' in answer.text
    assert "Donnerstag, 5.\xa0März 2026, 10:00" in answer.text
    policy = answer.headers["content-security-policy"]
    assert "frame-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-robots-tag"] == "noindex"
    assert '<meta name="robots" content="noindex">' in answer.text
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("language", "heading"),
    [("de", "Korrektur (Mittwoch, 9.\xa0Dezember 2026)"), ("en", "Correction (Wednesday, 9 December 2026)")],
)
def test_a_correction_stands_above_the_issue_in_the_language_of_its_page(
    client: TestClient, database: Database, links: dict[str, str], language: str, heading: str
) -> None:
    with database.write() as session:
        issue, edition = session.scalars(select(Issue)).one(), session.scalars(select(Edition)).one()
        # late in the evening in UTC: in the issue's zone it is the 9th
        at = datetime(2026, 12, 8, 23, 30, tzinfo=UTC)
        correct(session, issue, "Nicht <b>Montag</b>,\n\nsondern Dienstag.", actor="cli:t", now=at)
        edition.language = language
        edition.html = '<!doctype html><html><body style="margin:0"><div class="page">Wie versandt</div>'
    around = client.get(links["ausgabe"], headers={"Accept-Language": language}).text
    assert heading in around
    assert "Nicht &lt;b&gt;Montag&lt;/b&gt;," in around
    page = client.get(links["ausgabe"] + "/mail")
    assert page.headers["content-language"] == language
    top, found, below = page.text.partition("Wie versandt")
    assert found
    assert top.startswith('<!doctype html><html><body style="margin:0"><div role="note"')
    assert heading in top
    assert ">Nicht &lt;b&gt;Montag&lt;/b&gt;,</p>" in top
    assert ">sondern Dienstag.</p>" in top
    assert below == "</div>"


def test_a_page_without_a_body_of_its_own_shows_a_correction_too(
    client: TestClient, database: Database, links: dict[str, str]
) -> None:
    with database.write() as session:
        correct(
            session, session.scalars(select(Issue)).one(), "Falsch.", actor="cli:t", now=datetime.now(UTC)
        )
    page = client.get(links["ausgabe"] + "/mail").text
    assert page.index("Falsch.") < page.index("Ausgabe im Archiv")


def test_another_edition_of_the_issue_is_not_shown(client: TestClient, keys: Keys, sample: Sample) -> None:
    other = int(DIGEST[:16], 16) ^ 1
    token = sign(keys, Purpose.ARCHIVE, sample.issue, other)
    assert client.get(f"/ausgabe/{token}").status_code == 404


@pytest.mark.parametrize("word", ["abmelden", "bestaetigen", "rueckgaengig"])
def test_pages_behind_mailed_links_are_not_to_be_indexed(
    client: TestClient, links: dict[str, str], word: str
) -> None:
    assert '<meta name="robots" content="noindex">' in client.get(links[word]).text
