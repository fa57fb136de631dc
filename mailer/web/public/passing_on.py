"""What others take over into their own channels: an entry as text and HTML, an issue as a mail of theirs."""

import re
from typing import Any
from urllib.parse import urlsplit

from fastapi import APIRouter, HTTPException, Request, Response

from mailer.archive.draft import Draft, as_eml
from mailer.archive.model import ArchivedMail
from mailer.archive.published import Published, municipality_names
from mailer.issues.model import Entry, pictures_of
from mailer.links import Links
from mailer.render.brand import Brand
from mailer.render.pictures import on_the_web
from mailer.render.sanitize import clean_html, plain_text
from mailer.web.headers import FRAMING_SECURITY_POLICY
from mailer.web.public.issues import found, mail_of, respond
from mailer.web.public.shown import around, correction_note, entry_shown, with_correction
from mailer.web.surroundings import READING, Here, Opened, Surroundings

router = APIRouter()

#: columns of a text block: it is pasted where lines break by themselves
_UNBROKEN = 100_000
#: where HTML may be broken into lines without a change to what is seen
_BETWEEN_BLOCKS = re.compile(r"(?<=>)(?=<(?:p|ul|ol|li|blockquote)>)")


@router.api_route("/archiv/{newsletter}/{name}/{number}/weitergeben", methods=READING)
def entry(request: Request, here: Here, opened: Opened, newsletter: str, name: str, number: str) -> Response:
    """One entry to copy, with its source named."""
    with opened() as session:
        published = found(session, newsletter, name)
        chosen = [(each, entry) for each, entry in published.entries if number == str(each)]
        if not chosen:
            raise HTTPException(404)
        names = municipality_names(session, chosen)
    ((at, entry),) = chosen
    snippet = html_of(here, published, at, entry, names, whole=True)
    return respond(
        request,
        here,
        "pass_on_entry.html",
        published,
        entry=entry_shown(at, entry, names, published.path),
        text=plain_text(snippet, _UNBROKEN),
        html=snippet,
    )


@router.api_route("/archiv/{newsletter}/{name}/zum-kopieren", methods=READING)
def to_copy(request: Request, here: Here, opened: Opened, newsletter: str, name: str) -> Response:
    """The issue to copy into a mail of one's own."""
    with opened() as session:
        published = found(session, newsletter, name)
        kept = mail_of(session, published)
    mail = _corrected(here, published, kept)
    page = respond(request, here, "pass_on_issue.html", published, mail=mail)
    page.headers["Content-Security-Policy"] = FRAMING_SECURITY_POLICY
    return page


@router.api_route("/archiv/{newsletter}/{name}/entwurf.eml", methods=READING)
def as_draft(here: Here, opened: Opened, newsletter: str, name: str) -> Response:
    """The issue as a draft for one's own mail program."""
    with opened() as session:
        published = found(session, newsletter, name)
        kept = mail_of(session, published)
        pictures = pictures_of(session, published.issue)
    domain = urlsplit(here.public_url).hostname or ""
    logo = Brand(logo=here.logo).image(domain)
    images = on_the_web(Links(here.public_url), logo, pictures, domain)
    file = f"{published.issue.newsletter}-{published.name}.eml"
    return Response(
        as_eml(_corrected(here, published, kept), images),
        media_type="message/rfc822",
        headers={"Content-Disposition": f'attachment; filename="{file}"', "X-Robots-Tag": "noindex"},
    )


def html_of(
    here: Surroundings,
    published: Published,
    number: int,
    entry: Entry,
    names: dict[str, str],
    *,
    whole: bool,
) -> str:
    """Clean HTML of an entry for others' pages; `whole` has its title and its link, too."""
    issue_url = f"{here.public_url}{published.path}"
    is_there = any(number == each for each, _ in published.entries)
    context: dict[str, Any] = {
        **around(published.issue),
        "entry": entry_shown(number, entry, names, ""),
        "headline": published.words.subject,
        "issue_url": f"{issue_url}#e{number}" if is_there else issue_url,
        "whole": whole,
    }
    html = clean_html(here.pages.render("snippet.html", published.language, **context))
    return _BETWEEN_BLOCKS.sub("\n", html)


def _corrected(here: Surroundings, published: Published, kept: ArchivedMail) -> Draft:
    note = correction_note(here.pages, kept.language, published.issue)
    return Draft(
        subject=kept.subject,
        html=with_correction(here.pages, kept.html, kept.language, published.issue),
        text=f"{plain_text(note)}\n\n\n{kept.text}" if note else kept.text,
    )
