"""Who composed, released or ended an issue is in the audit chain, by handle and without content."""

import json
from datetime import UTC, datetime

from sqlalchemy import select

from mailer.database import Database
from mailer.issues.model import Entry, Issue, IssueState
from mailer.issues.release import act_on
from mailer.issues.workflow import Act
from subscribers.chain import Chain, Payload, Record, verify
from subscribers.model import MailingList

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


def test_each_act_is_a_record_that_names_issue_and_actor(either_database: Database) -> None:
    with either_database.write() as session:
        session.add(MailingList(key="netzwerk", title="Netzwerk", created_at=NOW))
        session.flush()
        issue = Issue(
            newsletter="infomail", slot=NOW, send_at=NOW, list_key="netzwerk", number=1, year=2026,
            title="Infomail", zone="Europe/Berlin", template="issue", subject="Geheim", created_at=NOW,
        )  # fmt: skip
        session.add(issue)
        session.flush()
        session.add(
            Entry(issue_id=issue.id, section="S", section_position=0, position=0, title="T", places=[])
        )
        act_on(session, issue, Act.SUBMIT, actor="user:1", now=NOW)
        act_on(session, issue, Act.APPROVE, actor="user:2", now=NOW)
        act_on(session, issue, Act.CANCEL, actor="cli:berta", now=NOW)
        assert issue.state is IssueState.CANCELLED
        handle, approved = f"{issue.handle:016x}", issue.approved_digest
    with either_database.read() as session:
        rows = session.execute(
            select(Record.actor, Record.action, Payload.content)
            .join(Payload, (Payload.chain == Record.chain) & (Payload.seq == Record.seq))
            .where(Record.chain == Chain.AUDIT)
            .order_by(Record.seq)
        ).all()
        assert verify(session, Chain.AUDIT).problems == []
    assert [(row.actor, row.action) for row in rows] == [
        ("user:1", "issue.submit"), ("user:2", "issue.approve"), ("cli:berta", "issue.cancel"),
    ]  # fmt: skip
    told = [json.loads(row.content) for row in rows]
    assert {each["issue"] for each in told} == {handle}
    assert told[1]["content"] == approved
    assert "Geheim" not in str(told)
