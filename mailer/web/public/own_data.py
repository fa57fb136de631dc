"""A person's own data, behind a fresh link: shown, handed over as a file, erased (Art. 15, 17, 20 GDPR)."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, HTTPException, Request, Response
from sqlalchemy.orm import Session

from mailer import inbox
from mailer.installation import circumstances, suppression_key
from mailer.privacy.erasing import erase
from mailer.privacy.holding import as_json, held
from mailer.web.pages import language_of
from mailer.web.public.fresh import Fresh, guest
from mailer.web.surroundings import READING, Here, Opened, actor_of, now
from subscribers.privacy import Whom

router = APIRouter()


@router.api_route("/einstellungen/{token}/daten", methods=READING)
def show(token: str, request: Request, here: Here, opened: Opened, fresh: Fresh) -> Response:
    with opened() as session:
        found = _held(session, request, here, fresh)
    return _page(request, here, token, found)


@router.api_route("/einstellungen/{token}/daten.json", methods=READING)
def download(request: Request, here: Here, opened: Opened, fresh: Fresh) -> Response:
    with opened() as session:
        found = _held(session, request, here, fresh)
    name = "infomail-daten.json" if language_of(request) == "de" else "infomail-data.json"
    return Response(
        as_json(found),
        media_type="application/json",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@router.post("/einstellungen/{token}/daten")
def answer(
    token: str,
    request: Request,
    here: Here,
    opened: Opened,
    fresh: Fresh,
    act: Annotated[str, Form()] = "",
    sure: Annotated[str, Form()] = "",
) -> Response:
    if act != "erase":
        raise HTTPException(422)
    with opened() as session:
        address = guest(session, fresh).subscriber.address
        found = _held(session, request, here, fresh) if sure != "yes" else None
    if found is not None:
        return _page(request, here, token, found, 422)
    # not in the session above: what nobody could read is looked through before the write lock is taken
    erase(
        here.database,
        address,
        suppression_key=suppression_key(here.settings),
        actor=actor_of(token),
        now=now(),
    )
    if here.settings.inbox_listen:
        inbox.forget(address)
    return here.pages.respond(request, "own_data_erased.html")


def _held(session: Session, request: Request, here: Here, fresh: Fresh) -> dict[str, Any]:
    person = guest(session, fresh).subscriber
    whom = Whom(person.address, person.address_hash, person)
    return held(session, whom, circumstances(here.settings), language_of(request))


def _page(request: Request, here: Here, token: str, found: dict[str, Any], status: int = 200) -> Response:
    return here.pages.respond(
        request,
        "own_data.html",
        status,
        held=found,
        path=f"/einstellungen/{token}/daten",
        fault=status != 200,
    )
