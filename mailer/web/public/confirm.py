"""Confirming a sign-up: the second half of double opt-in. The link shows a form; only the form confirms."""

import enum
import hashlib
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Form, HTTPException, Request, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.notices.model import Notice
from mailer.web.surroundings import READING, Here, Opened, actor_of, client_of, now, signed
from subscribers.addresses import masked
from subscribers.evidence import Evidence, Wording
from subscribers.model import MailingList, Subscriber, SubscriptionState
from subscribers.model import Request as SignUp
from subscribers.subscribing import CONFIRM_WITHIN, confirm, subscription_of
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


@router.api_route("/bestaetigen/{token}", methods=READING)
def ask(request: Request, here: Here, opened: Opened, signed: Signed) -> Response:
    with opened() as session:
        asked = _asked(session, signed)
    if asked.stage is _Stage.OPEN:
        return here.pages.respond(
            request,
            "confirm.html",
            mailing_list=asked.mailing_list,
            address=masked(asked.subscriber.address),
            wording=asked.sign_up.details.get("wording", "") if asked.sign_up else "",
        )
    return _result(request, here, asked)


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
        if asked.stage is _Stage.OPEN:
            _confirm(session, here, request, asked, token)
    return _result(request, here, asked)


def _confirm(session: Session, here: Here, request: Request, asked: _Asked, token: str) -> None:
    assert asked.sign_up is not None
    said = asked.sign_up.details
    asked.notice.answered_at = now()
    confirm(
        session,
        subscriber=asked.subscriber,
        list_key=asked.mailing_list.key,
        proof=Evidence(
            wording=Wording(text=said.get("wording", ""), version=said.get("wording_version", "")),
            source=said.get("source", "link"),
            requested_at=asked.sign_up.created_at,
            notice=asked.notice.handle,
            mail_sha256=hashlib.sha256(asked.notice.message).hexdigest(),
            privacy_version=said.get("privacy_version", ""),
            ip=client_of(request) if here.settings.record_sign_up_ip else "",
        ),
        actor=actor_of(token),
        now=now(),
    )


def _asked(session: Session, signed: Token) -> _Asked:
    notice = session.scalar(select(Notice).where(Notice.handle == signed.context))
    subscriber = session.scalar(select(Subscriber).where(Subscriber.handle == signed.subject))
    if notice is None or subscriber is None or notice.subscriber_id != subscriber.id:
        # the person was erased since: there is nothing left to confirm
        raise HTTPException(404)
    sign_up = session.get(SignUp, notice.request_id) if notice.request_id is not None else None
    mailing_list = session.get_one(MailingList, notice.list_key)
    return _Asked(subscriber, mailing_list, notice, sign_up, _stage(session, notice, subscriber, sign_up))


def _stage(session: Session, notice: Notice, subscriber: Subscriber, sign_up: SignUp | None) -> _Stage:
    subscription = subscription_of(session, subscriber, notice.list_key)
    if subscription is not None and subscription.state is SubscriptionState.ACTIVE:
        return _Stage.ALREADY
    # a link that was used once must not bring back whoever left since
    used = notice.answered_at is not None
    if subscription is None or sign_up is None or used or now() - notice.created_at > CONFIRM_WITHIN:
        return _Stage.EXPIRED
    return _Stage.OPEN


def _result(request: Request, here: Here, asked: _Asked) -> Response:
    """The page after confirming, or why there is nothing to confirm."""
    template, status = {
        _Stage.OPEN: ("confirmed.html", 200),
        _Stage.ALREADY: ("confirmed_already.html", 200),
        _Stage.EXPIRED: ("confirm_expired.html", 410),
    }[asked.stage]
    return here.pages.respond(request, template, status, mailing_list=asked.mailing_list)
