"""Signing up: a form, and one answer to it for every address."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.render.wording import consent_wording
from mailer.web.pages import language_of, web_link
from mailer.web.public.form import LONGEST, Asked, SignUpForm, read_form
from mailer.web.public.lists import public_list
from mailer.web.surroundings import READING, Here, Opened, now
from subscribers.model import MailingList, Municipality
from subscribers.subscribing import Wording, sign_up

router = APIRouter()


@router.api_route("/anmelden/{list_key}", methods=READING)
def form(list_key: str, request: Request, here: Here, opened: Opened) -> Response:
    with opened() as session:
        mailing_list = public_list(session, list_key)
        names = _municipality_names(session)
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
) -> Response:
    """Write one Request and ask to look into the mailbox, whether the address is new, known or barred.

    Nothing is looked up by the address here, so neither the answer nor its time can tell.
    """
    fields = (email, form, title, given, family, municipality, wording)
    typed = SignUpForm(*(field.strip() for field in fields))
    with opened() as session:
        mailing_list = public_list(session, list_key)
        shown = _wording(request, here, mailing_list)
        asked, faults = read_form(typed, wording_version=shown.version)
        if asked is not None:
            sign_up(
                session,
                list_key=mailing_list.key,
                address=asked.address,
                details=_details(session, request, here, mailing_list, asked, shown),
                actor="form",
                now=now(),
            )
            names = []
        else:
            names = _municipality_names(session)
    if asked is None:
        return _form_page(request, here, mailing_list, names, typed, faults)
    return here.pages.respond(request, "sign_up_sent.html", mailing_list=mailing_list, address=asked.address)


def _details(
    session: Session, request: Request, here: Here, mailing_list: MailingList, asked: Asked, shown: Wording
) -> dict[str, str]:
    """The rest of the Request, under the names that mailer.notices and the confirmation read it by."""
    said = {
        "form": asked.form.value,
        "title": asked.title,
        "given": asked.given,
        "family": asked.family,
        "municipality": asked.municipality,
        "ags": _ags(session, asked.municipality),
        "language": language_of(request),
        "wording": shown.text,
        "wording_version": shown.version,
        "source": f"{here.public_url}/anmelden/{mailing_list.key}",
    }
    return {name: value for name, value in said.items() if value}


def _ags(session: Session, name: str) -> str:
    """The key of the municipality called `name`; "" for none or several."""
    wanted = name.casefold()
    if not wanted:
        return ""
    # compared here: lower() of SQLite knows ASCII only, and "KÖLN" is no rare way to write it
    rows = session.execute(select(Municipality.ags, Municipality.name))
    found = [ags for ags, known in rows if known.casefold() == wanted]
    return found[0] if len(found) == 1 else ""


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


def _municipality_names(session: Session) -> list[str]:
    return list(session.scalars(select(Municipality.name).distinct().order_by(Municipality.name)))
