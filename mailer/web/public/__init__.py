"""Pages for everybody: sign up, confirm, leave, come back, read in the browser; and one's own page."""

from fastapi import APIRouter

from mailer.web.public import archive, ask_link, confirm, leave, lists, preferences, sign_up

router = APIRouter()
for pages in (lists, sign_up, confirm, leave, ask_link, preferences, archive):
    router.include_router(pages.router)
