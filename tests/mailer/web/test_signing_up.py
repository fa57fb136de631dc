"""The sign-up form: one Request for every address, one answer, and help where something is missing."""

import re
import threading

import pytest
from fastapi import FastAPI
from sqlalchemy import select
from starlette.testclient import TestClient

from mailer.database import Database
from mailer.web.public.form import LONGEST, SignUpForm, read_form
from subscribers.model import FormOfAddress, MailingList, Request, RequestKind, RequestState
from tests.mailer.web.sample import Sample, dump

FORM = "/anmelden/netzwerk"
WORDING = {"wording": "de-2026-11"}


def test_a_sign_up_writes_one_request_with_all_that_was_said_and_shown(
    client: TestClient, database: Database, sample: Sample
) -> None:
    before = dump(database)
    typed = {
        "email": "  Neu@Straße.example ", "form": "frau", "title": "Dr.", "given": "Erste",
        "family": "Muster", "municipality": "KÖTHEN am muster", **WORDING,
    }  # fmt: skip
    assert client.post(FORM, data=typed).status_code == 200
    after = dump(database)
    assert {name for name in after if after[name] != before[name]} == {"requests"}
    request = _requests(database)[-1]
    assert (request.kind, request.state, request.list_key) == (
        RequestKind.CONFIRM, RequestState.NEW, "netzwerk",
    )  # fmt: skip
    assert request.address == "neu@xn--strae-oqa.example"
    wording = request.details.pop("wording")
    assert "Amt für Beispiele mir den Newsletter »Neues & Nützliches«" in wording
    assert request.details == {
        "form": "frau",
        "title": "Dr.",
        "given": "Erste",
        "family": "Muster",
        "municipality": "KÖTHEN am muster",
        "ags": "05999001",
        "language": "de",
        "wording_version": "de-2026-11",
        "source": "https://infomail.example.org/anmelden/netzwerk",
    }


def test_new_known_pending_and_barred_addresses_get_the_very_same_answer(
    client: TestClient, database: Database, sample: Sample
) -> None:
    answers = []
    for name in ("unheard", "active", "pending", "barred"):
        # as long as the others, so that even Content-Length must agree
        address = f"{name}@example.org"
        answer = client.post(FORM, data={"email": address, **WORDING})
        answers.append(
            (
                answer.status_code,
                answer.text.replace(address, ""),
                int(answer.headers.pop("content-length")) - len(address),
                dict(answer.headers),
            )
        )
    assert answers[0][0] == 200
    assert all(answer == answers[0] for answer in answers)
    assert len([request for request in _requests(database) if request.state is RequestState.NEW]) == 4


def test_the_wording_that_was_read_is_shown_and_kept_in_the_language_of_the_page(
    client: TestClient, database: Database, sample: Sample
) -> None:
    page = client.get(FORM + "?lang=en").text
    assert "By submitting this form I agree" in page
    assert "en-2026-11" in page
    client.post(FORM + "?lang=en", data={"email": "new@example.org", "wording": "en-2026-11"})
    details = _requests(database)[-1].details
    assert details["language"] == "en"
    assert details["wording"].startswith("By submitting this form I agree")


def test_a_form_that_showed_another_wording_is_shown_again_and_writes_nothing(
    client: TestClient, database: Database, sample: Sample
) -> None:
    before = dump(database)
    answer = client.post(FORM, data={"email": "new@example.org", "wording": "de-1999-01"})
    assert answer.status_code == 422
    assert "hat sich inzwischen geändert" in answer.text
    assert 'value="new@example.org"' in answer.text
    assert dump(database) == before


def test_what_was_typed_is_kept_beside_what_is_wrong_with_it(
    client: TestClient, database: Database, sample: Sample
) -> None:
    before = dump(database)
    typed = {
        "email": "not an address",
        "given": 'A"<b>',
        "form": "herr",
        "municipality": "Nirgends",
        **WORDING,
    }
    answer = client.post(FORM, data=typed)
    assert answer.status_code == 422
    assert "<title>Fehler: " in answer.text
    assert "keine vollständige E-Mail-Adresse" in answer.text
    assert 'aria-describedby="email-fault"' in answer.text
    assert 'value="not an address"' in answer.text
    assert 'value="A&#34;&lt;b&gt;"' in answer.text
    assert 'value="herr" checked' in answer.text
    assert 'value="Nirgends"' in answer.text
    assert dump(database) == before


