"""Which mail the staff of a newsletter are owed about an issue, and who gets it. Pure.

- As soon as there is a draft: that it is ready. An issue that waits for more items is not.
- `remind` before its time: that it is not released yet, to the deputies besides.
- At its time: that nothing went out, to the same.
- Of what was released in time and did not go out all the same: that it missed its time, to the same.
- When all of it is sent: what became of it.
- Each once. When a graver one is due, a lesser one that was missed is not made up for.
- Where nobody is to be told nobody is; nor has a special issue a time before somebody says one.
"""

from collections.abc import Collection
from datetime import datetime

from mailer.issues.model import IssueState
from mailer.schedule import Newsletter
from subscribers.model import RequestKind


def owed(
    newsletter: Newsletter,
    *,
    state: IssueState,
    released: bool,
    postponed: bool,
    send_at: datetime | None,
    told: Collection[str],
    now: datetime,
) -> RequestKind | None:
    """The mail to send now, if any.

    `released` is whether the content is the very one that was approved, `send_at` None without a time,
    `told` the kinds that were sent.
    """
    if not newsletter.notify:
        return None
    if state is IssueState.SENT:
        return None if RequestKind.ISSUE_SENT in told else RequestKind.ISSUE_SENT
    if send_at is None:
        return None
    if state is IssueState.APPROVED and released:
        is_late = now > send_at + newsletter.late
        return RequestKind.MISSED if is_late and RequestKind.MISSED not in told else None
    if newsletter.release == "none":
        return None
    if not _waits_for_release(state, released=released, postponed=postponed):
        return None
    if RequestKind.OVERDUE in told:
        return None
    if now >= send_at:
        return RequestKind.OVERDUE
    if RequestKind.REMINDER in told:
        return None
    if now >= send_at - newsletter.remind:
        return RequestKind.REMINDER
    return None if RequestKind.DRAFT_READY in told else RequestKind.DRAFT_READY


def recipients(newsletter: Newsletter, kind: RequestKind) -> list[str]:
    """Who gets a mail of this kind, each once."""
    deputies = () if kind in _FOR_NOTIFY_ALONE else newsletter.deputies
    return list(dict.fromkeys(newsletter.notify + deputies))


_FOR_NOTIFY_ALONE = (RequestKind.DRAFT_READY, RequestKind.ISSUE_SENT)


def _waits_for_release(state: IssueState, *, released: bool, postponed: bool) -> bool:
    match state:
        case IssueState.DRAFT:
            return not postponed
        case IssueState.REVIEW:
            return True
        case IssueState.APPROVED:
            return not released
        case _:
            return False
