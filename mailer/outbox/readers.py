"""Whom an issue goes to: the lists it goes by, and for a correction those who got what it corrects."""

from dataclasses import dataclass
from datetime import date

from sqlalchemy import Subquery, exists, func, select
from sqlalchemy.orm import Session

from mailer.issues.model import Issue
from mailer.outbox.model import Delivery, DeliveryState
from subscribers.audience import audience, lists_of_newsletter
from subscribers.model import Subscription


@dataclass(frozen=True, slots=True)
class Readers:
    """What `subscribers.audience` is asked with: the lists, preferred first, and among whom to look."""

    lists: list[str]
    among: Subquery | None = None


def readers_of(session: Session, issue: Issue) -> Readers:
    """Whom an issue goes to.

    The own issue of a municipal list goes to those on it who did not get what it passes on. A
    correction goes to exactly those whose mail of the corrected issue was sent, each through the list
    that brought her that one; who left that list since, or is barred, gets none.
    """
    if issue.for_list:
        got = exists().where(
            Delivery.issue_id == issue.derived_from, Delivery.subscriber_id == Subscription.subscriber_id
        )
        others = select(Subscription.subscriber_id, Subscription.list_key).where(
            Subscription.list_key == issue.for_list, ~got
        )
        return Readers([issue.for_list], others.subquery("others"))
    if issue.corrects is None:
        return Readers(lists_of_newsletter(session, issue.list_key, issue.newsletter))
    sent = select(Delivery.subscriber_id, Delivery.list_key).where(
        Delivery.issue_id == issue.corrects, Delivery.state == DeliveryState.SENT
    )
    lists = session.scalars(select(sent.subquery().c.list_key).distinct())
    return Readers(sorted(lists), sent.subquery("got_it"))


def count_readers(session: Session, issue: Issue, today: date) -> int:
    """How many people would get the issue now."""
    readers = readers_of(session, issue)
    people = audience(readers.lists, today, among=readers.among).subquery()
    return session.scalar(select(func.count()).select_from(people)) or 0
