"""A person's own page, behind a fresh link: what she gets, how she is called, and on what ground.

The page is a few forms; each POST says by `act` which one it was, and is answered by the same page.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Form, HTTPException, Request, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.render.wording import consent_wording
from mailer.web.pages import language_of, web_link
from mailer.web.public.form import LONGEST, Profile, ProfileForm, read_profile
from mailer.web.public.fresh import Fresh, Guest, Stale, guest
from mailer.web.public.leave import pause_until, say_goodbye
from mailer.web.public.lists import public_list
from mailer.web.surroundings import READING, Here, Opened, actor_of, now
from subscribers.addresses import readable
from subscribers.chain import Chain, Happening, append
from subscribers.evidence import Evidence, Wording
from subscribers.model import MailingList, Municipality, Office, Subscriber, Subscription, SubscriptionState
from subscribers.subscribing import (
    ask_for_link,
    await_confirmation,
    confirm,
    leave,
    pause,
    public_lists,
    subscriptions_of,
)
from subscribers.tokens import Token

router = APIRouter()


@dataclass(frozen=True, slots=True)
class _Row:
    """A list she is on or was."""

    mailing_list: MailingList
    subscription: Subscription

    @property
    def is_active(self) -> bool:
        return self.subscription.state is SubscriptionState.ACTIVE

    @property
    def paused_until(self) -> date | None:
        until = self.subscription.paused_until
        return until if until and until > now().date() else None


@dataclass(frozen=True, slots=True)
class _Said:
    """What is to be said above the forms: what was done, or what is wrong."""

    done: str = ""
    #: the list it was about
    title: str = ""
    faults: Mapping[str, str] | None = None
    typed: ProfileForm | None = None
    #: key of the list whose pause was not understood
    unpaused: str = ""
    fault: str = ""


@router.api_route("/einstellungen/{token}", methods=READING)
def show(token: str, request: Request, here: Here, opened: Opened, fresh: Fresh) -> Response:
    with opened() as session:
        context = _context(session, request, here, guest(session, fresh), token, _Said())
    return here.pages.respond(request, "preferences.html", **context)


@router.post("/einstellungen/{token}")
def change(
    token: str,
    request: Request,
    here: Here,
    opened: Opened,
    fresh: Fresh,
    act: Annotated[str, Form()] = "",
    list_key: Annotated[str, Form(alias="list")] = "",
    form: Annotated[str, Form()] = "",
    title: Annotated[str, Form()] = "",
    given: Annotated[str, Form()] = "",
    family: Annotated[str, Form()] = "",
    language: Annotated[str, Form()] = "",
    format_: Annotated[str, Form(alias="format")] = "",
    wording: Annotated[str, Form()] = "",
    months: Annotated[str, Form()] = "",
    until: Annotated[str, Form()] = "",
) -> Response:
    actor = actor_of(token)
    with opened() as session:
        try:
            who = guest(session, fresh)
        except Stale:
            if act != "renew":
                raise
            return _renewed(session, request, here, fresh, actor)
        if act == "save":
            fields = (form, title, given, family, language, format_)
            said = _save(session, who.subscriber, ProfileForm(*(each.strip() for each in fields)), actor)
        elif act == "join":
            said = _join(session, request, here, who, token, list_key, wording)
        elif act in ("leave", "pause", "resume"):
            row = _row(session, who.subscriber, list_key)
            said = _on_list(session, who, row, act, months, until, actor)
        else:
            raise HTTPException(422)
        session.flush()
        context = _context(session, request, here, who, token, said)
    status = 422 if said.faults or said.fault else 200
    return here.pages.respond(request, "preferences.html", status, **context)


def _save(session: Session, subscriber: Subscriber, typed: ProfileForm, actor: str) -> _Said:
    profile, faults = read_profile(typed)
    if profile is None:
        return _Said(faults=faults, typed=typed)
    changed = [name for name in Profile.__slots__ if getattr(subscriber, name) != getattr(profile, name)]
    for name in changed:
        setattr(subscriber, name, getattr(profile, name))
    if changed:
        # the names of the fields only: what stands in them is nobody's business here
        happening = Happening("subscriber.rectified", {"fields": changed}, subscriber.handle)
        append(session, Chain.AUDIT, [happening], actor=actor, at=now())
    return _Said(done="save")


def _join(
    session: Session, request: Request, here: Here, who: Guest, token: str, key: str, version: str
) -> _Said:
    """The fresh link has proved the mailbox, so showing the wording and agreeing to it is enough."""
    mailing_list = public_list(session, key)
    shown = _wording(request, here, mailing_list)
    if version != shown.version:
        return _Said(fault="changed", title=mailing_list.title)
    who.notice.answered_at = now()
    await_confirmation(session, subscriber=who.subscriber, list_key=key, now=now())
    confirm(
        session,
        subscriber=who.subscriber,
        list_key=key,
        proof=Evidence(
            wording=shown,
            source=f"{here.public_url}/einstellungen",
            requested_at=now(),
            notice=who.notice.handle,
            mail_sha256=hashlib.sha256(who.notice.message).hexdigest(),
            privacy_version=mailing_list.privacy_version or here.settings.sender_privacy_version,
        ),
        actor=actor_of(token),
        now=now(),
    )
    return _Said(done="join", title=mailing_list.title)


def _on_list(session: Session, who: Guest, row: _Row, act: str, months: str, until: str, actor: str) -> _Said:
    key, title = row.mailing_list.key, row.mailing_list.title
    if act == "leave":
        left = leave(
            session, subscriber=who.subscriber, list_key=key, through=who.notice.handle,
            source="preferences", actor=actor, now=now(),
        )  # fmt: skip
        if left:
            say_goodbye(session, who.subscriber, [key], who.notice.handle, actor)
        return _Said(done=act, title=title)
    day, fault = pause_until(months, until) if act == "pause" else (None, "")
    if fault:
        return _Said(fault=fault, title=title, unpaused=key)
    pause(session, subscriber=who.subscriber, list_key=key, until=day)
    return _Said(done=act, title=title)


def _renewed(session: Session, request: Request, here: Here, fresh: Token, actor: str) -> Response:
    subscriber = session.scalars(select(Subscriber).where(Subscriber.handle == fresh.subject)).one()
    ask_for_link(session, subscriber=subscriber, list_key=None, actor=actor, now=now())
    # an old link may be in the wrong hands: it does not show the address
    return here.pages.respond(request, "link_sent.html", address="")


def _row(session: Session, subscriber: Subscriber, key: str) -> _Row:
    """The list with this key, if she has to do with it."""
    for row in subscriptions_of(session, subscriber):
        if row.list_key == key:
            return _Row(session.get_one(MailingList, key), row)
    raise HTTPException(404)


def _context(
    session: Session, request: Request, here: Here, who: Guest, token: str, said: _Said
) -> dict[str, Any]:
    person = who.subscriber
    lists = {row.key: row for row in session.scalars(select(MailingList))}
    on = [_Row(lists[row.list_key], row) for row in subscriptions_of(session, person)]
    shown = [row for row in on if row.subscription.state is not SubscriptionState.UNSUBSCRIBED]
    taken = {row.mailing_list.key for row in shown}
    privacy_url = here.settings.sender_privacy_url
    today = now().date()
    offices = session.execute(
        select(Office, Municipality.name)
        .join(Municipality, Municipality.ags == Office.municipality)
        .where(Office.subscriber_id == person.id)
        .order_by(Office.starts)
    ).all()
    return {
        "token": token,
        "address": readable(person.address),
        "typed": said.typed or ProfileForm.of(person),
        "faults": said.faults or {},
        "said": said,
        "longest": LONGEST,
        "on": shown,
        "more": [
            (each, _wording(request, here, each), web_link(each.privacy_url or privacy_url))
            for each in public_lists(session)
            if each.key not in taken
        ],
        "offices": [
            (office, name) for office, name in offices if office.ends is None or office.ends >= today
        ],
    }


def _wording(request: Request, here: Here, mailing_list: MailingList) -> Wording:
    return consent_wording(
        here.pages.folders,
        language_of(request),
        list_title=mailing_list.title,
        sender=mailing_list.controller or here.settings.sender_name or here.settings.network,
    )
