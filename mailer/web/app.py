"""The pages as one ASGI application."""

from zoneinfo import ZoneInfo

from fastapi import FastAPI

from mailer.archive.views import Views
from mailer.database import Database
from mailer.feeds.dates import BERLIN
from mailer.render.brand import read_logo
from mailer.settings import Settings
from mailer.web import health, public
from mailer.web.assets import assets, version
from mailer.web.body_limits import BodyLimits
from mailer.web.errors import add_error_pages
from mailer.web.headers import SecurityHeaders, security_headers
from mailer.web.pages import Pages
from mailer.web.surroundings import Surroundings
from subscribers.tokens import Keys

#: bytes of a request's body; counted while it is read, so a false Content-Length gains nothing
_LONGEST_BODY = 64 * 1024
#: a photograph that is too large is told so beside its field, and what was typed is kept
_LONGEST_UPLOAD = 24_000_000


def create_app(
    settings: Settings, database: Database, *, zone: ZoneInfo = BERLIN, views: Views | None = None
) -> FastAPI:
    """The pages on `database`; the dates that people type are meant in `zone`.

    They count in `views` how often archived issues are looked at; whoever gave it writes it down.

    Raises mailer.web.assets.NotBuilt, and what Keys.parse and read_logo raise.
    """
    app = FastAPI(
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        # it would redirect to wherever the Host header says
        redirect_slashes=False,
    )
    static = version()
    pages = Pages(settings, static)
    app.state.surroundings = Surroundings(
        settings=settings,
        database=database,
        keys=Keys.parse(settings.secret_keys.get_secret_value()),
        pages=pages,
        zone=zone,
        logo=read_logo(settings.logo) if settings.logo else None,
        views=views or Views(),
    )
    app.include_router(public.router)
    app.include_router(health.router)
    app.mount(f"/static/{static}", assets())
    headers = security_headers(settings.public_url)
    app.add_middleware(BodyLimits, longest=_LONGEST_BODY, uploads={"/beitrag": _LONGEST_UPLOAD})
    app.add_middleware(SecurityHeaders, headers=headers)
    add_error_pages(app, pages, headers)
    return app
