"""Confirming a sign-up or an invitation: the second half of double opt-in.

The link shows a form; only the form confirms. Whoever was invited to follow somebody takes the office
with the same act, and for herself: nothing of who held it before passes to her.
"""

import enum
import hashlib
from dataclasses import dataclass, replace
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Form, HTTPException, Request, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.notices.model import Notice
from mailer.web.surroundings import READING, Here, Opened, actor_of, client_of, now, signed
from subscribers.addresses import masked
from subscribers.evidence import Evidence, Wording
from subscribers.model import (
    MailingList,
    Municipality,
    RequestKind,
    RequestState,
    Role,
    Subscriber,
    SubscriptionState,
)
from subscribers.model import Request as SignUp
from subscribers.offices import appoint
from subscribers.subscribing import CONFIRM_WITHIN, ask_for_welcome, confirm, subscription_of
from subscribers.tasks import claim_succession
from subscribers.tokens import Purpose, Token

router = APIRouter()

Signed = Annotated[Token, Depends(signed(Purpose.CONFIRM))]


class _Stage(enum.Enum):
    OPEN = "open"
    ALREADY = "already"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a confirmation link leads to."""

    subscriber: Subscriber
    mailing_list: MailingList
    notice: Notice
    sign_up: SignUp | None
    stage: _Stage
    #: where the invitation is to
    municipality: Municipality | None

    @property
    def lists(self) -> list[str]:
        """Keys of all lists that the link is about."""
        named = self.sign_up.details.get("lists", "") if self.sign_up else ""
        return named.split(",") if named else [self.mailing_list.key]


@router.api_route("/bestaetigen/{token}", methods=READING)
def ask(request: Request, here: Here, opened: Opened, signed: Signed) -> Response:
    with opened() as session:
        asked = _asked(session, signed)
    if asked is None or asked.stage is not _Stage.OPEN:
        return _result(request, here, asked)
    assert asked.sign_up is not None
    said = asked.sign_up.details
    return here.pages.respond(
        request,
        "invite.html" if asked.municipality else "confirm.html",
        mailing_list=asked.mailing_list,
        address=masked(asked.subscriber.address),
        wording=said.get("wording", ""),
        municipality=asked.municipality.name if asked.municipality else "",
        role=said.get("role", ""),
    )


@router.post("/bestaetigen/{token}")
def answer(
    token: str,
    request: Request,
    here: Here,
    opened: Opened,
    signed: Signed,
    act: Annotated[str, Form()] = "",
) -> Response:
    if act != "confirm":
        raise HTTPException(422)
    with opened() as session:
        asked = _asked(session, signed)
        if asked is not None and asked.stage is _Stage.OPEN:
            _confirm(session, here, request, asked, token)
    return _result(request, here, asked)


def _confirm(session: Session, here: Here, request: Request, asked: _Asked, token: str) -> None:
    assert asked.sign_up is not None
    said, actor, at = asked.sign_up.details, actor_of(token), now()
    asked.notice.answered_at = at
    proof = Evidence(
        wording=Wording(text=said.get("wording", ""), version=said.get("wording_version", "")),
        source=said.get("source", "link"),
        requested_at=asked.sign_up.created_at,
        notice=asked.notice.handle,
        mail_sha256=hashlib.sha256(asked.notice.message).hexdigest(),
        privacy_version=said.get("privacy_version", ""),
        ip=client_of(request) if here.settings.record_sign_up_ip else "",
    )
    joined = [
        key
        for key in asked.lists
        if confirm(session, subscriber=asked.subscriber, list_key=key, proof=proof, actor=actor, now=at)
    ]
    if joined:
        ask_for_welcome(session, subscriber=asked.subscriber, lists=joined, actor=actor, now=at)
    if asked.municipality is not None:
        appoint(
            session,
            subscriber=asked.subscriber,
            municipality=asked.municipality.ags,
            role=Role(said["role"]),
            starts=date.fromisoformat(said["starts"]),
            confirmed=True,
            actor=actor,
            now=at,
        )
    if "successor" in said:
        claim_succession(session, subscriber=asked.subscriber, municipality=said["ags"], now=at)


def _asked(session: Session, signed: Token) -> _Asked | None:
    """What the link leads to; None where nothing is left: the sign-up expired, or the person was erased."""
    notice = session.scalar(select(Notice).where(Notice.handle == signed.context))
    subscriber = session.scalar(select(Subscriber).where(Subscriber.handle == signed.subject))
    if notice is None or subscriber is None or notice.subscriber_id != subscriber.id:
        return None
    sign_up = session.get(SignUp, notice.request_id) if notice.request_id is not None else None
    mailing_list = session.get_one(MailingList, notice.list_key)
    municipality = None
    # what was answered long ago has no details any more
    if sign_up is not None and sign_up.kind is RequestKind.INVITE and "ags" in sign_up.details:
        municipality = session.get_one(Municipality, sign_up.details["ags"])
    asked = _Asked(subscriber, mailing_list, notice, sign_up, _Stage.OPEN, municipality)
    return replace(asked, stage=_stage(session, asked))


def _stage(session: Session, asked: _Asked) -> _Stage:
    subscriptions = [subscription_of(session, asked.subscriber, key) for key in asked.lists]
    # a link that was used once must not bring back whoever left since
    used = asked.notice.answered_at is not None
    # an office or a task comes with it, also to who is on the lists already
    more = asked.municipality or (asked.sign_up is not None and "successor" in asked.sign_up.details)
    if (used or not more) and all(row and row.state is SubscriptionState.ACTIVE for row in subscriptions):
        return _Stage.ALREADY
    old = now() - asked.notice.created_at > CONFIRM_WITHIN
    if None in subscriptions or asked.sign_up is None or used or old:
        return _Stage.EXPIRED
    # an invitation is taken back by naming somebody else
    return _Stage.EXPIRED if asked.sign_up.state is RequestState.DROPPED else _Stage.OPEN


def _result(request: Request, here: Here, asked: _Asked | None) -> Response:
    """The page after confirming, or why there is nothing to confirm and how to get a new mail."""
    if asked is None:
        return here.pages.respond(request, "confirm_expired.html", 410, mailing_list=None)
    template, status = {
        _Stage.OPEN: ("confirmed.html", 200),
        _Stage.ALREADY: ("confirmed_already.html", 200),
        _Stage.EXPIRED: ("confirm_expired.html", 410),
    }[asked.stage]
    return here.pages.respond(
        request,
        template,
        status,
        mailing_list=asked.mailing_list,
        invited=asked.municipality is not None,
    )
