"""What was sent comes out again from what is stored, whatever becomes of everything around it."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from mailer import clock
from mailer.cli import Refused
from mailer.cli.origins import provenance_, verify_
from mailer.clock import starting
from mailer.feeds.model import Feed, Item
from mailer.installation import Installation, open_installation
from mailer.issues.compose import compose
from mailer.issues.model import Edit, Entry, Issue, entries_of
from mailer.issues.release import act_on
from mailer.issues.workflow import Act
from mailer.render.model import Edition, Stationery
from mailer.render.verify import verify
from mailer.settings import Settings
from mailer.web.app import create_app
from subscribers.model import Basis, MailingList, Municipality, Subscriber, Subscription, SubscriptionState
from tests.flow.conftest import NOW, bring_items, enrol

ENGINES = ["house", "house_on_postgresql"]
TOWN = "05999002"


def sent(house: Installation) -> int:
    """An issue of two items, an event and an internal entry, to the network and to a town's list."""
    _, second = enrol(house, 2)
    bring_items(house, 2)
    with house.database.write() as session:
        session.add(Municipality(ags=TOWN, name="Musterstadt", kind="Stadt"))
        session.flush()
        session.add(
            MailingList(
                key="verein", title="Vereinsbrief", municipality=TOWN, follows="infomail",
                sender_name="Stadt Musterstadt", imprint="Rathausplatz 1", created_at=NOW,
            )
        )  # fmt: skip
        session.flush()
        person = session.scalars(select(Subscriber.id).where(Subscriber.address == second)).one()
        session.query(Subscription).filter_by(subscriber_id=person).delete()
        session.add(
            Subscription(
                list_key="verein", subscriber_id=person, state=SubscriptionState.ACTIVE,
                basis=Basis.CONSENT, since=NOW,
            )
        )  # fmt: skip
        newsletter = house.plan.newsletters["infomail"]
        issue = compose(session, newsletter, slot=NOW, send_at=NOW, special=True, actor="cli:t", now=NOW)
        starts = datetime(2026, 12, 1, 9, tzinfo=UTC)
        for position, (title, internal) in enumerate((("Treffen", False), ("Intern", True)), start=5):
            session.add(
                Entry(
                    issue_id=issue.id, section="Termine", section_position=1, position=position, title=title,
                    summary="<p>Mit <em>Kaffee</em></p>", internal=internal, municipality=TOWN,
                    starts=starts, ends=starts + timedelta(hours=1), places=[],
                )
            )  # fmt: skip
        session.flush()
        act_on(session, issue, Act.APPROVE, actor="user:1", now=NOW)
        number = issue.id
    clock.start(house, number, actor="user:1", now=NOW)
    return number


def differences(house: Installation, issue: int) -> list[str]:
    with house.database.read() as session:
        return [each.difference for each in verify(session, session.get_one(Issue, issue))]


