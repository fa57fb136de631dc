"""Acts on issues, as the audit chain tells of them."""

from datetime import datetime

from sqlalchemy.orm import Session

from mailer.issues.model import Issue
from subscribers.chain import Chain, Happening, append


def put_on_record(
    session: Session, issue: Issue, act: str, *, actor: str, now: datetime, **more: str | int
) -> None:
    """Note that `actor` did this to an issue; `more` is what else belongs to it."""
    said = {"issue": f"{issue.handle:016x}", "newsletter": issue.newsletter, **more}
    append(session, Chain.AUDIT, [Happening(f"issue.{act}", said)], actor=actor, at=now)
