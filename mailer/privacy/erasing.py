"""Erasing a person (Art. 17 GDPR): every table at once, and only the keyed hash of the address stays.

It keeps imports and mistakes from writing to her again. Proof of her consents goes, too: the
service claims none of the exceptions of Art. 17 (3).
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

import structlog
from sqlalchemy.orm import Session

from mailer.database import Database
from mailer.feeds import forget as feeds
from mailer.issues import forget as issues
from mailer.notices import forget as notices
from mailer.outbox import forget as outbox
from mailer.receipts import forget as receipts
from subscribers import privacy
from subscribers.chain import Chain, Happening, append
from subscribers.model import SuppressionReason
from subscribers.privacy import Whom
from subscribers.subscribing import suppress

log = structlog.get_logger()


def erase(
    database: Database, address: str, *, suppression_key: bytes, actor: str, now: datetime
) -> Counter[str]:
    """Erase whoever has this normalised address, known or not; counts what went, by kind.

    Nothing counted means that nothing was held, and then nothing changes.
    """
    # looking through what nobody could read takes time, and needs no lock
    with database.read() as session:
        mentioning = receipts.mentioning(session, address)
        seen = receipts.newest(session)
    with database.write() as session:
        whom = privacy.whom(session, address, suppression_key)
        mentioning += receipts.mentioning(session, address, after=seen)
        gone = forget_people(session, [whom], mentioning=mentioning, thorough=True, actor=actor, now=now)
        if not gone:
            return gone
        append(
            session,
            Chain.AUDIT,
            [Happening("subscriber.erased", dict(gone), whom.handle)],
            actor=actor,
            at=now,
        )
    _empty_log(database)
    return gone


def forget_people(
    session: Session,
    people: Sequence[Whom],
    *,
    actor: str,
    now: datetime,
    mentioning: Sequence[int] = (),
    for_good: bool = True,
    thorough: bool = False,
) -> Counter[str]:
    """Every stage forgets these people; counts what went.

    `for_good` bars their addresses, as keyed hashes. `mentioning` are receipts that name them and belong
    to no delivery.
    """
    gone: Counter[str] = Counter()
    deliveries = outbox.deliveries_of(session, people, lock=True)
    gone["receipts"] = receipts.forget(session, [row.id for row in deliveries], mentioning)
    gone += outbox.forget(session, deliveries, now=now)
    gone["notices"] = notices.forget(session, people)
    issues.forget(session, people)  # while their contributions still name them
    gone["contributions"] = feeds.forget(session, people)
    gone += privacy.forget(session, people, for_good=for_good, thorough=thorough, now=now)
    if for_good and +gone:
        for each in people:
            suppress(
                session, address_hash=each.address_hash, reason=SuppressionReason.ERASED, actor=actor, now=now
            )
    return +gone


def _empty_log(database: Database) -> None:
    if not database.empty_log():
        # the daily run of retention does it again
        log.warning("database.log_in_use")
