"""A mail to one person: rendered once, kept as it goes out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from typing import Any
from zoneinfo import ZoneInfo

from mailer.notices.model import Notice
from mailer.render.letterhead import Letterhead
from mailer.render.message import encode, header_value, text_only
from mailer.render.parts import body_names, html_part, subject_line, text_part
from mailer.render.template import environment
from mailer.schedule import Newsletter
from subscribers.base import new_handle
from subscribers.model import Format, MailingList, Request, Subscriber
from subscribers.salutation import salutation
from subscribers.tokens import Keys, Purpose, sign


@dataclass(frozen=True, slots=True)
class Desk:
    """What writing a notice takes: letterhead, keys, zone of its dates, newsletters of the plan."""

    letterhead: Letterhead
    signing: Keys
    suppression_key: bytes = field(repr=False)
    zone: ZoneInfo
    newsletters: Mapping[str, Newsletter]


class Dropped(Exception):
    """The request gets no mail; says why in a word."""


def greeting(subscriber: Subscriber) -> str:
    """How a mail to somebody we know begins."""
    return salutation(
        subscriber.language, subscriber.form, subscriber.title, subscriber.given, subscriber.family
    )


def letter(
    desk: Desk,
    request: Request,
    to: Subscriber | str,
    mailing_list: MailingList,
    handle: int,
    now: datetime,
    language: str,
    context: dict[str, Any],
    *,
    unsubscribe: bool = False,
) -> Notice:
    """The notice that answers `request`, from the templates of its kind filled with `context`.

    It goes `to` a subscriber, or to the address of somebody who need not be one. `handle` is that
    of the notice to be, which the links in `context` name already. With `unsubscribe` the mail can
    be left from as a bulk mail can (RFC 8058).
    """
    letterhead = desk.letterhead
    subscriber = None if isinstance(to, str) else to
    recipient = subscriber.handle if subscriber else new_handle()
    env = environment(letterhead.mail_templates, language, zone=desk.zone)
    context |= {
        "network": letterhead.network,
        "sender": letterhead.sender(
            sender_name=mailing_list.sender_name,
            imprint=mailing_list.imprint,
            controller=mailing_list.controller,
            privacy_url=mailing_list.privacy_url,
        ),
        "language": language,
        "brand": letterhead.look(),
        "list_title": mailing_list.title,
    }

    folder = request.kind.value
    subject = subject_line(env, folder, context)
    message_id = sign(desk.signing, Purpose.MESSAGE_ID, handle, recipient)
    message = encode(
        headers=[
            *letterhead.people_headers(sender_name=mailing_list.sender_name, reply_to=mailing_list.reply_to),
            ("Subject", subject),
            ("Content-Language", language),
        ],
        lines=[
            b"To: " + header_value(to if isinstance(to, str) else to.address),
            f"Date: {format_datetime(now)}".encode(),
            f"Message-ID: <{message_id}@{letterhead.message_id_domain}>".encode(),
            *(_unsubscribing(desk, handle, recipient) if unsubscribe else ()),
            # RFC 3834: nobody's absence note shall answer this
            b"Auto-Submitted: auto-generated",
            b"X-Auto-Response-Suppress: All",
        ],
        text=text_part(env, folder, context),
        html=html_part(env, body_names(folder), context),
        sentinels={},
        boundary=f"=_{handle:016x}_=",
        images=[letterhead.logo] if letterhead.logo else [],
    )
    return Notice(
        handle=handle,
        kind=request.kind.value,
        list_key=mailing_list.key,
        request_id=request.id,
        subscriber_id=subscriber.id if subscriber else None,
        address=to if isinstance(to, str) else "",
        address_handle=None if subscriber else recipient,
        key_id=desk.signing.primary_id,
        subject=subject,
        message=text_only(message) if subscriber and subscriber.format is Format.TEXT else message,
        created_at=now,
    )


def _unsubscribing(desk: Desk, handle: int, recipient: int) -> list[bytes]:
    token = sign(desk.signing, Purpose.UNSUBSCRIBE, handle, recipient)
    https, mailto = (
        desk.letterhead.links.unsubscribe(token),
        desk.letterhead.return_path.unsubscribe_mailto(token),
    )
    return [
        f"List-Unsubscribe: <{https}>,\r\n <{mailto}>".encode("ascii"),
        b"List-Unsubscribe-Post: List-Unsubscribe=One-Click",
    ]
