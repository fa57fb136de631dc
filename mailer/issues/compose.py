"""From items to an issue: one number of a newsletter, chosen and numbered; and what comes in afterwards."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mailer.feeds.model import Feed, Item
from mailer.issues import pool
from mailer.issues.begin import entry_from, new_issue
from mailer.issues.choose import Candidate, Chosen, choose
from mailer.issues.model import Entry, EntryState, Issue, IssueState, entries_of
from mailer.issues.record import put_on_record
from mailer.issues.workflow import Act, next_state
from mailer.schedule import Newsletter, Section

#: titles that the preheader names
_TEASERS = 3
#: as good as no limit: suggestions fill no section
_MANY = 10_000


class NotADraft(Exception):
    """The issue is not open to more items."""


def compose(
    session: Session,
    newsletter: Newsletter,
    *,
    slot: datetime,
    send_at: datetime,
    special: bool = False,
    blank: bool = False,
    actor: str,
    now: datetime,
) -> Issue:
    """The issue of this newsletter and slot: the one on record, or a new draft.

    `slot` is the nominal due time and the key, `send_at` when it is to go out. A `special` issue
    (Sonderausgabe) is not of the plan: its slot is the moment it was composed, somebody wants it
    however few items there are (none with `blank`), and sends it when it is ready.
    """
    known = issue_of_slot(session, newsletter.key, slot)
    if known is not None:
        return known
    issue = new_issue(session, newsletter, slot=slot, send_at=send_at, special=special, now=now)
    chosen = [] if blank else _chosen(session, newsletter, newsletter.sections, issue)
    _add(session, issue, newsletter, chosen, EntryState.PLACED)
    session.flush()
    entries = entries_of(session, issue)
    # everybody reads the preheader, so it names nothing that is for some
    teasers = [each.title for each in entries if not (each.internal or each.places or each.roles)]
    issue.preheader = " · ".join(teasers[:_TEASERS])
    if not special and len(entries) < newsletter.too_few.below:
        # either way the slot keeps its row, so nothing composes it a second time
        if newsletter.too_few.then == "skip":
            issue.state = next_state(issue.state, Act.CANCEL)  # its items stay free
        issue.postponed = newsletter.too_few.then == "postpone"
    session.flush()
    put_on_record(session, issue, "compose", actor=actor, now=now, entries=len(entries), state=issue.state)
    return issue


def issue_of_slot(session: Session, newsletter: str, slot: datetime) -> Issue | None:
    """The newsletter's own issue of this slot, if there is one."""
    return session.scalar(
        select(Issue).where(Issue.newsletter == newsletter, Issue.slot == slot, Issue.for_list == "")
    )


def suggest(session: Session, issue: Issue, newsletter: Newsletter, *, actor: str, now: datetime) -> int:
    """Offer a draft what came since it was composed; nothing in it is touched. Returns how many are new.

    Raises NotADraft: what is reviewed or released does not change by itself.
    """
    _need_draft(issue)
    sections = [replace(section, max=_MANY, min=1, carry_over=True) for section in newsletter.sections]
    chosen = _chosen(session, newsletter, sections, issue, since=issue.created_at)
    offered = sum(len(section.picks) for section in chosen)
    if offered:
        _add(session, issue, newsletter, chosen, EntryState.SUGGESTED)
        session.flush()
        put_on_record(session, issue, "suggest", actor=actor, now=now, entries=offered)
    return offered


def fill(session: Session, issue: Issue, newsletter: Newsletter, *, actor: str, now: datetime) -> int:
    """Place what is new into a draft that nobody has edited, as far as its sections have room.

    For an issue that waits for more items. Returns how many. Raises NotADraft.
    """
    _need_draft(issue)
    there = Counter(
        session.scalars(
            select(Entry.section_position).where(Entry.issue_id == issue.id, Entry.state == EntryState.PLACED)
        )
    )
    chosen = [
        replace(
            section,
            picks=section.picks[: max(newsletter.sections[section.place].max - there[section.place], 0)],
        )
        for section in _chosen(session, newsletter, newsletter.sections, issue)
    ]
    placed = sum(len(section.picks) for section in chosen)
    _add(session, issue, newsletter, chosen, EntryState.PLACED)
    session.flush()
    put_on_record(session, issue, "fill", actor=actor, now=now, entries=placed)
    return placed


def _need_draft(issue: Issue) -> None:
    if issue.state is not IssueState.DRAFT:
        raise NotADraft(f"issue {issue.id} is {issue.state}; only a draft takes more items")


def _chosen(
    session: Session,
    newsletter: Newsletter,
    sections: Iterable[Section],
    issue: Issue,
    *,
    since: datetime | None = None,
) -> list[Chosen]:
    zone = ZoneInfo(issue.zone)
    return choose(
        list(sections),
        pool.free_items(session, newsletter, issue, since=since),
        used=pool.used_items(session, newsletter, issue),
        first=pool.held_back(session, newsletter),
        day=issue.slot.astimezone(zone).date(),
        at=issue.send_at,
        today=issue.send_at.astimezone(zone).date(),
    )


def _add(
    session: Session, issue: Issue, newsletter: Newsletter, chosen: Iterable[Chosen], state: EntryState
) -> None:
    """Entries of what was chosen, behind those that are there; what was let go as rejected ones."""
    sources = {row.key: row.title or row.key for row in session.execute(select(Feed.key, Feed.title))}
    there = session.execute(
        select(Entry.section, Entry.section_position, func.max(Entry.position).label("last"))
        .where(Entry.issue_id == issue.id)
        .group_by(Entry.section, Entry.section_position)
    ).all()
    places = {row.section: row.section_position for row in there}
    last = {row.section_position: row.last for row in there}
    for section in chosen:
        picked: list[tuple[Candidate, tuple[str, ...], EntryState]] = [
            *((pick.item, pick.also, state) for pick in section.picks),
            *((item, (), EntryState.REJECTED) for item in section.let_go),
        ]
        items = {
            item.id: item
            for item in session.scalars(select(Item).where(Item.id.in_([each.id for each, _, _ in picked])))
        }
        title = newsletter.sections[section.place].title
        # staff may have put the section elsewhere
        place = places.get(title, section.place)
        for position, (candidate, also, becomes) in enumerate(picked, start=last.get(place, -1) + 1):
            item = items[candidate.id]
            entry = entry_from(
                issue,
                item,
                section=title,
                place=place,
                position=position,
                source=sources.get(item.feed_key, ""),
            )
            entry.also, entry.state = [sources.get(key, key) for key in also], becomes
            session.add(entry)
