"""What a page works on: settings, keys, pages, and a session that fits the method of the request."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import Depends, HTTPException, Request
from sqlalchemy.orm import Session

from mailer.archive.views import Views
from mailer.database import Database
from mailer.issues.model import Issue
from mailer.render.brand import Logo
from mailer.settings import Settings
from mailer.web.pages import Pages
from subscribers.subscribing import Limits, origin_of
from subscribers.tokens import BadToken, Keys, Purpose, Token, verify

#: what answers GET answers HEAD: mail scanners use both
READING = ["GET", "HEAD"]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The same for all requests; stands in `app.state.surroundings`."""

    settings: Settings
    database: Database
    keys: Keys
    pages: Pages
    #: of the dates that people type
    zone: ZoneInfo
    logo: Logo | None
    #: how often archived issues were looked at; whoever runs the pages writes it down
    views: Views

    @property
    def limits(self) -> Limits:
        """How often strangers may ask for mail."""
        return Limits(per_origin=self.settings.sign_ups_per_origin, overall=self.settings.sign_ups_overall)

    def origin(self, request: Request) -> bytes | None:
        """The network a request comes from, as a keyed hash."""
        return origin_of(self.keys.by_id[self.keys.primary_id], client_of(request))

    @property
    def public_url(self) -> str:
        """Where people reach the pages, without a slash at its end. Never taken from a Host header."""
        return self.settings.public_url.rstrip("/")


async def _surroundings(request: Request) -> Surroundings:
    found: Surroundings = request.app.state.surroundings
    return found


async def _opened(request: Request) -> Callable[[], AbstractContextManager[Session]]:
    """Opens the session that fits the method: GET and HEAD can read only, whatever their handler tries.

    The handler opens it in its own thread. A dependency with a session inside would keep the
    write lock while its handler waits for a thread, and forty waiting writers would hold them all.
    """
    database: Database = request.app.state.surroundings.database
    return database.read if request.method in READING else database.write


def signed(purpose: Purpose) -> Callable[..., Awaitable[Token]]:
    """A dependency: the verified `{token}` of the path. Whatever is wrong with it, the answer is one 404."""

    async def dependency(token: str, here: Here) -> Token:
        try:
            return verify(here.keys, token, purpose)
        except BadToken:
            raise HTTPException(404) from None

    return dependency


def actor_of(token: str) -> str:
    """Who acts through a mailed link, for the record: enough of the token to tell its mail, not to use it."""
    return f"token:{token[:8].lower()}"


def looked_at(request: Request, here: Surroundings, issue: Issue) -> None:
    """Count that the page of an issue was opened, today and by nobody in particular."""
    if request.method == "GET":
        here.views.count(issue.id, now().astimezone(here.zone).date())


def client_of(request: Request) -> str:
    """The address of who asks; behind a trusted proxy what that says (TRUSTED_PROXIES)."""
    return request.client.host if request.client else ""


def now() -> datetime:
    return datetime.now(UTC)


Here = Annotated[Surroundings, Depends(_surroundings)]
Opened = Annotated[Callable[[], AbstractContextManager[Session]], Depends(_opened)]
