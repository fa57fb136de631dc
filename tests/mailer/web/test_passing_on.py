"""What others take over: no name, no token, nothing of ours but the source, and it comes back to us once."""

import email
import email.policy
import json
import re
from datetime import UTC, datetime, timedelta

import feedparser
import pytest
from lxml import etree
from starlette.testclient import TestClient

from mailer.archive.draft import Draft, as_eml
from mailer.archive.syndicate import Article, Syndicated, atom, json_feed, urn
from mailer.database import Database
from mailer.feeds.identity import canonical
from mailer.feeds.parse import parse
from mailer.issues.model import Issue
from mailer.render.samples import SENDER
from tests.mailer.web.archived import NOW, PATH, Archived, add_entry, add_issue, fill_archive
from tests.mailer.web.test_the_public_archive import PUBLIC

ATOM = "{http://www.w3.org/2005/Atom}"
#: 45 characters of base32, however they are broken or encoded
TOKEN = re.compile(r"(?<![a-z2-7])[a-z2-7]{45}(?![a-z2-7])", re.IGNORECASE)
ADDRESS = re.compile(r"[\w.+-]+@[\w-]+\.[\w.]+")
#: the operator's own, in the foot of the page and the imprint of the mail (section 5 DDG)
OF_THE_IMPRINT = {"amt@example.org", SENDER["email"]}


@pytest.fixture
def archived(database: Database) -> Archived:
    return fill_archive(database)


@pytest.mark.parametrize("path", PUBLIC)
def test_no_token_and_no_address_of_a_person_is_in_any_output(
    client: TestClient, archived: Archived, path: str
) -> None:
    answer = client.get(path)
    text = answer.text
    if path.endswith(".eml"):
        mail = email.message_from_bytes(answer.content, policy=email.policy.default)
        text += "".join(part.get_content() for part in mail.iter_parts())
    assert TOKEN.findall(text) == []
    assert "erika@" not in text
    assert "/abmelden/" not in text
    assert "/ausgabe/" not in text
    assert {each.rstrip(".") for each in ADDRESS.findall(text)} <= OF_THE_IMPRINT


def test_the_draft_is_a_mail_without_a_sender(client: TestClient, archived: Archived) -> None:
    answer = client.get(f"{PATH}/entwurf.eml")
    assert answer.headers["content-type"] == "message/rfc822"
    assert answer.headers["content-disposition"] == 'attachment; filename="infomail-2026-10.eml"'
    mail = email.message_from_bytes(answer.content, policy=email.policy.default)
    assert {name.lower() for name in mail.keys()} == {  # noqa: SIM118  a message iterates over lines
        "subject", "x-unsent", "mime-version", "content-type",
    }  # fmt: skip
    assert (mail["Subject"], mail["X-Unsent"]) == ("Infomail – 10/2026: <Neues> & Altes", "1")
    assert mail.get_content_type() == "multipart/alternative"
    text, html = (part.get_content() for part in mail.iter_parts())
    for part in (text, html):
        assert "Netzwerktreffen" in part
        assert "Sie erhalten diese" not in part
        assert "Abmelden" not in part
        assert f"https://infomail.example.org{PATH}/termin/6.ics" in part
    assert max(map(len, answer.content.split(b"\r\n"))) <= 78
    assert client.get(f"{PATH}/entwurf.eml").content == answer.content


def test_a_draft_of_what_was_corrected_says_so_first(client: TestClient, archived: Archived) -> None:
    mail = email.message_from_bytes(
        client.get("/archiv/infomail/2026-9/entwurf.eml").content, policy=email.policy.default
    )
    text, html = (part.get_content() for part in mail.iter_parts())
    assert text.index("Korrektur (") < text.index("Nicht <b>heute</b>.") < text.index("Eine ältere Meldung")
    assert html.index("Nicht &lt;b&gt;heute&lt;/b&gt;.") < html.index("Eine ältere Meldung")


