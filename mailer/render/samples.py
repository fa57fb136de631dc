"""Contexts for the templates of every kind of mail, in invented data: what a template may count on.

They are what rendering and notices pass, name by name. `infomail check` holds templates against
them, and `infomail templates preview` shows templates with them.
"""

import base64
import io
from datetime import UTC, date, datetime, timedelta
from typing import Any

from markupsafe import Markup
from PIL import Image

from mailer.render.brand import Brand
from mailer.render.sanitize import clean_html, excerpt, plain_text

#: what a template is filled with: names to texts, numbers, dates, rows, and names again
Context = dict[str, Any]


def samples_of(kind: str) -> tuple[Context, ...]:
    """Contexts of this kind of mail: one with everything, one that lacks whatever may be lacking.

    A kind that answers no request is one of issues.
    """
    return NOTICES[kind] if kind in NOTICES else (illustrated(issue(8)), _BARE_ISSUE)


def entry_samples_of(kind: str) -> tuple[Context, ...]:
    """The same for entry.mjml or entry.html, which make an entry on a page of its own."""
    return tuple(
        {name: context[name] for name in ("language", "network", "brand")} | {"cut": TOKEN, "entry": entry}
        for context in samples_of(kind)
        for section in context["sections"]
        for entry in section["entries"][:3]
    )


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
OPERATED: Context = SENDER | {"operator": SENDER["name"], "imprint": [], "controller": ""}
BRAND = Brand().context("example.org")
ANYBODY: Context = {
    "network": "Kommunen-Netzwerk: engagiert in Musterland",
    "sender": OPERATED,
    "brand": BRAND,
}
_SUMMARY = clean_html(
    "<p>Wer sich in seiner Kommune für andere einsetzt, soll dafür gute Bedingungen finden. Das "
    "<b>Förderprogramm</b> hilft Vereinen und Initiativen mit bis zu 1.000 Euro je Vorhaben, ohne "
    "Eigenanteil und mit wenig Papier. Anträge nimmt die "
    '<a href="https://example.org/antrag">Bewilligungsstelle</a> entgegen.</p>'
    "<ul><li>Frist: 30. April</li><li>Wer: Vereine, Initiativen, Kommunen</li></ul>"
)
_EDITORIAL = clean_html(
    "<p>der Frühling bringt Bewegung in das Netzwerk: Im März treffen wir uns zum ersten Mal in diesem "
    "Jahr, und gleich drei Programme suchen Vorhaben aus den Kommunen.</p><p>Geben Sie die Meldungen gern "
    "an Ihre Vereine weiter.</p>"
)
_TITLES = (
    "Landespreis für junges Engagement: jetzt bewerben",
    "Netzwerktreffen der Kommunen im Frühjahr",
    "»Zusammen vor Ort«: Was eine Kleinstadt aus ihrem Ehrenamtsbüro gemacht hat, und was andere davon "
    "lernen können",
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
        "short_url": f"https://infomail.example.org/e/0123456789abcdef/{number}",
        "source": "Beispielstiftung" if number % 2 else "",
        "summary": Markup(excerpt(_SUMMARY)),  # noqa: S704  made clean
        "text": plain_text(excerpt(_SUMMARY)),
        "whole": Markup(_SUMMARY),  # noqa: S704  made clean
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
                Markup(_EDITORIAL)  # noqa: S704  made clean
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
        "draft": False,
        "slots": {
            "salutation": SALUTATION,
            "unsubscribe_url": f"https://infomail.example.org/abmelden/{TOKEN}",
        },
    }
    return context | changes


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
_EASY = Markup(  # noqa: S704  made clean
    clean_html("<p>Das ist ein Brief.</p><p>Er ist für Menschen,<br>die anderen helfen.</p>")
)


def illustrated(context: Context) -> Context:
    """The same with a logo, pictures and a part in Leichte Sprache."""
    small = _PICTURE | {"src": _drawing(80, 300), "width": 80, "height": 300}
    first, *others = context["sections"]
    pictures = [_PICTURE, _PICTURE, small, *[None] * len(first["entries"])]
    entries = [
        entry | {"picture": picture} for entry, picture in zip(first["entries"], pictures, strict=False)
    ]
    return context | {
        "brand": BRAND | {"logo": _LOGO},
        "issue": context["issue"] | {"easy_language": _EASY},
        "sections": [first | {"entries": entries}, *others],
    }


