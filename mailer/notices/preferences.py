"""The mail that brings a fresh link to somebody's own data."""

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.notices.letter import Desk, Dropped, greeting, letter
from mailer.notices.model import Notice
from subscribers.base import new_handle
from subscribers.model import (
    MailingList,
    Request,
    RequestKind,
    Subscriber,
    Subscription,
    SubscriptionState,
    SuppressionReason,
)
from subscribers.subscribing import FRESH_FOR, suppressed_for
from subscribers.tokens import Purpose, sign

#: at most one such mail to a person in this time
_ONE_LINK = timedelta(minutes=5)


def fresh_link(session: Session, desk: Desk, request: Request, now: datetime) -> Notice:
    """The link, unless nobody here has the address, it is barred, or one was sent just now."""
    known = Subscriber.id == request.subscriber_id
    if request.address is not None:
        known = Subscriber.address == request.address
    subscriber = session.scalar(select(Subscriber).where(known))
    if subscriber is None:
        raise Dropped("unknown")
    if suppressed_for(session, subscriber.address_hash) - {SuppressionReason.ERASED}:
        raise Dropped("suppressed")
    earlier = select(Notice.id).where(
        Notice.subscriber_id == subscriber.id,
        Notice.kind == RequestKind.PREFERENCES,
        Notice.created_at > now - _ONE_LINK,
    )
    if session.scalar(earlier.limit(1)) is not None:
        raise Dropped("just-sent")
    mailing_list = _through(session, request, subscriber)
    handle = new_handle()
    token = sign(desk.signing, Purpose.PREFERENCES, handle, subscriber.handle)
    return letter(
        desk,
        request,
        subscriber,
        mailing_list,
        handle,
        now,
        subscriber.language,
        {
            "preferences_url": desk.letterhead.links.preferences(token),
            "valid_minutes": FRESH_FOR // timedelta(minutes=1),
            "salutation": greeting(subscriber),
        },
    )


def _through(session: Session, request: Request, subscriber: Subscriber) -> MailingList:
    """The list in whose name the mail goes: the one asked through, else the nearest of the person's."""
    if request.list_key is not None:
        return session.get_one(MailingList, request.list_key)
    theirs = (
        select(MailingList)
        .join(Subscription, Subscription.list_key == MailingList.key)
        .where(Subscription.subscriber_id == subscriber.id)
        .order_by(
            Subscription.state != SubscriptionState.ACTIVE,
            MailingList.municipality.is_not(None),
            MailingList.key,
        )
    )
    found = session.scalar(theirs.limit(1))
    if found is None:
        raise Dropped("no-list")
    return found
