"""»Beitrag einreichen«: what the form takes and refuses, and what confirming makes of it."""

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import func, select
from starlette.testclient import TestClient

from mailer.database import Database
from mailer.feeds.model import Contribution, ContributionState, Feed, Item, Kind, Picture
from mailer.notices.model import Notice
from subscribers.model import Request, RequestKind
from subscribers.tokens import Keys
from tests.mailer.web.contributors import fill_contributions, photo
from tests.mailer.web.sample import Sample

FORM = {
    "kind": "practice", "municipality": "Musterstadt", "title": "Tag der Nachbarschaft",
    "text": "So gelang es.\r\n\r\nUnd so <b>weiter</b>.", "email": "Amt@Example.net", "pass_on": "yes",
}  # fmt: skip
PICTURE = {"alt": "Menschen an einem Tisch", "credit": "Erika Muster"}

pytestmark = pytest.mark.usefixtures("sample")


def send(client: TestClient, picture: bytes = b"", **values: str) -> Any:
    files = {"picture": ("../x.svg", picture, "image/svg+xml")} if picture else {"picture": ("", b"")}
    return client.post("/beitrag", data=FORM | values, files=files)


def kept(database: Database) -> list[Contribution]:
    with database.read() as session:
        return list(session.scalars(select(Contribution).order_by(Contribution.id)))


def test_what_is_sent_in_waits_for_its_confirmation_and_asks_for_one_mail(
    client: TestClient, database: Database
) -> None:
    assert send(client, contact="Büro", url="https://www.example.org/x").status_code == 200
    (contribution,) = kept(database)
    assert (contribution.state, contribution.kind, contribution.municipality) == (
        ContributionState.UNCONFIRMED, Kind.PRACTICE, "05999002",
    )  # fmt: skip
    assert contribution.text == "So gelang es.\n\nUnd so <b>weiter</b>."
    assert (contribution.address, contribution.pass_on) == ("amt@example.net", True)
    with database.read() as session:
        request = session.scalars(select(Request).where(Request.kind == RequestKind.CONTRIBUTE)).one()
        assert request.details == {"contribution": f"{contribution.handle:016x}"}
        assert session.scalar(select(func.count()).select_from(Item)) == 0


