"""The documents say what is: every setting, every command, every link."""

import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from mailer.cli import app
from mailer.settings import Settings

ROOT = Path(__file__).parents[1]
SETTINGS = [f"INFOMAIL_{name.upper()}" for name in Settings.model_fields]
#: every file of the tree that a person may read or a machine may follow
TEXTS = (
    "*.md",
    "*.toml",
    "*.yml",
    "*.txt",
    "*.in",
    "*.service",
    "*.timer",
    ".env.example",
    "Makefile",
    "scripts/*",
)
#: where a developer's machine, not a reader's, keeps things; and where packages come from
FOREIGN = re.compile(
    r"/(?:home|Users|root|work)/\w|pypi\.org|pythonhosted|(?<!no-emit-)index-url", re.IGNORECASE
)


def _listed(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [ROOT / line for line in listed.stdout.splitlines()]


def _documents() -> list[Path]:
    return _listed("*.md")


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _commands(group: Any, before: str = "") -> Iterator[tuple[str, str, Any]]:
    """Noun ("" for a command by itself), verb, and the command."""
    for name in group.list_commands(None):
        command = group.get_command(None, name)
        if hasattr(command, "list_commands"):
            yield from _commands(command, name)
        else:
            yield before, name, command


COMMANDS = {f"{noun} {verb}".strip(): command for noun, verb, command in _commands(get_command(app))}


def _sections() -> dict[str, str]:
    """What docs/commands.md says of each command."""
    text = (ROOT / "docs/commands.md").read_text(encoding="utf-8")
    pieces = re.split(r"^#{2,3} ", text, flags=re.MULTILINE)
    found = {}
    for piece in pieces:
        if heading := re.match(r"`infomail ([a-z -]+?)(?: [\[A-Z-].*)?`\n", piece):
            found[heading[1].strip()] = piece
    return found


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
    for noun, verb, _ in _commands(get_command(app)):
        assert any(noun in line and re.search(rf"\b{verb}\b", line) for line in table.splitlines()), (
            noun,
            verb,
        )


def test_the_page_of_commands_has_each_command_and_no_other() -> None:
    assert sorted(_sections()) == sorted(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_explained_and_no_other(name: str) -> None:
    explained = re.findall(r"^\| `(--[a-z-]+)", _sections()[name], re.MULTILINE)
    options = [
        max(each.opts, key=len)
        for each in COMMANDS[name].params
        if each.param_type_name == "option" and not each.hidden and "--help" not in each.opts
    ]
    assert sorted(explained) == sorted(options)


def test_the_units_start_commands_that_exist() -> None:
    units = _listed("deploy/*.service")
    assert units
    for unit in units:
        for line in re.findall(
            r"^ExecStart=.*/infomail (.+)$", unit.read_text(encoding="utf-8"), re.MULTILINE
        ):
            verb, *options = line.split()
            known = [opt for each in COMMANDS[verb].params for opt in each.opts]
            assert set(options) <= set(known), f"{_name(unit)}: {line}"


def test_every_event_of_the_log_is_explained() -> None:
    page = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    events = {
        event
        for path in _listed("mailer/*.py", "subscribers/*.py")
        for event in re.findall(r'\blog\.\w+\(\s*"([a-z_.]+)"', path.read_text(encoding="utf-8"))
    }
    assert events
    assert [event for event in sorted(events) if f"`{event}`" not in page] == []


def test_every_decision_says_what_and_why_and_what_else() -> None:
    records = _listed("docs/decisions/*.md")
    numbers = [int(path.name[:4]) for path in records]
    assert numbers == list(range(1, len(records) + 1))
    for path in records:
        text = path.read_text(encoding="utf-8")
        assert text.startswith(f"# {int(path.name[:4])}. "), path.name
        assert [part for part in ("**What.**", "**Why.**", "**Else.**") if part not in text] == [], path.name


def test_the_picture_of_the_house_names_each_part_of_it() -> None:
    picture = (ROOT / "docs/architecture.md").read_text(encoding="utf-8").partition("## The house")[2]
    picture = picture.partition("\n## ")[0]
    parts = {
        path.relative_to(ROOT).parts[1].removesuffix(".py")
        for path in _listed("mailer/*.py", "mailer/*/*.py")
    }
    parts |= {path.stem for path in _listed("subscribers/*.py")}
    unnamed = [part for part in parts - {"__init__", "__main__"} if not re.search(rf"\b{part}\b", picture)]
    assert sorted(unnamed) == []


def test_the_documents_name_the_layers_that_are_checked() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    assert [each["name"] for each in contracts if each["name"] not in page] == []


@pytest.mark.parametrize("document", _listed(*TEXTS), ids=_name)
def test_no_document_names_a_machine_or_a_registry(document: Path) -> None:
    assert FOREIGN.findall(document.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("document", _documents(), ids=_name)
def test_every_link_to_a_file_leads_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", document.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (document.parent / target).exists(), target
