"""The documents say what is: every setting, every command, every link."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.main import get_command

from mailer.cli import app
from mailer.settings import Settings

ROOT = Path(__file__).parents[1]
SETTINGS = [f"INFOMAIL_{name.upper()}" for name in Settings.model_fields]


def _documents() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / line for line in listed.stdout.splitlines()]


def _commands(group: object, before: str = "") -> Iterator[tuple[str, str]]:
    for name in group.list_commands(None):  # type: ignore[attr-defined]
        command = group.get_command(None, name)  # type: ignore[attr-defined]
        if hasattr(command, "list_commands"):
            yield from _commands(command, name)
        else:
            yield before, name


@pytest.mark.parametrize("document", ["docs/settings.md", ".env.example"])
def test_every_setting_is_documented_once(document: str) -> None:
    named = re.findall(r"^(?:\| `|#?)(INFOMAIL_\w+)", (ROOT / document).read_text(encoding="utf-8"), re.M)
    assert sorted(named) == sorted(SETTINGS)


def test_the_documented_defaults_are_the_real_ones() -> None:
    text = (ROOT / "docs/settings.md").read_text(encoding="utf-8")
    for name, field in Settings.model_fields.items():
        default = field.default
        value = default.get_secret_value() if hasattr(default, "get_secret_value") else default
        assert f"| `INFOMAIL_{name.upper()}` | {f'`{value}`' if value else 'empty'} |" in text


def test_every_command_stands_in_the_readme() -> None:
    table = (ROOT / "README.md").read_text(encoding="utf-8").partition("## The commands")[2]
    for noun, verb in _commands(get_command(app)):
        assert any(noun in line and re.search(rf"\b{verb}\b", line) for line in table.splitlines()), (
            noun,
            verb,
        )


@pytest.mark.parametrize("document", _documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_to_a_file_leads_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", document.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (document.parent / target).exists(), target
