"""What the relays take: their limits as the time of an issue is told by them."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from mailer.outbox.pace import SECOND, Limit, Quota
from mailer.outbox.quota import for_others, oldest_slot
from mailer.outbox.shares import limits_of
from mailer.outbox.tallies import counted, rates
from mailer.smtp import Relay


def quotas_of(session: Session, relays: Iterable[Relay], now: datetime) -> list[Quota]:
    """What each relay that does not stand by takes of an issue now, less what went there of late."""
    set_by_staff = rates(session)
    return [
        _quota(session, relay, set_by_staff.get(relay.name, relay.rate), now)
        for number, relay in enumerate(relays)
        if (relay.weight if relay.weight is not None else number == 0)
    ]


def _quota(session: Session, relay: Relay, rate: float | None, now: datetime) -> Quota:
    subject, at = f"relay:{relay.name}", now.timestamp()
    went = counted(session, [subject])[subject]
    limits = [
        Limit(
            max(1, for_others(limit, relay.reserve / 100)),
            timedelta(seconds=limit.span),
            sum(
                each.n
                for each in went
                if each.span == limit.span and each.slot >= oldest_slot(limit.span, at)
            ),
        )
        for limit in limits_of(relay, {})
        if limit.can_reserve  # a rate is told below, as it is
    ]
    if rate is not None:
        limits.append(Limit(round(rate), SECOND) if rate >= 1 else Limit(1, timedelta(seconds=1 / rate)))
    return Quota(tuple(limits))
