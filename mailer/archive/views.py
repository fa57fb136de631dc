"""Views of archived issues, counted in memory by those who may not write, and written by a timer."""

from collections import Counter
from collections.abc import Mapping
from datetime import date
from threading import Lock

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mailer.archive.model import ArchiveViews
from mailer.issues.model import Issue
from subscribers.base import insert_into

#: views by row id of the issue and day
Counted = Mapping[tuple[int, date], int]


class Views:
    """A counter that many threads share. It knows issues and days, and nothing of who looked."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._counted: Counter[tuple[int, date]] = Counter()

    def count(self, issue_id: int, day: date) -> None:
        with self._lock:
            self._counted[issue_id, day] += 1

    def take(self) -> Counted:
        """What was counted since the last time; from here on it is the caller's to keep."""
        with self._lock:
            taken, self._counted = self._counted, Counter()
        return taken

    def give_back(self, counted: Counted) -> None:
        """What was taken and could not be written."""
        with self._lock:
            self._counted.update(counted)


def add_views(session: Session, counted: Counted) -> None:
    """Add to what is on record. Any number of processes may do so."""
    known = set(session.scalars(select(Issue.id).where(Issue.id.in_({issue for issue, _ in counted}))))
    rows = [
        {"issue_id": issue, "day": day, "views": views}
        for (issue, day), views in sorted(counted.items())
        if issue in known
    ]
    if not rows:
        return
    statement = insert_into(session, ArchiveViews)
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["issue_id", "day"],
            set_={"views": ArchiveViews.views + statement.excluded.views},
        ),
        rows,
    )


def views_of(session: Session, issue: Issue) -> int:
    """How often its pages were opened, over all days on record."""
    total = select(func.sum(ArchiveViews.views)).where(ArchiveViews.issue_id == issue.id)
    return session.scalar(total) or 0
