"""What a fresh link opens: the personal data of the person it was mailed to, for half an hour.

Links in bulk mail are no such key, since mails get forwarded. The token names the notice that
carried it, and the time on record there is its age.
"""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, HTTPException
from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.notices.model import Notice
from mailer.web.surroundings import now, signed
from subscribers.model import Subscriber
from subscribers.subscribing import FRESH_FOR
from subscribers.tokens import Purpose, Token

Fresh = Annotated[Token, Depends(signed(Purpose.PREFERENCES))]


class Stale(HTTPException):
    """The link was fresh once. Its page offers a new one."""

    def __init__(self) -> None:
        super().__init__(410)


@dataclass(frozen=True, slots=True)
class Guest:
    """Who opened a fresh link, and the notice that brought it."""

    subscriber: Subscriber
    notice: Notice


def guest(session: Session, fresh: Token) -> Guest:
    """The person of a fresh link. Raises Stale, and a plain 404 for who is not there any more."""
    notice = session.scalar(select(Notice).where(Notice.handle == fresh.context))
    subscriber = session.scalar(select(Subscriber).where(Subscriber.handle == fresh.subject))
    if notice is None or subscriber is None or notice.subscriber_id != subscriber.id:
        raise HTTPException(404)
    if now() - notice.created_at > FRESH_FOR:
        raise Stale
    return Guest(subscriber, notice)
