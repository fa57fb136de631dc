"""Pages for everybody: sign up, confirm, leave, come back, read and pass on; and one's own page."""

from fastapi import APIRouter

from mailer.web.public import (
    archive,
    ask_link,
    confirm,
    contribute,
    feeds,
    handover,
    issues,
    leave,
    lists,
    logo,
    onward,
    own_data,
    passing_on,
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
    # before the pages of a newsletter, whose path theirs look like
    feeds,
    issues,
    passing_on,
    contribute,
):
    router.include_router(pages.router)
