"""»Beitrag einreichen«: a municipality sends something in, and confirms it by a mail. No log-in."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated

from fastapi import APIRouter, Depends, Form, HTTPException, Request, Response
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.datastructures import FormData
from starlette.datastructures import UploadFile as Upload

from mailer.feeds.contributions import CONFIRM_WITHIN, keep, receive, refuse_flood, shown
from mailer.feeds.model import Contribution, ContributionState, Picture
from mailer.feeds.pictures import LARGEST
from mailer.notices.model import Notice
from mailer.render.dates import when
from mailer.web.headers import IMAGE_HEADERS
from mailer.web.pages import language_of, web_link
from mailer.web.public.contribution_form import (
    KINDS,
    LONGEST,
    ContributionForm,
    SentIn,
    read_contribution,
)
from mailer.web.surroundings import READING, Here, Opened, now, signed
from subscribers.addresses import masked
from subscribers.model import Municipality, RequestKind
from subscribers.register import all_names, named
from subscribers.subscribing import TooMany, ask, refuse_too_many
from subscribers.tokens import Purpose, Token

router = APIRouter()

Signed = Annotated[Token, Depends(signed(Purpose.CONTRIBUTE))]


@router.api_route("/beitrag", methods=READING)
def form(request: Request, here: Here, opened: Opened) -> Response:
    with opened() as session:
        names = all_names(session)
    return _form_page(request, here, names, ContributionForm(), {})


async def _typed(request: Request) -> tuple[ContributionForm, bytes]:
    """The form as it came; the picture is read no further than it may be large."""
    async with request.form(max_files=1, max_fields=len(LONGEST) + 4) as sent:
        picture = sent.get("picture")
        data = await picture.read(LARGEST + 1) if isinstance(picture, Upload) else b""
        return ContributionForm(
            **{field.name: _text(sent, field.name) for field in fields(ContributionForm)}
        ), data


def _text(sent: FormData, name: str) -> str:
    value = sent.get(name, "")
    return value.strip() if isinstance(value, str) else ""


@router.post("/beitrag")
def submit(
    request: Request,
    here: Here,
    opened: Opened,
    sent: Annotated[tuple[ContributionForm, bytes], Depends(_typed)],
) -> Response:
    """Keep what was sent in and ask for a confirmation mail, whoever the address belongs to."""
    typed, picture = sent
    with opened() as session:
        try:
            # before anything is decoded
            refuse_too_many(session, origin=here.origin(request), limits=here.limits, now=now())
            refuse_flood(session)
        except TooMany:
            raise HTTPException(429, headers={"Retry-After": "3600"}) from None
        body = named(session, typed.municipality) if typed.municipality else None
        sent_in, faults = read_contribution(
            typed,
            picture,
            ags=body.ags if body else "",
            zone=here.zone,
            today=now().astimezone(here.zone).date(),
        )
        if sent_in is None:
            names = all_names(session)
        else:
            _keep(session, here, request, sent_in)
    if sent_in is None:
        return _form_page(request, here, names, typed, faults, lost=bool(picture))
    return here.pages.respond(request, "contribution_sent.html", address=sent_in.address)


def _keep(session: Session, here: Here, request: Request, sent_in: SentIn) -> None:
    at = now()
    contribution = keep(
        session,
        sent_in.sent,
        sent_in.illustration,
        address=sent_in.address,
        language=language_of(request),
        now=at,
    )
    ask(
        session,
        kind=RequestKind.CONTRIBUTE,
        list_key=None,
        address=sent_in.address,
        details={"contribution": f"{contribution.handle:016x}"},
        origin=here.origin(request),
        limits=here.limits,
        actor="form",
        now=at,
    )


class _Stage(enum.Enum):
    OPEN = "open"
    ALREADY = "already"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a confirmation link leads to."""

    contribution: Contribution
    municipality: Municipality
    stage: _Stage


@router.api_route("/beitrag/{token}", methods=READING)
def look(request: Request, here: Here, opened: Opened, signed: Signed) -> Response:
    with opened() as session:
        asked = _asked(session, signed)
    return _result(request, here, asked)


@router.post("/beitrag/{token}")
def confirm(
    request: Request, here: Here, opened: Opened, signed: Signed, act: Annotated[str, Form()] = ""
) -> Response:
    if act != "confirm":
        raise HTTPException(422)
    with opened() as session:
        asked = _asked(session, signed)
        if asked is not None and asked.stage is _Stage.OPEN:
            receive(session, asked.contribution, now=now())
            asked = _asked(session, signed)
    return _result(request, here, asked)


def _asked(session: Session, signed: Token) -> _Asked | None:
    notice = session.scalar(select(Notice).where(Notice.handle == signed.context))
    contribution = session.scalar(select(Contribution).where(Contribution.handle == signed.subject))
    if notice is None or contribution is None:
        return None
    stage = _Stage.ALREADY
    if contribution.state is ContributionState.UNCONFIRMED:
        stage = _Stage.OPEN if now() < notice.created_at + CONFIRM_WITHIN else _Stage.EXPIRED
    return _Asked(contribution, session.get_one(Municipality, contribution.municipality), stage)


def _result(request: Request, here: Here, asked: _Asked | None) -> Response:
    if asked is None or asked.stage is _Stage.EXPIRED:
        return here.pages.respond(request, "contribution_expired.html", 410)
    if asked.stage is _Stage.ALREADY:
        return here.pages.respond(request, "contribution_received.html", contribution=asked.contribution)
    return here.pages.respond(
        request,
        "contribution_confirm.html",
        contribution=asked.contribution,
        municipality=asked.municipality.name,
        address=masked(asked.contribution.address),
        takes_place=_when(request, here, asked.contribution),
    )


def _when(request: Request, here: Here, contribution: Contribution) -> str:
    if contribution.starts is None:
        return ""
    return when(
        contribution.starts,
        contribution.ends,
        contribution.all_day,
        language=language_of(request),
        zone=here.zone,
    )


@router.api_route("/bild/{handle}", methods=READING)
def picture(handle: str, opened: Opened) -> Response:
    """A picture of a contribution that is in the pool and not internal."""
    try:
        number = int(handle, 16) if len(handle) == 16 else -1
    except ValueError:
        number = -1
    with opened() as session:
        found: Picture | None = shown(session, number) if number >= 0 else None
    if found is None:
        raise HTTPException(404)
    return Response(found.data, media_type=found.media_type, headers=IMAGE_HEADERS)


def _form_page(
    request: Request,
    here: Here,
    names: list[str],
    typed: ContributionForm,
    faults: Mapping[str, str],
    *,
    lost: bool = False,
) -> Response:
    return here.pages.respond(
        request,
        "contribute.html",
        422 if faults else 200,
        municipalities=names,
        typed=typed,
        faults=faults,
        longest=LONGEST,
        kinds=KINDS,
        lost=lost,
        notice_url=web_link(here.settings.sender_privacy_url),
    )
