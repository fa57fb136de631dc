"""What the templates of an issue are filled with. Pure.

Everything comes from stored values: the issue, the entries that are seen, the setting and the letterhead.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any

from markupsafe import Markup

from mailer.feeds.model import Picture
from mailer.issues.model import Entry, Issue
from mailer.render.choose import Numbered, Setting
from mailer.render.letterhead import Letterhead
from mailer.render.message import Image
from mailer.render.sanitize import excerpt, plain_text
from mailer.render.typography import typeset, typeset_html

#: pixels that a picture may take in a mail of 600
_WIDEST, _HIGHEST = 536, 400
#: characters (RFC 5322 2.1.1, less what a program may put before it)
_ONE_LINE = 74


def issue_context(
    issue: Issue, sections: list[dict[str, Any]], setting: Setting, letterhead: Letterhead, archive_url: str
) -> dict[str, Any]:
    """The context of body and subject, all but the slots."""
    said = setting["of_list"]
    return {
        "network": letterhead.network,
        "brand": letterhead.look(),
        "issue": {
            "title": issue.title,
            "number": issue.number,
            "year": issue.year,
            "subject": typeset(issue.subject),
            "preheader": typeset(setting["preheader"]),
            "date": date.fromisoformat(setting["date"]),
            "editorial": [Markup(typeset_html(issue.editorial))] if issue.editorial else [],  # noqa: S704  clean HTML
            "easy_language": Markup(typeset_html(issue.easy_language)),  # noqa: S704  clean HTML
        },
        "sections": sections,
        "archive_url": archive_url,
        "calendar_url": _calendar_url(sections, archive_url),
        "contribute_url": f"{letterhead.links.base}/beitrag",
        "list_title": said["title"],
        "reason": "",
        "provenance": _provenance(setting, letterhead) if setting["told"] else None,
        "sender": letterhead.sender(
            sender_name=said["sender_name"],
            imprint=said["imprint"],
            controller=said["controller"],
            privacy_url=said["privacy_url"],
        ),
        "municipality": _municipality(setting),
        "language": setting["language"],
    }


def sections_of(
    issue: Issue, entries: Sequence[Numbered], contexts: dict[int, dict[str, Any]]
) -> list[dict[str, Any]]:
    """The entries in their sections, each as its context by its number.

    In the own issue of a list (Issue.for_list), the first section of what is passed on says so.
    """
    sections: list[dict[str, Any]] = []
    passed_on = False
    for (frozen, _), group in groupby(entries, key=lambda each: (each[1].frozen, each[1].section_position)):
        of_section = list(group)
        begins = bool(issue.for_list) and frozen and not passed_on
        passed_on = passed_on or begins
        sections.append(
            {
                "title": typeset(of_section[0][1].section),
                "anchor": f"s{len(sections)}",
                "passed_on": begins,
                "entries": [contexts[number] for number, _ in of_section],
            }
        )
    return sections


def entry_context(
    number: int,
    entry: Entry,
    municipality: str,
    *,
    archive_url: str,
    short_url: str,
    picture: dict[str, Any] | None,
) -> dict[str, Any]:
    """What the template of an entry is filled with; the same in each edition but for the address.

    `short_url` leads on to where it does, for the text: a longer address breaks in mail programs.
    """
    has_long_url = len(entry.url) > _ONE_LINE and not entry.internal
    return {
        "anchor": f"e{number}",
        "title": typeset(entry.title),
        "url": entry.url,
        "short_url": short_url if has_long_url else entry.url,
        "source": typeset(entry.source),
        "also": typeset(", ".join(entry.also)),
        "municipality": municipality,
        "summary": Markup(typeset_html(excerpt(entry.summary))),  # noqa: S704  clean HTML, cut clean
        "text": plain_text(typeset_html(excerpt(entry.summary))),
        "whole": Markup(typeset_html(entry.summary)),  # noqa: S704  clean HTML
        "starts": entry.starts,
        "ends": entry.ends,
        "all_day": entry.all_day,
        "deadline": entry.deadline,
        "location": typeset(entry.location),
        "contact": typeset(entry.contact),
        "picture": picture,
        "published": entry.published,
        "updated": _updated(entry),
        "calendar_url": _event_url(number, entry, archive_url),
    }


def _event_url(number: int, entry: Entry, archive_url: str) -> str:
    """Where an event is taken over from; "" for what is none, is internal, or stands on no page."""
    return f"{archive_url}/termin/{number}.ics" if archive_url and entry.starts and not entry.internal else ""


def picture_context(picture: Picture, image: Image) -> dict[str, Any]:
    """A picture as templates show it: width and height in pixels of the mail."""
    scale = min(_WIDEST / picture.width, _HIGHEST / picture.height, 1)
    return {
        "src": image.url,
        "alt": picture.alt,
        "credit": picture.credit,
        "width": max(1, round(picture.width * scale)),
        "height": max(1, round(picture.height * scale)),
    }


def _calendar_url(sections: Sequence[dict[str, Any]], archive_url: str) -> str:
    events = [entry for section in sections for entry in section["entries"] if entry["calendar_url"]]
    return f"{archive_url}/termine.ics" if events else ""


def _municipality(setting: Setting) -> dict[str, str] | None:
    name = setting["names"].get(setting["of_list"]["municipality"])
    return {"name": name} if name else None


def _provenance(setting: Setting, letterhead: Letterhead) -> dict[str, str]:
    """What Art. 14 GDPR wants told that the mail does not say anyway."""
    imprint, said = letterhead.imprint, setting["of_list"]
    source, basis = setting["told"]
    return {
        "source": source,
        "basis": basis,
        "controller": said["controller"] or imprint.name,
        "objections_to": said["reply_to"] or imprint.email or letterhead.address,
        "privacy_url": said["privacy_url"] or imprint.privacy_url,
    }


def _updated(entry: Entry) -> datetime | None:
    """When its source changed it, where that is another day than it came out on."""
    if (
        entry.updated is None
        or entry.published is None
        or entry.updated - entry.published < timedelta(days=1)
    ):
        return None
    return entry.updated
