"""The mails of coming and going: asking for confirmation, saying goodbye."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.archive.published import newest
from mailer.notices.letter import Desk, Dropped, greeting, letter
from mailer.notices.model import Notice
from mailer.render.letterhead import Letterhead
from mailer.render.wording import consent_wording
from mailer.schedule import rhythm
from subscribers.addresses import address_hash
from subscribers.base import new_handle
from subscribers.model import (
    FormOfAddress,
    MailingList,
    Municipality,
    Office,
    Request,
    RequestKind,
    Role,
    Subscriber,
    SubscriptionState,
    SuppressionReason,
)
from subscribers.salutation import salutation
from subscribers.subscribing import CONFIRM_WITHIN, admit, await_confirmation, subscription_of, suppressed_for
from subscribers.tokens import Purpose, sign

#: at most one confirmation mail an address in this time
_ONE_CONFIRMATION = timedelta(days=1)


def confirmation(session: Session, desk: Desk, request: Request, now: datetime) -> Notice:
    """The confirmation mail of a sign-up, unless the address is barred, active, or had one today."""
    assert request.address is not None
    # erasing bars imports, not the person's own wish to come back
    hashed = address_hash(desk.suppression_key, request.address)
    if suppressed_for(session, hashed) - {SuppressionReason.ERASED}:
        raise Dropped("suppressed")
    known = session.scalar(select(Subscriber).where(Subscriber.address == request.address))
    if known is not None and _had_confirmation(session, known, now):
        raise Dropped("one-a-day")
    subscriber = known or _introduce(session, desk, request, now)
    mailing_list = session.get_one(MailingList, request.list_key)
    wanted = await_confirmation(session, subscriber=subscriber, list_key=mailing_list.key, now=now)
    # who gets the newsletter already may still say that she follows somebody in an office
    if not wanted and "successor" not in request.details:
        raise Dropped("active")
    handle = new_handle()
    token = sign(desk.signing, Purpose.CONFIRM, handle, subscriber.handle)
    language = request.details.get("language") or mailing_list.language
    put_wording(request, mailing_list.title, mailing_list.controller, language, desk.letterhead)
    return letter(
        desk,
        request,
        subscriber,
        mailing_list,
        handle,
        now,
        language,
        {
            "confirm_url": desk.letterhead.links.confirm(token),
            "valid_days": CONFIRM_WITHIN.days,
            "wording": request.details["wording"],
            "requested_at": request.created_at,
            # an import says who gave us the address (Art. 14 GDPR)
            "told_by": request.details.get("told_by", ""),
            # whoever filled in the form may be a stranger: no word of hers goes into this mail
            "salutation": salutation(language, FormOfAddress.NEUTRAL, "", "", ""),
        },
    )


def welcome(session: Session, desk: Desk, request: Request, now: datetime) -> Notice:
    """What follows a confirmed sign-up: what she gets and how often, and how to change or end it."""
    subscriber = session.get_one(Subscriber, request.subscriber_id)
    if suppressed_for(session, subscriber.address_hash):
        raise Dropped("suppressed")
    on = (key for key in request.details["lists"].split(",") if _is_on(session, subscriber, key))
    lists = [session.get_one(MailingList, key) for key in on]
    if not lists:
        raise Dropped("left")
    links, handle = desk.letterhead.links, new_handle()
    unsubscribe = sign(desk.signing, Purpose.UNSUBSCRIBE, handle, subscriber.handle)
    last = newest(session, 1, on=[each.key for each in lists])
    return letter(
        desk,
        request,
        subscriber,
        lists[0],
        handle,
        now,
        subscriber.language,
        {
            "lists": [_said_of(desk, each) for each in lists],
            "salutation": greeting(subscriber),
            "last_issue": last[0].words.subject if last else "",
            "archive_url": f"{links.base}{last[0].path}" if last else "",
            "preferences_url": links.ask_link(),
            "unsubscribe_url": links.unsubscribe(unsubscribe),
            "reply_to": lists[0].reply_to or desk.letterhead.imprint.email,
        },
        unsubscribe=True,
    )


def _said_of(desk: Desk, mailing_list: MailingList) -> dict[str, Any]:
    """What comes by a list, as far as the plan knows."""
    come = (
        each
        for each in desk.newsletters.values()
        if each.list == mailing_list.key or each.key == mailing_list.follows
    )
    return {
        "title": mailing_list.title,
        "newsletters": [
            {"title": each.title, "times": often.times, "per": often.per}
            for each in come
            if (often := rhythm(each.rule))
        ],
    }


def _is_on(session: Session, subscriber: Subscriber, list_key: str) -> bool:
    subscription = subscription_of(session, subscriber, list_key)
    return subscription is not None and subscription.state is SubscriptionState.ACTIVE


def goodbye(session: Session, desk: Desk, request: Request, now: datetime) -> Notice:
    """The answer to leaving, with a way back."""
    subscriber = session.get_one(Subscriber, request.subscriber_id)
    if suppressed_for(session, subscriber.address_hash):
        raise Dropped("suppressed")
    mailing_list = session.get_one(MailingList, request.list_key)
    handle = new_handle()
    token = sign(desk.signing, Purpose.UNDO, handle, subscriber.handle)
    return letter(
        desk,
        request,
        subscriber,
        mailing_list,
        handle,
        now,
        subscriber.language,
        {
            "undo_url": desk.letterhead.links.undo(token),
            "everything": "," in request.details.get("lists", ""),
            "salutation": greeting(subscriber),
        },
    )


def put_wording(request: Request, title: str, controller: str, language: str, letterhead: Letterhead) -> None:
    """The form showed the wording it names. Where there was none, the mail shows it, and that counts."""
    if "wording" not in request.details:
        shown = consent_wording(
            letterhead.templates,
            language,
            list_title=title,
            sender=controller or letterhead.imprint.name,
        )
        request.details = request.details | {"wording": shown.text, "wording_version": shown.version}


def _had_confirmation(session: Session, subscriber: Subscriber, now: datetime) -> bool:
    return (
        session.scalar(
            select(Notice.id)
            .where(
                Notice.subscriber_id == subscriber.id,
                Notice.kind == RequestKind.CONFIRM,
                Notice.created_at > now - _ONE_CONFIRMATION,
            )
            .limit(1)
        )
        is not None
    )


def _introduce(session: Session, desk: Desk, request: Request, now: datetime) -> Subscriber:
    """A subscriber as the form described her. A known one is never changed by a form anybody can fill in."""
    assert request.address is not None
    said = request.details
    subscriber = admit(session, address=request.address, suppression_key=desk.suppression_key, now=now)
    subscriber.form = FormOfAddress(said.get("form") or FormOfAddress.NEUTRAL)
    subscriber.title, subscriber.given = said.get("title", ""), said.get("given", "")
    subscriber.family = said.get("family", "")
    subscriber.language = said.get("language") or subscriber.language
    ags = said.get("ags")
    if ags and session.get(Municipality, ags) is not None:
        session.add(
            Office(
                municipality=ags,
                role=Role(said.get("role") or Role.GUEST),
                subscriber_id=subscriber.id,
                starts=now.astimezone(desk.zone).date(),
            )
        )
    return subscriber
