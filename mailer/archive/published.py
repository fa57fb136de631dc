"""Which issues and which of their entries everybody may read.

An issue is public when all of this applies:

sent        to the last reader: one that is under way, paused or was broken off is still its readers' alone
network     it went to a list of the network that anybody may join (visibility "public") and is not the own
            issue of a municipal list
original    it does not correct another: what it says stands on the page of that one

An entry of it is public when it is not internal and bound neither to places nor to roles. What is bound
to places may be passed on there (`passed_on_in`).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, exists, func, select
from sqlalchemy.orm import Session

from mailer.archive.model import ArchivedMail
from mailer.issues.model import Entry, EntryState, Issue, IssueState, entries_of
from mailer.render.choose import Numbered, public, reaches
from subscribers.base import Utc
from subscribers.model import MailingList, Municipality, Visibility

_NUMBERED = re.compile(r"([0-9]{4})-([1-9][0-9]{0,5})", re.ASCII)
_HANDLE = re.compile(r"[0-9a-f]{16}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Words:
    """What an issue says around its entries, without what names one that its reader may not know of."""

    subject: str
    #: clean HTML
    editorial: str
    #: clean HTML
    easy_language: str


@dataclass(frozen=True, slots=True)
class Published:
    """A public issue, with what of it everybody may read."""

    issue: Issue
    #: language of its list, and so of what stands in it
    language: str
    #: what names it within its newsletter, in addresses
    name: str
    entries: list[Numbered]
    words: Words

    @property
    def path(self) -> str:
        return f"/archiv/{self.issue.newsletter}/{self.name}"

    @property
    def changed_at(self) -> datetime:
        """When it came out, or was last corrected."""
        issue = self.issue
        return max(filter(None, (issue.sent_at or issue.send_at, issue.corrected_at)))


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the list of issues, and how many pages there are (at least one)."""

    issues: list[Published]
    pages: int


