"""Who may receive an issue now: one statement, so that it holds for a million people.

Active on one of the lists and not paused, and the address not suppressed for any reason. A person on
several of the lists counts once: through the network's list, else the lowest list key.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Select, Subquery, and_, case, exists, func, literal, or_, select
from sqlalchemy.orm import Session, aliased

from subscribers.model import (
    Following,
    MailingList,
    Office,
    Subscriber,
    Subscription,
    SubscriptionState,
    Suppression,
)


@dataclass(frozen=True, slots=True)
class AudienceKey:
    """What decides which edition a person gets; all as `audience` gives it."""

    list_key: str
    language: str
    places: str
    roles: str
    import_id: int = 0


def lists_of_newsletter(session: Session, list_key: str, newsletter: str) -> list[str]:
    """The lists an issue goes to, the preferred first: its own, and those that follow it as it is."""
    rows = session.execute(
        select(MailingList.key, MailingList.municipality).where(
            or_(
                MailingList.key == list_key,
                and_(MailingList.follows == newsletter, MailingList.following == Following.AS_IS),
            )
        )
    )
    return [key for key, _ in sorted(rows, key=lambda row: (row.municipality is not None, row.key))]


def audience(
    lists: Sequence[str], today: date, *, among: Subquery | None = None
) -> Select[int, int, str, str, str, str, Any, Any, Any, Any]:
    """Selects a row for each person who may receive now.

    `lists` in order of preference. `among` restricts to its rows of subscriber_id and list_key, at most
    one a person: it says through which list, so no list is preferred. Columns: subscriber_id,
    subscriber_handle, address, domain, list_key, language, places and roles (sorted, joined by commas,
    "" for none),
    municipality (the AGS that figures count the person under, or ""), import_id (the file that
    brought the person, as long as she was not told of it; 0 if there is nothing to tell).
    """
    offices = _offices(today)
    own = func.coalesce(MailingList.municipality, "")
    query = (
        select(
            Subscriber.id.label("subscriber_id"),
            Subscriber.handle.label("subscriber_handle"),
            Subscriber.address.label("address"),
            Subscriber.domain.label("domain"),
            Subscription.list_key.label("list_key"),
            Subscriber.language.label("language"),
            func.coalesce(offices.c.places, own).label("places"),
            func.coalesce(offices.c.roles, "").label("roles"),
            func.coalesce(offices.c.first, own).label("municipality"),
            case(
                (Subscription.informed_at.is_(None), func.coalesce(Subscription.import_id, 0)), else_=0
            ).label("import_id"),
        )
        .join(Subscription, Subscription.subscriber_id == Subscriber.id)
        .join(MailingList, MailingList.key == Subscription.list_key)
        .outerjoin(offices, offices.c.subscriber_id == Subscriber.id)
        .where(
            Subscription.list_key.in_(lists),
            may_receive(Subscription, today),
            ~exists().where(Suppression.address_hash == Subscriber.address_hash),
        )
    )
    if among is not None:
        return query.join(
            among,
            and_(
                among.c.subscriber_id == Subscription.subscriber_id,
                among.c.list_key == Subscription.list_key,
            ),
        )
    return query.where(_is_preferred(lists, today)) if len(lists) > 1 else query


def audience_keys(
    session: Session, lists: Sequence[str], today: date, *, among: Subquery | None = None
) -> dict[AudienceKey, int]:
    """The distinct keys of everybody who may receive now, and how many people each has."""
    people = audience(lists, today, among=among).subquery()
    columns = (
        people.c.list_key, people.c.language, people.c.places, people.c.roles, people.c.import_id,
    )  # fmt: skip
    rows = session.execute(select(*columns, func.count()).group_by(*columns))
    return {AudienceKey(*row[:-1]): row[-1] for row in rows}


def may_receive(subscription: type[Subscription], today: date) -> ColumnElement[bool]:
    """Active, and no pause lasts."""
    return and_(
        subscription.state == SubscriptionState.ACTIVE,
        or_(subscription.paused_until.is_(None), subscription.paused_until <= today),
    )


def _is_preferred(lists: Sequence[str], today: date) -> ColumnElement[bool]:
    other = aliased(Subscription)
    rank = {key: literal(place) for place, key in enumerate(lists)}
    return ~exists().where(
        other.subscriber_id == Subscriber.id,
        may_receive(other, today),
        other.list_key.in_(lists),
        case(rank, value=other.list_key) < case(rank, value=Subscription.list_key),
    )


def _offices(today: date) -> Subquery:
    """The places and roles of all who hold an office today, sorted within each person."""
    held = select(Office.subscriber_id, Office.municipality, Office.role).where(
        Office.starts <= today, or_(Office.ends.is_(None), Office.ends >= today)
    )
    places = _joined(held.with_only_columns(Office.subscriber_id, Office.municipality.label("value")))
    roles = _joined(held.with_only_columns(Office.subscriber_id, Office.role.label("value")))
    return (
        select(
            places.c.subscriber_id,
            places.c.joined.label("places"),
            roles.c.joined.label("roles"),
            places.c.first,
        )
        .join(roles, roles.c.subscriber_id == places.c.subscriber_id)
        .subquery("held_offices")
    )


def _joined(values: Select[int, Any]) -> Subquery:
    ordered = values.distinct().order_by("subscriber_id", "value").subquery()
    return (
        select(
            ordered.c.subscriber_id,
            func.aggregate_strings(ordered.c.value, ",").label("joined"),
            func.min(ordered.c.value).label("first"),
        )
        .group_by(ordered.c.subscriber_id)
        .subquery()
    )
