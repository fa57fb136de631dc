"""From an issue to its encoded editions: each distinct one is rendered and encoded once."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.database import Database
from mailer.issues.model import Entry, Issue, entries_of, pictures_of
from mailer.render.choose import Chooser, Numbered, Setting
from mailer.render.letterhead import Letterhead
from mailer.render.model import Edition, Stationery
from mailer.render.preflight import Finding, Page, Shown, blockers
from mailer.render.press import Press
from mailer.render.stationery import keep, stationery_of
from subscribers.audience import AudienceKey
from subscribers.base import insert_into
from subscribers.model import Import, MailingList, Municipality
from subscribers.tokens import Keys, Purpose, sign


class NotSendable(Exception):
    """Preflight found what must not go out; says what."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__(" ".join(finding.said("en") for finding in findings))
        self.findings = findings


def render_editions(
    database: Database,
    issue_id: int,
    keys: Iterable[AudienceKey],
    *,
    letterhead: Letterhead,
    signing: Keys,
    now: datetime,
) -> int:
    """Render and store what these parts of the audience need and nobody had yet; how many it was.

    `keys` are those of subscribers.audience. A person whose key is not among them finds no
    edition at the freeze. Raises NotSendable.
    """
    stationery = stationery_of(letterhead)
    with database.read() as session:
        issue = session.get_one(Issue, issue_id)
        chooser = chooser_of(session, issue, stationery)
        pictures = pictures_of(session, issue)
        known = set(session.scalars(select(Edition.digest).where(Edition.issue_id == issue_id)))
    wanted = {chooser.digest(key): key for key in keys}
    missing = sorted(wanted.keys() - known)
    if not missing:
        return 0
    with database.write() as session:
        stationery_id = keep(session, stationery)
    press = Press(issue, stationery, pictures)
    for digest in missing:
        key = wanted[digest]
        setting = with_page(chooser.setting(key), issue, digest, signing)
        rendered = press.edition(chooser.visible(key), setting, digest)
        found = blockers(
            Page(rendered.html), subject=rendered.subject, text=rendered.text, message=rendered.message
        )
        if blocking := list(found):
            raise NotSendable(blocking)
        with database.write() as session:
            # a second clock may have rendered the same one meanwhile: the first stays
            session.execute(
                insert_into(session, Edition)
                .values(
                    issue_id=issue_id,
                    digest=digest,
                    language=key.language,
                    subject=rendered.subject,
                    html=rendered.page_html,
                    text=rendered.page_text,
                    message=rendered.message,
                    stationery_id=stationery_id,
                    setting=setting,
                    created_at=now,
                )
                .on_conflict_do_nothing(index_elements=["issue_id", "digest"])
            )
    return len(missing)


def chooser_of(session: Session, issue: Issue, stationery: Stationery) -> Chooser:
    """Who sees what of this issue, by all that is on record now."""
    return Chooser(
        issue,
        entries_of(session, issue),
        {row.key: row for row in session.scalars(select(MailingList))},
        {row.id: row for row in session.scalars(select(Import))},
        names={row.ags: row.name for row in session.execute(select(Municipality.ags, Municipality.name))},
        stationery=stationery.digest,
    )


def shown_of(issue: Issue, entries: Iterable[Numbered], letterhead: Letterhead) -> list[Shown]:
    """What preflight has to know of the entries of an edition."""
    zone = ZoneInfo(issue.zone)
    return [
        Shown(
            number=number,
            title=entry.title,
            url=entry.url,
            short_url=letterhead.links.entry(issue.handle, number),
            ends=_over_at(entry),
            deadline=entry.deadline,
            came_out=tuple(
                each.astimezone(zone).date() for each in (entry.published, entry.updated) if each is not None
            ),
        )
        for number, entry in entries
    ]


def _over_at(entry: Entry) -> datetime | None:
    if entry.starts is None or (entry.ends is not None and entry.ends > entry.starts):
        return entry.ends
    return entry.starts + timedelta(days=1) if entry.all_day else entry.starts


def with_page(setting: Setting, issue: Issue, digest: str, signing: Keys) -> Setting:
    """The setting with the token of the edition's page, which names issue and edition."""
    token = sign(signing, Purpose.ARCHIVE, issue.handle, int(digest[:16], 16))
    return {**setting, "archive": token}
