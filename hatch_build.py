"""Build hook: brings the files of KERN UX, the German administration's design system, into the package.

`pip install .`, `pip install -e .` and every wheel run it by themselves. By hand, where hatchling
and mkdocs-kern-ux are installed: `python hatch_build.py`.

The wheel of mkdocs-kern-ux is only where the files come from: a MkDocs theme that carries KERN
unmodified. Nothing of it is imported, and nothing of it is needed at run time.
"""

import shutil
import sys
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_DISTRIBUTION = "mkdocs-kern-ux"
_SOURCE = "mkdocs_kern_ux/kern-ux/vendor/kern"
_TARGET = "mailer/web/static/vendor/kern"

#: what the pages use, out of 5.8 MB: the style sheet, three weights of the font, and the licences
_FILES = (
    "VERSION",
    "LICENSE.txt",
    "kern.min.css",
    "fonts/fira-sans/OFL.txt",
    "fonts/fira-sans/FiraSans-Regular.woff2",
    "fonts/fira-sans/FiraSans-SemiBold.woff2",
    "fonts/fira-sans/FiraSans-Bold.woff2",
)


class CustomBuildHook(BuildHookInterface[Any]):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        copy_kern(Path(self.root))


def copy_kern(root: Path) -> list[Path]:
    """Copy KERN UX below the checkout `root` and return the copies. Raises FileNotFoundError."""
    carried = _carried()
    missing = [name for name in _FILES if name not in carried]
    if missing:
        raise FileNotFoundError(f"{_DISTRIBUTION} carries no {', '.join(missing)}")
    copies = []
    for name in _FILES:
        copy = root / _TARGET / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(carried[name], copy)
        copies.append(copy)
    return copies


def _carried() -> dict[str, Path]:
    """The files of KERN in the installed distribution, by their path below its folder."""
    try:
        listed = files(_DISTRIBUTION) or []
    except PackageNotFoundError:
        raise FileNotFoundError(f"{_DISTRIBUTION} is not installed: run `pip install -e .`") from None
    return {
        file.as_posix().removeprefix(f"{_SOURCE}/"): Path(str(file.locate()))
        for file in listed
        if file.as_posix().startswith(f"{_SOURCE}/")
    }


if __name__ == "__main__":
    try:
        copied = copy_kern(Path(__file__).resolve().parent)
    except FileNotFoundError as error:
        sys.exit(f"hatch_build.py: {error}")
    sys.stdout.write(f"{len(copied)} files of KERN UX in {_TARGET}\n")
