"""docs/templates.md names what each kind of mail is filled with: no name less, and no name more."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from mailer.notices.write import _ANSWERS
from mailer.render.parts import html_part
from mailer.render.samples import NOTICES, entry_samples_of, issue, samples_of
from mailer.render.template import Environment
from tests.mailer.render.issues import a_chooser, a_key, an_event, an_issue, pressed

PAGE = (Path(__file__).parents[3] / "docs/templates.md").read_text(encoding="utf-8")
EVERY = ("network", "language", "list_title")
EVERYWHERE = ("sender.", "brand.")


def names(value: Any, before: str = "") -> Iterator[str]:
    """ "issue.title", and "sections[].title" for each of some rows."""
    if isinstance(value, Mapping):
        for name, part in value.items():
            yield from names(part, f"{before}.{name}" if before else name)
    elif isinstance(value, list) and value:
        for row in value:
            yield from names(row, f"{before}[]")
    else:
        yield before


def in_samples(kind: str) -> set[str]:
    found = {name for sample in samples_of(kind) for name in names(sample)}
    # of what may be lacking altogether the parts are named, not the whole as well
    return {name for name in found if not any(other.startswith((f"{name}.", f"{name}[")) for other in found)}


def documented(heading: str) -> set[str]:
    section = PAGE.partition(f"\n### {heading}\n")[2].partition("\n### ")[0].partition("\n## ")[0]
    return set(re.findall(r"`([a-z_.\[\]]+)`", section))


@pytest.mark.parametrize("kind", [*NOTICES, "issue"])
def test_every_name_a_kind_is_filled_with_is_documented_and_no_other(kind: str) -> None:
    everywhere = documented("All kinds")
    assert everywhere == {
        name for name in in_samples("issue") if name in EVERY or name.startswith(EVERYWHERE)
    }
    own = {name for name in in_samples(kind) if name not in EVERY and not name.startswith(EVERYWHERE)}
    assert documented(f"`{kind}`") == own


def test_there_is_a_sample_of_each_notice() -> None:
    assert {kind.value for kind in _ANSWERS} == set(NOTICES)


def test_samples_have_what_rendering_an_issue_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    passed: dict[str, Mapping[str, Any]] = {}

    def kept(env: Environment, names: Sequence[str], context: Mapping[str, Any]) -> str:
        passed[names[-1]] = context
        return html_part(env, names, context)

    monkeypatch.setattr("mailer.render.press.html_part", kept)
    pressed(an_issue(), a_chooser(an_issue(), [an_event(1)]), a_key())
    body, sample = passed["issue/body.mjml"], issue(2)
    assert body.keys() == sample.keys()
    assert body["sender"].keys() == sample["sender"].keys()
    assert body["issue"].keys() == sample["issue"].keys()
    (section,), of_sample = body["sections"], sample["sections"][0]
    assert section.keys() == of_sample.keys()
    (made,), of_sample = section["entries"], of_sample["entries"][0]
    assert made.keys() == of_sample.keys() | {"block"}
    entry = passed["issue/entry.mjml"]
    assert entry.keys() == entry_samples_of("issue")[0].keys()
    assert entry["entry"].keys() == of_sample.keys()
