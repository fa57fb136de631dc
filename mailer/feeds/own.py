"""Feeds that staff add beside those of the plan: a municipality's own, above all."""

from datetime import datetime

from sqlalchemy.orm import Session

from mailer.feeds.fetch import FetchProblem, Policy, checked
from mailer.feeds.model import Feed, FeedOrigin
from mailer.schedule.shapes import KEY
from subscribers.chain import Chain, Happening, append
from subscribers.model import Municipality


class BadFeed(ValueError):
    """The feed cannot be so; says why in one line."""


def add_feed(
    session: Session,
    key: str,
    url: str,
    *,
    title: str,
    municipality: str,
    everybody: bool,
    internal: bool,
    every: int,
    actor: str,
    now: datetime,
) -> Feed:
    """Add a feed, fetched every so many seconds. Raises BadFeed.

    What a municipality says is for its own readers unless it is for `everybody`.
    """
    try:
        KEY.read(key)
        checked(url, Policy())
    except ValueError:
        raise BadFeed(f"expected {KEY.expected}, got {key!r}") from None
    except FetchProblem as problem:
        raise BadFeed(f"{url}: {problem.message}") from None
    if session.get(Feed, key) is not None:
        raise BadFeed(f"there is a feed {key!r} already: see `infomail feeds list`")
    if municipality and session.get(Municipality, municipality) is None:
        raise BadFeed(f"{municipality!r} is not in the register: see `infomail municipalities list`")
    alone = municipality and municipality[0].isdigit() and not everybody
    feed = Feed(
        key=key, origin=FeedOrigin.STAFF, url=url, title=" ".join(title.split()), every=every,
        municipality=municipality or None, places=[municipality] if alone else [], internal=internal,
    )  # fmt: skip
    session.add(feed)
    session.flush()
    append(session, Chain.AUDIT, [Happening("feed.added", {"feed": key, "url": url})], actor=actor, at=now)
    return feed


def end_feed(session: Session, key: str, *, actor: str, now: datetime) -> None:
    """Fetch a feed that staff added no longer; what it brought stays. Raises BadFeed."""
    feed = session.get(Feed, key)
    if feed is None or feed.origin is not FeedOrigin.STAFF:
        raise BadFeed(f"no feed {key!r} was added by staff; those of the plan stand in schedule.toml")
    feed.active = False
    append(session, Chain.AUDIT, [Happening("feed.ended", {"feed": key})], actor=actor, at=now)
