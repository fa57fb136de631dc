"""Pages for everybody: sign up, confirm, leave, come back, read in the browser; and one's own page."""

from fastapi import APIRouter

from mailer.web.public import (
    archive,
    ask_link,
    confirm,
    contribute,
    handover,
    leave,
    lists,
    logo,
    onward,
    own_data,
    preferences,
    sign_up,
    still_right,
)

router = APIRouter()
for pages in (
    lists,
    logo,
    onward,
    sign_up,
    confirm,
    leave,
    ask_link,
    preferences,
    own_data,
    handover,
    still_right,
    archive,
    contribute,
):
    router.include_router(pages.router)
