"""Pages for everybody: sign up, confirm, leave, come back, hand an office over, read in the browser."""

from fastapi import APIRouter

from mailer.web.public import archive, confirm, handover, leave, lists, sign_up, still_right

router = APIRouter()
for pages in (lists, sign_up, confirm, leave, handover, still_right, archive):
    router.include_router(pages.router)
