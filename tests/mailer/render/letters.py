"""Sample contexts for the mail templates, as mailer.render.editions and mailer.notices.write pass them."""

import base64
import io
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from markupsafe import Markup
from PIL import Image

from mailer.render.brand import Brand
from mailer.render.mjml import compile_mjml
from mailer.render.press import Sheets
from mailer.render.sanitize import clean_html, excerpt, plain_text
from mailer.render.template import environment
from mailer.shipped import shipped

SALUTATION, TOKEN = "x0123456789abcdef01234567x", "xfedcba9876543210fedcba98x"
SENDER = {
    "name": "Beispielstelle für Engagement",
    "street": "Musterplatz 1",
    "city": "12345 Musterstadt",
    "represented_by": "Petra Beispiel",
    "email": "infomail@example.org",
    "phone": "0123 456789-0",
    "responsible": "Peter Muster, Anschrift wie oben",
    "privacy_url": "https://infomail.example.org/datenschutz",
}
#: what every mail says of the operator who sends it
OPERATED = SENDER | {"operator": SENDER["name"], "imprint": [], "controller": ""}
BRAND = Brand().context("example.org")
ANYBODY = {"network": "Kommunen-Netzwerk: engagiert in Musterland", "sender": OPERATED, "brand": BRAND}
_SUMMARY = clean_html(
    "<p>Wer sich in seiner Kommune für andere einsetzt, soll dafür gute Bedingungen finden. Das "
    "<b>Förderprogramm</b> hilft Vereinen und Initiativen mit bis zu 1.000 Euro je Vorhaben, ohne Eigenanteil und "
    'mit wenig Papier. Anträge nimmt die <a href="https://example.org/antrag">Bewilligungsstelle</a> entgegen.</p>'
    "<ul><li>Frist: 30. April</li><li>Wer: Vereine, Initiativen, Kommunen</li></ul>"
)
_TITLES = (
    "Landespreis für junges Engagement: jetzt bewerben",
    "Netzwerktreffen der Kommunen im Frühjahr",
    "»Zusammen vor Ort«: Was eine Kleinstadt aus ihrem Ehrenamtsbüro gemacht hat, und was andere davon lernen können",
    "Donaudampfschifffahrtsgesellschaftskapitänsvereinigungsversammlungsprotokollführerausbildungslehrgang",
    "Kurz & knapp: <Vereinsrecht> für Einsteiger",
)
_SECTIONS = ("Aus dem Netzwerk", "Förderung & Wettbewerbe", "Termine", "Qualifizierung", "Publikationen")


def entry(number: int, **changes: Any) -> dict[str, Any]:
    is_event = number % 3 == 1
    starts = datetime(2024, 3, 5, 9, 0, tzinfo=UTC) + timedelta(days=number) if is_event else None
    found = {
        "anchor": f"e{number}",
        "title": _TITLES[number % 5],
        "url": f"https://example.org/meldung/{number}?a=1&b=2",
        "short_url": f"https://example.org/meldung/{number}?a=1&b=2",
        "source": "Beispielstiftung" if number % 2 else "",
        "summary": Markup(excerpt(_SUMMARY)),
        "text": plain_text(excerpt(_SUMMARY)),
        "whole": Markup(_SUMMARY),
        "picture": None,
        "starts": starts,
        "ends": starts + timedelta(hours=2) if starts else None,
        "all_day": False,
        "deadline": date(2026, 3, 31) if number % 5 == 0 else None,
        "location": "Bürgerhaus Musterstadt, Großer Saal" if is_event else "",
        "contact": "Erika Muster, Telefon 0123 456789" if number % 4 == 3 else "",
        "municipality": "Musterstadt" if number % 4 == 3 else "",
        "also": "Beispielbund, Ehrenamtsportal Musterland" if number % 3 == 2 else "",
        "calendar_url": f"https://infomail.example.org/ausgabe/{TOKEN}/termin/{number}.ics"
        if is_event
        else "",
        "published": datetime(2024, 2, 20, 8, 0, tzinfo=UTC),
        "updated": datetime(2024, 2, 27, 8, 0, tzinfo=UTC) if number % 3 == 0 else None,
    }
    return found | changes


