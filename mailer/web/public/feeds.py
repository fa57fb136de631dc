"""What programs read: the issues as feeds, their events as a calendar, what a municipality may pass on."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from fastapi import APIRouter, HTTPException, Request, Response
from sqlalchemy.orm import Session

from mailer.archive.published import (
    Published,
    municipality_names,
    newest,
    passed_on_in,
    since,
    with_events,
)
from mailer.archive.syndicate import Article, Syndicated, atom, json_feed, urn
from mailer.issues.model import Entry, entries_of
from mailer.render.ics import Event, calendar
from mailer.render.sanitize import clean_html
from mailer.translations import LANGUAGES, translations
from mailer.web.pages import web_link
from mailer.web.public.passing_on import html_of
from mailer.web.public.shown import calendar_response, events_of
from mailer.web.surroundings import READING, Here, Opened, Surroundings, now
from subscribers.model import Municipality

router = APIRouter()

_ISSUES = 20
_PASSED_ON_FOR = timedelta(days=90)
_PAST = timedelta(days=30)
#: readers ask again after a quarter of an hour, and hear by the ETag that nothing is new
_KEPT = "public, max-age=900"
_WRITERS = {"atom": (atom, "application/atom+xml"), "json": (json_feed, "application/feed+json")}
#: a feed is for programs that have no language: it is in the first of ours
_LANGUAGE = LANGUAGES[0]


@router.api_route("/archiv/feed.{kind}", methods=READING)
def issues(request: Request, here: Here, opened: Opened, kind: str) -> Response:
    """The last issues."""
    with opened() as session:
        articles = [_issue(here, session, published) for published in newest(session, _ISSUES)]
    return _feed(request, here, kind, "/archiv", here.settings.network, "/archiv", articles)


@router.api_route("/weitergeben/{ags}/feed.{kind}", methods=READING)
def passed_on(request: Request, here: Here, opened: Opened, ags: str, kind: str) -> Response:
    """What may be passed on in a municipality, of the last 90 days."""
    with opened() as session:
        # PostgreSQL takes no NUL in a text, not even to look for it
        place = session.get(Municipality, ags) if ags.isprintable() else None
        if place is None:
            raise HTTPException(404)
        articles = [
            article
            for published in since(session, now() - _PASSED_ON_FOR)
            for article in _entries(here, session, published, ags)
        ]
    words = translations(_LANGUAGE).gettext("%(network)s: to pass on in %(place)s")
    title = words % {"network": here.settings.network, "place": place.name}
    return _feed(request, here, kind, f"/weitergeben/{ags}", title, "/archiv", articles)


@router.api_route("/archiv/termine.ics", methods=READING)
def events(request: Request, here: Here, opened: Opened) -> Response:
    """What is to come, and what was in the last 30 days, each once."""
    earliest = now() - _PAST
    with opened() as session:
        found = with_events(session, earliest)
    stamp = max((published.changed_at for published in found), default=datetime.fromtimestamp(0, UTC))
    file = calendar(_once(found, earliest), stamp=stamp, zone=here.zone, name=here.settings.network)
    kept = _kept(file, stamp)
    return _unchanged(request, kept) or calendar_response(file, "termine.ics", **kept)


def _once(found: list[Published], earliest: datetime) -> Iterator[Event]:
    """The events that end at `earliest` or later, the soonest first.

    What several issues announce is one event: under the name that the first of them gave it, and with
    what the last one says.
    """
    by_occasion: dict[tuple[str, datetime], Event] = {}
    for published in reversed(found):
        for event in events_of(published.issue, published.entries):
            if (event.ends or event.starts) >= earliest:
                occasion = event.title.casefold(), event.starts
                first = by_occasion.get(occasion, event)
                by_occasion[occasion] = replace(event, uid=first.uid)
    yield from sorted(by_occasion.values(), key=lambda event: (event.starts, event.title))


def _issue(here: Surroundings, session: Session, published: Published) -> Article:
    names = municipality_names(session, published.entries)
    issue = published.issue
    parts = [
        html_of(here, published, number, entry, names, whole=True) for number, entry in published.entries
    ]
    return Article(
        id=urn(f"issue {issue.handle:016x}"),
        title=published.words.subject,
        url=f"{here.public_url}{published.path}",
        html="".join([clean_html(published.words.editorial), *parts]),
        published=issue.sent_at or issue.send_at,
        updated=published.changed_at,
        language=published.language,
        category=issue.title,
    )


def _entries(here: Surroundings, session: Session, published: Published, ags: str) -> Iterator[Article]:
    chosen = passed_on_in(entries_of(session, published.issue), ags)
    names = municipality_names(session, chosen)
    issue = published.issue
    for number, entry in chosen:
        yield Article(
            id=urn(f"entry {issue.handle:016x} {number}"),
            title=entry.title,
            # what comes in again by its own address is known: it stood in an issue
            url=web_link(entry.url) or f"{here.public_url}{published.path}#e{number}",
            html=html_of(here, published, number, entry, names, whole=False),
            published=issue.sent_at or issue.send_at,
            updated=published.changed_at,
            language=published.language,
            source=_source(here, entry),
            category=entry.section,
            deadline=entry.deadline,
        )


def _source(here: Surroundings, entry: Entry) -> str:
    return entry.source or here.settings.network


def _feed(
    request: Request,
    here: Surroundings,
    kind: str,
    folder: str,
    title: str,
    page: str,
    articles: list[Article],
) -> Response:
    if kind not in _WRITERS:
        raise HTTPException(404)
    write, media_type = _WRITERS[kind]
    feed = Syndicated(
        id=urn(f"feed {folder}"),
        title=title,
        author=here.settings.sender_name or here.settings.network,
        page=f"{here.public_url}{page}",
        folder=f"{here.public_url}{folder}",
        language=_LANGUAGE,
        articles=articles,
    )
    body = write(feed)
    kept = _kept(body, feed.updated)
    return _unchanged(request, kept) or Response(
        body, media_type=f"{media_type}; charset=utf-8", headers=kept
    )


def _kept(body: bytes, changed: datetime) -> dict[str, str]:
    return {
        "Cache-Control": _KEPT,
        "ETag": f'"{hashlib.sha256(body).hexdigest()[:32]}"',
        "Last-Modified": format_datetime(changed.astimezone(UTC).replace(microsecond=0), usegmt=True),
    }


def _unchanged(request: Request, kept: dict[str, str]) -> Response | None:
    """304 where the reader has these very bytes (RFC 9110 13.1.2).

    If-Modified-Since is not asked: what leaves a feed makes it no newer.
    """
    has = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
    return Response(status_code=304, headers=kept) if kept["ETag"] in has or has == ["*"] else None
