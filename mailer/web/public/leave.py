"""What the link in a mail can do: leave one list or all, pause, undo, ask for a fresh link.

Three ways in: a person opens the page (GET), presses one of its buttons (POST with `act`), or her
mail program posts `List-Unsubscribe=One-Click` (RFC 8058) without cookie, Origin or page.
Mail gets forwarded, so the pages show the address masked, and nothing of what else she gets.

The link outlives what it was mailed with: where the delivery is not on record (any more, or not
yet again after a restore), it can still end everything the person gets.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Form, HTTPException, Request, Response
from fastapi.responses import PlainTextResponse
from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.notices.model import Notice
from mailer.outbox.model import delivery_named
from mailer.web.surroundings import READING, Here, Opened, actor_of, now, signed
from subscribers.addresses import masked
from subscribers.model import MailingList, RequestKind, Subscriber, Subscription, SubscriptionState
from subscribers.model import Request as Asked
from subscribers.subscribing import (
    ask_for_link,
    leave,
    leave_all,
    pause,
    subscription_of,
    subscriptions_of,
    undo,
    undoable,
)
from subscribers.tokens import Purpose, Token, sign

router = APIRouter()

Unsubscribing = Annotated[Token, Depends(signed(Purpose.UNSUBSCRIBE))]
Undoing = Annotated[Token, Depends(signed(Purpose.UNDO))]

#: months that a pause lasts by one of the choices
_MONTHS = ("1", "3", "6")
_LONGEST_PAUSE = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class _Standing:
    """Where the person of a mailed link stands on the list that the mail came through."""

    #: None where the delivery is not on record
    mailing_list: MailingList | None
    #: None once erased
    subscriber: Subscriber | None
    subscription: Subscription | None
    #: whether she is on any list
    is_on_some: bool

    @property
    def address(self) -> str:
        return masked(self.subscriber.address) if self.subscriber else ""

    @property
    def is_on(self) -> bool:
        return self.subscription is not None and _is_on(self.subscription)

    @property
    def paused_until(self) -> date | None:
        until = self.subscription.paused_until if self.subscription else None
        return until if until and until > _today() else None


@router.api_route("/abmelden/{token}", methods=READING)
def ask(request: Request, here: Here, opened: Opened, signed: Unsubscribing) -> Response:
    with opened() as session:
        standing = _standing(session, signed)
    return _page(request, here, standing)


@router.post("/abmelden/{token}")
def answer(
    token: str,
    request: Request,
    here: Here,
    opened: Opened,
    signed: Unsubscribing,
    act: Annotated[str, Form()] = "",
    one_click: Annotated[str, Form(alias="List-Unsubscribe")] = "",
    months: Annotated[str, Form()] = "",
    until: Annotated[str, Form()] = "",
) -> Response:
    actor = actor_of(token)
    if one_click == "One-Click":
        with opened() as session:
            _leave(session, _standing(session, signed), signed, "one-click", actor)
        return PlainTextResponse("abgemeldet / unsubscribed\n")
    if act in ("leave", "leave-all"):
        with opened() as session:
            standing = _standing(session, signed)
            left = _leave(session, standing, signed, "link", actor, everything=act == "leave-all")
            if left:
                assert standing.subscriber is not None
                say_goodbye(session, standing.subscriber, left, signed.context, actor)
        if not left:
            return _page(request, here, standing)
        back = sign(here.keys, Purpose.UNDO, signed.context, signed.subject)
        everything = act == "leave-all" or standing.mailing_list is None
        return here.pages.respond(
            request, "left.html", standing=standing, undo_token=back, everything=everything
        )
    if act in ("pause", "resume"):
        day, fault = pause_until(months, until) if act == "pause" else (None, "")
        with opened() as session:
            standing = _standing(session, signed)
            if not fault and standing.subscriber is not None and standing.mailing_list is not None:
                pause(session, subscriber=standing.subscriber, list_key=standing.mailing_list.key, until=day)
        typed = {"months": months, "until": until}
        return _page(request, here, standing, fault=fault, typed=typed, done="" if fault else act)
    if act == "preferences":
        with opened() as session:
            standing = _standing(session, signed)
            if standing.subscriber is not None:
                key = standing.mailing_list.key if standing.mailing_list else None
                ask_for_link(session, subscriber=standing.subscriber, list_key=key, actor=actor, now=now())
        return here.pages.respond(request, "link_sent.html", address=standing.address)
    raise HTTPException(422)


@router.api_route("/rueckgaengig/{token}", methods=READING)
def ask_back(request: Request, here: Here, opened: Opened, signed: Undoing) -> Response:
    with opened() as session:
        standing = _standing(session, signed)
        titles = _titles(session, _can_undo(session, standing, signed))
    template = "undo.html" if titles else _after(standing)
    return here.pages.respond(request, template, standing=standing, titles=titles)


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
    titles = []
    with opened() as session:
        standing = _standing(session, signed)
        if standing.subscriber is not None and _can_undo(session, standing, signed):
            back = undo(
                session,
                subscriber=standing.subscriber,
                through=_left_through(session, signed.context),
                source="link",
                actor=actor_of(token),
                now=now(),
            )
            titles = _titles(session, back)
    template = "undone.html" if titles else _after(standing)
    return here.pages.respond(request, template, standing=standing, titles=titles)


def _page(
    request: Request,
    here: Here,
    standing: _Standing,
    *,
    fault: str = "",
    typed: Mapping[str, str] | None = None,
    done: str = "",
) -> Response:
    if not standing.is_on and not standing.is_on_some:
        return here.pages.respond(request, "left_already.html", standing=standing)
    return here.pages.respond(
        request,
        "leave.html",
        422 if fault else 200,
        standing=standing,
        fault=fault,
        typed=typed or {"months": "", "until": ""},
        done=done,
        earliest=_today() + timedelta(days=1),
        latest=_today() + _LONGEST_PAUSE,
    )


def _standing(session: Session, signed: Token) -> _Standing:
    delivery = delivery_named(session, signed.context, signed.subject)
    subscriber = session.scalar(select(Subscriber).where(Subscriber.handle == signed.subject))
    mailing_list = session.get_one(MailingList, delivery.list_key) if delivery else None
    return _Standing(
        mailing_list=mailing_list,
        subscriber=subscriber,
        subscription=(
            subscription_of(session, subscriber, mailing_list.key) if subscriber and mailing_list else None
        ),
        is_on_some=bool(subscriber and any(map(_is_on, subscriptions_of(session, subscriber)))),
    )


def _is_on(subscription: Subscription) -> bool:
    return subscription.state is not SubscriptionState.UNSUBSCRIBED


def _leave(
    session: Session, standing: _Standing, signed: Token, source: str, actor: str, *, everything: bool = False
) -> list[str]:
    """End the subscription, or all of them; the keys of the lists she was on, none if nothing was left."""
    if standing.subscriber is None:
        return []
    if everything or standing.mailing_list is None:
        return leave_all(
            session, subscriber=standing.subscriber, through=signed.context, source=source, actor=actor,
            now=now(),
        )  # fmt: skip
    left = standing.subscription is not None and leave(
        session, subscriber=standing.subscriber, list_key=standing.mailing_list.key, through=signed.context,
        source=source, actor=actor, now=now(),
    )  # fmt: skip
    return [standing.mailing_list.key] if left else []


def say_goodbye(session: Session, subscriber: Subscriber, left: list[str], through: int, actor: str) -> None:
    """Whoever did not mean it, or whose forwarded mail somebody else used, hears of it and can undo it.

    `left` are the keys of the lists, `through` the handle that the leaving is on record with.
    """
    session.add(
        Asked(
            kind=RequestKind.GOODBYE,
            list_key=left[0],
            subscriber_id=subscriber.id,
            details={"context": through, "lists": ",".join(left)},
            actor=actor,
            created_at=now(),
        )
    )


def pause_until(months: str, until: str) -> tuple[date | None, str]:
    """The day that a pause was chosen to end, or what is wrong with it: missing, date, range."""
    if months in _MONTHS:
        return _today() + timedelta(days=int(months) * 30), ""
    if not until:
        return None, "missing"
    try:
        day = date.fromisoformat(until)
    except ValueError:
        return None, "date"
    return (day, "") if _today() < day <= _today() + _LONGEST_PAUSE else (None, "range")


def _can_undo(session: Session, standing: _Standing, signed: Token) -> list[str]:
    """The lists that the link brings back: of the very leaving it was made for, not of a later one."""
    if standing.subscriber is None:
        return []
    return undoable(session, standing.subscriber, _left_through(session, signed.context))


def _left_through(session: Session, context: int) -> int:
    """The handle that the leaving is on record with; `context` is that, or the goodbye mail that followed."""
    answered = session.scalar(
        select(Asked)
        .join(Notice, Notice.request_id == Asked.id)
        .where(Notice.handle == context, Asked.kind == RequestKind.GOODBYE)
    )
    handle: int = answered.details.get("context", context) if answered is not None else context
    return handle


def _titles(session: Session, keys: list[str]) -> list[str]:
    return [session.get_one(MailingList, key).title for key in keys]


def _after(standing: _Standing) -> str:
    return "undone.html" if standing.is_on else "undo_too_late.html"


def _today() -> date:
    return now().date()
