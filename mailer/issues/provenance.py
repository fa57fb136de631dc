"""Where each paragraph of an issue comes from: which item of which feed, fetched when, changed by whom."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.feeds.model import Item
from mailer.issues.model import Edit, Issue, entries_of


@dataclass(frozen=True, slots=True)
class Change:
    """What a person did to an entry."""

    act: str
    actor: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Origin:
    """Where one entry comes from; an entry without a feed was written by hand."""

    section: str
    title: str
    feed: str
    #: what the feed calls the item; "" where there is none, or it is gone
    identity: str
    fetched_at: datetime | None
    #: SHA-256 of the item's content at that time, in hex
    digest: str
    changes: list[Change]

    @property
    def by_hand(self) -> bool:
        return not self.feed


def provenance(session: Session, issue: Issue) -> list[Origin]:
    """The origin of each entry, in the order a reader meets them."""
    entries = entries_of(session, issue)
    items = {entry.item_id for entry in entries if entry.item_id is not None}
    identities = {
        row.id: row.identity
        for row in session.execute(select(Item.id, Item.identity).where(Item.id.in_(items)))
    }
    changes = defaultdict(list)
    edits = select(Edit).where(Edit.issue_id == issue.id).order_by(Edit.at, Edit.id)
    for edit in session.scalars(edits):
        changes[edit.entry_id].append(Change(edit.act, edit.actor, edit.at))
    return [
        Origin(
            section=entry.section,
            title=entry.title,
            feed=entry.feed_key,
            identity=identities.get(entry.item_id or 0, ""),
            fetched_at=entry.fetched_at,
            digest=entry.item_digest,
            changes=changes[entry.id],
        )
        for entry in entries
    ]
