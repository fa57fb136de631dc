"""What this is, which lists there are, and who answers for it."""

from collections.abc import Sequence

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import FileResponse
from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.web.assets import FOLDER
from mailer.web.surroundings import READING, Here, Opened
from subscribers.model import MailingList, Municipality, Visibility
from subscribers.subscribing import public_lists

router = APIRouter()


@router.api_route("/", methods=READING)
def home(request: Request, here: Here, opened: Opened) -> Response:
    """The public lists: those of the network first, then those of municipalities by their names."""
    with opened() as session:
        lists = public_lists(session)
        names = _names(session, lists)
    return here.pages.respond(
        request,
        "home.html",
        network_lists=[each for each in lists if each.municipality is None],
        municipal_lists=sorted(
            ((names[each.municipality], each) for each in lists if each.municipality is not None),
            key=lambda row: (row[0].casefold(), row[1].title.casefold()),
        ),
    )


@router.api_route("/impressum", methods=READING)
def imprint(request: Request, here: Here) -> Response:
    """Who offers this (§ 5 DDG, § 18 MStV)."""
    return here.pages.respond(request, "imprint.html")


@router.api_route("/favicon.ico", methods=READING)
def icon() -> Response:
    """Browsers ask for it at this path wherever a page names none, as in an archived mail."""
    return FileResponse(FOLDER / "mark.svg", headers={"Cache-Control": "public, max-age=86400"})


def public_list(session: Session, key: str) -> MailingList:
    """The list, if anybody may sign up to it; else the same 404 as for one that does not exist."""
    # PostgreSQL takes no NUL in a text, not even to look for it
    mailing_list = session.get(MailingList, key) if key.isprintable() else None
    if mailing_list is None or mailing_list.visibility is not Visibility.PUBLIC:
        raise HTTPException(404)
    return mailing_list


def _names(session: Session, lists: Sequence[MailingList]) -> dict[str, str]:
    keys = {each.municipality for each in lists}
    rows = session.execute(select(Municipality.ags, Municipality.name).where(Municipality.ags.in_(keys)))
    return dict(rows.all())
