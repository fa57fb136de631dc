"""When somebody is asked whether her office is still right, and when silence counts. Pure.

    starts or confirmed --a year--> asked --14 days--> reminded --14--> reminded --14--> unconfirmed

Nothing follows from silence but that coverage says "unconfirmed"; a year after the last mail the
question is asked anew. `asked` counts the mails since the last answer and never goes back by itself,
so whoever is silent in the second year stays unconfirmed meanwhile.
"""

import enum
from datetime import UTC, date, datetime, time, timedelta

YEAR = timedelta(days=365)
#: between the mails of one year, and from the last of them to "unconfirmed"
PATIENCE = timedelta(days=14)
#: the question and two reminders
MAILS = 3


class Step(enum.StrEnum):
    """What is to be done about an office now."""

    ASK = "ask"
    REMIND = "remind"
    #: nothing to be done any more: the silence has lasted
    UNCONFIRMED = "unconfirmed"
    NOTHING = "nothing"


def next_step(
    starts: date, confirmed_at: datetime | None, asked: int, asked_at: datetime | None, now: datetime
) -> Step:
    """The step for an office that is held, from the columns of Office of the same names."""
    if asked == 0 or asked_at is None:
        return Step.ASK if now >= _right_since(starts, confirmed_at) + YEAR else Step.NOTHING
    if asked % MAILS:
        return Step.REMIND if now >= asked_at + PATIENCE else _waiting(asked, asked_at, now)
    return Step.ASK if now >= asked_at + YEAR else _waiting(asked, asked_at, now)


def is_unconfirmed(asked: int, asked_at: datetime | None, now: datetime) -> bool:
    """Whether a question and its reminders went unanswered, this year or an earlier one."""
    return asked > MAILS or (asked == MAILS and asked_at is not None and now >= asked_at + PATIENCE)


def _waiting(asked: int, asked_at: datetime, now: datetime) -> Step:
    return Step.UNCONFIRMED if is_unconfirmed(asked, asked_at, now) else Step.NOTHING


def _right_since(starts: date, confirmed_at: datetime | None) -> datetime:
    begun = datetime.combine(starts, time(), UTC)
    return max(begun, confirmed_at) if confirmed_at else begun
