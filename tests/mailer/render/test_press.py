"""Editions as they leave the press: what each list, each reader and the archive is shown."""

import email
import email.policy
import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from mailer.feeds.model import Picture
from mailer.issues.model import Issue
from mailer.render.brand import Brand, Logo
from mailer.render.choose import Chooser
from mailer.render.finish import BadPage
from mailer.render.letterhead import letterhead_of
from mailer.render.mjml import compile_mjml
from mailer.render.press import Press
from mailer.render.stationery import stationery_of, template_sources
from subscribers.model import Basis, Import
from tests.mailer.render.issues import (
    LETTERHEAD,
    NOW,
    STATIONERY,
    a_chooser,
    a_key,
    a_list,
    an_entry,
    an_event,
    an_issue,
    pressed,
)

TOWN = a_list(
    "verein",
    title="Vereinsbrief",
    municipality="05999002",
    sender_name="Stadt Musterstadt",
    reply_to="ehrenamt@example.net",
    imprint="Stadt Musterstadt\nRathausplatz 1\n\n00000 Musterstadt",
    privacy_url="https://www.example.net/datenschutz",
    controller="Die Bürgermeisterin der Stadt Musterstadt",
)


def test_a_letterhead_comes_back_from_its_record() -> None:
    again = letterhead_of(LETTERHEAD.record())
    assert again.record() == LETTERHEAD.record()
    assert again.imprint == LETTERHEAD.imprint


def test_the_same_values_give_the_same_bytes_whoever_is_rendered_before() -> None:
    issue = an_issue()
    entries = [an_event(n, places=["05999001"] if n == 3 else []) for n in range(1, 6)]
    chooser = a_chooser(issue, entries)
    here, there = a_key(places="05999001"), a_key(places="05999002")
    press = Press(issue, STATIONERY)
    together = [pressed(issue, chooser, key, press) for key in (here, there)]
    assert together == [pressed(issue, chooser, key) for key in (here, there)]
    assert together[0] != together[1]


def test_a_style_is_read_once_and_written_the_same_each_time() -> None:
    source = (
        "<mjml><mj-head><mj-style>p { color: red; } @media print { p { color: black; } }</mj-style></mj-head>"
        "<mj-body><mj-section><mj-column><mj-text><p>Text</p></mj-text></mj-column></mj-section></mj-body></mjml>"
    )
    first = compile_mjml(source)
    assert "color:red" in first
    assert "color: black !important" in first
    assert compile_mjml(source) == first


def test_nothing_of_the_rendering_stays_in_a_mail() -> None:
    issue = an_issue()
    edition = pressed(issue, a_chooser(issue, [an_event(1), an_entry(2)]), a_key())
    for part in (edition.html, edition.text, _part(edition.message, "html"), _part(edition.message, "plain")):
        assert not re.search(r"x[0-9a-f]{24}", part)
        assert "https://infomail.example.org/ausgabe/" in part


def test_a_list_is_written_to_in_its_own_name_and_by_the_operator() -> None:
    issue = an_issue()
    edition = pressed(issue, a_chooser(issue, [an_entry(1)], TOWN), a_key("verein"))
    mail = email.message_from_bytes(edition.message, policy=email.policy.default)
    assert mail["From"] == "Stadt Musterstadt <infomail@example.org>"
    assert mail["Reply-To"] == "ehrenamt@example.net"
    for part in (edition.html, " ".join(edition.text.split())):
        assert "Rathausplatz 1" in part
        assert "Verantwortlich für die Verarbeitung Ihrer Daten: Die Bürgermeisterin" in part
        assert "Versandt im Auftrag durch:" in part
        assert "Beispielstelle für Engagement" in part
        assert "https://www.example.net/datenschutz" in part
        assert "https://infomail.example.org/datenschutz" not in part
        assert "Ausgabe für Musterstadt" in part


def test_where_a_list_says_nothing_the_operator_does() -> None:
    issue = an_issue()
    edition = pressed(issue, a_chooser(issue, [an_entry(1)]), a_key())
    mail = email.message_from_bytes(edition.message, policy=email.policy.default)
    assert mail["From"].addresses[0].display_name == "Beispielstelle für Engagement"
    assert mail["Reply-To"] == "infomail@example.org"
    assert "https://infomail.example.org/datenschutz" in edition.text
    assert "Versandt im Auftrag" not in edition.html + edition.text
    assert "Verantwortlich für die Verarbeitung" not in edition.html + edition.text


