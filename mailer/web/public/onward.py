"""From an entry's short address, as it stands in the text of a mail, to where the entry leads.

Whoever follows it is not counted, and nothing of it is kept.
"""

from fastapi import APIRouter, HTTPException, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import select

from mailer.issues.model import Issue, entries_of
from mailer.web.surroundings import READING, Opened

router = APIRouter()


@router.api_route("/e/{issue}/{number}", methods=READING)
def onward(opened: Opened, issue: str, number: str) -> Response:
    """`issue` is its handle in hex, `number` that of the entry within it, from 1."""
    if len(issue) != 16 or not number.isascii() or not number.isdigit():
        raise HTTPException(404)
    try:
        handle = int(issue, 16)
    except ValueError:
        raise HTTPException(404) from None
    with opened() as session:
        found = session.scalar(select(Issue).where(Issue.handle == handle))
        entries = dict(enumerate(entries_of(session, found), start=1)) if found else {}
        entry = entries.get(int(number))
        # where an internal one leads is nobody's business who only guessed
        url = entry.url if entry and not entry.internal else ""
    if not url:
        raise HTTPException(404)
    return RedirectResponse(url, 302)
