"""Entries that an implausible flood brought: they wait for staff, who take them in or drop them."""

from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from mailer.feeds.model import Feed, Item, ItemState
from subscribers.chain import Chain, Happening, append

_LINE = "new entries at once: held for review"


class NoSuchFeed(Exception):
    """There is no feed of that key."""


class NothingHeld(Exception):
    """No entry of the feed waits for anybody."""


def held_line(session: Session, key: str) -> list[str]:
    """What the feed's problem says of the entries that wait, [] where none does."""
    query = select(func.count()).where(Item.feed_key == key, Item.state == ItemState.HELD)
    number = session.scalar(query)
    return [f"{number} {_LINE}"] if number else []


def accept(session: Session, key: str, *, actor: str, now: datetime) -> int:
    """Let the held entries of the feed be chosen like any other; how many. Raises NoSuchFeed, NothingHeld."""
    return _settle(session, key, ItemState.FREE, "feed.accept", actor, now)


def dismiss(session: Session, key: str, *, actor: str, now: datetime) -> int:
    """Let nothing ever choose the held entries of the feed; how many. Raises NoSuchFeed, NothingHeld."""
    return _settle(session, key, ItemState.DISMISSED, "feed.dismiss", actor, now)


def _settle(session: Session, key: str, state: ItemState, action: str, actor: str, now: datetime) -> int:
    feed = session.get(Feed, key)
    if feed is None:
        raise NoSuchFeed(key)
    held = session.scalars(
        update(Item)
        .where(Item.feed_key == key, Item.state == ItemState.HELD)
        .values(state=state)
        .returning(Item.id)
    ).all()
    if not held:
        raise NothingHeld(key)
    feed.problem = "; ".join(line for line in feed.problem.split("; ") if not line.endswith(_LINE))
    append(session, Chain.AUDIT, [Happening(action, {"feed": key, "items": len(held)})], actor=actor, at=now)
    return len(held)
