"""`infomail issues`: what an editor is told on the way of an issue."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mailer.database import Database
from mailer.issues.model import Edit, Issue, IssueState
from tests.mailer.cli.conftest import Infomail

NOW = datetime.now(UTC)

pytestmark = pytest.mark.usefixtures("imprint")


@pytest.mark.usefixtures("items")
@pytest.mark.parametrize(
    ("slot", "told"),
    [
        (None, "the clock does not send it: run `infomail issues send 1`"),
        ("2126-12-03T09:00", "goes out at 2126-12-03T09:00+01:00, by the clock"),
        (f"{NOW - timedelta(minutes=1):%Y-%m-%dT%H:%MZ}", "goes out now, by the clock"),
        ("2020-12-01T09:00", "its time, 2020-12-01T09:00+01:00, is over: run `infomail issues send 1`"),
    ],
)
def test_approving_says_what_comes_next(infomail: Infomail, slot: str | None, told: str) -> None:
    composed = infomail("issues", "compose", "infomail", *(["--slot", slot] if slot else []))
    assert (composed.code, composed.out, composed.err) == (0, "1\n", "draft, 3 entries\n")
    ran = infomail("issues", "approve", "1")
    assert (ran.code, ran.out, ran.err) == (0, "issue 1 is approved\n", f"{told}\n")


def test_an_issue_without_entries_is_refused(infomail: Infomail) -> None:
    composed = infomail("issues", "compose", "infomail")
    assert (composed.out, composed.err) == ("1\n", "draft, 0 entries\n")
    ran = infomail("issues", "approve", "1")
    line = "infomail: issue 1: cannot approve an issue without entries\n"
    assert (ran.code, ran.out, ran.err) == (1, "", line)


@pytest.mark.usefixtures("items")
def test_times_in_json_are_iso_8601_with_their_offset(infomail: Infomail) -> None:
    infomail("issues", "compose", "infomail", "--slot", "2126-12-03T09:00")
    (listed,) = json.loads(infomail("issues", "list", "--json").out)
    assert (listed["slot"], listed["send_at"]) == ("2126-12-03T08:00:00+00:00",) * 2
    shown = json.loads(infomail("issues", "show", "1", "--json").out)
    fetched = shown["entries"][0]["fetched_at"]
    assert "T" in fetched
    assert datetime.fromisoformat(fetched).tzinfo is not None


@pytest.mark.usefixtures("items")
def test_a_time_is_said_in_the_zone_of_the_plan_and_must_lie_ahead(infomail: Infomail) -> None:
    infomail("issues", "compose", "infomail")
    infomail("issues", "approve", "1")
    ran = infomail("issues", "reschedule", "1", "--at", "2126-12-03T09:00")
    assert (ran.code, ran.out) == (0, "issue 1 is approved, its time 2126-12-03T09:00+01:00\n")
    (listed,) = json.loads(infomail("issues", "list", "--json").out)
    assert listed["send_at"] == "2126-12-03T08:00:00+00:00"
    past = infomail("issues", "reschedule", "1", "--at", "2020-01-01T09:00")
    assert past.err == "infomail: issue 1: cannot reschedule an issue to a time that is over\n"
    wrong = infomail("issues", "reschedule", "1", "--at", "tomorrow")
    assert wrong.err == "infomail: --at: expected ISO 8601 such as 2026-12-01T09:00, got 'tomorrow'\n"
    infomail("issues", "cancel", "1")
    over = infomail("issues", "reschedule", "1", "--at", "2126-12-03T09:00")
    assert over.err == "infomail: issue 1: cannot reschedule an issue that is cancelled\n"


@pytest.mark.usefixtures("items")
def test_who_edited_releases_alone_only_where_the_plan_allows_it(infomail: Infomail, folder: Path) -> None:
    infomail("issues", "compose", "infomail")
    database = Database(f"sqlite:///{folder}/infomail.sqlite")
    with database.write() as session:
        session.add(Edit(issue_id=1, at=NOW, actor="cli:berta", act="change"))
    database.close()
    own = infomail("issues", "approve", "1", "--as", "berta")
    assert (
        own.err == "infomail: issue 1: cannot approve an issue that cli:berta edited: somebody else has to\n"
    )
    alone = ("issues", "approve", "1", "--as", "berta", "--emergency", "--reason", "Frist heute")
    assert infomail(*alone[:-2]).err == "infomail: --emergency and --reason belong together\n"
    assert "newsletter.infomail.emergency_release is not true" in infomail(*alone).err
    plan = folder / "schedule.toml"
    text = plan.read_text(encoding="utf-8")
    plan.write_text(text.replace("emergency_release = false", "emergency_release = true "), encoding="utf-8")
    ran = infomail(*alone)
    assert (ran.code, ran.out) == (0, "issue 1 is approved\n")
    audit = json.loads(infomail("audit", "list", "--json").out)
    released = next(each for each in audit if each["action"] == "issue.approve")
    assert released["actor"] == "cli:berta"
    assert "Frist heute" in json.dumps(released, ensure_ascii=False)


@pytest.mark.usefixtures("items")
def test_a_correction_is_refused_before_an_issue_is_out_and_drafted_as_a_mail_on_demand(
    infomail: Infomail, folder: Path
) -> None:
    infomail("issues", "compose", "infomail")
    early = infomail("issues", "correct", "1", "--text", "Falsch.")
    assert early.err == "infomail: issue 1: cannot correct an issue that is draft\n"
    database = Database(f"sqlite:///{folder}/infomail.sqlite")
    with database.write() as session:
        session.get_one(Issue, 1).state = IssueState.SENT
    ran = infomail("issues", "correct", "1", "--text", "Am <12.>", "--as", "berta")
    assert (ran.code, ran.out, ran.err) == (0, "", "the page of issue 1 shows the correction\n")
    mailed = infomail("issues", "correct", "1", "--text", "Am <12.>", "--mail")
    assert (mailed.code, mailed.out) == (0, "2\n")
    with database.read() as session:
        wrong, correction = session.get_one(Issue, 1), session.get_one(Issue, 2)
    database.close()
    assert wrong.correction == "Am <12.>"
    assert correction.editorial == "<p>Am &lt;12.&gt;</p>"
    assert (
        infomail("issues", "approve", "2").err == "the clock does not send it: run `infomail issues send 2`\n"
    )
