"""How far an issue is: what is done, how fast it goes, and how long it may still take."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from mailer.issues.model import Issue
from mailer.outbox import figures
from mailer.outbox.model import OPEN
from mailer.outbox.pace import Quota, expected_end
from mailer.outbox.quota import oldest_slot
from mailer.outbox.tallies import PACE_SPAN, counted


@dataclass(frozen=True, slots=True)
class Progress:
    """The sum of `counts` is how many were frozen."""

    #: of the issue
    state: str
    #: by state of delivery, no zeros
    counts: dict[str, int]
    #: mails a second, over the last minute
    rate: float
    #: None where nothing is open, or nothing goes out
    remaining: timedelta | None

    @property
    def frozen(self) -> int:
        return sum(self.counts.values())

    @property
    def open(self) -> int:
        return sum(self.counts.get(state, 0) for state in OPEN)


def progress(session: Session, issue: Issue, now: datetime, quotas: Sequence[Quota] = ()) -> Progress:
    """Where an issue stands. `quotas` are those of the relays: they may make it take longer."""
    by_state = figures.by_state(session, issue.id)
    counts = {state: n for state, n in by_state.items() if not state.startswith("returned:")}
    subject, at = f"issue:{issue.id}", now.timestamp()
    oldest = oldest_slot(PACE_SPAN, at)
    sent = sum(each.n for each in counted(session, [subject])[subject] if each.slot >= oldest)
    since = (now - issue.frozen_at).total_seconds() if issue.frozen_at else PACE_SPAN
    rate = sent / max(1.0, min(since, PACE_SPAN))
    reading = Progress(issue.state.value, counts, rate, None)
    if not reading.open or not rate:
        return reading
    ends_at = expected_end(reading.open, now, rate, quotas)
    assert ends_at is not None, "the pace is known"
    return Progress(
        issue.state.value, counts, rate, timedelta(seconds=round((ends_at - now).total_seconds()))
    )
