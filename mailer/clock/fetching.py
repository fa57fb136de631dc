"""What feeds bring."""

import asyncio
from datetime import UTC, datetime

from mailer.feeds import refresh as feeds
from mailer.feeds.model import Feed
from mailer.installation import Installation


def sync_feeds(house: Installation) -> None:
    """Bring the feeds of the plan into the table."""
    with house.database.write() as session:
        feeds.upsert_feeds(session, house.plan.feeds.values())


async def refresh_feeds(house: Installation, *, now: datetime | None) -> list[feeds.Refreshed]:
    """Fetch the feeds that are due; all of them where `now` is None."""
    due = await asyncio.to_thread(_due_feeds, house, now)
    return await feeds.refresh(house.database, due, policy=house.fetching, now=lambda: datetime.now(UTC))


def _due_feeds(house: Installation, now: datetime | None) -> list[Feed]:
    with house.database.read() as session:
        return feeds.due_feeds(session, now)
