"""The gate before the send: what blocks is neither released nor sent, by whatever way; what needs the network is asked gently."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from mailer import clock
from mailer.feeds.fetch import Policy
from mailer.gate import look_at
from mailer.installation import Installation
from mailer.issues.model import Entry, Issue, IssueState
from mailer.issues.release import act_on
from mailer.issues.workflow import Act
from mailer.outbox.model import Delivery, DeliveryState
from mailer.render.preflight import Severity
from subscribers.model import Subscriber
from tests.flow.conftest import NOW, enrol
from tests.flow.site import serving
from tests.flow.test_sending import composed


def entry_of(house: Installation, issue: int, **changes: object) -> None:
    with house.database.write() as session:
        entry = session.scalars(select(Entry).where(Entry.issue_id == issue)).one()
        for name, value in changes.items():
            setattr(entry, name, value)


def test_an_issue_with_what_blocks_is_not_sent_though_it_is_released(house: Installation) -> None:
    enrol(house, 2)
    issue = composed(house, approve=False)
    entry_of(house, issue, title="TODO: Titel finden")
    with house.database.write() as session:
        act_on(session, session.get_one(Issue, issue), Act.APPROVE, actor="user:1", now=NOW)
    with pytest.raises(clock.NotReady, match="placeholder"):
        clock.start(house, issue, actor="user:1", now=NOW)
    with house.database.read() as session:
        assert session.get_one(Issue, issue).state is IssueState.APPROVED
    (blocking,) = look_at(house, issue, now=NOW, network=False).of(Severity.BLOCKS)
    assert blocking.said("de") == "Ein Platzhalter ist stehen geblieben: »TODO« (bei »TODO: Titel finden«)"


def test_every_edition_is_looked_at_and_what_they_share_stands_once(house: Installation) -> None:
    people = enrol(house, 3)
    with house.database.write() as session:
        session.scalars(
            select(Subscriber).where(Subscriber.address == next(iter(people)))
        ).one().language = "en"
    issue = composed(house, approve=False)
    entry_of(house, issue, url="http://www.example.org/1")
    report = look_at(house, issue, now=NOW, network=False)
    assert (report.editions, report.people) == (2, 3)
    (finding,) = [each for each in report.findings if each.code == "http"]
    assert sorted(report.editions_of(finding)) == ["netzwerk, de", "netzwerk, en"]


def test_the_end_is_told_by_the_pace_of_the_issues_that_went_out(house: Installation) -> None:
    enrol(house, 60)
    earlier = composed(house)
    assert look_at(house, earlier, now=NOW, network=False).ends_at is None
    clock.start(house, earlier, actor="user:1", now=NOW)
    with house.database.write() as session:
        session.execute(update(Delivery).values(state=DeliveryState.SENT, attempts=1, settled_at=NOW))
        issue = session.get_one(Issue, earlier)
        # sixty in half a minute
        issue.state, issue.sent_at = IssueState.SENT, NOW + timedelta(seconds=30)
        issue.slot -= timedelta(days=7)
    later = composed(house, approve=False)
    assert look_at(house, later, now=NOW, network=False).ends_at == NOW + timedelta(seconds=30)


def test_links_are_followed_and_what_is_gone_is_told(house: Installation) -> None:
    enrol(house, 1)
    issue = composed(house, approve=False)
    with serving() as site:
        for path, status in (("/there", 200), ("/gone", 404), ("/busy", 503)):
            site.offer(path, b"x", status=status)
        inside = Policy(
            allow_private=frozenset({"127.0.0.1"}), allowed_ports=frozenset({site.port}), host_pause=0.0
        )
        for path, code in (("/there", []), ("/gone", ["dead-link"]), ("/busy", ["link-unchecked"])):
            entry_of(house, issue, url=f"http://127.0.0.1:{site.port}{path}")
            report = look_at(replace(house, fetching=inside), issue, now=NOW, network=True)
            assert [
                each.code for each in report.findings if each.code in ("dead-link", "link-unchecked")
            ] == code
        assert site.asked == ["/there", "/gone", "/busy"]


def test_a_link_that_leads_inside_is_never_followed(house: Installation) -> None:
    enrol(house, 1)
    issue = composed(house, approve=False)
    entry_of(house, issue, url="https://127.0.0.1/admin")
    report = look_at(house, issue, now=NOW, network=True)
    assert [each.code for each in report.findings if "127.0.0.1" in str(each.values)] == [
        "private-link", "link-unchecked",
    ]  # fmt: skip