@pytest.mark.parametrize("engine", ENGINES)
def test_nothing_that_is_changed_around_it_changes_what_comes_out_again(
    engine: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    house: Installation = request.getfixturevalue(engine)
    issue = sent(house)
    assert differences(house, issue) == ["", ""]
    own = tmp_path / "templates/mail/issue"
    own.mkdir(parents=True)
    (own / "body.mjml").write_text("<mjml><mj-body></mj-body></mjml>")
    (own / "entry.mjml").write_text("<mjml><mj-body></mj-body></mjml>")
    (own / "body.txt").write_text("anders")
    plan = (tmp_path / "schedule.toml").read_text(encoding="utf-8")
    (tmp_path / "schedule.toml").write_text(plan.replace('title = "Infomail"', 'title = "Anders"'))
    monkeypatch.setenv("INFOMAIL_SENDER_NAME", "Anders")
    monkeypatch.setenv("INFOMAIL_PUBLIC_URL", "https://anders.example.org")
    with house.database.write() as session:
        for mailing_list in session.scalars(select(MailingList)):
            mailing_list.title = mailing_list.imprint = mailing_list.reply_to = "Anders"
        session.get_one(Municipality, TOWN).name = "Anders"
        session.get_one(Feed, "neues").title = "Anders"
        for item in session.scalars(select(Item)):
            item.title = item.summary = "Anders"
    with open_installation(Settings()) as later:
        assert differences(later, issue) == ["", ""]
        with later.database.read() as session:
            stored = session.scalars(select(Edition.html)).all()
        assert "Anders" not in "".join(stored)


def test_what_is_changed_in_the_rows_themselves_is_told(
    house: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    issue = sent(house)
    verify_(issue, as_json=False)
    assert capsys.readouterr().out == "2 editions come out byte for byte\n"
    with house.database.write() as session:
        first, second = session.scalars(select(Edition).order_by(Edition.id)).all()
        entry = session.scalars(select(Entry).where(Entry.title == "Intern")).one()
        entry.title = "Amtlich"
        networks = first if first.setting["of_list"]["key"] == "netzwerk" else second
        number = networks.id
    with pytest.raises(Refused) as refused:
        verify_(issue, as_json=True)
    # the archive never had it
    assert str(refused.value) == f"edition {number}: message came out otherwise"
    told = {row["edition"]: row["difference"] for row in json.loads(capsys.readouterr().out)}
    assert sorted(told.values()) == ["", "message came out otherwise"]
    with house.database.write() as session:
        session.delete(session.get_one(Entry, entry.id))
    assert sorted(differences(house, issue)) == ["", "an entry of it is gone"]


def test_other_versions_and_editions_older_than_the_record_are_named(
    house: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    issue = sent(house)
    with house.database.write() as session:
        stationery = session.scalars(select(Stationery)).one()
        stationery.versions = stationery.versions | {"premailer": "0.1"}
        old = session.scalars(select(Edition)).first()
        assert old is not None
        old.stationery_id, old.setting = None, {}
        number = old.id
    with pytest.raises(Refused, match=f"^edition {number}: it is older than the record") as refused:
        verify_(issue, as_json=False)
    assert "\n" not in str(refused.value)
    assert "was rendered with premailer 0.1 (now 3" in capsys.readouterr().err


def test_another_process_makes_the_same_bytes(
    house: Installation, environment: dict[str, str], tmp_path: Path
) -> None:
    issue = sent(house)
    for seed in ("1", "2"):  # what Python's sets and dictionaries of texts are ordered by
        ran = subprocess.run(
            [sys.executable, "-m", "mailer", "issues", "verify", str(issue)],
            env=os.environ | environment | {"PYTHONHASHSEED": seed},
            capture_output=True, text=True, cwd=tmp_path,
        )  # fmt: skip
        assert (ran.returncode, ran.stdout, ran.stderr) == (0, "2 editions come out byte for byte\n", "")


def test_editions_share_their_stationery(house: Installation) -> None:
    sent(house)
    with house.database.read() as session:
        assert len(session.scalars(select(Edition.stationery_id)).all()) == 2
        assert len(session.scalars(select(Stationery.id)).all()) == 1


def test_an_issue_nobody_was_sent_yet_has_nothing_to_compare(house: Installation) -> None:
    with house.database.write() as session:
        newsletter = house.plan.newsletters["infomail"]
        issue = compose(session, newsletter, slot=NOW, send_at=NOW, special=True, actor="cli:t", now=NOW).id
    with pytest.raises(Refused, match="no editions yet"):
        verify_(issue, as_json=False)
    with pytest.raises(Refused, match="no issue 99"):
        provenance_(99, as_json=False)


def test_each_entry_says_where_it_comes_from(house: Installation, capsys: pytest.CaptureFixture[str]) -> None:
    issue = sent(house)
    with house.database.write() as session:
        entry = entries_of(session, session.get_one(Issue, issue))[0]
        session.add(Edit(issue_id=issue, entry_id=entry.id, at=NOW, actor="user:2", act="edit"))
    provenance_(issue, as_json=True)
    item, _, _, written = json.loads(capsys.readouterr().out)
    assert item == {
        "section": "Neues", "title": item["title"], "feed": "neues",
        "identity": item["title"].replace("Meldung ", "urn:"), "fetched_at": "2026-11-23T08:00:00+00:00",
        "digest": item["title"].replace("Meldung ", ""), "by_hand": False,
        "changes": [{"act": "edit", "actor": "user:2", "at": "2026-11-23T08:00:00+00:00"}],
    }  # fmt: skip
    assert (written["by_hand"], written["feed"], written["changes"]) == (True, "", [])
    provenance_(issue, as_json=False)
    first, *_, last = capsys.readouterr().out.splitlines()
    assert first.endswith("\tedit user:2 2026-11-23 08:00")
    assert "\twritten by hand\t" in last


def test_events_are_taken_over_from_the_archive_and_internal_ones_are_not(house: Installation) -> None:
    sent(house)
    pages = TestClient(create_app(house.settings, house.database), base_url="https://infomail.example.org")
    with house.database.read() as session:
        tokens = [edition.setting["archive"] for edition in session.scalars(select(Edition))]
    for token in tokens:
        answer = pages.get(f"/ausgabe/{token}/termine.ics")
        assert answer.headers["content-type"] == "text/calendar; charset=utf-8; method=PUBLISH"
        assert answer.headers["content-disposition"] == 'attachment; filename="termine.ics"'
        assert answer.text.count("BEGIN:VEVENT") == 1
        assert "SUMMARY:Treffen" in answer.text
        assert "DTSTART:20261201T090000Z" in answer.text
        assert pages.get(f"/ausgabe/{token}/termin/3.ics").text == answer.text
        assert pages.head(f"/ausgabe/{token}/termin/3.ics").status_code == 200
        # an entry without a time, an internal one, one there is none of
        for path in ("termin/1.ics", "termin/4.ics", "termin/9.ics", "termin/x.ics"):
            assert pages.get(f"/ausgabe/{token}/{path}").status_code == 404, path
        assert "Intern" not in pages.get(f"/ausgabe/{token}").text
    assert len({pages.get(f"/ausgabe/{token}/termine.ics").text for token in tokens}) == 1
    forged = tokens[0][:-1] + ("a" if tokens[0][-1] != "a" else "b")
    assert pages.get(f"/ausgabe/{forged}/termine.ics").status_code == 404


def test_a_page_older_than_the_record_has_no_calendar(house: Installation) -> None:
    sent(house)
    with house.database.write() as session:
        edition = session.scalars(select(Edition)).first()
        assert edition is not None
        token, edition.setting = edition.setting["archive"], {}
    pages = TestClient(create_app(house.settings, house.database), base_url="https://infomail.example.org")
    assert pages.get(f"/ausgabe/{token}").status_code == 200
    assert pages.get(f"/ausgabe/{token}/termine.ics").status_code == 404


def test_a_template_changed_between_rendering_and_freezing_is_rendered_anew(
    house: Installation, tmp_path: Path
) -> None:
    enrol(house, 1)
    with house.database.write() as session:
        newsletter = house.plan.newsletters["infomail"]
        issue = compose(session, newsletter, slot=NOW, send_at=NOW, special=True, actor="cli:t", now=NOW)
        session.add(Entry(issue_id=issue.id, section="Neues", section_position=0, position=0, title="Titel"))
        session.flush()
        act_on(session, issue, Act.APPROVE, actor="user:1", now=NOW)
        number = issue.id
    starting._render(house, number, NOW)
    own = tmp_path / "templates/mail/issue"
    own.mkdir(parents=True)
    (own / "subject.txt").write_text("Neuer Betreff")
    with open_installation(Settings()) as later:
        clock.start(later, number, actor="user:1", now=NOW)
        with later.database.read() as session:
            subjects = session.scalars(select(Edition.subject).order_by(Edition.id)).all()
        assert subjects[1:] == ["Neuer Betreff"]
        # the first one left for nobody
        assert differences(later, number) == [""]