def test_who_must_be_told_where_the_data_come_from_may_object_to_the_list() -> None:
    issue = an_issue()
    file = Import(id=4, source="Städtetag", basis=Basis.PUBLIC_TASK)
    chooser = a_chooser(issue, [an_entry(1)], TOWN, imports={4: file})
    key = a_key("verein")
    text = " ".join(pressed(issue, chooser, type(key)("verein", "de", "", "", 4)).text.split())
    assert "Ihre Daten stammen von: Städtetag." in text
    assert "ehrenamt@example.net" in text


def test_the_archive_is_without_internal_entries_and_the_mail_is_with_them() -> None:
    issue = an_issue(preheader="Nur intern · Meldung 1")
    entries = [an_event(1), an_event(2, title="Nur intern", internal=True)]
    edition = pressed(issue, a_chooser(issue, entries), a_key())
    for part in (edition.html, edition.text, _part(edition.message, "html")):
        assert "Nur intern" in part
    assert "Nur intern" not in edition.page_html + edition.page_text
    assert "/termin/2.ics" not in edition.html
    assert "Meldung 1" in edition.page_html
    assert "/termin/1.ics" in edition.page_html


def test_with_nothing_internal_in_it_the_archive_has_the_very_mail() -> None:
    issue = an_issue()
    edition = pressed(issue, a_chooser(issue, [an_event(1)]), a_key())
    assert (edition.page_html, edition.page_text) == (edition.html, edition.text)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"deadline": date(2026, 3, 31)}, "Frist: Dienstag, 31.\xa0März 2026"),
        ({"source": "Stiftung", "also": ["Bund", "Land"]}, "auch bei: Bund, Land"),
        ({"contact": "Erika Muster, 0123"}, "Kontakt: Erika Muster, 0123"),
        ({"municipality": "05999001"}, "Kommune: Köthen am Muster"),
        ({"starts": NOW, "all_day": True}, "Montag, 2.\xa0März 2026"),
    ],
)
def test_an_entry_shows_what_is_known_of_it(changes: dict[str, object], said: str) -> None:
    issue = an_issue()
    edition = pressed(issue, a_chooser(issue, [an_entry(1, **changes)]), a_key())
    assert said in edition.html
    assert said in edition.text
    assert "Uhr" not in edition.html


def test_a_deadline_is_told_in_english_too() -> None:
    issue = an_issue()
    chooser = a_chooser(issue, [an_entry(1, deadline=date(2026, 3, 31))])
    assert "Deadline: Tuesday, 31 March 2026" in pressed(issue, chooser, a_key(language="en")).text


def test_events_lead_to_their_calendar_files_and_each_link_says_which() -> None:
    issue = an_issue()
    edition = pressed(issue, a_chooser(issue, [an_entry(1), an_event(2), an_event(3)]), a_key())
    page = r"https://infomail.example.org/ausgabe/[a-z2-7]{45}"
    assert re.findall(rf'href="{page}/(termin[^"]+)"', edition.html) == [
        "termine.ics",
        "termin/2.ics",
        "termin/3.ics",
    ]
    assert re.findall(">(In den Kalender[^<]+)</a>", edition.html) == [
        "In den Kalender: Meldung 2",
        "In den Kalender: Meldung 3",
    ]
    assert len(re.findall(rf"^{page}/termin", edition.text, re.MULTILINE)) == 3


def test_an_own_issue_of_a_list_says_where_the_rest_comes_from() -> None:
    issue = an_issue(for_list="verein", editorial="<p>Vorwort der Stadt</p>")
    entries = [
        an_entry(1, title="Aus dem Land", frozen=True),
        an_entry(2, title="Auch aus dem Land", frozen=True, section="Termine", section_position=1),
        an_entry(3, title="Aus der Stadt"),
    ]
    edition = pressed(issue, a_chooser(issue, entries, TOWN), a_key("verein"))
    for part in (edition.text, edition.html.partition('id="s0"')[2]):
        order = [
            "Aus der Stadt",
            "Weitergegeben von: Netz der Gemeinden",
            "Aus dem Land",
            "Auch aus dem Land",
        ]
        places = [part.rindex(said) for said in order]
        assert places == sorted(places)
        assert part.count("Weitergegeben von") == 1
    assert "Vorwort der Stadt" in edition.text


