"""The demo's recipients: obviously invented, spread over municipalities of whatever register is there."""

import csv
from collections.abc import Sequence
from pathlib import Path

_GIVEN = ("Erika", "Max", "Ayşe", "Jürgen", "Zoë", "Łukasz", "Anne-Marie", "Jörg", "", "Mia")
_FAMILY = ("Muster", "Beispiel", "Probe", "von Musterhausen", "Test-Größer", "Übung")
_FORMS = ("frau", "herr", "frau", "herr", "neutral")
_TITLES = ("", "", "", "Dr.", "Prof. Dr.")
_COLUMNS = ("email", "form", "title", "given", "family", "role", "ags", "language")


def write_people(path: Path, count: int, municipalities: Sequence[str]) -> None:
    """A CSV file as `subscribers import` reads it: `count` officers, in turn from these AGS."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        for n in range(count):
            ags = municipalities[n % len(municipalities)]
            given = _GIVEN[n % len(_GIVEN)]
            writer.writerow(
                (
                    f"person{n + 1}@k{ags.lower()}.example.org",
                    _FORMS[n % len(_FORMS)] if given else "neutral",
                    _TITLES[n % len(_TITLES)] if given else "",
                    given,
                    _FAMILY[n % len(_FAMILY)] if given else "",
                    "contact" if given else "mailbox",
                    ags,
                    "en" if n % 50 == 49 else "de",
                )
            )
