"""»Ich wechsle die Aufgabe«: the last day in an office, and whom to invite to follow.

Behind a fresh link. Only the end of the office is written here; the successor is asked by a mail
and comes into the office by her own confirmation. The subscription of whoever leaves stays until
she ends it herself, or lapses with the office where a public task was its ground.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Form, HTTPException, Request, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.render.dates import long_date
from mailer.web.pages import language_of
from mailer.web.public.fresh import Fresh, guest
from mailer.web.surroundings import READING, Here, Opened, actor_of, now
from subscribers.addresses import BadAddress, normalise, readable
from subscribers.model import (
    MailingList,
    Municipality,
    Office,
    RequestKind,
    RequestState,
    Subscriber,
    Subscription,
    SubscriptionState,
    Visibility,
)
from subscribers.model import Request as Asked
from subscribers.offices import end, offices_of
from subscribers.subscribing import CONFIRM_WITHIN, TooMany, ask

router = APIRouter()

#: RFC 5321 4.5.3.1.3 bounds the address; no spelling of a day is longer than 10 characters
LONGEST = {"last_day": 10, "successor": 254}
#: the last day is at most so far away
_AHEAD = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Typed:
    """As typed, white space at the ends aside."""

    office: str = ""
    last_day: str = ""
    successor: str = ""


@dataclass(frozen=True, slots=True)
class Handover:
    """A form without faults; `successor` is normalised, "" for nobody."""

    office: Office
    last_day: date
    successor: str


@dataclass(frozen=True, slots=True)
class _Desk:
    """What the page is about: the person, her offices with their places, and the lists that go with them."""

    subscriber: Subscriber
    offices: Sequence[Office]
    places: Mapping[str, str]
    lists: Sequence[MailingList]


@router.api_route("/einstellungen/{token}/wechsel", methods=READING)
def form(token: str, request: Request, here: Here, opened: Opened, fresh: Fresh) -> Response:
    with opened() as session:
        desk = _desk(session, guest(session, fresh).subscriber)
    first = desk.offices[0] if len(desk.offices) == 1 else None
    typed = Typed(
        office=str(first.id) if first else "",
        last_day=first.ends.isoformat() if first and first.ends else "",
    )
    return _form_page(request, here, desk, typed, {})


@router.post("/einstellungen/{token}/wechsel")
def submit(
    token: str,
    request: Request,
    here: Here,
    opened: Opened,
    fresh: Fresh,
    act: Annotated[str, Form()] = "",
    office: Annotated[str, Form()] = "",
    last_day: Annotated[str, Form()] = "",
    successor: Annotated[str, Form()] = "",
) -> Response:
    if act != "handover":
        raise HTTPException(422)
    typed = Typed(*(field.strip() for field in (office, last_day, successor)))
    with opened() as session:
        desk = _desk(session, guest(session, fresh).subscriber)
        read, faults = read_handover(typed, desk.offices, desk.subscriber.address, _today())
        if read is not None:
            end(session, read.office, on=read.last_day, actor=actor_of(token), now=now())
            if read.successor and desk.lists:
                _invite(session, here, request, desk, read, actor_of(token))
    if read is None:
        return _form_page(request, here, desk, typed, faults)
    return here.pages.respond(
        request,
        "handover_done.html",
        role=read.office.role.value,
        municipality=desk.places[read.office.municipality],
        last_day=long_date(read.last_day, language=language_of(request), zone=ZoneInfo("UTC")),
        successor=readable(read.successor) if desk.lists else "",
    )


def read_handover(
    typed: Typed, offices: Sequence[Office], own_address: str, today: date
) -> tuple[Handover | None, Mapping[str, str]]:
    """What was asked for, or None and what is wrong with each field. Pure.

    Faults: choice, missing, date, early, late, address, own; the page has the words for them.
    """
    faults = {}
    office = next((each for each in offices if str(each.id) == typed.office), None)
    if office is None:
        faults["office"] = "choice"
    last_day = _day(typed.last_day)
    if not typed.last_day:
        faults["last_day"] = "missing"
    elif last_day is None:
        faults["last_day"] = "date"
    elif not today <= last_day <= today + _AHEAD:
        faults["last_day"] = "early" if last_day < today else "late"
    successor = ""
    if typed.successor:
        try:
            successor = normalise(typed.successor)
        except BadAddress:
            faults["successor"] = "address"
        if successor == own_address:
            faults["successor"] = "own"
    if faults or office is None or last_day is None:
        return None, faults
    return Handover(office, last_day, successor), {}


def _day(text: str) -> date | None:
    """A day as browsers send it, or as Germans write it where a browser knows no field for days."""
    for pattern in ("%Y-%m-%d", "%d.%m.%Y"):
        try:
            return datetime.strptime(text, pattern).date()  # noqa: DTZ007  # a day has no zone
        except ValueError:
            continue
    return None


def _invite(
    session: Session, here: Here, request: Request, desk: _Desk, handover: Handover, actor: str
) -> None:
    """Note that somebody is to be asked. Whether a mail follows is decided later, as for any sign-up."""
    office, first = handover.office, desk.lists[0]
    _take_back(session, office, handover.successor)
    try:
        ask(
            session,
            kind=RequestKind.INVITE,
            list_key=first.key,
            address=handover.successor,
            details={
                "office": str(office.id),
                "ags": office.municipality,
                "role": office.role.value,
                "starts": (handover.last_day + timedelta(days=1)).isoformat(),
                "lists": ",".join(each.key for each in desk.lists),
                "privacy_version": first.privacy_version or here.settings.sender_privacy_version,
            },
            origin=here.origin(request),
            limits=here.limits,
            actor=actor,
            now=now(),
        )
    except TooMany:
        raise HTTPException(429, headers={"Retry-After": "3600"}) from None


def _take_back(session: Session, office: Office, named_now: str) -> None:
    """Whoever was named before for this office and has not answered is it no longer: a slip is corrected."""
    earlier = session.scalars(
        select(Asked).where(Asked.created_at > now() - CONFIRM_WITHIN, Asked.kind == RequestKind.INVITE)
    )
    for asked in earlier:
        if asked.details.get("office") == str(office.id) and asked.address != named_now:
            asked.state, asked.outcome = RequestState.DROPPED, "somebody else was named"


def _desk(session: Session, subscriber: Subscriber) -> _Desk:
    offices = offices_of(session, subscriber, _today())
    keys = [office.municipality for office in offices]
    rows = session.execute(select(Municipality.ags, Municipality.name).where(Municipality.ags.in_(keys)))
    return _Desk(subscriber, offices, dict(rows.all()), _lists_to_pass_on(session, subscriber))


def _lists_to_pass_on(session: Session, subscriber: Subscriber) -> Sequence[MailingList]:
    """The network's lists that she is on; if none, those that anybody may join."""
    network = select(MailingList).where(MailingList.municipality.is_(None)).order_by(MailingList.key)
    hers = network.join(Subscription, Subscription.list_key == MailingList.key).where(
        Subscription.subscriber_id == subscriber.id, Subscription.state == SubscriptionState.ACTIVE
    )
    found = session.scalars(hers).all()
    return found or session.scalars(network.where(MailingList.visibility == Visibility.PUBLIC)).all()


def _form_page(
    request: Request, here: Here, desk: _Desk, typed: Typed, faults: Mapping[str, str]
) -> Response:
    today = _today()
    return here.pages.respond(
        request,
        "handover.html",
        422 if faults else 200,
        offices=desk.offices,
        places=desk.places,
        can_invite=bool(desk.lists),
        typed=typed,
        faults=faults,
        longest=LONGEST,
        days=(today, today + _AHEAD),
    )


def _today() -> date:
    """The pages know no zone; that a day begins in the small hours here harms nobody."""
    return now().date()
