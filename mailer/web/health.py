"""For load balancers and monitoring: whether the pages and their database answer."""

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from mailer.web.surroundings import READING, Opened
from subscribers.model import MailingList

router = APIRouter()


@router.api_route("/healthz", methods=READING)
def healthz(opened: Opened) -> Response:
    """200 "ok", or 503 when a row cannot be read."""
    try:
        with opened() as session:
            session.execute(select(MailingList.key).limit(1)).all()
    except DBAPIError:
        return PlainTextResponse("database\n", 503)
    return PlainTextResponse("ok\n")
