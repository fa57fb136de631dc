"""What a report about an address means for it. Pure: a table, and a policy that is data.

A report says hard or soft and why. The table tells what that weighs: it ends the address at once, it
counts, or it means nothing, since it speaks about today or about us. What counts ends the address when it
happened to several mails over a while, with none that arrived in between. Two things soften "at once": an
address that was fine lately gets a second look, and evidence is a mail that came back, not a report: ten
reports about one mail are one.

Whatever is not in the table (a delay, an absence note, what nobody can read) means nothing.
"""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from subscribers.model import SuppressionReason


class Weight(enum.StrEnum):
    #: for good, whatever was before
    FINAL = "final"
    #: at once, but for a second look at what was fine lately
    AT_ONCE = "at-once"
    COUNTS = "counts"


#: (kind of report, reason) -> weight; a reason of "" stands for those not named. What is absent means nothing
WEIGHTS: dict[tuple[str, str], Weight] = {
    ("complaint", ""): Weight.FINAL,
    ("hard", ""): Weight.AT_ONCE,
    # a domain may be gone for a day, by a slip of whoever looks after its zone
    ("hard", "unknown-host"): Weight.COUNTS,
    ("soft", "unstated"): Weight.COUNTS,
    ("soft", "unknown-user"): Weight.COUNTS,
    ("soft", "unknown-host"): Weight.COUNTS,
    ("soft", "expired"): Weight.COUNTS,
    ("soft", "locked"): Weight.COUNTS,
}
#: of whatever failure: these never end an address by themselves
WEIGHTLESS = frozenset({"full", "policy", "spam", "size", "dns", "routing", "later"})


@dataclass(frozen=True, slots=True)
class StandingPolicy:
    """So many mails that came back, over at least `span` and within `within`, count as a hard bounce."""

    limit: int = 5
    span: timedelta = timedelta(days=7)
    within: timedelta = timedelta(days=180)
    #: a mail that arrived so lately says more than one that came back
    fine_lately: timedelta = timedelta(days=60)
    #: mails come back within days: who got one since is not yet known to be fine
    settles: timedelta = timedelta(days=5)


@dataclass(frozen=True, slots=True)
class CameBack:
    """A mail to the address that came back: `delivery` tells it from the others."""

    kind: str
    reason: str
    at: datetime
    delivery: int


class Step(enum.StrEnum):
    """What is done; each but NOTED has the receipt as its evidence."""

    NOTED = "noted"
    COUNTED = "counted"
    SECOND_LOOK = "second look"
    SUPPRESSED = "suppressed"


@dataclass(frozen=True, slots=True)
class Verdict:
    step: Step
    #: why the address is barred; None unless it is
    bars: SuppressionReason | None = None


def weight(kind: str, reason: str) -> Weight | None:
    """What a report weighs by itself; None where it means nothing."""
    if reason in WEIGHTLESS:
        return None
    return WEIGHTS.get((kind, reason)) or WEIGHTS.get((kind, ""))


def verdict(
    now: CameBack, earlier: Sequence[CameBack], last_fine: datetime | None, policy: StandingPolicy
) -> Verdict:
    """What to do about an address after the report `now`.

    `earlier` are the mails that came back before, `last_fine` is when the last one was sent that did not.
    """
    weighs = weight(now.kind, now.reason)
    if weighs is None:
        return Verdict(Step.NOTED)
    if weighs is Weight.FINAL:
        return Verdict(Step.SUPPRESSED, SuppressionReason.COMPLAINT)
    others = [each for each in earlier if each.delivery != now.delivery and _speaks(each, now, policy)]
    if weighs is Weight.AT_ONCE:
        doubtful = last_fine is not None and now.at - policy.fine_lately <= last_fine
        confirmed = any(weight(each.kind, each.reason) is Weight.AT_ONCE for each in others)
        if doubtful and not confirmed:
            return Verdict(Step.SECOND_LOOK)
        return Verdict(Step.SUPPRESSED, SuppressionReason.HARD)
    others = [each for each in others if last_fine is None or each.at > last_fine]
    mails = {each.delivery for each in others} | {now.delivery}
    first = min([each.at for each in others], default=now.at)
    if len(mails) >= policy.limit and now.at - first >= policy.span:
        return Verdict(Step.SUPPRESSED, SuppressionReason.HARD)
    return Verdict(Step.COUNTED)


def _speaks(each: CameBack, now: CameBack, policy: StandingPolicy) -> bool:
    """Whether an earlier mail is evidence still."""
    return weight(each.kind, each.reason) is not None and now.at - policy.within <= each.at <= now.at
