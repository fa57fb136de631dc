"""The mails about offices: inviting a successor, and asking once a year whether all is still right."""

from datetime import date, datetime, timedelta

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from mailer.issues.model import Issue, IssueState
from mailer.notices.joining import put_wording
from mailer.notices.letter import Desk, Dropped, greeting, letter
from mailer.notices.model import Notice
from mailer.render.model import Edition, EditionAudience
from subscribers.addresses import address_hash
from subscribers.audience import may_receive
from subscribers.base import new_handle
from subscribers.model import (
    FormOfAddress,
    MailingList,
    Municipality,
    Office,
    Request,
    RequestKind,
    Subscriber,
    Subscription,
)
from subscribers.salutation import salutation
from subscribers.subscribing import CONFIRM_WITHIN, admit, await_confirmation, suppressed_for
from subscribers.tokens import Purpose, sign

#: at most one invitation an address in this time
_ONE_INVITATION = timedelta(days=1)


def invitation(session: Session, desk: Desk, request: Request, now: datetime) -> Notice:
    """The invitation to follow somebody in an office, and onto the lists that belong to it.

    It names office and municipality and nobody: not who holds the office, for whoever reads the
    mail may be a stranger with a mistyped address. The same is why no word but ours stands in it.
    """
    assert request.address is not None
    hashed = address_hash(desk.suppression_key, request.address)
    # also whoever had herself erased: an invitation is somebody else's wish
    if suppressed_for(session, hashed):
        raise Dropped("suppressed")
    known = session.scalar(select(Subscriber).where(Subscriber.address == request.address))
    if known is not None and _was_invited(session, known, now):
        raise Dropped("one-a-day")
    municipality = session.get_one(Municipality, request.details["ags"])
    lists = [session.get_one(MailingList, key) for key in request.details["lists"].split(",")]
    language = known.language if known is not None else lists[0].language
    successor = admit(session, address=request.address, suppression_key=desk.suppression_key, now=now)
    successor.language = language
    for mailing_list in lists:
        await_confirmation(session, subscriber=successor, list_key=mailing_list.key, now=now)
    title = ", ".join(mailing_list.title for mailing_list in lists)
    put_wording(request, title, lists[0].controller, language, desk.letterhead)
    handle = new_handle()
    token = sign(desk.signing, Purpose.CONFIRM, handle, successor.handle)
    keys = [mailing_list.key for mailing_list in lists]
    return letter(
        desk,
        request,
        successor,
        lists[0],
        handle,
        now,
        language,
        {
            "confirm_url": desk.letterhead.links.confirm(token),
            "valid_days": CONFIRM_WITHIN.days,
            "wording": request.details["wording"],
            "role": request.details["role"],
            "municipality": municipality.name,
            "starts": date.fromisoformat(request.details["starts"]),
            "titles": title,
            "archive_url": _last_issue(session, desk, keys, language, municipality.ags),
            "salutation": salutation(language, FormOfAddress.NEUTRAL, "", "", ""),
        },
    )


def still_right(session: Session, desk: Desk, request: Request, now: datetime) -> Notice:
    """The yearly question, or a reminder of it."""
    subscriber = session.get_one(Subscriber, request.subscriber_id)
    if suppressed_for(session, subscriber.address_hash):
        raise Dropped("suppressed")
    office = session.get(Office, request.details["office"])
    today = now.astimezone(desk.zone).date()
    if office is None or office.subscriber_id != subscriber.id or (office.ends or today) < today:
        raise Dropped("ended")
    if not office.asked:
        raise Dropped("answered")
    mailing_list = session.scalar(_lists_of(subscriber, today))
    if mailing_list is None:
        raise Dropped("left")
    handle = new_handle()
    token = sign(desk.signing, Purpose.STILL_RIGHT, handle, subscriber.handle)
    return letter(
        desk,
        request,
        subscriber,
        mailing_list,
        handle,
        now,
        subscriber.language,
        {
            "answer_url": desk.letterhead.links.still_right(token),
            "role": office.role.value,
            "municipality": session.get_one(Municipality, office.municipality).name,
            "salutation": greeting(subscriber),
        },
    )


def _was_invited(session: Session, subscriber: Subscriber, now: datetime) -> bool:
    earlier = select(Notice.id).where(
        Notice.subscriber_id == subscriber.id,
        Notice.kind == RequestKind.INVITE,
        Notice.created_at > now - _ONE_INVITATION,
    )
    return session.scalar(earlier.limit(1)) is not None


def _last_issue(session: Session, desk: Desk, lists: list[str], language: str, municipality: str) -> str:
    """Where the last issue of these lists can be read, "" if none was sent yet: the edition of this place."""
    last = (
        select(Issue.id)
        .where(Issue.list_key.in_(lists), Issue.state == IssueState.SENT)
        .order_by(func.coalesce(Issue.sent_at, Issue.send_at).desc(), Issue.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    found = session.execute(
        select(Issue.handle, Edition.digest)
        .join(Edition, Edition.issue_id == Issue.id)
        .outerjoin(EditionAudience, EditionAudience.edition_id == Edition.id)
        .where(Issue.id == last)
        .order_by(
            (Edition.language == language).desc(),
            (func.coalesce(EditionAudience.places, "") == municipality).desc(),
            Edition.id,
        )
        .limit(1)
    ).first()
    if found is None:
        return ""
    token = sign(desk.signing, Purpose.ARCHIVE, found.handle, int(found.digest[:16], 16))
    return desk.letterhead.links.archive(token)


def _lists_of(subscriber: Subscriber, today: date) -> Select[MailingList]:
    """The lists through which she gets mail now, the network's first."""
    return (
        select(MailingList)
        .join(Subscription, Subscription.list_key == MailingList.key)
        .where(Subscription.subscriber_id == subscriber.id, may_receive(Subscription, today))
        .order_by(MailingList.municipality.is_not(None), MailingList.key)
        .limit(1)
    )
