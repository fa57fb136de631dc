"""The mails as they are shipped."""

import re
from collections.abc import Iterator, Sequence
from html import unescape
from typing import Any

import pytest
from babel.messages.extract import extract
from babel.messages.pofile import read_po

from mailer.render.samples import (
    CONFIRM,
    GOODBYE,
    INVITE,
    PROVENANCE,
    SALUTATION,
    SENDER,
    STAFF,
    STILL_RIGHT,
    TOKEN,
    entry,
    issue,
    section,
)
from mailer.shipped import shipped
from subscribers.model import Role
from tests.mailer.render.letters import LETTERS, rendered


@pytest.mark.parametrize("count", [0, 1, 2, 25])
def test_an_issue_of_any_size_holds_its_slots_in_both_parts(count: int) -> None:
    _, html, text = rendered("issue", issue(count))
    for part in (html, text):
        assert SALUTATION in part
        assert TOKEN in part
    assert html.count("<h3") == count
    assert ('id="contents"' in html) == (count > 1)


def test_an_issue_of_25_entries_is_not_cut_by_anybody() -> None:
    _, html, _ = rendered("issue", issue(25))
    assert len(html.encode()) < 100_000  # Gmail cuts at 102 kB


def test_every_anchor_of_the_contents_leads_somewhere() -> None:
    _, html, _ = rendered("issue", issue(25))
    targets = set(re.findall(r'href="#([^"]+)"', html))
    assert len(targets) == 26
    assert targets <= set(re.findall(r'id="([^"]+)"', html))


def test_an_entry_may_lack_all_but_its_title() -> None:
    lacking = dict.fromkeys(("url", "source", "summary", "text", "location", "contact", "also"), "")
    bare = entry(1, **lacking, municipality="", calendar_url="", starts=None, ends=None, published=None)
    context = issue(0, sections=[section("Neues", bare)])
    context["issue"] |= {"editorial": [], "preheader": ""}
    _, html, text = rendered("issue", context)
    assert "<h3" in html
    assert 'class="event"' not in html
    assert "None" not in html + text


@pytest.mark.parametrize("kind", LETTERS)
def test_the_text_part_fits_72_columns_where_words_can_be_broken(kind: str) -> None:
    _, _, text = rendered(kind, LETTERS[kind])
    for line in text.splitlines():
        assert len(line) <= 72 or len(line.split()) <= 2, line
    assert "\n\n\n\n" not in text


@pytest.mark.parametrize("kind", LETTERS)
def test_a_mail_says_who_answers_for_it(kind: str) -> None:
    _, html, text = rendered(kind, LETTERS[kind])
    for said in SENDER.values():
        assert said in html
        assert said in " ".join(text.split())


@pytest.mark.parametrize("kind", LETTERS)
def test_every_layout_table_says_so(kind: str) -> None:
    _, html, _ = rendered(kind, LETTERS[kind])
    tables = re.findall(r"<table[^>]*>", html)
    assert tables
    assert all('role="presentation"' in table for table in tables)
    assert '<html lang="de"' in html


@pytest.mark.parametrize(
    ("kind", "context", "link", "about"),
    [
        ("confirm", CONFIRM, "confirm_url", "list_title"),
        ("goodbye", GOODBYE, "undo_url", "list_title"),
        ("invite", INVITE, "confirm_url", "municipality"),
        ("still-right", STILL_RIGHT, "answer_url", "municipality"),
    ],
)
def test_a_notice_holds_its_link_in_both_parts(
    kind: str, context: dict[str, Any], link: str, about: str
) -> None:
    subject, html, text = rendered(kind, context)
    assert context[about] in subject
    assert f'href="{context[link]}"' in html
    assert f"\n{context[link]}\n" in text


def test_an_invitation_says_which_office_from_when_and_shows_an_issue_if_there_is_one() -> None:
    _, html, text = rendered("invite", INVITE)
    for part in (html, text):
        for said in ("Ansprechperson", "Musterstadt", "Montag, 1.\xa0April 2024", INVITE["archive_url"]):
            assert said in part
    _, html, text = rendered("invite", INVITE | {"archive_url": ""})
    assert "So sieht eine Ausgabe aus" not in html + text


@pytest.mark.parametrize("kind", ["draft-ready", "reminder", "overdue", "emergency"])
def test_staff_see_what_is_open_and_what_stands_in_the_issue(kind: str) -> None:
    subject, html, text = rendered(kind, STAFF)
    assert subject.endswith("Infomail Nr. 3/2024")
    for part in (unescape(html), text):
        part = " ".join(part.split())
        for said in (
            "Die Ausgabe wurde nach ihrer Freigabe geändert; damit gilt die Freigabe nicht mehr.",
            "2 neue Meldungen seit Donnerstag, 29. Februar 2024, als Vorschläge.",
            "Die Quelle »Termine der Stadt« ist nicht lesbar seit Dienstag, 20. Februar 2024: HTTP 503",
            "Die Quelle »Neue Quelle« ist nicht lesbar: no answer",
            "Die Quelle »Stille Quelle« hat nichts Neues gebracht seit Dienstag, 2. Januar 2024.",
            "Die Quelle »Leere Quelle« hat noch nie etwas gebracht.",
            "431 Personen würden sie zurzeit erhalten.",
            "Infomail – 3/2024",
            "der Frühling bringt Bewegung",
            "Kurz & knapp: <Vereinsrecht> für Einsteiger",
            "Bewilligungsstelle",
        ):
            assert said in part
    english = rendered(kind, STAFF | {"language": "en"})[2]
    assert not re.search("Ausgabe|Freigabe|Quelle »|Impressum", english)