@pytest.mark.parametrize("name", ["Nirgends", "Zwillingen", "", "köthen"])
def test_no_key_is_guessed_from_a_name_that_no_municipality_or_several_have(
    client: TestClient, database: Database, sample: Sample, name: str
) -> None:
    client.post(FORM, data={"email": "new@example.org", "municipality": name, **WORDING})
    assert "ags" not in _requests(database)[-1].details


@pytest.mark.parametrize(
    ("field", "value", "fault"),
    [
        ("email", "", "missing"),
        ("email", "name@", "address"),
        ("email", "a@b\u2028.example", "signs"),
        ("email", "a" * 255, "long"),
        ("given", "A\r\nBcc: x@example.org", "signs"),
        ("family", "\x00", "signs"),
        ("title", "x" * (LONGEST["title"] + 1), "long"),
        ("municipality", "\x85", "signs"),
        ("form", "divers", "choice"),
        ("wording", "v0", "changed"),
    ],
)
def test_each_fault_is_named_at_its_field(field: str, value: str, fault: str) -> None:
    fields = {"email": "a@example.org", "wording": "v1", field: value}
    asked, faults = read_form(SignUpForm(**fields), wording_version="v1")
    assert asked is None
    assert faults == {field: fault}


def test_only_the_address_is_needed() -> None:
    asked, faults = read_form(SignUpForm(email="A@Example.org", wording="v1"), wording_version="v1")
    assert faults == {}
    assert asked is not None
    assert (asked.address, asked.form) == ("a@example.org", FormOfAddress.NEUTRAL)


@pytest.mark.parametrize("key", ["intern", "gibtsnicht", "..%2f", "%00"])
def test_a_list_that_is_not_public_looks_like_one_that_does_not_exist(
    client: TestClient, database: Database, sample: Sample, key: str
) -> None:
    before = dump(database)
    assert client.get("/anmelden/nie-gehabt").text == client.get(f"/anmelden/{key}").text
    assert client.get(f"/anmelden/{key}").status_code == 404
    assert client.post(f"/anmelden/{key}", data={"email": "a@example.org", **WORDING}).status_code == 404
    assert dump(database) == before
    assert "Intern" not in client.get("/").text


def test_titles_of_lists_and_municipalities_are_text_and_nothing_else(
    client: TestClient, database: Database, sample: Sample, links: dict[str, str]
) -> None:
    canary = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
    with database.write() as session:
        session.get_one(MailingList, "netzwerk").title = canary
        session.get_one(MailingList, "netzwerk").privacy_url = "javascript:alert(3)"
    for path in ("/", FORM, *links.values()):
        text = client.get(path).text
        assert "<script" not in text
        assert "<img" not in text
        assert "javascript:" not in text
    sent = client.post(FORM, data={"email": "a@example.org", **WORDING})
    assert "<script" not in sent.text


def test_the_municipalities_of_the_register_are_offered_once_each(client: TestClient, sample: Sample) -> None:
    offered = re.findall(r'<option value="([^"]+)">', client.get(FORM).text)
    assert offered == ["Köthen am Muster", "Musterstadt", "Zwillingen"]


def test_a_crowd_signing_up_at_once_is_served_without_waiting_for_itself(
    app: FastAPI, database: Database, sample: Sample
) -> None:
    """Twice as many writers as the server has threads: none may keep the lock while waiting for one."""
    statuses: list[int] = []
    with TestClient(app) as client:

        def sign_up(number: int) -> None:
            answer = client.post(FORM, data={"email": f"p{number}@example.org", **WORDING})
            statuses.append(answer.status_code)

        crowd = [threading.Thread(target=sign_up, args=(number,)) for number in range(80)]
        for one in crowd:
            one.start()
        for one in crowd:
            one.join(timeout=20)
    assert statuses == [200] * 80


def _requests(database: Database) -> list[Request]:
    with database.read() as session:
        return list(session.scalars(select(Request).order_by(Request.id)))
