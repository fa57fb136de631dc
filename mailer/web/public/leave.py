"""Leaving by a mailed link, and taking it back.

Three ways in: a person opens the page (GET), presses its button (POST with `act=leave`), or her
mail program posts `List-Unsubscribe=One-Click` (RFC 8058) without cookie, Origin or page.
Mail gets forwarded, so the pages show the address masked and can do nothing else with it.
"""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Form, HTTPException, Request, Response
from fastapi.responses import PlainTextResponse
from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.issues.model import Issue
from mailer.notices.model import Notice
from mailer.outbox.model import delivery_named
from mailer.web.surroundings import READING, Here, Opened, actor_of, now, signed
from subscribers.addresses import masked
from subscribers.model import MailingList, RequestKind, Subscriber, Subscription, SubscriptionState
from subscribers.model import Request as Asked
from subscribers.subscribing import leave, subscription_of, undo
from subscribers.tokens import Purpose, Token, sign

router = APIRouter()

Unsubscribing = Annotated[Token, Depends(signed(Purpose.UNSUBSCRIBE))]
Undoing = Annotated[Token, Depends(signed(Purpose.UNDO))]


@dataclass(frozen=True, slots=True)
class _Standing:
    """Where the person of a mailed link stands on the list that the mail came through."""

    mailing_list: MailingList
    #: None once erased
    subscriber: Subscriber | None
    subscription: Subscription | None
    #: handle of the issue the link stood in, None if in a notice
    issue: int | None

    @property
    def address(self) -> str:
        return masked(self.subscriber.address) if self.subscriber else ""

    @property
    def is_off(self) -> bool:
        return self.subscription is None or self.subscription.state is SubscriptionState.UNSUBSCRIBED


@router.api_route("/abmelden/{token}", methods=READING)
def ask(request: Request, here: Here, opened: Opened, signed: Unsubscribing) -> Response:
    with opened() as session:
        standing = _standing(session, signed)
    template = "left_already.html" if standing.is_off else "leave.html"
    return here.pages.respond(request, template, standing=standing)


@router.post("/abmelden/{token}")
def answer(
    token: str,
    request: Request,
    here: Here,
    opened: Opened,
    signed: Unsubscribing,
    act: Annotated[str, Form()] = "",
    one_click: Annotated[str, Form(alias="List-Unsubscribe")] = "",
) -> Response:
    by_machine = one_click == "One-Click"
    if not by_machine and act != "leave":
        raise HTTPException(422)
    with opened() as session:
        standing = _standing(session, signed)
        left = _leave(session, standing, "one-click" if by_machine else "link", actor_of(token))
        if left and not by_machine:
            _ask_for_goodbye(session, standing, signed, actor_of(token))
    if by_machine:
        return PlainTextResponse("abgemeldet / unsubscribed\n")
    if not left:
        return here.pages.respond(request, "left_already.html", standing=standing)
    back = sign(here.keys, Purpose.UNDO, signed.context, signed.subject)
    return here.pages.respond(request, "left.html", standing=standing, undo_token=back)


@router.api_route("/rueckgaengig/{token}", methods=READING)
def ask_back(request: Request, here: Here, opened: Opened, signed: Undoing) -> Response:
    with opened() as session:
        standing = _standing(session, signed)
        possible = _can_undo(session, standing, signed)
    template = "undo.html" if possible else _after(standing)
    return here.pages.respond(request, template, standing=standing)


@router.post("/rueckgaengig/{token}")
def take_back(
    token: str,
    request: Request,
    here: Here,
    opened: Opened,
    signed: Undoing,
    act: Annotated[str, Form()] = "",
) -> Response:
    if act != "undo":
        raise HTTPException(422)
    with opened() as session:
        standing = _standing(session, signed)
        if standing.subscriber is not None and _can_undo(session, standing, signed):
            undo(
                session,
                subscriber=standing.subscriber,
                list_key=standing.mailing_list.key,
                source="link",
                actor=actor_of(token),
                now=now(),
            )
    return here.pages.respond(request, _after(standing), standing=standing)


def _standing(session: Session, signed: Token) -> _Standing:
    delivery = delivery_named(session, signed.context, signed.subject)
    if delivery is None:
        raise HTTPException(404)
    subscriber = session.scalar(select(Subscriber).where(Subscriber.handle == signed.subject))
    return _Standing(
        mailing_list=session.get_one(MailingList, delivery.list_key),
        subscriber=subscriber,
        subscription=subscription_of(session, subscriber, delivery.list_key) if subscriber else None,
        issue=signed.context if delivery.issue_id is not None else None,
    )


def _leave(session: Session, standing: _Standing, source: str, actor: str) -> bool:
    """End the subscription; False if there is none to end any more."""
    if standing.subscriber is None or standing.subscription is None:
        return False
    return leave(
        session,
        subscriber=standing.subscriber,
        list_key=standing.mailing_list.key,
        through=standing.issue,
        source=source,
        actor=actor,
        now=now(),
    )


def _ask_for_goodbye(session: Session, standing: _Standing, signed: Token, actor: str) -> None:
    """Whoever did not mean it, or whose forwarded mail somebody else used, hears of it and can undo it."""
    assert standing.subscriber is not None
    session.add(
        Asked(
            kind=RequestKind.GOODBYE,
            list_key=standing.mailing_list.key,
            subscriber_id=standing.subscriber.id,
            details={"context": signed.context},
            actor=actor,
            created_at=now(),
        )
    )


def _can_undo(session: Session, standing: _Standing, signed: Token) -> bool:
    """Whether the link takes back the very leaving it was made for; a later one is not its business."""
    subscription = standing.subscription
    if subscription is None or subscription.state is not SubscriptionState.UNSUBSCRIBED:
        return False
    return subscription.ended_through == _left_through(session, signed.context)


def _left_through(session: Session, context: int) -> int | None:
    """The issue whose link was used; `context` is its handle, or that of the goodbye mail that followed."""
    answered = session.scalar(
        select(Asked)
        .join(Notice, Notice.request_id == Asked.id)
        .where(Notice.handle == context, Asked.kind == RequestKind.GOODBYE)
    )
    handle = answered.details.get("context") if answered is not None else context
    return session.scalar(select(Issue.handle).where(Issue.handle == handle))


def _after(standing: _Standing) -> str:
    return "undo_too_late.html" if standing.is_off else "undone.html"