def sections(count: int) -> list[dict[str, Any]]:
    entries = [entry(number) for number in range(count)]
    return [
        {
            "title": _SECTIONS[at // 5 % 5],
            "anchor": f"s{at // 5}",
            "passed_on": False,
            "entries": entries[at : at + 5],
        }
        for at in range(0, count, 5)
    ]


def section(title: str, *entries: dict[str, Any], passed_on: bool = False) -> dict[str, Any]:
    return {"title": title, "anchor": "s0", "passed_on": passed_on, "entries": list(entries)}


PROVENANCE = {
    "source": "Stadt Musterstadt, Ehrenamtsbüro",
    "basis": "public-task",
    "controller": "Amt für Beispiele",
    "objections_to": "widerspruch@example.org",
    "privacy_url": "https://www.example.org/datenschutz",
}


def issue(count: int, *, language: str = "de", informing: bool = True, **changes: Any) -> dict[str, Any]:
    context = ANYBODY | {
        "issue": {
            "title": "Infomail",
            "number": 3,
            "year": 2024,
            "subject": "Infomail 3/2024: Landespreis, Netzwerktreffen, Fördermittel",
            "preheader": "Landespreis für junges Engagement, Netzwerktreffen im Frühjahr, neue Fördermittel",
            "date": date(2024, 3, 5),
            "editorial": [
                Markup(
                    clean_html(
                        "<p>der Frühling bringt Bewegung in das Netzwerk: Im März treffen wir uns zum ersten Mal in "
                        "diesem Jahr, und gleich drei Programme suchen Vorhaben aus den Kommunen.</p><p>Geben Sie die "
                        "Meldungen gern an Ihre Vereine weiter.</p>"
                    )
                )
            ],
            "easy_language": "",
        },
        "sections": sections(count),
        "archive_url": "https://infomail.example.org/ausgabe/abc",
        "calendar_url": "https://infomail.example.org/ausgabe/abc/termine.ics" if count > 1 else "",
        "contribute_url": "https://infomail.example.org/beitrag",
        "list_title": "Infomail des Netzwerks",
        "reason": "",
        "provenance": PROVENANCE if informing else None,
        "municipality": None,
        "language": language,
        "slots": {
            "salutation": SALUTATION,
            "unsubscribe_url": f"https://infomail.example.org/abmelden/{TOKEN}",
        },
    }
    return context | changes


CONFIRM = ANYBODY | {
    "list_title": "Infomail des Netzwerks",
    "confirm_url": "https://infomail.example.org/bestaetigen/AbCdEf0123456789AbCdEf0123456789AbCdEf0123456789",
    "valid_days": 7,
    "wording": "Ich möchte die Infomail per E-Mail erhalten. Ich kann mich jederzeit wieder abmelden.",
    "requested_at": datetime(2024, 3, 5, 9, 0, tzinfo=UTC),
    "told_by": "",
    "salutation": "Guten Tag,",
    "language": "de",
}
GOODBYE = ANYBODY | {
    "list_title": "Infomail des Netzwerks",
    "undo_url": "https://infomail.example.org/rueckgaengig/AbCdEf0123456789AbCdEf0123456789AbCdEf0123456789",
    "salutation": "Sehr geehrte Frau Dr. Beispiel,",
    "everything": False,
    "language": "de",
}
PREFERENCES = ANYBODY | {
    "list_title": "Infomail des Netzwerks",
    "preferences_url": "https://infomail.example.org/einstellungen/AbCdEf0123456789AbCdEf0123456789AbCdEf01234567",
    "valid_minutes": 30,
    "salutation": "Sehr geehrte Frau Dr. Beispiel,",
    "language": "de",
}
_OFFICE = ANYBODY | {
    "list_title": "Infomail des Netzwerks",
    "role": "contact",
    "municipality": "Musterstadt an der Beispiel",
    "language": "de",
}
INVITE = _OFFICE | {
    "confirm_url": "https://infomail.example.org/bestaetigen/AbCdEf0123456789AbCdEf0123456789AbCdEf0123456789",
    "archive_url": "https://infomail.example.org/ausgabe/AbCdEf0123456789AbCdEf0123456789AbCdEf0123456789",
    "valid_days": 7,
    "wording": "Ich möchte die Infomail per E-Mail erhalten. Ich kann mich jederzeit wieder abmelden.",
    "starts": date(2024, 4, 1),
    "titles": "Infomail des Netzwerks",
    "salutation": "Guten Tag,",
}
STILL_RIGHT = _OFFICE | {
    "answer_url": "https://infomail.example.org/noch-richtig/AbCdEf0123456789AbCdEf0123456789AbCdEf0123456789",
    "salutation": "Sehr geehrte Frau Dr. Beispiel,",
}
CONTRIBUTION = ANYBODY | {
    "list_title": "Infomail des Netzwerks",
    "language": "de",
    "salutation": "Guten Tag,",
    "contribution": {
        "kind": "practice",
        "title": "Ehrenamt & <Ermutigung>",
        "municipality": "Musterstadt",
        "sent_at": datetime(2024, 2, 20, 8, 0, tzinfo=UTC),
    },
}
STAFF = ANYBODY | {
    "list_title": "Infomail des Netzwerks",
    "language": "de",
    "issue": {
        "id": 12,
        "title": "Infomail",
        "number": 3,
        "year": 2024,
        "subject": "Infomail – 3/2024",
        "send_at": datetime(2024, 3, 5, 8, 0, tzinfo=UTC),
        "created_at": datetime(2024, 2, 29, 8, 0, tzinfo=UTC),
        "until": datetime(2024, 3, 7, 8, 0, tzinfo=UTC),
        "editorial": "der Frühling bringt Bewegung in das Netzwerk.",
    },
    "stands": "edited",
    "until": datetime(2024, 3, 5, 14, 0, tzinfo=UTC),
    "in_time": True,
    "by": "berta",
    "reason": "Die Antragsfrist endet heute & das <Land> bittet darum.",
    "people": 431,
    "suggestions": 2,
    "changed": ["Frühjahrsputz & <mehr>"],
    "again": False,
    "goes_without": True,
    "feeds": [
        {
            "title": "Termine der Stadt",
            "since": datetime(2024, 2, 20, 8, 0, tzinfo=UTC),
            "problem": "HTTP 503",
        },
        {"title": "Neue Quelle", "since": None, "problem": "no answer within 30 s"},
        {"title": "Stille Quelle", "since": datetime(2024, 1, 2, tzinfo=UTC), "problem": ""},
        {"title": "Leere Quelle", "since": None, "problem": ""},
    ],
    "sections": sections(7),
}
_WORD = "Rechtsschutzversicherungsgesellschaftenvorstandsvorsitzendenwechselankündigungsschreiben"
#: what does not break by itself, wherever a feed may put it
_LONG = entry(
    1,
    title=_WORD,
    url=f"https://example.org/{_WORD * 9}",
    source=_WORD,
    location=_WORD,
    summary=Markup(
        clean_html(
            f"<p>{_WORD} <a href='https://example.org/'>https://example.org/{'abc' * 60}</a></p>"
            f"<ul><li>{_WORD}</li></ul><blockquote>{_WORD}</blockquote><ol><li>{_WORD}</li></ol>"
        )
    ),
)
#: kind of mail -> a context for it
LETTERS: dict[str, dict[str, Any]] = {
    "issue": issue(8),
    "event": issue(3),
    "short": issue(1),
    "municipal": issue(4, municipality={"name": "Musterstadt"}, list_title="Vereinsbrief"),
    "confirm": CONFIRM,
    "goodbye": GOODBYE,
    "preferences": PREFERENCES,
    "invite": INVITE,
    "still-right": STILL_RIGHT,
    "draft-ready": STAFF,
    "reminder": STAFF,
    "overdue": STAFF,
    "emergency": STAFF,
    "halted": STAFF | {"halted": ["12", "40"], "held": 3},
    "foreword": STAFF,
    "contribute": CONTRIBUTION
    | {"confirm_url": f"https://infomail.example.org/beitrag/{TOKEN}", "valid_days": 7, "pass_on": True},
    "contribution-used": CONTRIBUTION
    | {
        "issue": {"title": "Infomail", "number": 3, "year": 2024},
        "archive_url": f"https://infomail.example.org/ausgabe/{TOKEN}",
    },
    "contribution-refused": CONTRIBUTION | {"word": "Leider zu spät.\n\nGern wieder <im> Herbst & Winter."},
}
#: issues that are hard to set
HARD: dict[str, dict[str, Any]] = {
    "nothing": issue(0),
    "much": issue(25),
    "long words": issue(0, sections=[section(_WORD, _LONG, entry(2))]),
    "one region, in English": issue(2, language="en", municipality={"name": "Musterstadt"}),
}


def _drawing(width: int, height: int) -> str:
    out = io.BytesIO()
    Image.new("RGB", (width, height), "#8aa6bf").save(out, "PNG")
    return f"data:image/png;base64,{base64.b64encode(out.getvalue()).decode()}"


_PICTURE = {
    "src": _drawing(1072, 600),
    "alt": "Menschen an einem Tisch",
    "credit": "Erika Muster, CC BY 4.0",
    "width": 536,
    "height": 300,
}
_LOGO = {"src": _drawing(300, 56), "width": 300, "height": 56}
_EASY = Markup(clean_html("<p>Das ist ein Brief.</p><p>Er ist für Menschen,<br>die anderen helfen.</p>"))


def _illustrated(context: dict[str, Any]) -> dict[str, Any]:
    small = _PICTURE | {"src": _drawing(80, 300), "width": 80, "height": 300}
    entries = [entry(1, picture=_PICTURE), entry(2, picture=small), entry(3)]
    return context | {
        "brand": BRAND | {"logo": _LOGO},
        "issue": context["issue"] | {"easy_language": _EASY},
        "sections": [section("Aus dem Netzwerk", *entries)],
    }


#: kind of issue -> one with logo, pictures and a part in Leichte Sprache
ILLUSTRATED = {kind: _illustrated(LETTERS[kind]) for kind in ("issue", "event", "short", "municipal")}


def rendered(kind: str, context: dict[str, Any]) -> tuple[str, str, str]:
    """Subject, HTML and text."""
    env = environment([shipped("templates") / "mail"], context["language"], zone=ZoneInfo("Europe/Berlin"))
    sheets = Sheets(env, kind)
    html = sheets.html(context) if "sections" in context else compile_mjml(sheets.text("body.mjml", context))
    return sheets.text("subject.txt", context).strip(), html, sheets.text("body.txt", context)
