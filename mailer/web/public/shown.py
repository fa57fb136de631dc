"""An archived issue as pages show it: its entries, its events, its correction."""

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import HTTPException, Response
from fastapi.responses import HTMLResponse
from markupsafe import Markup

from mailer.feeds.model import Picture
from mailer.issues.correct import paragraphs
from mailer.issues.model import Entry, Issue
from mailer.links import Links
from mailer.render.choose import Numbered
from mailer.render.context import entry_context, sections_of
from mailer.render.ics import Event, calendar
from mailer.render.sanitize import clean_html, excerpt, plain_text
from mailer.web.headers import MAIL_SECURITY_POLICY
from mailer.web.pages import Pages, web_link

_BODY = re.compile(r"<body\b[^>]*>", re.IGNORECASE)


def sections(
    issue: Issue,
    entries: Sequence[Numbered],
    names: Mapping[str, str],
    pictures: Sequence[Picture],
    path: str,
) -> list[dict[str, Any]]:
    """The entries in their sections; `names` of municipalities by AGS, `path` that of the page."""
    by_id = {picture.id: _picture(picture) for picture in pictures}
    contexts = {
        number: entry_shown(number, entry, names, path) | {"picture": by_id.get(entry.picture_id or 0)}
        for number, entry in entries
    }
    return sections_of(issue, entries, contexts)


def entry_shown(number: int, entry: Entry, names: Mapping[str, str], path: str) -> dict[str, Any]:
    """One entry, without a picture; its `calendar_url` lies below `path`, "" for no events."""
    found = entry_context(
        number,
        entry,
        names.get(entry.municipality or "", ""),
        archive_url=path,
        short_url="",
        picture=None,
    )
    return found | {"number": number, "url": web_link(entry.url)}


def _picture(picture: Picture) -> dict[str, Any]:
    return {
        "path": Links("").picture(picture.handle),
        "alt": picture.alt,
        "credit": picture.credit,
        "width": picture.width,
        "height": picture.height,
    }


def around(issue: Issue) -> dict[str, Any]:
    """What a page says of the issue beside its entries."""
    zone = ZoneInfo(issue.zone)
    return {
        "issue": issue,
        "date": issue.send_at.astimezone(zone).date(),
        "zone": zone,
        "corrected": _corrected_on(issue),
        "correction": paragraphs(issue.correction) if issue.corrected_at else [],
    }


def words(html: str) -> Markup:
    """HTML of editors or feeds, cleaned once more on its way onto a page."""
    return Markup(clean_html(html))  # noqa: S704  clean HTML


def mail_response(pages: Pages, html: str, language: str, issue: Issue) -> Response:
    """A mail in the browser, with the correction of its issue at the top; it may do nothing."""
    return HTMLResponse(
        with_correction(pages, html, language, issue),
        headers={
            "Content-Security-Policy": MAIL_SECURITY_POLICY,
            # that policy is silent about who may frame it
            "X-Frame-Options": "SAMEORIGIN",
            "Content-Language": language,
            "X-Robots-Tag": "noindex",
        },
    )


def with_correction(pages: Pages, html: str, language: str, issue: Issue) -> str:
    """The page of a mail, with the correction of its issue at the top if there is one."""
    body = _BODY.search(html)
    at = body.end() if body else 0
    return html[:at] + correction_note(pages, language, issue) + html[at:]


def correction_note(pages: Pages, language: str, issue: Issue) -> str:
    """HTML that brings its own styles; "" where nothing was corrected."""
    if issue.corrected_at is None:
        return ""
    shown = {"day": _corrected_on(issue), "paragraphs": paragraphs(issue.correction)}
    return pages.render("correction.html", language, **shown)


def events_of(issue: Issue, entries: Sequence[Numbered]) -> list[Event]:
    """The entries that take place."""
    return [_event(issue, number, entry, entry.starts) for number, entry in entries if entry.starts]


def events_file(issue: Issue, entries: Sequence[Numbered], number: str = "") -> Response:
    """The events among the entries (the one with this number, if given) as a file; a 404 for none."""
    wanted = [(each, entry) for each, entry in entries if number in ("", str(each))]
    events = events_of(issue, wanted)
    if not events:
        raise HTTPException(404)
    name = f"termin-{number}.ics" if number else "termine.ics"
    return calendar_response(
        calendar(events, stamp=issue.send_at, zone=ZoneInfo(issue.zone)), name, **{"X-Robots-Tag": "noindex"}
    )


def calendar_response(file: bytes, name: str, **headers: str) -> Response:
    return Response(
        file,
        media_type="text/calendar; charset=utf-8; method=PUBLISH",
        headers={"Content-Disposition": f'attachment; filename="{name}"', **headers},
    )


def _event(issue: Issue, number: int, entry: Entry, starts: datetime) -> Event:
    return Event(
        # of the issue, not of the edition: whoever takes it from two has it once. A random number
        # and no host name, as RFC 7986 5.3 wants it
        uid=f"infomail-{issue.handle:016x}-{number}",
        title=entry.title,
        starts=starts,
        ends=entry.ends,
        all_day=entry.all_day,
        location=entry.location,
        description=plain_text(excerpt(entry.summary)),
        url=entry.url,
    )


def _corrected_on(issue: Issue) -> date | None:
    return issue.corrected_at and issue.corrected_at.astimezone(ZoneInfo(issue.zone)).date()
