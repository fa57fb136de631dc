"""What somebody agrees to: a text with a version, kept as data in templates/consent/<language>.txt.

Its first line is the version and must change whenever a word below it does: the evidence of a
consent is the exact wording (BGH I ZR 164/09), and the form is refused if it changed meanwhile.
"""

from collections.abc import Sequence
from pathlib import Path
from string import Template

from subscribers.evidence import Wording


def consent_wording(folders: Sequence[Path], language: str, *, list_title: str, sender: str) -> Wording:
    """The wording in `language`, from the first of the template `folders` that has it, filled in."""
    path = next(path for folder in folders if (path := folder / "consent" / f"{language}.txt").exists())
    version, _, text = path.read_text(encoding="utf-8").partition("\n")
    filled = Template(text).substitute(list=list_title, sender=sender)
    return Wording(text=filled.strip(), version=version.strip())
