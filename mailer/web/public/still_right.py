"""»Noch richtig?«: the answer to the yearly question, by the link of its mail.

One button says yes. Another has a fresh link mailed to the address on record, since this link may
have been forwarded: behind it nothing is shown but the masked address, and nothing else can be done.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Form, HTTPException, Request, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.notices.model import Notice
from mailer.web.surroundings import READING, Here, Opened, actor_of, now, signed
from subscribers.addresses import masked
from subscribers.model import Municipality, Office, Subscriber
from subscribers.model import Request as Asked
from subscribers.offices import confirm_right, offices_of
from subscribers.subscribing import ask_for_link
from subscribers.tokens import Purpose, Token

router = APIRouter()

Signed = Annotated[Token, Depends(signed(Purpose.STILL_RIGHT))]


@dataclass(frozen=True, slots=True)
class _Question:
    subscriber: Subscriber
    office: Office
    place: str
    sent_at: datetime

    @property
    def is_answered(self) -> bool:
        """Whether she said yes since the mail was written."""
        return self.office.confirmed_at is not None and self.office.confirmed_at >= self.sent_at


@router.api_route("/noch-richtig/{token}", methods=READING)
def ask(request: Request, here: Here, opened: Opened, signed: Signed) -> Response:
    with opened() as session:
        question = _question(session, signed)
    return _page(request, here, "still_right.html", question)


@router.post("/noch-richtig/{token}")
def answer(
    token: str,
    request: Request,
    here: Here,
    opened: Opened,
    signed: Signed,
    act: Annotated[str, Form()] = "",
) -> Response:
    if act not in ("yes", "changed"):
        raise HTTPException(422)
    with opened() as session:
        question = _question(session, signed)
        if question is not None and act == "changed":
            ask_for_link(
                session, subscriber=question.subscriber, list_key=None, actor=actor_of(token), now=now()
            )
        elif question is not None and not question.is_answered:
            confirm_right(session, question.office, actor=actor_of(token), now=now())
    return _page(request, here, "still_right_yes.html" if act == "yes" else "still_right_sent.html", question)


def _question(session: Session, signed: Token) -> _Question | None:
    """What the mail asked; None where the office has ended since, or the question is gone by now."""
    notice = session.scalar(select(Notice).where(Notice.handle == signed.context))
    subscriber = session.scalar(select(Subscriber).where(Subscriber.handle == signed.subject))
    if notice is None or subscriber is None or notice.subscriber_id != subscriber.id:
        raise HTTPException(404)
    held = offices_of(session, subscriber, now().date())
    asked = session.get(Asked, notice.request_id) if notice.request_id is not None else None
    if asked is not None:
        held = [office for office in held if office.id == asked.details.get("office")]
    # requests are not kept for ever; who holds one office only was asked about that
    if len(held) != 1:
        return None
    (office,) = held
    place = session.get_one(Municipality, office.municipality).name
    return _Question(subscriber, office, place, notice.created_at)


def _page(request: Request, here: Here, template: str, question: _Question | None) -> Response:
    if question is None:
        return here.pages.respond(request, "still_right_over.html", 410)
    return here.pages.respond(
        request,
        template,
        address=masked(question.subscriber.address),
        role=question.office.role.value,
        municipality=question.place,
    )
