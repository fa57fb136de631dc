"""Whom an issue goes to: the lists it goes by, and for a correction those who got what it corrects."""

from dataclasses import dataclass
from datetime import date

from sqlalchemy import Subquery, func, select
from sqlalchemy.orm import Session

from mailer.issues.model import Issue
from mailer.outbox.model import Delivery, DeliveryState
from subscribers.audience import audience, lists_of_newsletter


@dataclass(frozen=True, slots=True)
class Readers:
    """What `subscribers.audience` is asked with: the lists, preferred first, and among whom to look."""

    lists: list[str]
    among: Subquery | None = None


def readers_of(session: Session, issue: Issue) -> Readers:
    """Whom an issue goes to.

    A correction goes to exactly those whose mail of the corrected issue was sent, each through the
    list that brought her that one; who left that list since, or is barred, gets none.
    """
    if issue.corrects is None:
        return Readers(lists_of_newsletter(session, issue.list_key, issue.newsletter))
    got = select(Delivery.subscriber_id, Delivery.list_key).where(
        Delivery.issue_id == issue.corrects, Delivery.state == DeliveryState.SENT
    )
    lists = session.scalars(select(got.subquery().c.list_key).distinct())
    return Readers(sorted(lists), got.subquery("got_it"))


def count_readers(session: Session, issue: Issue, today: date) -> int:
    """How many people would get the issue now."""
    readers = readers_of(session, issue)
    people = audience(readers.lists, today, among=readers.among).subquery()
    return session.scalar(select(func.count()).select_from(people)) or 0
