"""What is due, and who does it: the clock selects and pushes, the stages do the work.

    fetching    what feeds bring
    composing   the issues whose time has come
    reminding   what staff are told of those that wait for their release
    starting    approved issues, on their way
    alarming    what staff are told of those that are under way and stopped
    archiving   the mails of sent issues, for everybody
    collecting  mailboxes that reports are delivered into
    people      what people are owed: offices, mails, what came back, what is kept no longer

Every function may be called as often as one likes: the keys in the database make a second
clock, or a second call, change nothing.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime

from mailer.clock.alarming import alarm
from mailer.clock.archiving import archive_sent
from mailer.clock.collecting import collect, mailboxes
from mailer.clock.composing import compose_due, settle_forewords, suggest_new
from mailer.clock.fetching import refresh_feeds, sync_feeds
from mailer.clock.people import (
    answer_requests,
    ask_holders,
    lapse_offices,
    read_receipts,
    retain,
    tell_contributors,
)
from mailer.clock.reminding import remind
from mailer.clock.starting import NotReady, start, start_due, start_window
from mailer.feeds.refresh import Refreshed
from mailer.installation import Installation

__all__ = [
    "NotReady",
    "Ticked",
    "alarm",
    "answer_requests",
    "archive_sent",
    "ask_holders",
    "collect",
    "compose_due",
    "lapse_offices",
    "mailboxes",
    "read_receipts",
    "refresh_feeds",
    "remind",
    "retain",
    "settle_forewords",
    "start",
    "start_due",
    "start_window",
    "suggest_new",
    "sync_feeds",
    "tell_contributors",
    "tick",
]


@dataclass(frozen=True, slots=True)
class Ticked:
    """What one round of the clock did."""

    feeds: list[Refreshed]
    composed: list[int]
    #: suggestions for drafts, and issues of municipal lists decided without their coordinator
    suggested: int
    forewords: int
    #: mails asked for that tell staff of issues
    reminded: int
    started: list[int]
    #: subscriptions that ended with an office, and questions whether one is still right
    lapsed: int
    asked: int
    archived: int
    contributors: int
    notices: int
    receipts: int
    retained: dict[str, int]


async def tick(house: Installation, *, now: datetime) -> Ticked:
    """Everything that is due, once, in the order of the river."""
    await asyncio.to_thread(collect, house, now=now)
    return Ticked(
        lapsed=lapse_offices(house, now=now),
        asked=ask_holders(house, now=now),
        feeds=await refresh_feeds(house, now=now),
        composed=compose_due(house, now=now),
        suggested=suggest_new(house, now=now),
        forewords=settle_forewords(house, now=now),
        reminded=remind(house, now=now) + alarm(house, now=now),
        started=start_due(house, now=now),
        archived=archive_sent(house, now=now),
        contributors=tell_contributors(house, now=now),
        notices=answer_requests(house, now=now),
        receipts=read_receipts(house, now=now),
        retained=retain(house, now=now),
    )