@pytest.mark.parametrize("language", ["de", "en"])
def test_a_mail_with_fifteen_full_entries_is_cut_by_nobody(language: str) -> None:
    sentence = (
        "Wer sich für andere einsetzt, findet hier »gute Bedingungen« und Förderung, auch über 1.000 Euro. "
    )
    full = [
        an_event(
            number,
            title=f"{number}. Förderprogramm für junges Engagement: jetzt bewerben und mitmachen, in Stadt und Land",
            summary=f"<p>{sentence * 9}</p>",
            section=f"Rubrik {number // 3}",
            section_position=number // 3,
            deadline=date(2026, 3, 31),
            location="Bürgerhaus Musterstadt, Großer Saal",
            contact="Erika Muster, Telefon 0123 456789",
            municipality="05999001",
            source="Beispielstiftung",
            also=["Beispielbund", "Ehrenamtsportal"],
        )
        for number in range(15)
    ]
    issue = an_issue()
    edition = pressed(issue, a_chooser(issue, full, TOWN), a_key("verein", language=language))
    assert len(edition.message) < 100_000  # Gmail cuts HTML at 102 kB; this is all of the mail


def test_a_template_of_ones_own_needs_no_page_for_entries_and_may_set_them_itself() -> None:
    issue = an_issue(template="rundbrief")
    own = dict(STATIONERY.templates)
    for name in ("subject.txt", "body.txt", "body.mjml"):
        own[f"rundbrief/{name}"] = own[f"issue/{name}"]
    chooser = a_chooser(issue, [an_event(1)])
    by_block = _with_templates(issue, chooser, own)
    own["rundbrief/body.mjml"] = own["issue/body.mjml"].replace(
        "{{ entry.block }}", '{% include "_layout/entry.mjml" %}'
    )
    assert _words(_with_templates(issue, chooser, own)) == _words(by_block)


def test_a_page_for_entries_without_its_cuts_is_refused_by_name() -> None:
    issue = an_issue()
    own = {
        **STATIONERY.templates,
        "issue/entry.mjml": STATIONERY.templates["issue/entry.mjml"].replace("cut", "'-'"),
    }
    with pytest.raises(BadPage, match=r"entry\.mjml: {{ cut }}"):
        _with_templates(issue, a_chooser(issue, [an_entry(1)]), own)


def test_what_lies_beside_the_templates_is_no_stationery(tmp_path: Path) -> None:
    own, shipped = tmp_path / "own", tmp_path / "shipped"
    for folder in (own, shipped):
        (folder / "issue").mkdir(parents=True)
        (folder / "issue/subject.txt").write_text(folder.name)
    (own / "issue/.body.mjml.swp").write_bytes(b"\xff\x00")
    (shipped / "issue/body.txt").write_text("Text")
    found = template_sources([own, shipped])
    assert list(found.items()) == [("issue/body.txt", "Text"), ("issue/subject.txt", "own")]


def _with_templates(issue: Issue, chooser: Chooser, templates: dict[str, str]) -> str:
    stationery = type(STATIONERY)(templates=templates, letterhead=STATIONERY.letterhead)
    return pressed(issue, chooser, a_key(), Press(issue, stationery)).html


def _words(html: str) -> list[str]:
    return re.sub("<[^>]*>", " ", html).split()


def _part(message: bytes, subtype: str) -> str:
    mail = email.message_from_bytes(message, policy=email.policy.default)
    part = mail.get_body((subtype,))
    assert part is not None
    return str(part.get_content())


def _picture(row_id: int, handle: int) -> Picture:
    return Picture(
        id=row_id, handle=handle, media_type="image/jpeg", width=1072, height=800, data=b"jpeg%d" % row_id,
        alt="Menschen an einem Tisch", credit="Erika Muster", created_at=NOW,
    )  # fmt: skip


def test_a_picture_travels_with_the_mail_and_stands_on_the_page_by_its_address() -> None:
    issue = an_issue()
    entries = [an_entry(1, picture_id=1), an_entry(2, picture_id=2, internal=True), an_entry(3)]
    press = Press(issue, STATIONERY, [_picture(1, 0xA), _picture(2, 0xB)])
    edition = pressed(issue, a_chooser(issue, entries), a_key(), press)
    message = email.message_from_bytes(edition.message, policy=email.policy.default)
    html = message.get_body(("html",)).get_content()
    shown = re.findall(r'<img[^>]* src="([^"]+)"', html)
    assert shown == ["cid:bild-000000000000000a@example.org", "cid:bild-000000000000000b@example.org"]
    named = [(part["Content-ID"], part.get_content()) for part in message.walk() if part["Content-ID"]]
    assert named == [(f"<{url[4:]}>", data) for url, data in zip(shown, (b"jpeg1", b"jpeg2"), strict=True)]
    # who only has the address of the page sees no internal entry
    assert re.findall(r'<img[^>]* src="([^"]+)"', edition.page_html) == [
        "https://infomail.example.org/bild/000000000000000a"
    ]
    assert edition.html.count("data:image/jpeg;base64,") == 2
    assert "Menschen an einem Tisch" in edition.text


