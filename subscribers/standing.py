"""What a report about an address means for it. Pure: a table, and a policy that is data.

Hard: suppressed at once. Complaint: at once, for good. Soft: suppressed when it happened often
in a while. Everything else (a delay, an absence note, what nobody can read) means nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from subscribers.model import SuppressionReason


@dataclass(frozen=True, slots=True)
class StandingPolicy:
    """So many soft bounces within this time count as a hard one."""

    soft_limit: int = 5
    within: timedelta = timedelta(days=60)


_AT_ONCE = {"hard": SuppressionReason.HARD, "complaint": SuppressionReason.COMPLAINT}


def verdict(
    kind: str, earlier_soft: Sequence[datetime], now: datetime, policy: StandingPolicy
) -> SuppressionReason | None:
    """Why the address must be suppressed after a report of this kind now; None if it need not be.

    `earlier_soft` are the times of the soft bounces before this one.
    """
    if kind == "soft":
        recent = [at for at in earlier_soft if now - policy.within <= at <= now]
        return SuppressionReason.HARD if len(recent) + 1 >= policy.soft_limit else None
    return _AT_ONCE.get(kind)