CONFIRM: Context = ANYBODY | {
    "list_title": "Infomail des Netzwerks",
    "confirm_url": "https://infomail.example.org/bestaetigen/AbCdEf0123456789AbCdEf0123456789AbCdEf0123456789",
    "valid_days": 7,
    "wording": "Ich möchte die Infomail per E-Mail erhalten. Ich kann mich jederzeit wieder abmelden.",
    "requested_at": datetime(2024, 3, 5, 9, 0, tzinfo=UTC),
    "told_by": "",
    "salutation": "Guten Tag,",
    "language": "de",
}
WELCOME: Context = ANYBODY | {
    "list_title": "Infomail des Netzwerks",
    "lists": [
        {
            "title": "Infomail des Netzwerks",
            "newsletters": [
                {"title": "Infomail des Netzwerks", "times": 1, "per": "month"},
                {"title": "Termine der Woche", "times": 1, "per": "week"},
            ],
        },
        {"title": "Vereinsbrief", "newsletters": []},
    ],
    "salutation": "Sehr geehrte Frau Dr. Beispiel,",
    "last_issue": "Infomail 3/2024: Landespreis, Netzwerktreffen, Fördermittel",
    "archive_url": "https://infomail.example.org/archiv/infomail/2024-3",
    "preferences_url": "https://infomail.example.org/einstellungen",
    "unsubscribe_url": f"https://infomail.example.org/abmelden/{TOKEN}",
    "reply_to": "infomail@example.org",
    "language": "de",
}
GOODBYE: Context = ANYBODY | {
    "list_title": "Infomail des Netzwerks",
    "undo_url": "https://infomail.example.org/rueckgaengig/AbCdEf0123456789AbCdEf0123456789AbCdEf0123456789",
    "salutation": "Sehr geehrte Frau Dr. Beispiel,",
    "everything": False,
    "language": "de",
}
PREFERENCES: Context = ANYBODY | {
    "list_title": "Infomail des Netzwerks",
    "preferences_url": "https://infomail.example.org/einstellungen/AbCdEf0123456789AbCdEf0123456789AbCdEf01234567",
    "valid_minutes": 30,
    "salutation": "Sehr geehrte Frau Dr. Beispiel,",
    "language": "de",
}
_OFFICE: Context = ANYBODY | {
    "list_title": "Infomail des Netzwerks",
    "role": "contact",
    "municipality": "Musterstadt an der Beispiel",
    "language": "de",
}
INVITE: Context = _OFFICE | {
    "confirm_url": "https://infomail.example.org/bestaetigen/AbCdEf0123456789AbCdEf0123456789AbCdEf0123456789",
    "archive_url": "https://infomail.example.org/ausgabe/AbCdEf0123456789AbCdEf0123456789AbCdEf0123456789",
    "valid_days": 7,
    "wording": "Ich möchte die Infomail per E-Mail erhalten. Ich kann mich jederzeit wieder abmelden.",
    "starts": date(2024, 4, 1),
    "titles": "Infomail des Netzwerks",
    "salutation": "Guten Tag,",
}
STILL_RIGHT: Context = _OFFICE | {
    "answer_url": "https://infomail.example.org/noch-richtig/AbCdEf0123456789AbCdEf0123456789AbCdEf0123456789",
    "salutation": "Sehr geehrte Frau Dr. Beispiel,",
}
CONTRIBUTION: Context = ANYBODY | {
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
_STANDING: Context = {
    "id": 12,
    "title": "Infomail",
    "number": 3,
    "year": 2024,
    "subject": "Infomail – 3/2024",
    "editorial": "der Frühling bringt Bewegung in das Netzwerk.",
}
_SHOWN = ("title", "starts", "ends", "all_day", "text", "source")
_DRAFT = [
    {
        "title": each["title"],
        "entries": [{name: entry[name] for name in _SHOWN} for entry in each["entries"]],
    }
    for each in sections(7)
]
STAFF: Context = ANYBODY | {
    "list_title": "Infomail des Netzwerks",
    "language": "de",
    "issue": _STANDING
    | {
        "send_at": datetime(2024, 3, 5, 8, 0, tzinfo=UTC),
        "created_at": datetime(2024, 2, 29, 8, 0, tzinfo=UTC),
    },
    "stands": "edited",
    "until": datetime(2024, 3, 5, 14, 0, tzinfo=UTC),
    "in_time": True,
    "by": "berta",
    "reason": "Die Antragsfrist endet heute & das <Land> bittet darum.",
    "people": 431,
    "suggestions": 2,
    "changed": ["Frühjahrsputz & <mehr>"],
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
    "sections": _DRAFT,
}
ISSUE_SENT: Context = ANYBODY | {
    "list_title": "Infomail des Netzwerks",
    "language": "de",
    "issue": {
        "id": 12,
        "title": "Infomail",
        "number": 3,
        "year": 2024,
        "subject": "Infomail – 3/2024",
        "began_at": datetime(2024, 3, 5, 8, 0, tzinfo=UTC),
        "ended_at": datetime(2024, 3, 5, 8, 11, tzinfo=UTC),
    },
    "editions": 31,
    "sent": 428,
    "failed": [{"reason": "mailbox", "n": 2}, {"reason": "gave-up", "n": 1}],
    "skipped": [{"reason": "unsubscribed", "n": 3}, {"reason": "paused", "n": 1}],
    "archive_url": "https://infomail.example.org/archiv/infomail/2024-3",
}
FOREWORD: Context = ANYBODY | {
    "list_title": "Infomail des Netzwerks",
    "language": "de",
    "issue": _STANDING | {"until": datetime(2024, 3, 7, 8, 0, tzinfo=UTC)},
    "again": False,
    "goes_without": True,
    "sections": _DRAFT,
}
CONTRIBUTE: Context = CONTRIBUTION | {
    "confirm_url": f"https://infomail.example.org/beitrag/{TOKEN}",
    "valid_days": 7,
    "pass_on": True,
}
USED: Context = CONTRIBUTION | {
    "issue": {"title": "Infomail", "number": 3, "year": 2024},
    "archive_url": f"https://infomail.example.org/ausgabe/{TOKEN}",
}
REFUSED: Context = CONTRIBUTION | {"word": "Leider zu spät.\n\nGern wieder <im> Herbst & Winter."}

#: a sender of whom little is said, in the name of somebody else
_BARE_SENDER: Context = OPERATED | {
    "represented_by": "",
    "phone": "",
    "responsible": "",
    "privacy_url": "",
    "imprint": ["Stadt Musterstadt", "Rathausplatz 1"],
    "controller": "Die Bürgermeisterin der Stadt Musterstadt",
}
_BARE: Context = {"sender": _BARE_SENDER, "language": "en"}
_NO_WORDS = dict.fromkeys(
    ("url", "source", "summary", "text", "location", "contact", "also", "municipality", "calendar_url"), ""
)
_NO_DATES = dict.fromkeys(("starts", "ends", "deadline", "published", "updated"))
_BARE_ISSUE = issue(
    0,
    informing=False,
    sections=[section("Neues", entry(1, **_NO_WORDS, **_NO_DATES), passed_on=True)],
    issue=issue(0)["issue"] | {"preheader": "", "editorial": []},
    reason="Sie erhalten diese Mail auf eigenen Wunsch.",
    municipality={"name": "Musterstadt"},
    calendar_url="",
    **_BARE,
)
_BARE_STAFF: Context = STAFF | {
    "issue": STAFF["issue"] | {"send_at": None, "editorial": ""},
    "stands": "draft",
    "until": None,
    "in_time": False,
    "by": "",
    "reason": "",
    "suggestions": 0,
    "changed": [],
    "feeds": [],
    "sections": [],
}
_RELEASED_ALONE = (STAFF, _BARE_STAFF | _BARE)
#: what has no time of its own is not asked for
_WITH_A_TIME = (STAFF, _BARE_STAFF | _BARE | {"issue": STAFF["issue"] | {"editorial": ""}})

#: kind of notice -> its contexts
NOTICES: dict[str, tuple[Context, ...]] = {
    "confirm": (CONFIRM | {"told_by": "Stadt Musterstadt"}, CONFIRM | _BARE),
    "welcome": (
        WELCOME,
        WELCOME
        | {"lists": WELCOME["lists"][1:], "last_issue": "", "archive_url": "", "reply_to": ""}
        | _BARE,
    ),
    "goodbye": (GOODBYE, GOODBYE | {"everything": True} | _BARE),
    "preferences": (PREFERENCES, PREFERENCES | _BARE),
    "invite": (INVITE, INVITE | {"archive_url": ""} | _BARE),
    "still-right": (STILL_RIGHT, STILL_RIGHT | {"role": "mailbox"} | _BARE),
    "draft-ready": _WITH_A_TIME,
    "reminder": _WITH_A_TIME,
    "overdue": (_WITH_A_TIME[0], _WITH_A_TIME[1] | {"until": STAFF["until"]}),
    "missed": tuple(each | {"stands": "approved", "until": STAFF["until"]} for each in _WITH_A_TIME),
    "given-up": tuple(each | {"stands": "cancelled"} for each in _WITH_A_TIME),
    "emergency": _RELEASED_ALONE,
    "halted": (
        STAFF | {"halted": ["12", "40"], "held": 3},
        _BARE_STAFF | _BARE | {"halted": None, "held": 1},
    ),
    "issue-sent": (
        ISSUE_SENT,
        ISSUE_SENT | {"sent": 0, "failed": [], "skipped": [], "archive_url": ""} | _BARE,
    ),
    "foreword": (
        FOREWORD,
        FOREWORD
        | {
            "issue": FOREWORD["issue"] | {"editorial": ""},
            "again": True,
            "goes_without": False,
            "sections": [],
        }
        | _BARE,
    ),
    "contribute": (CONTRIBUTE, CONTRIBUTE | {"pass_on": False} | _BARE),
    "contribution-used": (USED, USED | {"archive_url": ""} | _BARE),
    "contribution-refused": (REFUSED, REFUSED | {"word": ""} | _BARE),
}
