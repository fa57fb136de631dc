"""An issue in the browser: the edition as it was sent, without anybody's name in it."""

from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Response
from fastapi.responses import HTMLResponse
from sqlalchemy import select

from mailer.issues.model import Issue
from mailer.render.model import Edition
from mailer.web.headers import ARCHIVE_SECURITY_POLICY
from mailer.web.surroundings import READING, Opened, signed
from subscribers.tokens import Purpose, Token

router = APIRouter()


@router.api_route("/ausgabe/{token}", methods=READING)
def view(opened: Opened, signed: Annotated[Token, Depends(signed(Purpose.ARCHIVE))]) -> Response:
    """The token names the issue by its handle and the edition by the first 8 bytes of its digest."""
    edition = (
        select(Edition)
        .join(Issue, Issue.id == Edition.issue_id)
        .where(Issue.handle == signed.context, Edition.digest.startswith(f"{signed.subject:016x}"))
    )
    with opened() as session:
        found = session.scalar(edition)
    if found is None:
        raise HTTPException(404)
    return HTMLResponse(
        found.html,
        headers={
            "Content-Security-Policy": ARCHIVE_SECURITY_POLICY,
            "Content-Language": found.language,
            "X-Robots-Tag": "noindex",
        },
    )