def page_of(
    session: Session, *, newsletter: str = "", year: int | None = None, page: int, length: int
) -> Page:
    """The `page`-th (from 1) `length` public issues, newest first; of one newsletter or year if asked."""
    wanted = _public()
    if newsletter:
        wanted = wanted.where(Issue.newsletter == newsletter)
    if year is not None:
        wanted = wanted.where(Issue.year == year)
    count = session.scalar(select(func.count()).select_from(wanted.subquery())) or 0
    rows = session.execute(_newest_first(wanted).limit(length).offset((page - 1) * length))
    return Page([_published(session, *row) for row in rows.all()], max(1, -(-count // length)))


def newest(session: Session, count: int, on: Sequence[str] | None = None) -> list[Published]:
    """The last `count` public issues (to one of these lists), newest first."""
    wanted = _public() if on is None else _public().where(Issue.list_key.in_(on))
    rows = session.execute(_newest_first(wanted).limit(count))
    return [_published(session, *row) for row in rows.all()]


def since(session: Session, earliest: datetime) -> list[Published]:
    """The public issues that came out since `earliest`, newest first."""
    rows = session.execute(_newest_first(_public().where(Issue.sent_at >= earliest)))
    return [_published(session, *row) for row in rows.all()]


def with_events(session: Session, earliest: datetime) -> list[Published]:
    """The public issues with something that ends at `earliest` or later, newest first."""
    event = exists().where(
        Entry.issue_id == Issue.id,
        Entry.state == EntryState.PLACED,
        func.coalesce(Entry.ends, Entry.starts, type_=Utc) >= earliest,
    )
    rows = session.execute(_newest_first(_public().where(event)))
    return [_published(session, *row) for row in rows.all()]


def named(session: Session, newsletter: str, name: str) -> Published | None:
    """The public issue that its path names."""
    wanted = _public().where(Issue.newsletter == newsletter)
    if numbered := _NUMBERED.fullmatch(name):
        wanted = wanted.where(Issue.year == int(numbered[1]), Issue.number == int(numbered[2]))
    elif _HANDLE.fullmatch(name):
        wanted = wanted.where(Issue.handle == int(name, 16))
    else:
        return None
    for row in session.execute(wanted.order_by(Issue.id)).all():
        if (found := _published(session, *row)).name == name:
            return found
    return None


def of_issue(session: Session, issue_id: int) -> Published | None:
    """The issue with this row id, if it is public."""
    row = session.execute(_public().where(Issue.id == issue_id)).first()
    return _published(session, *row) if row else None


def without_mail(session: Session) -> Sequence[int]:
    """Row ids of the public issues whose mail is not in the archive yet, oldest first."""
    kept = exists().where(ArchivedMail.issue_id == Issue.id)
    return session.scalars(_public().where(~kept).order_by(Issue.id).with_only_columns(Issue.id)).all()


def newsletters(session: Session) -> list[tuple[str, str]]:
    """Key and latest title of each newsletter that has a public issue, by title."""
    rows = session.execute(_public().order_by(Issue.id).with_only_columns(Issue.newsletter, Issue.title))
    return sorted(dict(rows.all()).items(), key=lambda row: row[1].casefold())


def years(session: Session, newsletter: str = "") -> list[int]:
    """The years that have a public issue (of the newsletter), newest first."""
    wanted = _public().where(Issue.newsletter == newsletter) if newsletter else _public()
    distinct = wanted.with_only_columns(Issue.year).distinct().order_by(Issue.year.desc())
    return list(session.scalars(distinct))


def open_to_all(entries: Sequence[Entry]) -> list[Numbered]:
    """Those of all entries of an issue that everybody may read, numbered within it from 1."""
    return [
        (number, entry)
        for number, entry in public(enumerate(entries, start=1))
        if not entry.places and not entry.roles
    ]


def passed_on_in(entries: Sequence[Entry], ags: str) -> list[Numbered]:
    """Those of all entries of an issue that may be passed on in the municipality, numbered from 1."""
    return [
        (number, entry)
        for number, entry in public(enumerate(entries, start=1))
        if not entry.roles and reaches(entry.places, {ags})
    ]


def public_words(issue: Issue, everything: Sequence[Entry], shown: Sequence[Numbered]) -> Words:
    """The words around the entries for who sees those `shown`."""
    seen = {number for number, _ in shown}
    hidden = [
        entry.title for number, entry in enumerate(everything, start=1) if number not in seen and entry.title
    ]

    def unless_named(words: str, instead: str = "") -> str:
        return instead if any(title in words for title in hidden) else words

    return Words(
        unless_named(issue.subject, f"{issue.title} – {issue.number}/{issue.year}"),
        unless_named(issue.editorial),
        unless_named(issue.easy_language),
    )


def municipality_names(session: Session, entries: Sequence[Numbered]) -> dict[str, str]:
    """AGS -> name, of the municipalities that the entries come from."""
    keys = {entry.municipality for _, entry in entries if entry.municipality}
    rows = session.execute(select(Municipality.ags, Municipality.name).where(Municipality.ags.in_(keys)))
    return dict(rows.all())


def _public() -> Select[Issue, str]:
    return (
        select(Issue, MailingList.language)
        .join(MailingList, MailingList.key == Issue.list_key)
        .where(
            Issue.state == IssueState.SENT,
            Issue.for_list == "",
            Issue.corrects.is_(None),
            MailingList.municipality.is_(None),
            MailingList.visibility == Visibility.PUBLIC,
        )
    )


def _newest_first(wanted: Select[Issue, str]) -> Select[Issue, str]:
    return wanted.order_by(Issue.year.desc(), Issue.send_at.desc(), Issue.id.desc())


def _published(session: Session, issue: Issue, language: str) -> Published:
    everything = entries_of(session, issue)
    entries = open_to_all(everything)
    return Published(
        issue=issue,
        language=language,
        name=_name(session, issue),
        entries=entries,
        words=public_words(issue, everything, entries),
    )


def _name(session: Session, issue: Issue) -> str:
    """Year and number; the handle where an earlier public issue has these.

    A number is given again after a cancelled issue, and cancelled ones are not public: so this is rare,
    and it never renames a page that is out.
    """
    taken = (
        _public()
        .with_only_columns(Issue.id)
        .where(
            Issue.newsletter == issue.newsletter,
            Issue.year == issue.year,
            Issue.number == issue.number,
            Issue.id < issue.id,
        )
    )
    return f"{issue.handle:016x}" if session.scalar(taken.limit(1)) else f"{issue.year}-{issue.number}"
