"""Pages for everybody: sign up, confirm, leave, come back, own data, read in the browser."""

from fastapi import APIRouter

from mailer.web.public import archive, confirm, leave, lists, own_data, sign_up

router = APIRouter()
for pages in (lists, sign_up, confirm, leave, own_data, archive):
    router.include_router(pages.router)
