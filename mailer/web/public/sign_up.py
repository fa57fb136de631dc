"""Signing up: a form, and one answer to it for every address."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Form, HTTPException, Request, Response

from mailer.render.wording import consent_wording
from mailer.web.pages import language_of, web_link
from mailer.web.public.form import LONGEST, Asked, SignUpForm, read_form
from mailer.web.public.lists import public_list
from mailer.web.surroundings import READING, Here, Opened, now
from subscribers.evidence import Wording
from subscribers.model import MailingList, RequestKind
from subscribers.register import all_names, named
from subscribers.subscribing import TooMany, ask

router = APIRouter()


@router.api_route("/anmelden/{list_key}", methods=READING)
def form(list_key: str, request: Request, here: Here, opened: Opened) -> Response:
    with opened() as session:
        mailing_list = public_list(session, list_key)
        names = all_names(session)
    return _form_page(request, here, mailing_list, names, SignUpForm(), {})


@router.post("/anmelden/{list_key}")
def submit(
    list_key: str,
    request: Request,
    here: Here,
    opened: Opened,
    email: Annotated[str, Form()] = "",
    form: Annotated[str, Form()] = "neutral",
    title: Annotated[str, Form()] = "",
    given: Annotated[str, Form()] = "",
    family: Annotated[str, Form()] = "",
    municipality: Annotated[str, Form()] = "",
    wording: Annotated[str, Form()] = "",
    successor: Annotated[str, Form()] = "",
) -> Response:
    """Write one Request and ask to look into the mailbox, whether the address is new, known or barred.

    Nothing is looked up by the address here, so neither the answer nor its time can tell.
    """
    fields = (email, form, title, given, family, municipality, wording, successor)
    typed = SignUpForm(*(field.strip() for field in fields))
    with opened() as session:
        mailing_list = public_list(session, list_key)
        shown = _wording(request, here, mailing_list)
        body = named(session, typed.municipality) if typed.municipality else None
        asked, faults = read_form(typed, ags=body.ags if body else "", wording_version=shown.version)
        if asked is not None:
            try:
                ask(
                    session,
                    kind=RequestKind.CONFIRM,
                    list_key=mailing_list.key,
                    address=asked.address,
                    details=_details(request, here, mailing_list, asked, shown),
                    origin=here.origin(request),
                    limits=here.limits,
                    actor="form",
                    now=now(),
                )
            except TooMany:
                raise HTTPException(429, headers={"Retry-After": "3600"}) from None
            names = []
        else:
            names = all_names(session)
    if asked is None:
        return _form_page(request, here, mailing_list, names, typed, faults)
    return here.pages.respond(request, "sign_up_sent.html", mailing_list=mailing_list, address=asked.address)


def _details(
    request: Request, here: Here, mailing_list: MailingList, asked: Asked, shown: Wording
) -> dict[str, str]:
    """The rest of the Request, under the names that mailer.notices and the confirmation read it by."""
    said = {
        "form": asked.form.value,
        "title": asked.title,
        "given": asked.given,
        "family": asked.family,
        "municipality": asked.municipality,
        "ags": asked.ags,
        "successor": "yes" if asked.successor else "",
        "language": language_of(request),
        "wording": shown.text,
        "wording_version": shown.version,
        "privacy_version": mailing_list.privacy_version or here.settings.sender_privacy_version,
        "source": f"{here.public_url}/anmelden/{mailing_list.key}",
    }
    return {name: value for name, value in said.items() if value}


def _form_page(
    request: Request,
    here: Here,
    mailing_list: MailingList,
    names: list[str],
    typed: SignUpForm,
    faults: Mapping[str, str],
) -> Response:
    context: dict[str, Any] = {
        "mailing_list": mailing_list,
        "list_privacy_url": web_link(mailing_list.privacy_url or here.settings.sender_privacy_url),
        "municipalities": names,
        "typed": typed,
        "faults": faults,
        "longest": LONGEST,
        "wording": _wording(request, here, mailing_list),
    }
    return here.pages.respond(request, "sign_up.html", 422 if faults else 200, **context)


def _wording(request: Request, here: Here, mailing_list: MailingList) -> Wording:
    return consent_wording(
        here.pages.folders,
        language_of(request),
        list_title=mailing_list.title,
        sender=mailing_list.controller or here.settings.sender_name or here.settings.network,
    )
