"""From an approved issue to its deliveries: one transaction, one INSERT .. SELECT."""

from collections.abc import Callable
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, String, and_, delete, exists, func, insert, literal, or_, select
from sqlalchemy.orm import Session

from mailer.issues.model import Issue
from mailer.notices.model import Notice
from mailer.outbox import figures
from mailer.outbox.model import Delivery, DeliveryState, Figure, Priority, Returned
from mailer.outbox.news import announce
from mailer.outbox.readers import readers_of
from mailer.render.model import Edition, EditionAudience
from subscribers.audience import AudienceKey, audience, audience_keys
from subscribers.model import Subscriber

#: SQLAlchemy keeps the number of inserted rows only when asked to
_COUNTED = {"preserve_rowcount": True}


class EditionMissing(Exception):
    """Somebody in the audience has no rendered edition: render once more and freeze again."""


def freeze(session: Session, issue: Issue, digest_of: Callable[[AudienceKey], str], today: date) -> int:
    """Make one pending delivery for each person of the audience, and count them into the figures.

    `digest_of` says which edition a key gets. Returns the number of deliveries. Raises
    EditionMissing, having changed nothing that the caller's rollback does not take back.
    """
    readers = readers_of(session, issue)
    counts = audience_keys(session, readers.lists, today, among=readers.among)
    _map_editions(session, issue, counts, digest_of)
    people = audience(readers.lists, today, among=readers.among).subquery()
    result: Any = session.execute(
        insert(Delivery).from_select(
            [
                "issue_id", "list_key", "edition_id", "subscriber_id", "subscriber_handle", "address",
                "domain", "municipality", "priority", "state", "reason", "returned", "attempts", "worker",
                "relay", "last_reply",
            ],
            select(
                literal(issue.id), people.c.list_key, EditionAudience.edition_id, people.c.subscriber_id,
                people.c.subscriber_handle, people.c.address, people.c.domain, people.c.municipality,
                literal(int(Priority.BULK)), _text(DeliveryState.PENDING), _text(""), _text(Returned.NONE),
                literal(0), _text(""), _text(""), _text(""),
            ).outerjoin(
                # everybody has one (_map_editions); an inner join would let SQLite look for it before
                # the person's places are known, through all that her language has
                EditionAudience,
                and_(
                    EditionAudience.issue_id == issue.id,
                    EditionAudience.list_key == people.c.list_key,
                    EditionAudience.language == people.c.language,
                    EditionAudience.places == people.c.places,
                    EditionAudience.roles == people.c.roles,
                    EditionAudience.import_id == people.c.import_id,
                ),
            ),
            include_defaults=False,
        ),
        execution_options=_COUNTED,
    )  # fmt: skip
    frozen: int = result.rowcount
    if frozen != sum(counts.values()):
        raise AssertionError(f"{sum(counts.values())} people in the audience, but {frozen} deliveries")
    _count(session, issue)
    announce(session)
    return frozen


def queue_notices(session: Session) -> int:
    """Make the delivery of each notice that has none yet; they overtake bulk. Returns how many."""
    result: Any = session.execute(
        insert(Delivery).from_select(
            [
                "notice_id", "list_key", "subscriber_id", "subscriber_handle", "address", "domain",
                "municipality", "priority", "state", "reason", "returned", "attempts", "worker",
                "relay", "last_reply",
            ],
            select(
                Notice.id, Notice.list_key, Subscriber.id,
                func.coalesce(Subscriber.handle, Notice.address_handle),
                func.coalesce(Subscriber.address, Notice.address), func.coalesce(Subscriber.domain, ""),
                _text(""), literal(int(Priority.NOTICE)), _text(DeliveryState.PENDING),
                _text(""), _text(Returned.NONE), literal(0), _text(""), _text(""), _text(""),
            )
            .outerjoin(Subscriber, Subscriber.id == Notice.subscriber_id)
            .where(
                or_(Subscriber.id.is_not(None), Notice.address != ""),
                ~exists().where(Delivery.notice_id == Notice.id),
            ),
            include_defaults=False,
        ),
        execution_options=_COUNTED,
    )  # fmt: skip
    queued: int = result.rowcount
    if queued:
        announce(session)
    return queued


def _map_editions(
    session: Session, issue: Issue, keys: dict[AudienceKey, int], digest_of: Callable[[AudienceKey], str]
) -> None:
    editions = {
        row.digest: row.id
        for row in session.execute(select(Edition.digest, Edition.id).where(Edition.issue_id == issue.id))
    }
    rows = []
    for key in keys:
        edition = editions.get(digest_of(key))
        if edition is None:
            raise EditionMissing(f"issue {issue.id} is not rendered for {key}")
        rows.append(
            {
                "issue_id": issue.id, "list_key": key.list_key, "language": key.language,
                "places": key.places, "roles": key.roles, "import_id": key.import_id,
                "edition_id": edition,
            }
        )  # fmt: skip
    session.execute(delete(EditionAudience).where(EditionAudience.issue_id == issue.id))
    if rows:
        session.execute(insert(EditionAudience), rows)


def _count(session: Session, issue: Issue) -> None:
    group = (Delivery.list_key, Delivery.municipality, Delivery.domain)
    session.execute(
        insert(Figure).from_select(
            ["issue_id", "list_key", "municipality", "domain", "relay", "worker", "state", "reason", "n"],
            select(
                literal(issue.id), *group, _text(""), _text("freeze"), _text(figures.FROZEN),
                _text(""), func.count(),
            )
            .where(Delivery.issue_id == issue.id)
            .group_by(*group),
            include_defaults=False,
        )
    )  # fmt: skip


def _text(value: str) -> ColumnElement[str]:
    return literal(str(value), String)
