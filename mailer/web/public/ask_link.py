"""Asking for a fresh link by address: one answer for every address, known or not."""

from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Request, Response

from mailer.web.public.form import LONGEST, SignUpForm, read_form
from mailer.web.surroundings import READING, Here, Opened, now
from subscribers.addresses import readable
from subscribers.model import RequestKind
from subscribers.subscribing import TooMany, ask

router = APIRouter()


@router.api_route("/einstellungen", methods=READING)
def form(request: Request, here: Here) -> Response:
    return _form_page(request, here, "", "")


@router.post("/einstellungen")
def submit(request: Request, here: Here, opened: Opened, email: Annotated[str, Form()] = "") -> Response:
    """Write one Request, whoever the address belongs to: neither the answer nor its time can tell."""
    asked, faults = read_form(SignUpForm(email=email.strip()), wording_version="")
    if asked is None:
        return _form_page(request, here, email.strip(), faults["email"])
    try:
        with opened() as session:
            ask(
                session,
                kind=RequestKind.PREFERENCES,
                list_key=None,
                address=asked.address,
                details={},
                origin=here.origin(request),
                limits=here.limits,
                actor="form",
                now=now(),
            )
    except TooMany:
        raise HTTPException(429, headers={"Retry-After": "3600"}) from None
    return here.pages.respond(request, "link_sent.html", address=readable(asked.address))


def _form_page(request: Request, here: Here, typed: str, fault: str) -> Response:
    return here.pages.respond(
        request, "ask_link.html", 422 if fault else 200, typed=typed, fault=fault, longest=LONGEST["email"]
    )
