"""An issue in the browser: the edition as it was sent, without anybody's name in it.

What was found wrong in it since stands above.
"""

import re
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, HTTPException, Response
from fastapi.responses import HTMLResponse
from sqlalchemy import select

from mailer.issues.correct import paragraphs
from mailer.issues.model import Issue
from mailer.render.model import Edition
from mailer.web.headers import ARCHIVE_SECURITY_POLICY
from mailer.web.pages import Pages
from mailer.web.surroundings import READING, Here, Opened, signed
from subscribers.tokens import Purpose, Token

router = APIRouter()

_BODY = re.compile(r"<body\b[^>]*>", re.IGNORECASE)


@router.api_route("/ausgabe/{token}", methods=READING)
def view(here: Here, opened: Opened, signed: Annotated[Token, Depends(signed(Purpose.ARCHIVE))]) -> Response:
    """The token names the issue by its handle and the edition by the first 8 bytes of its digest."""
    edition = (
        select(Edition, Issue)
        .join(Issue, Issue.id == Edition.issue_id)
        .where(Issue.handle == signed.context, Edition.digest.startswith(f"{signed.subject:016x}"))
    )
    with opened() as session:
        found = session.execute(edition).first()
    if found is None:
        raise HTTPException(404)
    return HTMLResponse(
        _corrected(here.pages, *found),
        headers={
            "Content-Security-Policy": ARCHIVE_SECURITY_POLICY,
            "Content-Language": found.Edition.language,
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
