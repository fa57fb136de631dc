"""The logo of the operator, for issues in the browser; in mails it travels with them."""

from fastapi import APIRouter, HTTPException, Response

from mailer.web.headers import IMAGE_HEADERS
from mailer.web.surroundings import READING, Here

router = APIRouter()


@router.api_route("/logo", methods=READING)
def logo(here: Here) -> Response:
    if here.logo is None:
        raise HTTPException(404)
    return Response(here.logo.data, media_type=here.logo.media_type, headers=IMAGE_HEADERS)
