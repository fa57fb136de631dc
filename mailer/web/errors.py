"""Pages for what goes wrong. They name no cause: all bad links look alike."""

from collections.abc import Mapping

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from mailer.web.pages import Pages
from mailer.web.public.fresh import Stale


def add_error_pages(app: FastAPI, pages: Pages, headers: Mapping[str, str]) -> None:
    """Answer every failure with a page. `headers`: what the middleware adds, for the one it never sees."""

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        response = pages.respond(request, "error.html", error.status_code, status=error.status_code)
        response.headers.update(error.headers or {})
        return response

    async def invalid(request: Request, error: Exception) -> Response:
        return pages.respond(request, "error.html", 422, status=422)

    async def broken(request: Request, error: Exception) -> Response:
        response = pages.respond(request, "error.html", 500, status=500)
        # this answer comes from outside all middleware
        response.headers.update(headers)
        return response

    async def stale(request: Request, error: Exception) -> Response:
        return pages.respond(request, "stale.html", 410, token=request.path_params["token"])

    app.add_exception_handler(HTTPException, refused)
    app.add_exception_handler(Stale, stale)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(Exception, broken)
