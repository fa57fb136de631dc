"""An archive: issues of several kinds, with entries that everybody may read and others that nobody else may."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from mailer.archive.draft import draft
from mailer.archive.model import ArchivedMail
from mailer.archive.published import of_issue
from mailer.database import Database
from mailer.issues.model import Entry, Issue, IssueState
from mailer.render.editions import chooser_of
from mailer.render.stationery import keep
from subscribers.model import MailingList, Municipality
from tests.mailer.render.issues import STATIONERY

NOW = datetime.now(UTC).replace(microsecond=0)
#: what stands in entries that not everybody may read, and in no public output
HIDDEN = ["Nur intern", "Nur in Zwillingen", "Nur für Vertretungen"]
#: path of the issue that has them all
PATH = "/archiv/infomail/2026-10"


@dataclass(frozen=True, slots=True)
class Archived:
    """Row ids of issues."""

    rich: int
    corrected: int


def fill_archive(database: Database, *, years: int = 1, each: int = 3) -> Archived:
    """Issues of the newsletters `infomail` (the rich one is 10/2026) and `termine`, and others not public.

    The list and the municipalities are those of tests.mailer.web.sample.
    """
    with database.write() as session:
        if session.get(MailingList, "netzwerk") is None:
            session.add(Municipality(ags="05999001", name="Köthen am Muster", kind="Stadt"))
            session.add(Municipality(ags="05999003", name="Zwillingen", kind="Stadt"))
            session.add(MailingList(key="netzwerk", title="Neues & Nützliches", created_at=NOW))
            session.add(Municipality(ags="05999002", name="Musterstadt", kind="Stadt"))
            session.flush()
            session.add(MailingList(key="verein", title="Verein", municipality="05999002", created_at=NOW))
        keep(session, STATIONERY)
        rich = add_issue(session, 10, sent_at=NOW - timedelta(days=3), editorial="<p>ein <em>Gruß</em></p>")
        _entries(session, rich)
        corrected = add_issue(
            session, 9, sent_at=NOW - timedelta(days=33), correction="Nicht <b>heute</b>.",
            corrected_at=NOW - timedelta(days=32),
        )  # fmt: skip
        add_entry(session, corrected, 0, "Eine ältere Meldung")
        for back in range(years):
            for number in range(1, each + 1):
                issue = add_issue(
                    session, number, newsletter="termine", title="Termine", year=2026 - back,
                    sent_at=NOW - timedelta(days=365 * back + 20 + each - number),
                )  # fmt: skip
                add_entry(session, issue, 0, f"Eintrag {number}/{2026 - back}")
    for issue in (rich, corrected):
        archive(database, issue.id)
    return Archived(rich.id, corrected.id)


def add_issue(session: Session, number: int, *, sent_at: datetime, **changes: Any) -> Issue:
    values: dict[str, Any] = {
        "newsletter": "infomail", "slot": sent_at, "send_at": sent_at, "sent_at": sent_at,
        "list_key": "netzwerk", "state": IssueState.SENT, "number": number, "year": 2026,
        "title": "Infomail", "zone": "Europe/Berlin", "template": "issue",
        "subject": f"{changes.get('title', 'Infomail')} – {number}/2026: <Neues> & Altes",
        "created_at": sent_at, "key_id": 1,
    }  # fmt: skip
    issue = Issue(**(values | changes))
    session.add(issue)
    session.flush()
    return issue


def add_entry(session: Session, issue: Issue, position: int, title: str, **changes: Any) -> Entry:
    values: dict[str, Any] = {
        "section": "Neues aus dem Netzwerk", "section_position": 0, "title": title, "source": "Ehrenamtsportal",
        "url": f"https://www.example.org/{issue.id}/{position}", "summary": f"<p>{title}: der Text.</p>",
    }  # fmt: skip
    entry = Entry(issue_id=issue.id, position=position, **(values | changes))
    session.add(entry)
    session.flush()
    return entry


def archive(database: Database, issue_id: int) -> None:
    """Keep the mail of a public issue, as the clock does."""
    with database.read() as session:
        published = of_issue(session, issue_id)
        assert published is not None
        chooser = chooser_of(session, published.issue, STATIONERY)
    mail = draft(
        published.issue, chooser, STATIONERY, [], published.entries, language="de",
        words=published.words,
        page=f"https://infomail.example.org{published.path}",
    )  # fmt: skip
    with database.write() as session:
        session.add(
            ArchivedMail(
                issue_id=issue_id, language="de", subject=mail.subject, html=mail.html, text=mail.text,
                created_at=NOW,
            )
        )  # fmt: skip


def _entries(session: Session, issue: Issue) -> None:
    starts = (NOW + timedelta(days=10)).replace(hour=9, minute=0, second=0)
    event = {
        "section": "Termine", "section_position": 1, "starts": starts, "ends": starts + timedelta(hours=2),
        "location": "Rathaus, Musterweg 1",
    }  # fmt: skip
    add_entry(session, issue, 0, "Förderung für <b>Ehrenamt</b> & Vereine", municipality="05999001",
              published=NOW - timedelta(days=9), updated=NOW - timedelta(days=4), also=["Staatskanzlei"],
              summary='<p>Anträge <a href="https://www.example.org/antrag">hier</a>.</p><ul><li>eins</li></ul>',
              deadline=(NOW + timedelta(days=30)).date(), contact="Erika Muster, erika@example.net")  # fmt: skip
    add_entry(session, issue, 1, "Nur intern", internal=True, url="https://www.example.org/intern")
    add_entry(session, issue, 2, "Nur in Zwillingen", places=["05999003"])
    add_entry(session, issue, 3, "Nur für Vertretungen", roles=["deputy"])
    add_entry(session, issue, 4, "Von Hand geschrieben", url="", source="")
    add_entry(session, issue, 5, "Netzwerktreffen", **event)
    add_entry(session, issue, 6, "Nur intern: Sitzung", internal=True, **event)
    add_entry(session, issue, 7, "Tag des Ehrenamts", all_day=True, **(event | {"ends": None}))
