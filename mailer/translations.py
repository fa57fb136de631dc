"""Texts in other languages: gettext catalogues, read from their sources.

The texts in code and templates are English; German, the default, stands in
locale/de/LC_MESSAGES/*.po, one file for the mails and one for the pages. The sources are
compiled in memory, so there is no build step that could be forgotten.
"""

from functools import lru_cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

#: the default first
LANGUAGES = ("de", "en")

_LOCALE = Path(__file__).parent / "locale"


@lru_cache
def translations(language: str) -> NullTranslations:
    """The catalogue of a language; one we do not have gives the texts as they are."""
    found = NullTranslations()
    for path in sorted((_LOCALE / language / "LC_MESSAGES").glob("*.po")):
        compiled = BytesIO()
        with path.open("rb") as source:
            write_mo(compiled, read_po(source))
        compiled.seek(0)
        catalogue = GNUTranslations(compiled)
        catalogue.add_fallback(found)
        found = catalogue
    return found


@lru_cache
def texts_known(language: str) -> frozenset[str]:
    """The English texts, of those with a plural the singular, that the catalogue of a language translates."""
    found: set[str] = set()
    for path in (_LOCALE / language / "LC_MESSAGES").glob("*.po"):
        with path.open("rb") as source:
            for message in read_po(source):
                if message.id:
                    found.add(message.id if isinstance(message.id, str) else message.id[0])
    return frozenset(found)