@pytest.mark.parametrize("address", ["active@example.org", "barred@example.org", "neu@example.net"])
def test_the_answer_is_the_same_whoever_the_address_belongs_to(client: TestClient, address: str) -> None:
    body = send(client, email=address).text.replace(address, "")
    assert body == send(client, email="anderswo@example.net").text.replace("anderswo@example.net", "")


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"kind": "news"}, "kind"),
        ({"kind": ""}, "kind"),
        ({"municipality": "Atlantis"}, "municipality"),
        ({"title": ""}, "title"),
        ({"title": "Eins\r\nBcc: x@example.org"}, "title"),
        ({"title": "x" * 201}, "title"),
        ({"text": ""}, "text"),
        ({"text": "x" * 3001}, "text"),
        ({"text": "a\0b"}, "text"),
        ({"url": "javascript:alert(1)"}, "url"),
        ({"email": "niemand"}, "email"),
        ({"email": ""}, "email"),
        ({"kind": "event"}, "day"),
        ({"day": "gestern"}, "day"),
        ({"day": "2020-01-01"}, "day"),
        ({"time": "10:00"}, "day"),
        ({"day": "2126-03-05"}, "day"),
        ({"deadline": "2020-01-01"}, "deadline"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field_and_what_was_typed_is_kept(
    client: TestClient, database: Database, values: dict[str, str], field: str
) -> None:
    answer = send(client, **({"location": "Bürgerhaus <1>"} | values))
    assert answer.status_code == 422
    assert f'href="#{field}"' in answer.text
    assert "Bürgerhaus &lt;1&gt;" in answer.text
    assert kept(database) == []


def day(days: int) -> str:
    return f"{datetime.now(UTC) + timedelta(days=days):%Y-%m-%d}"


@pytest.mark.parametrize(
    ("values", "hours", "all_day"),
    [
        ({"day": day(10)}, 24, True),
        ({"day": day(10), "until_day": day(11)}, 48, True),
        ({"day": day(10), "time": "18:30", "until_time": "20.00 Uhr"}, 1.5, False),
        ({"day": day(10), "time": "18:30"}, None, False),
    ],
)
def test_a_date_is_read_with_its_end(
    client: TestClient, database: Database, values: dict[str, str], hours: float | None, all_day: bool
) -> None:
    assert send(client, kind="event", **values).status_code == 200
    (contribution,) = kept(database)
    assert contribution.all_day is all_day
    assert contribution.starts is not None
    lasts = contribution.ends and (contribution.ends - contribution.starts) / timedelta(hours=1)
    # a change of the clocks may lie between two midnights
    assert lasts == (None if hours is None else pytest.approx(hours, abs=1 if all_day else 0))


def test_an_end_before_the_beginning_is_refused(client: TestClient) -> None:
    answer = send(client, kind="event", day=day(10), time="18:30", until_time="17:00")
    assert 'href="#until_time"' in answer.text


def test_a_picture_is_scaled_turned_and_stripped_of_what_the_camera_wrote(
    client: TestClient, database: Database
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    exif[0x010F] = "Kamera von Erika"
    out = io.BytesIO()
    Image.effect_noise((2400, 1200), 90).convert("RGB").save(out, "JPEG", exif=exif, comment=b"geheim")
    assert send(client, out.getvalue(), **PICTURE).status_code == 200
    with database.read() as session:
        picture = session.scalars(select(Picture)).one()
    assert (picture.media_type, picture.alt, picture.credit) == ("image/jpeg", *PICTURE.values())
    assert picture.width < picture.height <= 1600
    assert b"Kamera" not in picture.data
    assert b"geheim" not in picture.data
    assert not Image.open(io.BytesIO(picture.data)).getexif()


def _bomb() -> bytes:
    out = io.BytesIO()
    Image.new("1", (60_000, 60_000)).save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize(
    ("picture", "values", "field"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", PICTURE, "picture"),
        (b"<!doctype html><script>alert(1)</script>", PICTURE, "picture"),
        (b"GIF89a" + bytes(100), PICTURE, "picture"),
        (photo()[:200], PICTURE, "picture"),
        (photo() + bytes(5_000_000), PICTURE, "picture"),
        (_bomb(), PICTURE, "picture"),
        (photo(), {"alt": "x"}, "credit"),
        (photo(), {"credit": "x"}, "alt"),
    ],
)
def test_what_is_no_picture_or_has_no_words_is_refused(
    client: TestClient, database: Database, picture: bytes, values: dict[str, str], field: str
) -> None:
    answer = send(client, picture, **values)
    assert answer.status_code == 422
    assert f'href="#{field}"' in answer.text
    assert kept(database) == []


def test_a_polyglot_is_written_anew_and_brings_no_script_along(
    client: TestClient, database: Database
) -> None:
    assert send(client, photo() + b"<script>alert(1)</script>", **PICTURE).status_code == 200
    with database.read() as session:
        assert b"script" not in session.scalars(select(Picture)).one().data


def test_a_body_that_is_too_large_is_refused_here_and_sooner_elsewhere(client: TestClient) -> None:
    # a photograph that is too large is no reason to lose what was typed
    answer = send(client, bytes(6_000_000), location="Bürgerhaus", **PICTURE)
    assert (answer.status_code, "Bürgerhaus" in answer.text) == (422, True)
    assert 'href="#picture"' in answer.text
    assert send(client, bytes(25_000_000), **PICTURE).status_code == 413
    assert client.post("/anmelden/netzwerk", data={"email": "x" * 100_000}).status_code == 413


def test_many_parts_are_refused(client: TestClient) -> None:
    files = [("picture", (f"{n}.jpg", b"x")) for n in range(3)]
    assert client.post("/beitrag", data=FORM, files=files).status_code == 400


def test_confirming_needs_the_form_and_puts_an_item_of_the_municipality_into_the_pool(
    client: TestClient, database: Database, keys: Keys
) -> None:
    link = fill_contributions(database, keys)["beitrag"]
    shown = client.get(link)
    assert "Tag der Nachbarschaft" in shown.text
    assert "amt@example.net" not in shown.text
    assert client.post(link).status_code == 422
    for _ in range(2):  # once is enough, and twice does no harm
        assert client.post(link, data={"act": "confirm"}).status_code == 200
    with database.read() as session:
        item = session.scalars(select(Item).order_by(Item.id.desc())).first()
        assert item is not None
        assert session.scalar(select(func.count()).select_from(Item)) == 2
        assert (item.kind, item.municipality, item.places, item.internal) == (
            Kind.PRACTICE, "05999002", [], False,
        )  # fmt: skip
        assert item.summary == "<p>So gelang es.</p><p>Und so geht es weiter.</p>"
        feed = session.get_one(Feed, item.feed_key)
        assert (feed.url, feed.active) == ("", False)


def test_a_link_that_came_too_late_says_so_and_confirms_nothing(
    client: TestClient, database: Database, keys: Keys
) -> None:
    link = fill_contributions(database, keys)["beitrag"]
    with database.write() as session:
        for notice in session.scalars(select(Notice).where(Notice.kind == "contribute")):
            notice.created_at -= timedelta(days=8)
    assert client.get(link).status_code == 410
    assert client.post(link, data={"act": "confirm"}).status_code == 410
    assert kept(database)[0].state is ContributionState.UNCONFIRMED


def test_a_picture_is_shown_only_where_everybody_may_see_its_item(
    client: TestClient, database: Database, keys: Keys
) -> None:
    shown = fill_contributions(database, keys)["bild"]
    answer = client.get(shown)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
    assert "sandbox" in answer.headers["content-security-policy"]
    with database.read() as session:
        pictures = session.scalars(select(Picture).order_by(Picture.id)).all()
    assert client.get(f"/bild/{pictures[0].handle:016x}").status_code == 404  # not confirmed
    for wrong in ("0" * 16, "x" * 16, "1", "-" + "1" * 15):
        assert client.get(f"/bild/{wrong}").status_code == 404
    with database.write() as session:
        session.scalars(select(Item)).one().internal = True
    assert client.get(shown).status_code == 404


def test_the_sample_is_reached_from_the_home_page(client: TestClient, sample: Sample) -> None:
    assert sample
    assert 'href="/beitrag"' in client.get("/").text
