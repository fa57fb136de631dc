"""The gate before the send: what blocks is neither released nor sent, by whatever way; what needs the network is asked gently."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
import structlog
from sqlalchemy import func, select, update

from mailer import clock
from mailer.feeds.fetch import Policy
from mailer.feeds.model import Item
from mailer.gate import look_at
from mailer.installation import Installation
from mailer.issues.model import Entry, Issue, IssueState
from mailer.issues.release import act_on
from mailer.issues.workflow import Act
from mailer.outbox.model import Delivery, DeliveryState
from mailer.outbox.pace import MINUTE, Limit, Quota
from mailer.render.model import Edition
from mailer.render.preflight import Severity
from subscribers.model import Subscriber
from tests.flow.conftest import NOW, bring_items, enrol
from tests.flow.site import Site, serving
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


def test_a_newsletter_without_a_hand_does_not_send_what_blocks_and_says_so(
    house: Installation,
) -> None:
    enrol(house, 2)
    bring_items(house, 1)
    with house.database.write() as session:
        session.execute(update(Item).values(title="XXX"))
    (issue,) = clock.compose_due(house, now=NOW, newsletters=[house.plan.newsletters["termine"]])
    with structlog.testing.capture_logs() as logged:
        assert clock.start_due(house, now=NOW) == []
    assert [(line["event"], line["issue"]) for line in logged] == [("issue.not_started", issue)]
    assert "XXX" in logged[0]["reason"]
    with house.database.read() as session:
        assert session.get_one(Issue, issue).state is IssueState.APPROVED
        assert session.scalar(select(func.count()).select_from(Delivery)) == 0
        assert session.scalar(select(func.count()).select_from(Edition)) == 0


def test_one_edition_that_blocks_keeps_all_from_going_out(house: Installation) -> None:
    one, *_ = enrol(house, 2)
    with house.database.write() as session:
        session.execute(update(Subscriber).where(Subscriber.address == one).values(language="en"))
    own = house.letterhead.templates[0] / "mail/issue/body.txt"
    broken = house.settings.schedule.parent / "own/mail/issue"
    broken.mkdir(parents=True)
    source = own.read_text(encoding="utf-8")
    (broken / "body.txt").write_text(
        source + '{% if language == "en" %}[Your name]{% endif %}', encoding="utf-8"
    )
    roots = (broken.parents[1], *house.letterhead.templates)
    wrong = replace(house, letterhead=replace(house.letterhead, templates=roots))
    issue = composed(wrong)
    (found,) = look_at(wrong, issue, now=NOW, network=False).of(Severity.BLOCKS)
    assert found.said("en") == "A placeholder was left: “[Your name]” (at “[Your name]”)"
    with pytest.raises(clock.NotReady, match="Your name"):
        clock.start(wrong, issue, actor="user:1", now=NOW)
    with wrong.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Delivery)) == 0


def test_a_template_that_fetches_something_blocks(house: Installation) -> None:
    enrol(house, 1)
    broken = house.settings.schedule.parent / "own/mail/issue"
    broken.mkdir(parents=True)
    source = (house.letterhead.templates[0] / "mail/issue/body.mjml").read_text(encoding="utf-8")
    fetching = source.replace("<h1>", '<img src="https://www.example.org/pixel.gif" alt="" /><h1>')
    (broken / "body.mjml").write_text(fetching, encoding="utf-8")
    roots = (broken.parents[1], *house.letterhead.templates)
    wrong = replace(house, letterhead=replace(house.letterhead, templates=roots))
    issue = composed(wrong)
    (found,) = look_at(wrong, issue, now=NOW, network=False).of(Severity.BLOCKS)
    assert (found.code, "pixel.gif" in found.values["found"]) == ("remote", True)
    with pytest.raises(clock.NotReady, match="pixel"):
        clock.start(wrong, issue, actor="user:1", now=NOW)


def test_links_of_our_own_pages_and_other_senders_unsubscribing_are_never_followed(
    house: Installation, site: Site
) -> None:
    enrol(house, 1)
    issue = composed(house, approve=False)
    at = f"http://127.0.0.1:{site.port}"
    inside = Policy(
        allow_private=frozenset({"127.0.0.1"}), allowed_ports=frozenset({site.port}), host_pause=0.0
    )
    entry_of(house, issue, url=f"{at}/newsletter/unsubscribe?id=7")
    report = look_at(replace(house, fetching=inside), issue, now=NOW, network=True)
    (found,) = [each for each in report.findings if each.code == "link-unchecked"]
    assert found.values["problem"] == "it may be somebody's own"
    # the pages are ours by their host, whatever a link says of scheme and letters
    entry_of(house, issue, url=f"{at}/abc")
    links = replace(house.letterhead.links, base=f"https://127.0.0.1:{site.port}")
    ours = replace(house, fetching=inside, letterhead=replace(house.letterhead, links=links))
    report = look_at(ours, issue, now=NOW, network=True)
    assert [each for each in report.findings if each.code in ("link-unchecked", "dead-link")] == []
    assert site.asked == []


def test_what_is_over_is_reckoned_in_the_zone_of_the_issue_and_at_its_time(house: Installation) -> None:
    enrol(house, 1)
    issue = composed(house, approve=False)

    def over(**changes: object) -> list[str]:
        entry_of(house, issue, **changes)
        found = look_at(house, issue, now=NOW, network=False).findings
        return [each.code for each in found if each.code.endswith("-over")]

    # NOW is 09:00 in Berlin; a day that begins there at midnight lasts until the next one
    midnight = datetime(2026, 11, 22, 23, tzinfo=UTC)
    assert over(starts=midnight, all_day=True) == []
    assert over(starts=midnight - timedelta(days=1), all_day=True) == ["event-over"]
    assert over(starts=NOW - timedelta(hours=2), ends=NOW + timedelta(hours=1), all_day=False) == []
    assert over(starts=NOW - timedelta(hours=2), ends=None, all_day=False) == ["event-over"]
    assert over(starts=None, deadline=date(2026, 11, 23)) == []
    # 23:30 in UTC is the next day in Berlin already
    with house.database.write() as session:
        session.get_one(Issue, issue).send_at = datetime(2026, 11, 23, 23, 30, tzinfo=UTC)
    assert over(deadline=date(2026, 11, 23)) == ["deadline-over"]


def test_the_end_is_told_by_the_quotas_of_the_relays(house: Installation) -> None:
    enrol(house, 25)
    issue = composed(house, approve=False)
    ten_a_minute = (Quota((Limit(10, MINUTE),)),)
    report = look_at(house, issue, now=NOW, network=False, quotas=ten_a_minute)
    assert report.ends_at == NOW + timedelta(minutes=2)
