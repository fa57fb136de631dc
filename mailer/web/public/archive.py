"""The issue that somebody was mailed, in the browser: her edition, without her name, and its events.

The link is as good as the mail: what is for her region stands here, what is internal does not.
"""

from typing import Annotated, cast

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.issues.model import Entry, Issue, pictures_of
from mailer.render.choose import Numbered, Setting, public, recalled
from mailer.render.model import Edition
from mailer.web.headers import FRAMING_SECURITY_POLICY
from mailer.web.public.shown import around, events_file, mail_response, sections, words
from mailer.web.surroundings import READING, Here, Opened, looked_at, signed
from subscribers.tokens import Purpose, Token

router = APIRouter()
Signed = Annotated[Token, Depends(signed(Purpose.ARCHIVE))]


@router.api_route("/ausgabe/{token}", methods=READING)
def view(request: Request, here: Here, opened: Opened, signed: Signed, token: str) -> Response:
    """The token names the issue by its handle and the edition by the first 8 bytes of its digest."""
    with opened() as session:
        issue, edition = _found(session, signed)
        entries = _entries(session, issue, edition)
        pictures = pictures_of(session, issue)
    names, path = edition.setting.get("names", {}), f"/ausgabe/{token}"
    looked_at(request, here, issue)
    page = here.pages.respond(
        request,
        "issue.html",
        **around(issue),
        headline=edition.subject,
        editorial=words(issue.editorial),
        content_language=edition.language,
        easy_language=words(issue.easy_language),
        sections=sections(issue, entries, names, pictures, path),
        path=path,
        is_public=False,
        has_mail=True,
    )
    page.headers["Content-Security-Policy"] = FRAMING_SECURITY_POLICY
    page.headers["X-Robots-Tag"] = "noindex"
    return page


@router.api_route("/ausgabe/{token}/mail", methods=READING)
def mail(here: Here, opened: Opened, signed: Signed) -> Response:
    """The mail as it was sent."""
    with opened() as session:
        issue, edition = _found(session, signed)
    return mail_response(here.pages, edition.html, edition.language, issue)


@router.api_route("/ausgabe/{token}/termine.ics", methods=READING)
def all_events(opened: Opened, signed: Signed) -> Response:
    """All events of the edition, past ones too: the issue stays what it was."""
    with opened() as session:
        issue, edition = _found(session, signed)
        return events_file(issue, _entries(session, issue, edition))


@router.api_route("/ausgabe/{token}/termin/{number}.ics", methods=READING)
def one_event(opened: Opened, signed: Signed, number: str) -> Response:
    """The event that is this entry of the issue."""
    with opened() as session:
        issue, edition = _found(session, signed)
        return events_file(issue, _entries(session, issue, edition), number)


def _entries(session: Session, issue: Issue, edition: Edition) -> list[Numbered]:
    """What of the edition anybody may see who has its address; nothing of one older than this record."""
    if not edition.setting:
        return []
    entries = {entry.id: entry for entry in session.scalars(select(Entry).where(Entry.issue_id == issue.id))}
    return public(recalled(cast(Setting, edition.setting), entries))


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
