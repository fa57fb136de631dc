"""What staff want of a worker that is at work: read again and again, so that it is felt within a second."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.issues.model import Issue, IssueState
from mailer.outbox.claim import has_notices
from mailer.outbox.tallies import rates


@dataclass(frozen=True, slots=True)
class Orders:
    #: issues that are being sent; what others are in hand is given back
    sending: frozenset[int]
    #: mails a second, by name of relay
    rates: Mapping[str, float]
    #: whether a notice waits
    has_notices: bool


def read_orders(session: Session) -> Orders:
    """What is wanted now."""
    sending = session.scalars(select(Issue.id).where(Issue.state == IssueState.SENDING))
    return Orders(frozenset(sending), rates(session), has_notices(session))