def test_a_mail_without_pictures_has_two_parts() -> None:
    issue = an_issue()
    message = email.message_from_bytes(pressed(issue, a_chooser(issue, [an_entry(1)]), a_key()).message)
    assert [part.get_content_type() for part in message.walk()] == [
        "multipart/alternative",
        "text/plain",
        "text/html",
    ]


def test_the_logo_of_the_stationery_stands_at_the_head_of_each_mail() -> None:
    issue = an_issue()
    letterhead = replace(LETTERHEAD, brand=Brand(logo=Logo("image/png", 30, 20, b"png")))
    chooser = a_chooser(issue, [an_entry(1)])
    edition = pressed(issue, chooser, a_key(), Press(issue, stationery_of(letterhead)))
    assert edition.message.count(b"Content-ID: <logo-") == 1
    assert 'src="https://infomail.example.org/logo"' in edition.page_html


def test_in_the_text_a_long_address_is_short_and_leads_on() -> None:
    issue = an_issue()
    long = f"https://www.example.org/{'abc/' * 30}"
    entries = [an_entry(1), an_entry(2, url=long), an_entry(3, url=f"{long}x", internal=True)]
    edition = pressed(issue, a_chooser(issue, entries), a_key())
    assert re.findall(r"^https://www\S+|^\S+/e/\S+", edition.text, re.MULTILINE)[:3] == [
        "https://www.example.org/1",
        "https://infomail.example.org/e/0000000000000007/2",
        f"{long}x",
    ]
    assert edition.html.count(f'href="{long}"') == 1


def test_what_is_in_leichter_sprache_stands_below_the_editorial_and_says_so() -> None:
    issue = an_issue(easy_language="<p>Das ist ein Brief.</p>")
    edition = pressed(issue, a_chooser(issue, [an_entry(1)]), a_key())
    assert '<div lang="de-simple">' in edition.html
    assert (
        edition.text.index("Zum Gruß")
        < edition.text.index("In Leichter Sprache")
        < edition.text.index("Das ist ein Brief.")
    )
    assert "Leichter Sprache" not in pressed(an_issue(), a_chooser(an_issue(), [an_entry(1)]), a_key()).html


@pytest.mark.parametrize("kind", ["event", "short", "municipal"])
def test_each_kind_of_issue_says_all_that_stands_in_it(kind: str) -> None:
    issue = an_issue(template=kind, subject="Einladung zum Netzwerktreffen")
    entries = [
        an_entry(1),
        an_event(2, section="Termine", section_position=1),
        an_event(3, section="Termine", section_position=1),
    ]
    edition = pressed(issue, a_chooser(issue, entries, TOWN), a_key("verein"))
    for entry in entries:
        for part in (edition.html, edition.text):
            assert entry.title in part
            assert entry.url in part
    assert edition.subject == "Einladung zum Netzwerktreffen"
    assert edition.html.count("<h1") == 1


def test_an_invitation_is_about_its_first_event() -> None:
    issue = an_issue(template="event")
    entries = [an_entry(1), an_event(2, summary=f"<p>{'Wort ' * 300}Schluss</p>"), an_event(3)]
    edition = pressed(issue, a_chooser(issue, entries), a_key())
    assert re.findall(r"<h1[^>]*>([^<]+)</h1>", edition.html) == ["Meldung 2"]
    assert "Schluss" in edition.html
    assert "Schluss" in edition.text
    assert re.findall(r"<h3[^>]*>([^<]+)</h3>", edition.html) == ["Meldung 1", "Meldung 3"]


def test_an_invitation_without_an_event_is_about_its_subject() -> None:
    issue = an_issue(template="event")
    edition = pressed(issue, a_chooser(issue, [an_entry(1)]), a_key())
    assert re.findall(r"<h1[^>]*>([^<]+)</h1>", edition.html) == [issue.subject.replace(" –", "\xa0–")]
    assert re.findall(r"<h3[^>]*>([^<]+)</h3>", edition.html) == ["Meldung 1"]