@pytest.mark.parametrize("stands", ["draft", "review", "approved", "cancelled", "sending"])
def test_each_state_of_an_issue_has_its_words(stands: str) -> None:
    _, html, text = rendered("emergency", STAFF | {"stands": stands})
    said = text.partition("Stand der Dinge")[2].split("- ")[1].strip()
    assert said.startswith("Die Ausgabe ist ")
    assert " ".join(said.split()) in html


def test_a_missed_time_says_until_when_a_release_still_sends() -> None:
    text = " ".join(rendered("overdue", STAFF)[2].split())
    assert "bis zu diesem Zeitpunkt freigeben: Dienstag, 5. März 2024, 15:00 Uhr." in text
    assert "infomail issues reschedule 12 --at JJJJ-MM-TTThh:mm" in text
    late = " ".join(rendered("overdue", STAFF | {"in_time": False})[2].split())
    assert "Die Freigabe allein genügt nicht mehr" in late


def test_a_release_by_one_person_names_her_and_her_reason_and_how_to_stop_it() -> None:
    _, html, text = rendered("emergency", STAFF)
    for part in (unescape(html), text):
        for said in ("berta hat", STAFF["reason"], "issues cancel 12", "issues pause 12"):
            assert said in part
    special = STAFF | {"issue": STAFF["issue"] | {"send_at": None}}
    assert "sobald jemand den Versand auslöst" in rendered("emergency", special)[2]


@pytest.mark.parametrize("role", Role)
def test_every_role_has_a_name_in_both_languages(role: Role) -> None:
    german = rendered("still-right", STILL_RIGHT | {"role": role.value})[2]
    english = rendered("still-right", STILL_RIGHT | {"role": role.value, "language": "en"})[2]
    assert (
        german.partition("Funktion: ")[2].splitlines()[0] != english.partition("Office: ")[2].splitlines()[0]
    )
    assert "Kommune: Musterstadt an der Beispiel" in german.splitlines()


def test_a_mail_in_english_has_no_german_of_ours() -> None:
    _, html, text = rendered("issue", issue(8, language="en"))
    assert '<html lang="en"' in html
    assert "Back to the contents" in html
    assert not re.search("Inhalt|Abmelden|Impressum|Grüßen", text)


def test_the_german_of_the_mails_is_complete_and_holds_nothing_else() -> None:
    with (shipped("locale") / "de/LC_MESSAGES/mail.po").open("rb") as source:
        german = {
            _forms(message.id): _forms(message.string or "") for message in read_po(source) if message.id
        }
    assert german.keys() == set(_texts_of_the_mails())
    for english, said in german.items():
        assert all(said), english
        assert _names(said) == _names(english)
        assert not re.search('[“”"]', "".join(said)), "»...« are the quotation marks of the house"


def _texts_of_the_mails() -> Iterator[tuple[str, ...]]:
    for path in (shipped("templates") / "mail").rglob("*.*"):
        with path.open("rb") as template:
            for _, message, _, _ in extract("jinja2.ext:babel_extract", template):
                yield _forms(message)


def _forms(message: str | Sequence[str]) -> tuple[str, ...]:
    """A text in its only form, or in singular and plural."""
    return (message,) if isinstance(message, str) else tuple(message)


def _names(forms: tuple[str, ...]) -> set[str]:
    return {name for form in forms for name in re.findall(r"%\((\w+)\)s", form)}


@pytest.mark.parametrize(
    ("basis", "ground"),
    [
        ("public-task", "Art. 6 Abs. 1 Buchst. e DSGVO"),
        ("prior-consent", "Einwilligung, die Sie dort"),
    ],
)
def test_who_hears_from_us_first_is_told_where_the_data_come_from(basis: str, ground: str) -> None:
    _, html, text = rendered("issue", issue(2, provenance=PROVENANCE | {"basis": basis}))
    for part in (" ".join(html.split()), " ".join(text.split())):
        assert "Woher wir Ihre Daten haben" in part
        assert "Stadt Musterstadt, Ehrenamtsbüro" in part
        assert "widerspruch@example.org" in part
        assert "jederzeit widersprechen" in part
        assert ground in part


def test_who_knows_it_already_is_not_told_again() -> None:
    _, html, text = rendered("issue", issue(2, informing=False))
    assert "Woher wir Ihre Daten haben" not in html + text


def test_a_confirmation_mail_says_who_gave_us_the_address() -> None:
    _, html, text = rendered("confirm", CONFIRM | {"told_by": "Stadt Musterstadt"})
    for part in (html, " ".join(text.split())):
        assert "wir haben diese Adresse von: Stadt Musterstadt." in part
        assert "eingetragen" not in part
