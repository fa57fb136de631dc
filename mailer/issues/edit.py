"""What people change in an issue before it is sent. Each change is kept: who, when, before and after.

Whoever edits an issue does not release it (mailer.issues.release), and an edit takes a release back.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mailer.feeds.markup import absolute_url
from mailer.feeds.model import Feed, Item, ItemState
from mailer.issues.begin import entry_from, told
from mailer.issues.model import Edit, Entry, EntryState, Issue, IssueState
from mailer.issues.record import put_on_record
from mailer.issues.workflow import Act, next_state
from mailer.render.sanitize import clean_html
from subscribers.model import Role

#: what of an issue and of an entry a person may put otherwise
ISSUE_FIELDS = ("title", "subject", "preheader", "editorial", "easy_language")
ENTRY_FIELDS = (
    "title", "url", "summary", "starts", "ends", "all_day", "deadline", "location", "contact", "places",
    "roles", "internal",
)  # fmt: skip
_MARKUP = ("editorial", "easy_language", "summary")
_ONE_LINE = ("title", "subject", "preheader", "location")
_OPEN = (IssueState.DRAFT, IssueState.REVIEW, IssueState.APPROVED)


class CannotEdit(Exception):
    """What was asked for is not possible; says why."""


def edit_issue(
    session: Session, issue: Issue, fields: Mapping[str, str], *, actor: str, now: datetime
) -> None:
    """Give an issue another subject, editorial, ... (ISSUE_FIELDS). Raises CannotEdit."""
    _change(session, issue, None, "edit", _cleaned(fields, ISSUE_FIELDS), actor, now)


def edit_entry(
    session: Session,
    entry: Entry,
    fields: Mapping[str, Any],
    *,
    by_deadline: bool = False,
    actor: str,
    now: datetime,
) -> None:
    """Put an entry otherwise (ENTRY_FIELDS); from then on no fetch changes it. Raises CannotEdit.

    In a section that the plan sorts `by_deadline`, a new one gives the entry its place there.
    """
    cleaned = _cleaned(fields, ENTRY_FIELDS)
    if not cleaned.get("title", entry.title):
        raise CannotEdit("an entry needs a title")
    issue = _open(session, entry)
    _change(session, issue, entry, "edit", cleaned, actor, now)
    entry.edited_at = now
    if by_deadline and "deadline" in cleaned and entry.state is EntryState.PLACED:
        others = [each for each in _placed(session, issue, entry.section_position) if each.id != entry.id]
        before = sum(_last_day(each) <= _last_day(entry) for each in others)
        move(session, entry, to=before + 1, actor=actor, now=now)


def renew_entry(session: Session, entry: Entry, *, actor: str, now: datetime) -> None:
    """Let an entry say what its feed says now, edits included. Raises CannotEdit."""
    item = session.get(Item, entry.item_id) if entry.item_id else None
    if item is None:
        raise CannotEdit("a hand-written entry has no feed that could say something new")
    _change(session, _open(session, entry), entry, "renew", told(item), actor, now)
    entry.edited_at = None


def place(session: Session, entry: Entry, *, actor: str, now: datetime) -> None:
    """Take what was suggested, held back or rejected: last in its section. Raises CannotEdit."""
    issue = _open(session, entry)
    position = _behind(session, issue, entry.section_position)
    _change(session, issue, entry, "place", {"state": EntryState.PLACED, "position": position}, actor, now)


def hold_back(session: Session, entry: Entry, *, actor: str, now: datetime) -> None:
    """Keep an entry out of this issue; its item comes first in the next one. Raises CannotEdit."""
    if entry.item_id is None:
        raise CannotEdit("a hand-written entry belongs to no other issue: reject it, or leave it")
    _change(session, _open(session, entry), entry, "hold", {"state": EntryState.HELD}, actor, now)


def reject(session: Session, entry: Entry, *, actor: str, now: datetime) -> None:
    """Keep an entry out of this and every later issue of the newsletter. Raises CannotEdit."""
    _change(session, _open(session, entry), entry, "reject", {"state": EntryState.REJECTED}, actor, now)


def pin(session: Session, entry: Entry, *, pinned: bool, actor: str, now: datetime) -> None:
    """Let an entry stand before the others of its section, or no longer. Raises CannotEdit."""
    _change(session, _open(session, entry), entry, "pin", {"pinned": pinned}, actor, now)


def move(
    session: Session, entry: Entry, *, to: int, section: str | None = None, actor: str, now: datetime
) -> None:
    """Move an entry to place `to` (from 1) of its section, or of another one. Raises CannotEdit."""
    issue = _open(session, entry)
    place, title = _section(session, issue, section) if section else (entry.section_position, entry.section)
    others = [each for each in _placed(session, issue, place) if each.id != entry.id]
    if not 1 <= to <= len(others) + 1:
        raise CannotEdit(f"the section has places 1 to {len(others) + 1}")
    changes = {"section": title, "section_position": place, "position": to - 1}
    _change(session, issue, entry, "move", changes, actor, now)
    others.insert(to - 1, entry)
    for position, each in enumerate(others):
        each.position = position


def add_item(session: Session, issue: Issue, item: Item, *, section: str, actor: str, now: datetime) -> Entry:
    """An entry of an item from the pool, last in its section. Raises CannotEdit."""
    _need_open(issue)
    if session.scalar(select(Entry.id).where(Entry.issue_id == issue.id, Entry.item_id == item.id)):
        raise CannotEdit(f"item {item.id} stands in the issue already")
    if item.state is not ItemState.FREE:
        raise CannotEdit(f"item {item.id} is {item.state}")
    place, title = _section(session, issue, section)
    position = _behind(session, issue, place)
    source = session.scalar(select(Feed.title).where(Feed.key == item.feed_key)) or ""
    entry = entry_from(issue, item, section=title, place=place, position=position, source=source)
    return _added(session, issue, entry, "add", actor, now)


def add_text(
    session: Session, issue: Issue, fields: Mapping[str, Any], *, section: str, actor: str, now: datetime
) -> Entry:
    """A hand-written entry, last in its section; a section not there yet comes last. Raises CannotEdit."""
    _need_open(issue)
    cleaned = _cleaned(fields, ENTRY_FIELDS)
    if not cleaned.get("title"):
        raise CannotEdit("an entry needs a title")
    place, title = _section(session, issue, section)
    position = _behind(session, issue, place)
    entry = Entry(
        issue_id=issue.id, section=title, section_position=place, position=position, edited_at=now, **cleaned
    )
    return _added(session, issue, entry, "write", actor, now)


def _open(session: Session, entry: Entry) -> Issue:
    if entry.frozen:
        raise CannotEdit("it belongs to the issue that this one passes on, and stays as it was released")
    issue = session.get_one(Issue, entry.issue_id)
    _need_open(issue)
    return issue


def _need_open(issue: Issue) -> None:
    if issue.state not in _OPEN:
        raise CannotEdit(f"issue {issue.id} is {issue.state}")


def _cleaned(fields: Mapping[str, Any], allowed: tuple[str, ...]) -> dict[str, Any]:
    """The fields as they may be stored: markup made harmless, lines made one."""
    unknown = fields.keys() - set(allowed)
    if unknown:
        raise CannotEdit(f"no such field: {', '.join(sorted(unknown))}")
    cleaned = dict(fields)
    for name in fields.keys() & set(_MARKUP):
        cleaned[name] = clean_html(str(fields[name]), base_url="")
    for name in fields.keys() & set(_ONE_LINE):
        cleaned[name] = " ".join(str(fields[name]).split())
    if cleaned.get("url") and not absolute_url(cleaned["url"], ""):
        raise CannotEdit("a link begins with http:// or https://")
    for role in cleaned.get("roles", ()):
        if role not in set(Role):
            raise CannotEdit(f"no such role: {role}; there are {', '.join(Role)}")
    for prefix in cleaned.get("places", ()):
        if not (prefix.isascii() and prefix.isdigit() and len(prefix) in (2, 3, 5, 8)):
            raise CannotEdit(f"a place is an AGS of 2, 3, 5 or 8 digits, not {prefix!r}")
    return cleaned


def _change(
    session: Session,
    issue: Issue,
    entry: Entry | None,
    act: str,
    fields: Mapping[str, Any],
    actor: str,
    now: datetime,
) -> None:
    """Set the fields that differ, and keep what they were; nothing is kept where none does."""
    _need_open(issue)
    target = entry or issue
    changed = {name: value for name, value in fields.items() if getattr(target, name) != value}
    if not changed:
        return
    before = {name: _json(getattr(target, name)) for name in changed}
    for name, value in changed.items():
        setattr(target, name, value)
    _keep(
        session,
        issue,
        entry,
        act,
        before,
        {name: _json(value) for name, value in changed.items()},
        actor,
        now,
    )


def _added(session: Session, issue: Issue, entry: Entry, act: str, actor: str, now: datetime) -> Entry:
    session.add(entry)
    session.flush()
    _keep(session, issue, entry, act, {}, {"title": entry.title, "section": entry.section}, actor, now)
    return entry


def _keep(
    session: Session,
    issue: Issue,
    entry: Entry | None,
    act: str,
    before: dict[str, Any],
    after: dict[str, Any],
    actor: str,
    now: datetime,
) -> None:
    session.add(
        Edit(
            issue_id=issue.id,
            entry_id=entry.id if entry else None,
            at=now,
            actor=actor,
            act=act,
            before=before,
            after=after,
        )
    )
    if issue.state is IssueState.APPROVED:
        issue.state = next_state(issue.state, Act.REVISE)
    session.flush()
    put_on_record(session, issue, f"entry-{act}" if entry else act, actor=actor, now=now)


def _last_day(entry: Entry) -> date:
    """By what a section sorts by deadline; what has none stands behind the others."""
    moment = entry.ends or entry.starts
    return entry.deadline or (moment.date() if moment else date.max)


def _json(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def _section(session: Session, issue: Issue, title: str) -> tuple[int, str]:
    """Place and title of a section of the issue; one that is not there yet comes behind the others."""
    title = " ".join(title.split())
    if not title:
        raise CannotEdit("a section needs a title")
    rows = session.execute(
        select(Entry.section_position, Entry.section)
        .where(Entry.issue_id == issue.id, Entry.frozen.is_(False))
        .distinct()
    ).all()
    for place, known in rows:
        if known == title:
            return place, known
    return max((place for place, _ in rows), default=-1) + 1, title


def _behind(session: Session, issue: Issue, place: int) -> int:
    last = session.scalar(
        select(func.max(Entry.position)).where(
            Entry.issue_id == issue.id, Entry.section_position == place, Entry.state == EntryState.PLACED
        )
    )
    return 0 if last is None else last + 1


def _placed(session: Session, issue: Issue, place: int) -> list[Entry]:
    return list(
        session.scalars(
            select(Entry)
            .where(
                Entry.issue_id == issue.id, Entry.section_position == place, Entry.state == EntryState.PLACED
            )
            .order_by(Entry.pinned.desc(), Entry.position, Entry.id)
        )
    )
