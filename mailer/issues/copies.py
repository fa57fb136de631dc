"""Issues made from others: a copy to begin with, and the own issue of a municipal list.

A municipal list that follows a newsletter with a foreword gets an issue of its own when the network's
is released: what may be passed on stands in it, frozen, and the coordinator adds foreword and entries.
She has until its `send_at`; what happens without her is a setting of the list. None of it touches
the network's issue or its release.
"""

from datetime import datetime, timedelta

from sqlalchemy import Select, delete, select
from sqlalchemy.orm import Session, aliased

from mailer.issues.begin import new_issue
from mailer.issues.model import Entry, EntryState, Issue, IssueState, entries_of
from mailer.issues.record import put_on_record
from mailer.issues.workflow import Act, next_state
from mailer.schedule import Newsletter
from subscribers.model import Following, MailingList, Request, RequestKind, WithoutForeword

_ENTRY = (
    "item_id", "feed_key", "source", "section", "section_position", "position", "title", "url", "summary",
    "published", "updated", "starts", "ends", "all_day", "deadline", "location", "contact", "kind", "places",
    "roles", "municipality", "internal", "also", "picture_id", "pinned", "edited_at", "fetched_at",
    "item_digest",
)  # fmt: skip
#: a coordinator's own sections are counted from 0, and she will not have so many
_BEHIND_OWN = 1000
#: kind of mail -> the one it is passed on as, if that is another
_PASSED_ON = {"issue": "municipal"}
_UNSENT = (IssueState.DRAFT, IssueState.REVIEW, IssueState.APPROVED)
_LEFT = (IssueState.SENDING, IssueState.SENT)


def copy_issue(
    session: Session, newsletter: Newsletter, original: Issue, *, actor: str, now: datetime
) -> Issue:
    """A special issue with the words and entries of another one. Raises NoSuchList."""
    issue = new_issue(session, newsletter, slot=now, send_at=now, special=True, now=now)
    issue.template, issue.preheader, issue.editorial, issue.easy_language = (
        original.template, original.preheader, original.editorial, original.easy_language,
    )  # fmt: skip
    session.add_all(_copied(entry, issue) for entry in entries_of(session, original))
    session.flush()
    put_on_record(session, issue, "copy", actor=actor, now=now, original=f"{original.handle:016x}")
    return issue


def pass_on(session: Session, issue: Issue, *, actor: str, now: datetime) -> list[Issue]:
    """Derive, or bring up to date, the own issues of the lists that follow this released one."""
    following = session.scalars(
        select(MailingList)
        .where(
            MailingList.follows == issue.newsletter,
            MailingList.following == Following.FOREWORD,
            MailingList.municipality.is_not(None),
        )
        .order_by(MailingList.key)
    ).all()
    return [
        derived
        for mailing_list in following
        if (derived := _derive(session, issue, mailing_list, actor=actor, now=now)) is not None
    ]


def settle_overdue(session: Session, *, actor: str, now: datetime) -> list[Issue]:
    """Decide the derived issues whose coordinator let her time pass, as her list says. Returns them.

    Those to be sent lose what she had not released: foreword and entries of her own. What passes on a
    cancelled issue is cancelled, whoever released it.
    """
    for issue in session.scalars(_of_cancelled()):
        issue.state = next_state(issue.state, Act.CANCEL)
        put_on_record(session, issue, Act.CANCEL, actor=actor, now=now)
    overdue = session.scalars(
        select(Issue).where(
            Issue.for_list != "",
            Issue.send_at <= now,
            Issue.state.in_([IssueState.DRAFT, IssueState.REVIEW]),
        )
    ).all()
    decided = []
    for issue in overdue:
        if not may_go(session, issue):
            continue
        entries = entries_of(session, issue)
        setting = session.get_one(MailingList, issue.for_list).without_foreword
        if setting is WithoutForeword.SEND and any(entry.frozen for entry in entries):
            issue.editorial = ""
            for entry in entries:
                if not entry.frozen:
                    entry.state = EntryState.REJECTED
        else:
            issue.state = next_state(issue.state, Act.CANCEL)
            put_on_record(session, issue, Act.CANCEL, actor=actor, now=now)
        decided.append(issue)
    session.flush()
    return decided


def _of_cancelled() -> Select[Issue]:
    origin = aliased(Issue)
    return (
        select(Issue)
        .join(origin, origin.id == Issue.derived_from)
        .where(Issue.for_list != "", Issue.state.in_(_UNSENT), origin.state == IssueState.CANCELLED)
    )


def may_go(session: Session, issue: Issue) -> bool:
    """Whether the issue may start: a derived one only after the one it passes on."""
    return issue.derived_from is None or session.get_one(Issue, issue.derived_from).state in _LEFT


def _derive(
    session: Session, issue: Issue, mailing_list: MailingList, *, actor: str, now: datetime
) -> Issue | None:
    derived = session.scalar(
        select(Issue).where(
            Issue.newsletter == issue.newsletter,
            Issue.slot == issue.slot,
            Issue.for_list == mailing_list.key,
        )
    )
    if derived is not None and derived.state not in _UNSENT:
        return None
    known = derived is not None
    if derived is None:
        derived = Issue(
            newsletter=issue.newsletter, slot=issue.slot, special=issue.special, for_list=mailing_list.key,
            list_key=mailing_list.key, derived_from=issue.id, number=issue.number, year=issue.year,
            title=issue.title, zone=issue.zone, template=_PASSED_ON.get(issue.template, issue.template),
            subject=issue.subject, preheader=issue.preheader, easy_language=issue.easy_language,
            created_at=now, send_at=now,
        )  # fmt: skip
        session.add(derived)
        session.flush()
    elif derived.state is IssueState.APPROVED:
        derived.state = next_state(derived.state, Act.REVISE)  # its frozen part is another one now
    derived.send_at = max(issue.send_at, now) + timedelta(hours=mailing_list.foreword_hours)
    session.execute(delete(Entry).where(Entry.issue_id == derived.id, Entry.frozen))
    for entry in entries_of(session, issue):
        if not entry.internal:
            copied = _copied(entry, derived)
            copied.frozen, copied.section_position = True, _BEHIND_OWN + entry.section_position
            session.add(copied)
    if mailing_list.coordinator:
        session.add(
            Request(
                kind=RequestKind.FOREWORD, list_key=mailing_list.key, address=mailing_list.coordinator,
                details={"issue": f"{derived.handle:016x}", "again": known}, actor=actor, created_at=now,
            )
        )  # fmt: skip
    session.flush()
    put_on_record(session, derived, "pass-on", actor=actor, now=now, list=mailing_list.key)
    return derived


def _copied(entry: Entry, issue: Issue) -> Entry:
    return Entry(issue_id=issue.id, **{name: getattr(entry, name) for name in _ENTRY})
