"""The public archive: the list of issues, a page for each, its mail, its events."""

from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi.responses import HTMLResponse
from sqlalchemy.orm import Session

from mailer.archive.model import ArchivedMail
from mailer.archive.published import Published, municipality_names, named, newsletters, page_of, years
from mailer.issues.model import pictures_of
from mailer.web.headers import FRAMING_SECURITY_POLICY
from mailer.web.public.shown import around, events_file, mail_response, sections, words
from mailer.web.surroundings import READING, Here, Opened, looked_at

router = APIRouter()

_LENGTH = 20
Year = Annotated[int | None, Query(ge=2000, le=9999)]
Number = Annotated[int, Query(ge=1, le=9999)]


@router.api_route("/archiv", methods=READING)
def archive(request: Request, here: Here, opened: Opened, jahr: Year = None, seite: Number = 1) -> Response:
    """All public issues, newest first."""
    return _listed(request, here, opened, "", jahr, seite)


@router.api_route("/archiv/{newsletter}", methods=READING)
def archive_of(
    request: Request, here: Here, opened: Opened, newsletter: str, jahr: Year = None, seite: Number = 1
) -> Response:
    """Those of one newsletter."""
    return _listed(request, here, opened, newsletter, jahr, seite)


def _listed(
    request: Request, here: Here, opened: Opened, newsletter: str, year: int | None, number: int
) -> Response:
    with opened() as session:
        titles = newsletters(session)
        found_years = years(session, _known(newsletter, dict(titles)))
        page = page_of(session, newsletter=newsletter, year=year, page=number, length=_LENGTH)
    if number > page.pages or (year is not None and year not in found_years):
        raise HTTPException(404)
    return here.pages.respond(
        request,
        "archive.html",
        newsletters=titles,
        newsletter=newsletter,
        years=found_years,
        year=year,
        number=number,
        pages=page.pages,
        issues=[(published, around(published.issue)["date"]) for published in page.issues],
    )


def _known(newsletter: str, titles: dict[str, str]) -> str:
    if newsletter and newsletter not in titles:
        raise HTTPException(404)
    return newsletter


@router.api_route("/archiv/{newsletter}/{name}", methods=READING)
def view(request: Request, here: Here, opened: Opened, newsletter: str, name: str) -> Response:
    """One issue: what of it everybody may read."""
    with opened() as session:
        published = found(session, newsletter, name)
        names = municipality_names(session, published.entries)
        pictures = pictures_of(session, published.issue)
        has_mail = session.get(ArchivedMail, published.issue.id) is not None
    looked_at(request, here, published.issue)
    page = respond(
        request,
        here,
        "issue.html",
        published,
        editorial=words(published.words.editorial),
        easy_language=words(published.words.easy_language),
        sections=sections(published.issue, published.entries, names, pictures, published.path),
        has_mail=has_mail,
    )
    page.headers["Content-Security-Policy"] = FRAMING_SECURITY_POLICY
    return page


@router.api_route("/archiv/{newsletter}/{name}/mail", methods=READING)
def mail(here: Here, opened: Opened, newsletter: str, name: str) -> Response:
    """Its mail, as everybody may have it."""
    with opened() as session:
        published = found(session, newsletter, name)
        kept = mail_of(session, published)
    return mail_response(here.pages, kept.html, kept.language, published.issue)


@router.api_route("/archiv/{newsletter}/{name}/termine.ics", methods=READING)
def all_events(opened: Opened, newsletter: str, name: str) -> Response:
    """Its events, past ones too: the issue stays what it was."""
    with opened() as session:
        published = found(session, newsletter, name)
    return events_file(published.issue, published.entries)


@router.api_route("/archiv/{newsletter}/{name}/termin/{number}.ics", methods=READING)
def one_event(opened: Opened, newsletter: str, name: str, number: str) -> Response:
    """The event that is this entry of it."""
    with opened() as session:
        published = found(session, newsletter, name)
    return events_file(published.issue, published.entries, number)


def found(session: Session, newsletter: str, name: str) -> Published:
    """The public issue of a path; one 404 for all that is none."""
    # PostgreSQL takes no NUL in a text, not even to look for it
    published = named(session, newsletter, name) if newsletter.isprintable() else None
    if published is None:
        raise HTTPException(404)
    return published


def mail_of(session: Session, published: Published) -> ArchivedMail:
    """Its mail; a 404 until the clock has made it."""
    kept = session.get(ArchivedMail, published.issue.id)
    if kept is None:
        raise HTTPException(404)
    return kept


def respond(
    request: Request, here: Here, template: str, published: Published, /, **context: object
) -> HTMLResponse:
    """A page about a public issue."""
    return here.pages.respond(
        request,
        template,
        **around(published.issue),
        headline=published.words.subject,
        content_language=published.language,
        path=published.path,
        is_public=True,
        **context,
    )
