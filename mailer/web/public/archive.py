"""An issue in the browser: the edition as it was sent, without anybody's name in it, and its events.

What was found wrong in it since stands above.
"""

import re
from datetime import datetime
from typing import Annotated, cast
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, HTTPException, Response
from fastapi.responses import HTMLResponse
from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.issues.correct import paragraphs
from mailer.issues.model import Entry, Issue
from mailer.render.choose import Setting, public, recalled
from mailer.render.ics import Event, calendar
from mailer.render.model import Edition
from mailer.render.sanitize import excerpt, plain_text
from mailer.web.headers import ARCHIVE_SECURITY_POLICY
from mailer.web.pages import Pages
from mailer.web.surroundings import READING, Here, Opened, signed
from subscribers.tokens import Purpose, Token

router = APIRouter()
Signed = Annotated[Token, Depends(signed(Purpose.ARCHIVE))]

_BODY = re.compile(r"<body\b[^>]*>", re.IGNORECASE)


@router.api_route("/ausgabe/{token}", methods=READING)
def view(here: Here, opened: Opened, signed: Signed) -> Response:
    """The token names the issue by its handle and the edition by the first 8 bytes of its digest."""
    with opened() as session:
        issue, edition = _found(session, signed)
    return HTMLResponse(
        _corrected(here.pages, edition, issue),
        headers={
            "Content-Security-Policy": ARCHIVE_SECURITY_POLICY,
            "Content-Language": edition.language,
            "X-Robots-Tag": "noindex",
        },
    )


def _corrected(pages: Pages, edition: Edition, issue: Issue) -> str:
    """The page of an edition, with the correction of its issue at the top if there is one."""
    if issue.corrected_at is None:
        return edition.html
    note = pages.render(
        "correction.html",
        edition.language,
        day=issue.corrected_at.astimezone(ZoneInfo(issue.zone)).date(),
        paragraphs=paragraphs(issue.correction),
    )
    body = _BODY.search(edition.html)
    at = body.end() if body else 0
    return edition.html[:at] + note + edition.html[at:]


@router.api_route("/ausgabe/{token}/termine.ics", methods=READING)
def all_events(opened: Opened, signed: Signed) -> Response:
    """All events of the edition, past ones too: the issue stays what it was."""
    return _file(opened, signed, "", "termine.ics")


@router.api_route("/ausgabe/{token}/termin/{number}.ics", methods=READING)
def one_event(opened: Opened, signed: Signed, number: str) -> Response:
    """The event that is this entry of the issue."""
    return _file(opened, signed, number, f"termin-{number}.ics")


def _file(opened: Opened, signed: Token, number: str, name: str) -> Response:
    with opened() as session:
        issue, edition = _found(session, signed)
        entries = {
            entry.id: entry for entry in session.scalars(select(Entry).where(Entry.issue_id == issue.id))
        }
    if not edition.setting:  # older than this record
        raise HTTPException(404)
    seen = public(recalled(cast(Setting, edition.setting), entries))
    events = [
        _event(issue, place, entry, entry.starts)
        for place, entry in seen
        if entry.starts and number in ("", str(place))
    ]
    if not events:
        raise HTTPException(404)
    return Response(
        calendar(events, stamp=issue.send_at, zone=ZoneInfo(issue.zone)),
        media_type="text/calendar; charset=utf-8; method=PUBLISH",
        headers={"Content-Disposition": f'attachment; filename="{name}"', "X-Robots-Tag": "noindex"},
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


def _found(session: Session, signed: Token) -> tuple[Issue, Edition]:
    found = session.execute(
        select(Issue, Edition)
        .join(Edition, Edition.issue_id == Issue.id)
        .where(Issue.handle == signed.context, Edition.digest.startswith(f"{signed.subject:016x}"))
    ).first()
    if found is None:
        raise HTTPException(404)
    issue, edition = found
    return issue, edition