@pytest.mark.parametrize("subject", ["a\r\nBcc: x@example.org", "a\n\nb", "ä" * 300, "=?utf-8?q?x?="])
def test_no_subject_breaks_the_head_of_a_draft(subject: str) -> None:
    mail = email.message_from_bytes(
        as_eml(Draft(" ".join(subject.split()), "<p>x</p>", "x"), {}), policy=email.policy.default
    )
    assert "bcc" not in mail
    assert mail["X-Unsent"] == "1"


def test_an_entry_is_passed_on_as_text_and_as_html_with_its_source(
    client: TestClient, archived: Archived
) -> None:
    page = client.get(f"{PATH}/1/weitergeben").text
    text, html = re.findall(r"<textarea[^>]*>\n(.*?)</textarea>", page, re.DOTALL)
    assert "Förderung für &lt;b&gt;Ehrenamt&lt;/b&gt; &amp; Vereine\n" in text
    assert "Quelle: Ehrenamtsportal (Köthen am Muster)." in text
    assert "&lt;https://www.example.org/" in text
    assert "&lt;p&gt;&lt;strong&gt;Förderung für &amp;lt;b&amp;gt;" in html
    assert f"https://infomail.example.org{PATH}#e1" in html
    assert '<meta name="robots" content="noindex">' in page
    assert "<script" not in page


def test_a_title_cannot_leave_its_field(client: TestClient, database: Database, archived: Archived) -> None:
    with database.write() as session:
        issue = add_issue(session, 12, sent_at=NOW)
        hostile = "</textarea><script>alert(1)</script>"
        add_entry(session, issue, 0, hostile, summary=f"<p>{hostile}</p>", url="javascript:alert(2)")
    page = client.get("/archiv/infomail/2026-12/1/weitergeben").text
    assert "<script" not in page
    assert "javascript:" not in page
    assert page.count("</textarea>") == 2
    assert "javascript:" not in client.get("/archiv/feed.json").text


@pytest.mark.parametrize("kind", ["atom", "json"])
@pytest.mark.parametrize("path", ["/archiv", "/weitergeben/05999001"])
def test_our_feeds_are_read_by_our_own_reader_and_by_another(
    client: TestClient, archived: Archived, path: str, kind: str
) -> None:
    answer = client.get(f"{path}/feed.{kind}")
    read = parse(answer.content, url=f"https://infomail.example.org{path}/feed.{kind}")
    assert read.problems == ()
    assert len(read.items) >= 5
    assert all(item.identity.startswith("urn:uuid:") for item in read.items)
    assert all(item.published and item.url.startswith("https://") for item in read.items)
    if kind == "atom":
        assert answer.headers["content-type"] == "application/atom+xml; charset=utf-8"
        other = feedparser.parse(answer.content)
        assert not other.bozo
        assert [entry.id for entry in other.entries] == [item.identity for item in read.items]
    else:
        assert answer.headers["content-type"] == "application/feed+json; charset=utf-8"
        assert answer.json()["feed_url"] == f"https://infomail.example.org{path}/feed.json"


def test_an_atom_document_has_all_that_the_rfc_demands(client: TestClient, archived: Archived) -> None:
    """RFC 4287 4.1.1 and 4.1.2: what must be there, and that only once."""
    root = etree.fromstring(client.get("/archiv/feed.atom").content)
    for element in (root, *root.iter(f"{ATOM}entry")):
        for name in ("id", "title", "updated"):
            assert len(element.findall(f"{ATOM}{name}")) == 1, name
    assert len(root.findall(f"{ATOM}author")) == 1
    links = {link.get("rel"): link.get("href") for link in root.findall(f"{ATOM}link")}
    assert links == {
        "self": "https://infomail.example.org/archiv/feed.atom",
        "alternate": "https://infomail.example.org/archiv",
    }
    ids = [each.text for each in root.iter(f"{ATOM}id")]
    assert len(ids) == len(set(ids))
    newest = root.find(f"{ATOM}entry")
    assert newest is not None
    content = newest.findtext(f"{ATOM}content") or ""
    assert 'href="https://www.example.org/' in content
    assert "<script" not in content


