"""`infomail issues`: what an editor is told on the way of an issue."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.mailer.cli.conftest import Infomail

NOW = datetime.now(UTC)


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
