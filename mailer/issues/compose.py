"""From items to an issue: one number of a newsletter, chosen and numbered."""

from collections import Counter
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mailer.feeds.model import Feed, Item
from mailer.issues.choose import Chosen, choose
from mailer.issues.model import Entry, EntryState, Issue, IssueState, entries_of
from mailer.issues.record import put_on_record
from mailer.issues.workflow import Act, next_state
from mailer.schedule import Newsletter
from subscribers.model import MailingList

#: titles that the preheader names
_TEASERS = 3


class NotADraft(Exception):
    """The issue is not open to more items."""


class NoSuchList(Exception):
    """The plan sends to a list that does not exist."""


def compose(
    session: Session,
    newsletter: Newsletter,
    *,
    slot: datetime,
    send_at: datetime,
    special: bool = False,
    actor: str,
    now: datetime,
) -> Issue:
    """The issue of this newsletter and slot: the one on record, or a new draft.

    `slot` is the nominal due time and the key, `send_at` when it is to go out. A `special` issue
    (Sonderausgabe) is not of the plan: its slot is the moment it was composed, somebody wants it
    however few items there are, and sends it when it is ready.
    """
    known = session.scalar(select(Issue).where(Issue.newsletter == newsletter.key, Issue.slot == slot))
    if known is not None:
        return known
    if session.get(MailingList, newsletter.list) is None:
        raise NoSuchList(f"there is no list {newsletter.list!r}: `infomail lists add {newsletter.list}`")
    chosen = _chosen(session, newsletter, slot, send_at)
    titles = [item.title for section in chosen for item in section.items]
    number, year = _number(session, newsletter, slot)
    issue = Issue(
        newsletter=newsletter.key,
        slot=slot,
        send_at=send_at,
        special=special,
        list_key=newsletter.list,
        number=number,
        year=year,
        title=newsletter.title,
        zone=newsletter.zone.key,
        template=newsletter.template,
        subject=f"{newsletter.title} – {number}/{year}",
        preheader=" · ".join(titles[:_TEASERS]),
        created_at=now,
    )
    session.add(issue)
    session.flush()
    sources = {feed.key: feed.title for feed in session.scalars(select(Feed))}
    for section in chosen:
        for position, item in enumerate(section.items + section.let_go):
            entry = _entry(issue, newsletter, section.place, position, item, sources[item.feed_key])
            if position >= len(section.items):
                entry.state = EntryState.REJECTED
            session.add(entry)
    if not special and len(titles) < newsletter.too_few.below:
        # either way the slot keeps its row, so nothing composes it a second time
        if newsletter.too_few.then == "skip":
            issue.state = next_state(issue.state, Act.CANCEL)  # its items stay free
        issue.postponed = newsletter.too_few.then == "postpone"
    session.flush()
    put_on_record(session, issue, "compose", actor=actor, now=now, entries=len(titles), state=issue.state)
    return issue


def update(session: Session, issue: Issue, newsletter: Newsletter, *, actor: str, now: datetime) -> int:
    """Append to a draft what came since it was composed; nothing in it is touched. Returns how many.

    Raises NotADraft: what is reviewed or released does not change by itself.
    """
    if issue.state is not IssueState.DRAFT:
        raise NotADraft(f"issue {issue.id} is {issue.state}; only a draft takes more items")
    placed = Counter(entry.section_position for entry in entries_of(session, issue))
    sources = {feed.key: feed.title for feed in session.scalars(select(Feed))}
    appended = 0
    for section in _chosen(session, newsletter, issue.slot, issue.send_at):
        there = placed[section.place]
        room = max(newsletter.sections[section.place].max - there, 0)
        for position, item in enumerate(section.items[:room], start=there):
            session.add(_entry(issue, newsletter, section.place, position, item, sources[item.feed_key]))
            appended += 1
    session.flush()
    put_on_record(session, issue, "update", actor=actor, now=now, entries=appended)
    return appended


def fill(session: Session, issue: Issue, newsletter: Newsletter, *, actor: str, now: datetime) -> int:
    """Place what came since into a draft that waits for more. Returns how many. Raises NotADraft."""
    return update(session, issue, newsletter, actor=actor, now=now)


def _chosen(session: Session, newsletter: Newsletter, slot: datetime, at: datetime) -> list[Chosen]:
    feeds = {feed for section in newsletter.sections for feed in section.feeds}
    earlier = (
        select(Entry.item_id)
        .join(Issue, Issue.id == Entry.issue_id)
        .where(Issue.newsletter == newsletter.key, Issue.state != IssueState.CANCELLED)
    )
    used = session.scalars(select(Item).where(Item.id.in_(earlier)))
    items = session.scalars(select(Item).where(Item.feed_key.in_(feeds), Item.id.not_in(earlier)))
    day = slot.astimezone(newsletter.zone).date()
    return choose(newsletter.sections, items.all(), used=used.all(), day=day, at=at)


def _number(session: Session, newsletter: Newsletter, slot: datetime) -> tuple[int, int]:
    """The next number in the year of the slot; a cancelled issue's number is given again."""
    year = slot.astimezone(newsletter.zone).year
    last = session.scalar(
        select(func.max(Issue.number)).where(
            Issue.newsletter == newsletter.key, Issue.year == year, Issue.state != IssueState.CANCELLED
        )
    )
    return (last or 0) + 1, year


def _entry(issue: Issue, newsletter: Newsletter, place: int, position: int, item: Item, source: str) -> Entry:
    return Entry(
        issue_id=issue.id,
        item_id=item.id,
        feed_key=item.feed_key,
        source=source,
        section=newsletter.sections[place].title,
        section_position=place,
        position=position,
        title=item.title,
        url=item.url,
        summary=item.summary,
        published=item.published,
        starts=item.starts,
        ends=item.ends,
        location=item.location,
        places=item.places,
        fetched_at=item.fetched_at,
        item_digest=item.digest,
    )
