"""When it is a domain's turn: what it may get at once, and how long it is left alone. Pure.

A server that answers "later" to one after another (RFC 5321 4.2.1: 4yz) means all that go there. So
its domain rests, and a few mails find out whether it is over; the others wait without a try.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from mailer.outbox.quota import Limit, limits

#: deferrals in a row, of different people, after which a domain rests
_IN_A_ROW = 5
_RESTS = (5, 10, 20, 40, 60, 120, 240)
#: mails that find out, and until when the others wait meanwhile
_PROBES, _MEANWHILE = 5, timedelta(minutes=2)
_JITTER = 0.1


@dataclass(frozen=True, slots=True)
class DomainLimit:
    """What a domain may get: so many connections at a time, so many mails a second. None is any number."""

    connections: int | None = None
    rate: float | None = None

    @property
    def limits(self) -> tuple[Limit, ...]:
        return limits(rate=self.rate)


def parse_limits(text: str) -> dict[str, DomainLimit]:
    """Read ``example.org connections=2 rate=0.5, example.net rate=10``. Raises ValueError."""
    found: dict[str, DomainLimit] = {}
    for part in filter(None, map(str.strip, text.split(","))):
        domain, *options = part.lower().split()
        values = dict(option.partition("=")[::2] for option in options)
        if not options or len(values) != len(options) or values.keys() - {"connections", "rate"}:
            raise ValueError(f"expected DOMAIN connections=N rate=N, got {part!r}")
        connections, rate = values.get("connections", "1"), values.get("rate", "1")
        if not re.fullmatch(r"[1-9]\d{0,3}", connections) or not re.fullmatch(r"\d{1,6}(\.\d{1,3})?", rate):
            raise ValueError(f"connections is a whole number, rate mails a second, got {part!r}")
        if not float(rate):
            raise ValueError(f"a rate is more than 0, got {part!r}")
        found[domain] = DomainLimit(
            int(connections) if "connections" in values else None, float(rate) if "rate" in values else None
        )
    return found


@dataclass(frozen=True, slots=True)
class Trouble:
    """A domain that defers: how often in a row, how often it rested for it, and until when it does.

    While some mails find out whether it is over (`probing`), the others wait until then.
    """

    deferred: int = 0
    rests: int = 0
    until: datetime | None = None
    probing: bool = False


def trouble_after(
    trouble: Trouble, *, deferred: int, taken: bool, now: datetime, chance: float
) -> Trouble | None:
    """What is known of a domain after a group of results: None if it is well.

    `taken` is whether one of them was settled for good. `chance` is uniform in [0, 1).
    """
    if taken:
        return None
    in_a_row = trouble.deferred + deferred
    if in_a_row < _IN_A_ROW and not trouble.rests:
        return Trouble(in_a_row)
    if trouble.until is not None and now < trouble.until and not trouble.probing:
        # an answer to what was under way when the rest began
        return Trouble(in_a_row, trouble.rests, trouble.until)
    minutes = _RESTS[min(trouble.rests, len(_RESTS) - 1)] * (1 + _JITTER * (2 * chance - 1))
    return Trouble(in_a_row, trouble.rests + 1, now + timedelta(minutes=minutes))


class Turns:
    """Whose turn it is in one claim. `left` is what domains with a rate may get now, `rates` that rate."""

    def __init__(
        self,
        now: datetime,
        *,
        troubles: Mapping[str, Trouble],
        left: Mapping[str, int],
        rates: Mapping[str, float],
    ) -> None:
        self._now = now
        self._troubles = {domain: each for domain, each in troubles.items() if each.rests}
        self._left = dict(left)
        self._rates = rates
        self._tried = dict.fromkeys(self._troubles, 0)
        self._behind = dict.fromkeys(rates, 0)
        #: how many mails of each domain with a rate were let through
        self.taken: dict[str, int] = dict.fromkeys(rates, 0)

    @property
    def domains(self) -> frozenset[str]:
        """The domains of which `wait` knows anything."""
        return frozenset((*self._troubles, *self._rates))

    @property
    def probed(self) -> dict[str, Trouble]:
        """What is known from now on of the domains that a mail was let through to, to find out."""
        return {
            domain: replace(self._troubles[domain], until=self._now + _MEANWHILE, probing=True)
            for domain, tried in self._tried.items()
            if tried
        }

    def wait(self, domain: str) -> datetime | None:
        """Until when a mail to the domain has to wait; None: it may go, and is counted."""
        if (trouble := self._troubles.get(domain)) is not None:
            if trouble.until is not None and self._now < trouble.until:
                return trouble.until
            self._tried[domain] += 1
            if self._tried[domain] > _PROBES:
                return self._now + _MEANWHILE
        if domain in self._rates:
            if self._left[domain] <= 0:
                # one after the other, so that none is looked at again before its time
                self._behind[domain] += 1
                return self._now + timedelta(seconds=self._behind[domain] / self._rates[domain])
            self._left[domain] -= 1
            self.taken[domain] += 1
        return None
