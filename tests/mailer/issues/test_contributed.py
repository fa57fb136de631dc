"""Senders of contributions are told once, when the issue is sent, on both engines."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import func, select

from mailer.database import Database
from mailer.feeds.contributions import Sent, drop, keep, receive
from mailer.feeds.model import Contribution, ContributionState, Item, Kind
from mailer.issues.begin import entry_from
from mailer.issues.contributed import tell_senders
from mailer.issues.model import Issue, IssueState
from subscribers.model import MailingList, Municipality, Request, RequestKind

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
BY: dict[str, Any] = {"actor": "clock", "now": NOW}
SENT = Sent(Kind.PRACTICE, "05999002", "Titel", "Text", "", None, None, False, None, "", "Kontakt", True)


@pytest.fixture
def tables(either_database: Database) -> Database:
    """A contribution that stands in an issue that is being sent, and one that nobody confirmed."""
    with either_database.write() as session:
        session.add(Municipality(ags="05999002", name="Musterstadt", kind="Stadt"))
        session.add(MailingList(key="l", title="L", created_at=NOW))
        session.flush()
        issue = Issue(
            newsletter="n", slot=NOW, send_at=NOW, list_key="l", state=IssueState.SENDING, number=1, year=2026,
            title="N", zone="Europe/Berlin", template="issue", subject="S", created_at=NOW,
        )  # fmt: skip
        session.add(issue)
        session.flush()
        for title in ("da", "offen"):
            kept = keep(session, SENT, None, address=f"{title}@example.org", language="de", now=NOW)
            if title == "da":
                item = receive(session, kept, now=NOW)
                session.add(entry_from(issue, item, section="S", place=0, position=0, source=""))
    return either_database


def told(database: Database) -> int | None:
    with database.write() as session:
        tell_senders(session, **BY)
        asked = select(func.count()).where(Request.kind == RequestKind.CONTRIBUTION_USED)
        return session.scalar(asked)


def test_a_sender_is_told_once_and_not_before_the_issue_is_sent(tables: Database) -> None:
    assert told(tables) == 0
    with tables.write() as session:
        session.scalars(select(Issue)).one().state = IssueState.SENT
    assert [told(tables), told(tables)] == [1, 1]
    with tables.read() as session:
        states = session.scalars(select(Contribution.state).order_by(Contribution.id)).all()
    assert states == [ContributionState.USED, ContributionState.UNCONFIRMED]


def test_only_what_nobody_confirmed_is_dropped(tables: Database) -> None:
    with tables.write() as session:
        ids = session.scalars(select(Contribution.id)).all()
        assert drop(session, ids) == 1
        assert session.scalar(select(func.count()).select_from(Contribution)) == 1
        assert session.scalar(select(func.count()).select_from(Item)) == 1
