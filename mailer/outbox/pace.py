"""How fast the issues of late went out, and when one that is to go out will be done."""

import heapq
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mailer.issues.model import Issue, IssueState
from mailer.outbox.model import Delivery, DeliveryState

#: issues that are looked back at, and how many mails one must have had to tell anything
_ISSUES, _LEAST = 5, 50
SECOND, MINUTE, HOUR, DAY = (timedelta(seconds=each) for each in (1, 60, 3600, 86_400))


@dataclass(frozen=True, slots=True)
class Limit:
    """So many mails in any span of `per` (SECOND, MINUTE, ...), of which `used` are gone at the start.

    Those count until a whole span is over: when they went out is not known.
    """

    most: int
    per: timedelta
    used: int = 0

    def __post_init__(self) -> None:
        if self.most < 1 or self.per <= timedelta(0) or self.used < 0:
            raise ValueError("a limit lets at least one mail pass, in some time")


@dataclass(frozen=True, slots=True)
class Quota:
    """What a relay takes; all of its limits hold at once."""

    limits: tuple[Limit, ...] = ()


def observed_pace(session: Session) -> float | None:
    """Mails per second, the median of the last issues from freeze to end; None where none tells."""
    issues = session.execute(
        select(Issue.id, Issue.frozen_at, Issue.sent_at)
        .where(Issue.state == IssueState.SENT, Issue.frozen_at.is_not(None), Issue.sent_at.is_not(None))
        .order_by(Issue.sent_at.desc())
        .limit(_ISSUES)
    ).all()
    paces = []
    for issue in issues:
        sent = session.scalar(
            select(func.count()).where(
                Delivery.issue_id == issue.id, Delivery.state == DeliveryState.SENT, Delivery.attempts == 1
            )
        )
        seconds = (issue.sent_at - issue.frozen_at).total_seconds()
        if sent and sent >= _LEAST and seconds > 0:
            paces.append(sent / seconds)
    return statistics.median(paces) if paces else None


def expected_end(
    people: int, start: datetime, pace: float | None, quotas: Sequence[Quota] = ()
) -> datetime | None:
    """When so many mails are out that begin to go at `start`; None where nothing tells.

    The relays share the work. While one has room it takes mails at once, but no issue is done before it
    would be at `pace` (mails per second); a relay without limits goes at that pace.
    """
    if not people:
        return None
    at_pace = start + timedelta(seconds=people / pace) if pace else None
    if not quotas or not all(quota.limits for quota in quotas):
        return at_pace
    by_quota = start + _within(people, quotas)
    return max(by_quota, at_pace) if at_pace else by_quota


def _within(people: int, quotas: Sequence[Quota]) -> timedelta:
    """How long it takes until the last of them has passed the limits."""
    relays = [_Relay(quota.limits) for quota in quotas]
    # when each relay has room next
    opening = [(relay.opens(timedelta(0)), number) for number, relay in enumerate(relays)]
    heapq.heapify(opening)
    while True:
        at, number = heapq.heappop(opening)
        people -= relays[number].take(people, at)
        if people <= 0:
            return at
        heapq.heappush(opening, (relays[number].opens(at), number))


class _Relay:
    """A relay that is given mails as soon as it has room: each limit counts in spans one after the other."""

    def __init__(self, limits: Sequence[Limit]) -> None:
        self._limits = limits
        self._left = [max(0, limit.most - limit.used) for limit in limits]
        self._ends = [limit.per for limit in limits]

    def opens(self, at: timedelta) -> timedelta:
        """From when on all limits have room."""
        full = [end for left, end in zip(self._left, self._ends, strict=True) if not left]
        return max([at, *full])

    def take(self, people: int, at: timedelta) -> int:
        for number, limit in enumerate(self._limits):
            if at >= self._ends[number]:
                # a span begins with the first mail in it
                self._left[number], self._ends[number] = limit.most, at + limit.per
        taken = min(people, *self._left)
        self._left = [left - taken for left in self._left]
        return taken
