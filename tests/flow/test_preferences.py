"""A fresh link by real mail, and what is chosen behind it shows in the next issue."""

import email
import email.policy
from collections.abc import Callable

from fastapi.testclient import TestClient
from sqlalchemy import select

from mailer import clock
from mailer.installation import Installation
from mailer.web.app import create_app
from subscribers.addresses import address_hash
from subscribers.model import Request, SuppressionReason
from subscribers.subscribing import suppress
from tests.flow.conftest import NOW, Sink, enrol
from tests.flow.test_people import BASE, composed_later, path_in, text_of
from tests.flow.test_sending import started


def _pages(house: Installation) -> TestClient:
    return TestClient(create_app(house.settings, house.database), base_url=BASE)


def _ask(pages: TestClient, *addresses: str) -> None:
    for address in addresses:
        assert pages.post("/einstellungen", data={"email": address}).status_code == 200


def test_who_chooses_text_only_gets_no_html_from_then_on(
    house: Installation, work: Callable[[], None], sink: Sink
) -> None:
    person, other = enrol(house, 2)
    pages = _pages(house)
    _ask(pages, person)
    work()
    (mail,) = sink.mails[person]
    link = path_in(text_of(mail), "einstellungen")
    profile = {"act": "save", "form": "frau", "title": "", "given": "Erika", "family": "Muster"}
    answer = pages.post(link, data=profile | {"language": "de", "format": "text"})
    assert answer.status_code == 200
    started(house)
    work()
    issue = email.message_from_bytes(sink.mails[person][1], policy=email.policy.default)
    assert (issue.get_content_type(), issue.defects) == ("text/plain", [])
    assert "Sehr geehrte Frau Muster," in issue.get_content()
    assert path_in(issue.get_content(), "abmelden")
    assert issue["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert email.message_from_bytes(sink.mails[other][0]).get_content_type() == "multipart/alternative"


def test_who_pauses_is_left_out_until_the_day_and_then_is_not(
    house: Installation, work: Callable[[], None], sink: Sink
) -> None:
    person, other = enrol(house, 2)
    issue = started(house)
    work()
    pages = _pages(house)
    leave = path_in(text_of(sink.mails[person][0]), "abmelden")
    assert pages.post(leave, data={"act": "pause", "months": "1"}).status_code == 200
    clock.start(house, composed_later(house), actor="user:1", now=NOW)
    work()
    assert (len(sink.mails[person]), len(sink.mails[other])) == (1, 2)
    assert pages.post(leave, data={"act": "resume"}).status_code == 200
    clock.start(house, composed_later(house), actor="user:1", now=NOW)
    work()
    assert (len(sink.mails[person]), len(sink.mails[other])) == (2, 3)
    assert issue


def test_a_link_goes_to_who_is_here_once_in_five_minutes_and_to_nobody_else(
    house: Installation, work: Callable[[], None], sink: Sink
) -> None:
    person, barred = enrol(house, 2)
    with house.database.write() as session:
        suppress(
            session, address_hash=address_hash(house.suppression_key, barred), actor="t", now=NOW,
            reason=SuppressionReason.COMPLAINT,
        )  # fmt: skip
    _ask(_pages(house), person, person, barred, "fremd@example.org")
    work()
    assert sink.accepted() == {person: 1}
    with house.database.read() as session:
        outcomes = session.scalars(select(Request.outcome).order_by(Request.id)).all()
    assert outcomes == ["", "just-sent", "suppressed", "unknown"]
