"""When a deferred delivery is tried again. Pure.

RFC 5321 4.5.4.1 asks for at least 30 minutes between tries of one message; the first ones come sooner,
since greylisting answers within minutes. Its four to five days until giving up are a relay's: news
that is three days old is not sent any more. Trouble with our own relay says nothing about the
recipient: it is retried for as long as it lasts.
"""

import random
from dataclasses import dataclass
from datetime import timedelta

_MINUTE = timedelta(minutes=1)
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """The waits after the first, second, ... try; after the last of them the delivery has failed."""

    waits: tuple[timedelta, ...] = (
        1 * _MINUTE, 5 * _MINUTE, 15 * _MINUTE, *(30 * _MINUTE,) * 4, *(1 * _HOUR,) * 6, *(4 * _HOUR,) * 15,
    )  # fmt: skip
    #: longest wait while the relay itself is in trouble
    relay: timedelta = 5 * _MINUTE
    #: share of a wait by which it is varied, so that a thousand do not return at the same second
    jitter: float = 0.1


def wait(policy: RetryPolicy, attempts: int, *, relay_trouble: bool, chance: float) -> timedelta | None:
    """How long to wait after `attempts` tries (1 or more); None means give up.

    `chance` is uniform in [0, 1): the jitter is passed in, so that the decision is pure.
    """
    if relay_trouble:
        base = min(policy.waits[min(attempts, len(policy.waits)) - 1], policy.relay)
    elif attempts <= len(policy.waits):
        base = policy.waits[attempts - 1]
    else:
        return None
    return base * (1 + policy.jitter * (2 * chance - 1))


def draw() -> float:
    """The chance for `wait`."""
    return random.random()  # noqa: S311  spreads load, guards nothing
