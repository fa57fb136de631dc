"""Pages for everybody: sign up, confirm, leave, come back, read in the browser."""

from fastapi import APIRouter

from mailer.web.public import archive, confirm, leave, lists, sign_up

router = APIRouter()
for pages in (lists, sign_up, confirm, leave, archive):
    router.include_router(pages.router)
