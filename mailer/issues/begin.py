"""How an issue and its entries begin, whoever makes them."""

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mailer.feeds.model import Item
from mailer.issues.model import Entry, Issue, IssueState
from mailer.schedule import Newsletter
from subscribers.model import MailingList


class NoSuchList(Exception):
    """The plan sends to a list that does not exist."""


def new_issue(
    session: Session,
    newsletter: Newsletter,
    *,
    slot: datetime,
    send_at: datetime,
    special: bool,
    now: datetime,
) -> Issue:
    """A draft without entries, with the next number. Raises NoSuchList."""
    if session.get(MailingList, newsletter.list) is None:
        raise NoSuchList(f"there is no list {newsletter.list!r}: `infomail lists add {newsletter.list}`")
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
        created_at=now,
    )
    session.add(issue)
    session.flush()
    return issue


def entry_from(issue: Issue, item: Item, *, section: str, place: int, position: int, source: str) -> Entry:
    """An entry that says what the item says now."""
    return Entry(
        issue_id=issue.id,
        item_id=item.id,
        feed_key=item.feed_key,
        source=source,
        section=section,
        section_position=place,
        position=position,
        municipality=item.municipality,
        places=item.places,
        internal=item.internal,
        kind=item.kind,
        picture_id=item.picture_id,
        **told(item),
    )


def told(item: Item) -> dict[str, object]:
    """What an item says, by the fields of an entry, and which version of it that is."""
    return {
        "title": item.title,
        "url": item.url,
        "summary": item.summary,
        "published": item.published,
        "updated": item.updated,
        "starts": item.starts,
        "ends": item.ends,
        "all_day": item.all_day,
        "deadline": item.deadline,
        "location": item.location,
        "contact": item.contact,
        "fetched_at": item.fetched_at,
        "item_digest": item.digest,
    }


def _number(session: Session, newsletter: Newsletter, slot: datetime) -> tuple[int, int]:
    """The next number in the year of the slot; a cancelled issue's number is given again."""
    year = slot.astimezone(newsletter.zone).year
    last = session.scalar(
        select(func.max(Issue.number)).where(
            Issue.newsletter == newsletter.key,
            Issue.year == year,
            Issue.for_list == "",
            Issue.state != IssueState.CANCELLED,
        )
    )
    return (last or 0) + 1, year