def test_a_feed_is_the_same_until_something_changes(
    client: TestClient, database: Database, archived: Archived
) -> None:
    first = client.get("/archiv/feed.atom")
    assert first.headers["cache-control"] == "public, max-age=900"
    assert first.headers["last-modified"].endswith("GMT")
    for tags in (first.headers["etag"], f'"x", W/{first.headers["etag"]}', "*"):
        again = client.get("/archiv/feed.atom?lang=en", headers={"If-None-Match": tags})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == first.headers["etag"]
    with database.write() as session:
        session.get_one(Issue, archived.rich).corrected_at = NOW
    changed = client.get("/archiv/feed.atom", headers={"If-None-Match": first.headers["etag"]})
    assert changed.status_code == 200
    assert NOW.strftime("%Y-%m-%dT%H:%M:%SZ") in changed.text


def test_a_municipality_gets_what_is_for_all_and_for_it(client: TestClient, archived: Archived) -> None:
    here = client.get("/weitergeben/05999003/feed.json").json()
    there = client.get("/weitergeben/05999001/feed.json").json()
    assert here["title"] == "Netz der Gemeinden: zum Weitergeben in Zwillingen"
    titles = {item["title"] for item in here["items"]}
    assert titles - {item["title"] for item in there["items"]} == {"Nur in Zwillingen"}
    assert "Netzwerktreffen" in titles
    assert not {"Nur intern", "Nur für Vertretungen"} & titles


def test_what_is_older_than_ninety_days_is_not_passed_on(
    client: TestClient, database: Database, archived: Archived
) -> None:
    with database.write() as session:
        old = add_issue(session, 5, sent_at=NOW - timedelta(days=91))
        add_entry(session, old, 0, "Vor langer Zeit")
    assert "Vor langer Zeit" not in client.get("/weitergeben/05999001/feed.atom").text
    assert "Vor langer Zeit" in client.get("/archiv/feed.atom").text


def test_what_comes_in_again_has_the_address_that_it_went_out_from(
    client: TestClient, archived: Archived
) -> None:
    """So the stories are known: an issue had them, and takes none again."""
    read = parse(client.get("/weitergeben/05999001/feed.json").content)
    by_title = {item.title: item.url for item in read.items}
    assert by_title["Netzwerktreffen"].startswith("https://www.example.org/")
    # one without an address of its own keeps that of its place in the archive, apart from its neighbours
    ours = by_title["Von Hand geschrieben"]
    assert ours == f"https://infomail.example.org{PATH}#e5" == canonical(ours)
    again = parse(client.get("/weitergeben/05999001/feed.atom").content)
    assert {item.identity for item in again.items} == {item.identity for item in read.items}
    deadline = next(item.deadline for item in read.items if item.title.startswith("Förderung"))
    assert deadline == (NOW + timedelta(days=30)).date()


HOSTILE = [
    "]]><script>alert(1)</script>", "a\x00b\x0bc\ud800d\uffff", '"\'&<>', "\N{RIGHT-TO-LEFT OVERRIDE}x", "😀", "",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_breaks_a_feed(text: str) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    article = Article(
        id=urn("x"), title=text, url="https://example.org/?a=1&b=2", html=f"<p>{text}</p>", published=at,
        updated=at, language="en", source=text, category=text,
    )  # fmt: skip
    feed = Syndicated(
        id=urn("f"), title=text, author=text, page="https://example.org/", folder="https://example.org/f",
        language="de", articles=[article],
    )  # fmt: skip
    root = etree.fromstring(atom(feed))
    assert root.find(f"{ATOM}entry").find(f"{ATOM}link").get("href") == article.url  # type: ignore[union-attr]
    assert json.loads(json_feed(feed))["items"][0]["id"] == article.id
    assert len(feedparser.parse(atom(feed)).entries) == 1
    assert not root.xpath("//*[local-name()='script']")


def test_identifiers_are_the_same_wherever_the_service_moves_and_for_ever() -> None:
    assert urn("issue 0000000000000001") == "urn:uuid:ae2d460d-5f3b-5228-8ba2-43497fd43178"
    assert urn("issue 0000000000000002") != urn("issue 0000000000000001")
