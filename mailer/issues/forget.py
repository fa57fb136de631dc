"""What issues say of whoever sent something in."""

from collections.abc import Sequence

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from mailer.feeds.model import Contribution
from mailer.issues.model import Entry, Issue, IssueState
from subscribers.privacy import Whom

_UNSENT = (IssueState.DRAFT, IssueState.REVIEW, IssueState.APPROVED)


def forget(session: Session, people: Sequence[Whom]) -> None:
    """Take the contact these people named out of the issues that are not sent yet.

    What is sent stays as it is. A release is void by this, since what a reader sees is another thing.
    """
    items = select(Contribution.item_id).where(Contribution.address.in_([each.address for each in people]))
    unsent = select(Issue.id).where(Issue.state.in_(_UNSENT))
    session.execute(
        update(Entry)
        .where(Entry.item_id.in_(items), Entry.issue_id.in_(unsent))
        .values(contact="")
        .execution_options(synchronize_session=False)
    )
