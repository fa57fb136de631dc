"""What becomes of contributions: used in an issue, or not, and who sent them in hears of it."""

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from mailer.feeds.model import Contribution, ContributionState, Item, ItemState
from mailer.issues.model import Entry, EntryState, Issue, IssueState
from subscribers.chain import Chain, Happening, append
from subscribers.model import Request, RequestKind

#: told of in one transaction
_BATCH = 50


class CannotRefuse(Exception):
    """The contribution is not in the pool; says where it is."""


def tell_senders(session: Session, *, actor: str, now: datetime) -> int:
    """Have the senders of contributions that stood in a sent issue told of it; how many it was."""
    found = session.execute(
        select(Contribution, Issue)
        .join(Entry, Entry.item_id == Contribution.item_id)
        .join(Issue, Issue.id == Entry.issue_id)
        .where(
            Contribution.state == ContributionState.RECEIVED,
            Entry.state == EntryState.PLACED,
            Issue.state == IssueState.SENT,
            Issue.for_list == "",
        )
        .order_by(Issue.id)
        .limit(_BATCH)
        .with_for_update(of=Contribution, skip_locked=True)
    ).all()
    for contribution, issue in found:
        if contribution.state is ContributionState.RECEIVED:  # it may have stood in two
            contribution.state, contribution.decided_at = ContributionState.USED, now
            _tell(
                session, contribution, RequestKind.CONTRIBUTION_USED, actor, now, issue=f"{issue.handle:016x}"
            )
    session.flush()
    return len(found)


def refuse(session: Session, contribution: Contribution, *, word: str, actor: str, now: datetime) -> None:
    """Keep a contribution out of every issue, and tell its sender why. Raises CannotRefuse.

    Where it stands in an issue that is not sent yet, it is for whoever edits that to take it out.
    """
    if contribution.state is not ContributionState.RECEIVED:
        raise CannotRefuse(f"it is {contribution.state}")
    placed = session.scalar(
        select(Issue.id)
        .join(Entry, Entry.issue_id == Issue.id)
        .where(
            Entry.item_id == contribution.item_id,
            Entry.state == EntryState.PLACED,
            Issue.state != IssueState.CANCELLED,
        )
        .limit(1)
    )
    if placed is not None:
        raise CannotRefuse(f"it stands in issue {placed}: take it out there first")
    if contribution.item_id is not None:
        session.get_one(Item, contribution.item_id).state = ItemState.DISMISSED
        session.execute(
            update(Entry)
            .where(
                Entry.item_id == contribution.item_id,
                Entry.state.in_([EntryState.SUGGESTED, EntryState.HELD]),
            )
            .values(state=EntryState.REJECTED)
        )
    contribution.state, contribution.decided_at = ContributionState.REFUSED, now
    contribution.word = word.strip()
    _tell(session, contribution, RequestKind.CONTRIBUTION_REFUSED, actor, now)
    said = {"contribution": f"{contribution.handle:016x}"}
    append(session, Chain.AUDIT, [Happening("contribution.refused", said)], actor=actor, at=now)


def _tell(
    session: Session, contribution: Contribution, kind: RequestKind, actor: str, now: datetime, **more: str
) -> None:
    if contribution.address:
        session.add(
            Request(
                kind=kind, address=contribution.address, actor=actor, created_at=now,
                details={"contribution": f"{contribution.handle:016x}", **more},
            )
        )  # fmt: skip
