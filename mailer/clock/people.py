"""What people are owed: offices that end, mails that answer, what came back, what is kept no longer."""

from datetime import datetime

import structlog

from mailer.installation import Installation, retention
from mailer.issues.contributed import tell_senders
from mailer.notices.letter import Desk
from mailer.notices.write import write_notices
from mailer.outbox.freeze import queue_notices
from mailer.privacy import retaining
from mailer.receipts.apply import apply_receipts
from subscribers import offices

log = structlog.get_logger()


def lapse_offices(house: Installation, *, now: datetime) -> int:
    """End what was subscribed on the ground of an office that is over."""
    lapsed = 0
    today = now.astimezone(house.plan.timezone).date()
    while True:
        with house.database.write() as session:
            count = offices.lapse(session, today=today, actor="clock", now=now)
        if not count:
            return lapsed
        lapsed += count


def ask_holders(house: Installation, *, now: datetime) -> int:
    """Ask those whose turn it is whether their office is still right."""
    today = now.astimezone(house.plan.timezone).date()
    with house.database.write() as session:
        return offices.ask_holders(session, today=today, actor="clock", now=now)


def answer_requests(house: Installation, *, now: datetime) -> int:
    """Write the notices that people's requests call for, and queue them."""
    desk = Desk(
        house.letterhead,
        house.signing,
        house.suppression_key,
        house.plan.timezone,
        house.plan.newsletters,
    )
    answered = 0
    while True:
        with house.database.write() as session:
            count = write_notices(session, desk, now=now)
            if not count:
                return answered
            queue_notices(session)
        answered += count


def tell_contributors(house: Installation, *, now: datetime) -> int:
    """Have those told whose contributions stood in an issue that is sent; how many it was."""
    with house.database.write() as session:
        return tell_senders(session, actor="clock", now=now)


def read_receipts(house: Installation, *, now: datetime) -> int:
    """Apply what came back."""
    applied = 0
    while True:
        with house.database.write() as session:
            count = apply_receipts(
                session,
                return_path=house.letterhead.return_path,
                signing=house.signing,
                now=now,
            )
        if not count:
            return applied
        applied += count


def retain(house: Installation, *, now: datetime) -> dict[str, int]:
    """Erase what has been kept long enough, once a day; how much it was, by class."""
    with house.database.read() as session:
        if not retaining.is_due(session, now):
            return {}
    counts = retaining.retain(house.database, retention(house.settings), actor="clock", now=now)
    log.info("privacy.retained", **counts)
    return counts
