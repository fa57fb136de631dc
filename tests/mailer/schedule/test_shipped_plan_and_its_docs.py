"""The plan that ships, and the page that explains it."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mailer.schedule import CUSTOMS, KEYS, coming, read_plan
from mailer.shipped import shipped

DOCS = Path(__file__).parents[3] / "docs" / "schedule.md"

# Which heading of the page explains which table.
HEADINGS = {
    "plan": "## The whole plan",
    "no_send_days": "### `no_send_days`",
    "newsletter": "## A newsletter",
    "too_few": "### Little to tell: `too_few`",
    "section": "## A section",
    "only_if": "### `only_if`",
    "match": "### `match`",
    "feed": "## A feed",
}


def test_the_shipped_plan_is_sound_and_has_the_promised_newsletters() -> None:
    plan = read_plan(shipped("schedule.toml").read_text(encoding="utf-8"))
    infomail, termine = plan.newsletters["infomail"], plan.newsletters["termine"]
    assert (infomail.list, infomail.release) == ("netzwerk", "required")
    assert (termine.list, termine.release) == ("netzwerk", "none")
    assert [section.title for section in infomail.sections] == [
        "Aus dem Netzwerk",
        "Praxisbeispiele",
        "Gesuche & Angebote",
        "Förderung & Wettbewerbe",
        "Qualifizierung",
        "Termine",
    ]
    used = {feed for each in plan.newsletters.values() for section in each.sections for feed in section.feeds}
    assert used == set(plan.feeds)


def test_the_shipped_plan_comes_round_as_its_comments_say() -> None:
    plan = read_plan(shipped("schedule.toml").read_text(encoding="utf-8"))
    # December 2026: Monday the 7th and 14th, first Tuesday the 1st; CET is UTC+1.
    found = coming(plan, now=datetime(2026, 12, 1, tzinfo=UTC), count=3)
    assert [(planned.newsletter, f"{planned.slot:%d %H:%M}") for planned in found] == [
        ("infomail", "01 08:00"),
        ("termine", "07 06:30"),
        ("termine", "14 06:30"),
    ]


@pytest.mark.parametrize("table", KEYS)
def test_every_key_is_explained_and_no_other(table: str) -> None:
    page = DOCS.read_text(encoding="utf-8")
    _, heading, rest = page.partition(f"\n{HEADINGS[table]}\n")
    assert heading, f"no heading {HEADINGS[table]}"
    rows = re.split(r"\n##", rest)[0]
    assert re.findall(r"^\| `(\w+)` \|", rows, re.MULTILINE) == list(KEYS[table])


def test_every_custom_is_listed() -> None:
    page = DOCS.read_text(encoding="utf-8")
    assert [custom for custom in CUSTOMS if f'`"{custom}"`' not in page] == []
