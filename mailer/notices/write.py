"""From requests to notices: one mail to one person, rendered once and kept as it goes out."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from email.headerregistry import Address
from email.utils import format_datetime
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.notices.model import Notice
from mailer.render.letterhead import Letterhead
from mailer.render.message import encode, header_value
from mailer.render.mjml import compile_mjml
from mailer.render.template import environment
from mailer.render.wording import consent_wording
from subscribers.addresses import address_hash
from subscribers.base import new_handle
from subscribers.model import (
    FormOfAddress,
    MailingList,
    Municipality,
    Office,
    Request,
    RequestKind,
    RequestState,
    Role,
    Subscriber,
    SuppressionReason,
)
from subscribers.salutation import salutation
from subscribers.subscribing import CONFIRM_WITHIN, admit, await_confirmation, suppressed_for
from subscribers.tokens import Keys, Purpose, sign

log = structlog.get_logger()

#: requests answered in one transaction
_BATCH = 50
#: at most one confirmation mail an address in this time
_ONE_CONFIRMATION = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Desk:
    """What writing a notice takes: letterhead, keys, and the zone its dates are shown in."""

    letterhead: Letterhead
    signing: Keys
    suppression_key: bytes = field(repr=False)
    zone: ZoneInfo


class Dropped(Exception):
    """The request gets no mail; says why in a word."""


def write_notices(session: Session, desk: Desk, *, now: datetime) -> int:
    """Answer the oldest new requests; returns how many were looked at. None is looked at twice."""
    requests = session.scalars(
        select(Request)
        .where(Request.state == RequestState.NEW)
        .order_by(Request.id)
        .limit(_BATCH)
        .with_for_update(skip_locked=True)
    ).all()
    for request in requests:
        try:
            with session.begin_nested():
                session.add(_ANSWERS[request.kind](session, desk, request, now))
            request.state = RequestState.WRITTEN
        except Dropped as reason:
            request.state, request.outcome = RequestState.DROPPED, str(reason)
        except Exception as error:
            # one that cannot be written must not stop the others; it stays to be seen
            request.state, request.outcome = RequestState.DROPPED, f"broken: {type(error).__name__}"
            log.exception("request.broken", request=request.id)
        session.flush()
    return len(requests)


def _confirm(session: Session, desk: Desk, request: Request, now: datetime) -> Notice:
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
    if not await_confirmation(session, subscriber=subscriber, list_key=request.list_key, now=now):
        raise Dropped("active")
    mailing_list = session.get_one(MailingList, request.list_key)
    handle = new_handle()
    token = sign(desk.signing, Purpose.CONFIRM, handle, subscriber.handle)
    language = request.details.get("language") or mailing_list.language
    _put_wording(request, mailing_list, language, desk.letterhead)
    return _notice(
        desk,
        request,
        subscriber,
        handle,
        now,
        language,
        {
            "list_title": mailing_list.title,
            "confirm_url": desk.letterhead.links.confirm(token),
            "valid_days": CONFIRM_WITHIN.days,
            "wording": request.details["wording"],
            "requested_at": request.created_at,
            # whoever filled in the form may be a stranger: no word of hers goes into this mail
            "salutation": salutation(language, FormOfAddress.NEUTRAL, "", "", ""),
        },
    )


def _goodbye(session: Session, desk: Desk, request: Request, now: datetime) -> Notice:
    """The answer to leaving, with a way back."""
    subscriber = session.get_one(Subscriber, request.subscriber_id)
    if suppressed_for(session, subscriber.address_hash):
        raise Dropped("suppressed")
    mailing_list = session.get_one(MailingList, request.list_key)
    handle = new_handle()
    token = sign(desk.signing, Purpose.UNDO, handle, subscriber.handle)
    return _notice(
        desk,
        request,
        subscriber,
        handle,
        now,
        subscriber.language,
        {
            "list_title": mailing_list.title,
            "undo_url": desk.letterhead.links.undo(token),
            "salutation": salutation(
                subscriber.language,
                subscriber.form,
                subscriber.title,
                subscriber.given,
                subscriber.family,
            ),
        },
    )


_ANSWERS: dict[RequestKind, Callable[[Session, Desk, Request, datetime], Notice]] = {
    RequestKind.CONFIRM: _confirm,
    RequestKind.GOODBYE: _goodbye,
}


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


def _put_wording(request: Request, mailing_list: MailingList, language: str, letterhead: Letterhead) -> None:
    """The form showed the wording it names. An import showed none: then the mail does, and that counts."""
    if "wording" not in request.details:
        shown = consent_wording(
            letterhead.templates,
            language,
            list_title=mailing_list.title,
            sender=mailing_list.controller or letterhead.imprint.name,
        )
        request.details = request.details | {"wording": shown.text, "wording_version": shown.version}


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


def _notice(
    desk: Desk,
    request: Request,
    subscriber: Subscriber,
    handle: int,
    now: datetime,
    language: str,
    context: dict[str, Any],
) -> Notice:
    letterhead = desk.letterhead
    env = environment(letterhead.mail_templates, language, zone=desk.zone)
    context |= {
        "network": letterhead.network,
        "sender": asdict(letterhead.imprint),
        "language": language,
    }

    def fill(name: str) -> str:
        return env.get_template(f"{request.kind.value}/{name}").render(context)

    subject = fill("subject.txt").strip()
    message_id = sign(desk.signing, Purpose.MESSAGE_ID, handle, subscriber.handle)
    message = encode(
        headers=[
            ("From", str(Address(letterhead.imprint.name, addr_spec=letterhead.address))),
            ("Reply-To", letterhead.imprint.email or letterhead.address),
            ("Subject", subject),
            ("Content-Language", language),
        ],
        lines=[
            b"To: " + header_value(subscriber.address),
            f"Date: {format_datetime(now)}".encode(),
            f"Message-ID: <{message_id}@{letterhead.message_id_domain}>".encode(),
            # RFC 3834: nobody's absence note shall answer this
            b"Auto-Submitted: auto-generated",
            b"X-Auto-Response-Suppress: All",
        ],
        text=fill("body.txt"),
        html=compile_mjml(fill("body.mjml")),
        sentinels={},
        boundary=f"=_{handle:016x}_=",
    )
    return Notice(
        handle=handle,
        kind=request.kind.value,
        list_key=request.list_key,
        request_id=request.id,
        subscriber_id=subscriber.id,
        key_id=desk.signing.primary_id,
        subject=subject,
        message=message,
        created_at=now,
    )
