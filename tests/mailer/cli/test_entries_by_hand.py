"""`infomail entries`: staff arrange a draft without the browser."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mailer.database import Database
from mailer.feeds.model import Item
from tests.mailer.cli.conftest import Infomail

pytestmark = pytest.mark.usefixtures("items", "imprint")


@pytest.fixture
def issue(infomail: Infomail) -> str:
    return infomail("issues", "compose", "infomail").out.strip()


def listed(infomail: Infomail, issue: str) -> list[dict[str, Any]]:
    return json.loads(infomail("entries", "list", issue, "--json").out)  # type: ignore[no-any-return]


def states(infomail: Infomail, issue: str) -> dict[str, str]:
    return {entry["title"]: entry["state"] for entry in listed(infomail, issue)}


def test_what_comes_later_is_suggested_and_taken_by_hand(
    infomail: Infomail, issue: str, folder: Path
) -> None:
    bring(folder, "Später")
    updated = infomail("issues", "compose", "infomail", "--update")
    assert updated.out.strip() == issue
    assert updated.err.startswith("draft, 3 entries\n1 suggestion since ")
    assert states(infomail, issue)["Später"] == "suggested"
    late = next(entry["id"] for entry in listed(infomail, issue) if entry["title"] == "Später")
    assert infomail("entries", "take", str(late)).code == 0
    assert states(infomail, issue)["Später"] == "placed"


def test_entries_are_edited_moved_and_put_aside(infomail: Infomail, issue: str) -> None:
    first, second, third = (str(entry["id"]) for entry in listed(infomail, issue))
    assert infomail("entries", "edit", first, "--title", "Neu", "--deadline", "2126-12-24").code == 0
    assert infomail("entries", "move", third, "--to", "1").code == 0
    assert infomail("entries", "hold", second).code == 0
    shown = listed(infomail, issue)
    assert [str(entry["id"]) for entry in shown if entry["state"] == "placed"] == [third, first]
    edited = next(entry for entry in shown if str(entry["id"]) == first)
    assert (edited["title"], edited["deadline"], edited["notes"]) == ("Neu", "2126-12-24", "edited")


def test_a_text_by_hand_and_an_item_of_a_feed_are_added(infomail: Infomail, issue: str, folder: Path) -> None:
    added = infomail(
        "entries", "add", issue, "--section", "Intern", "--title", "Hinweis", "--text", "<p>Bitte</p>",
        "--internal", "--role", "contact", "--starts", "2126-12-05",
    )  # fmt: skip
    assert added.code == 0
    item = bring(folder, "Aus dem Vorrat")
    assert infomail("entries", "add", issue, "--section", "Intern", "--item", str(item)).code == 0
    placed = [entry["title"] for entry in listed(infomail, issue) if entry["section"] == "Intern"]
    assert placed == ["Hinweis", "Aus dem Vorrat"]
    assert json.loads(infomail("feeds", "items", "--json").out)[0]["title"] == "Aus dem Vorrat"


@pytest.mark.parametrize(
    ("command", "line"),
    [
        (["take", "99"], "there is no entry 99: see `infomail entries list ISSUE`"),
        (["list", "99"], "there is no issue 99: see `infomail issues list`"),
        (["add", "1", "--section", "S", "--item", "99"], "there is no item 99: see `infomail feeds items`"),
        (["add", "1", "--section", "S"], "an entry needs a title"),
        (["edit", "1", "--url", "javascript:x"], "a link begins with http:// or https://"),
        (
            ["edit", "1", "--starts", "bald"],
            "--starts: expected ISO 8601 such as 2026-12-01T10:00, got 'bald'",
        ),
        (["move", "1", "--to", "9"], "entry 1: the section has places 1 to 3"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    infomail: Infomail, issue: str, command: list[str], line: str
) -> None:
    assert issue == "1"
    ran = infomail("entries", *command)
    assert (ran.code, ran.out, ran.err) == (1, "", f"infomail: {line}\n")


def test_an_issue_is_begun_blank_or_as_a_copy(infomail: Infomail, issue: str) -> None:
    blank = infomail("issues", "compose", "infomail", "--blank", "--template", "issue")
    assert (blank.out, blank.err) == ("2\n", "draft, 0 entries\n")
    copied = infomail("issues", "compose", "infomail", "--copy", issue)
    assert (copied.out, copied.err) == ("3\n", "draft, 3 entries\n")
    assert infomail("issues", "edit", "3", "--subject", "Einladung").code == 0
    assert json.loads(infomail("issues", "show", "3", "--json").out)["subject"] == "Einladung"


def test_a_source_that_had_nothing_new_since_the_last_issue_is_named(infomail: Infomail, issue: str) -> None:
    later = infomail("issues", "compose", "infomail", "--slot", "2126-12-03T09:00")
    assert issue == "1"
    assert later.err.splitlines()[1].startswith("nothing new since ")
    assert later.err.splitlines()[1].endswith(": engagiert-in-nrw-netzwerk")


def test_a_draft_is_handed_in_and_taken_back(infomail: Infomail, issue: str) -> None:
    assert infomail("issues", "submit", issue).out == "issue 1 is review\n"
    assert infomail("issues", "revise", issue).out == "issue 1 is draft\n"


def bring(folder: Path, title: str) -> int:
    """Another item of the newsletter's feed."""
    database = Database(f"sqlite:///{folder}/infomail.sqlite")
    now = datetime.now(UTC)
    with database.write() as session:
        item = Item(
            feed_key="engagiert-in-nrw-netzwerk", identity=f"urn:{title}", title=title, digest=title,
            url=f"https://www.example.org/{title}", published=now, first_seen_at=now, fetched_at=now,
        )  # fmt: skip
        session.add(item)
        session.flush()
        number = item.id
    database.close()
    return number
