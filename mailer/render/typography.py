"""No-break spaces where German is not to break (DIN 5008): within abbreviations, before units, after numbers.

Only spaces change, so whatever is typeset still says what it said, and twice is as good as once.
"""

import re

_NBSP = "\N{NO-BREAK SPACE}"
_MONTHS = "Januar|Jänner|Februar|März|April|Mai|Juni|Juli|August|September|Oktober|November|Dezember"
_SHORT_MONTHS = r"Jan\.|Feb\.|Mrz\.|Apr\.|Jun\.|Jul\.|Aug\.|Sept?\.|Okt\.|Nov\.|Dez\."
_UNITS = r"Uhr|Euro|EUR|€|Cent|Prozent|%|°C|km|kg|qm|m²|Mio\.|Mrd\.|Millionen|Milliarden|Tsd\."
#: a space between what stands before and behind it
_HERE = "|".join(
    f"(?:{each})"
    for each in (
        # z. B., d. h., i. d. R., e. V.
        r"(?<=\b[A-Za-zÄÖÜäöü]\.) (?=[A-Za-zÄÖÜäöü]\.(?!\w))",
        # § 5, Art. 6, Abs. 1, Nr. 3
        r"(?<=§) (?=\d)",
        r"(?<=\b[SZ]\.) (?=\d)",
        r"(?<=\b(?:Nr|Bd|Rn)\.) (?=\d)",
        r"(?<=\b(?:Art|Abs|Kap|Nrn|Anl|Tel)\.) (?=\d)",
        r"(?<=\bZiff\.) (?=\d)",
        r"(?<=\bBuchst\.) (?=[a-z]\b)",
        r"(?<=\blit\.) (?=[a-z]\b)",
        # 10 Uhr, 1.000 Euro, 5 %
        rf"(?<=\d) (?=(?:{_UNITS})(?!\w))",
        r"(?<=\b(?:Mio|Mrd|Tsd)\.) (?=Euro\b|EUR\b|€)",
        # 5. März
        rf"(?<=\d\.) (?=(?:{_MONTHS})\b|{_SHORT_MONTHS})",
        # Dr. Meyer, Prof. Dr. Meyer, Dr. med. Meyer, St. Augustin
        r"(?<=\b(?:Dr|St)\.) (?=[A-ZÄÖÜ]|(?:med|jur|phil|rer)\.)",
        r"(?<=\bDr\.[ \xa0](?:med|jur)\.) (?=[A-ZÄÖÜ])",
        r"(?<=\bProf\.) (?=[A-ZÄÖÜ])",
        # no line begins with a dash
        r"(?<=\S) (?=– )",
    )
)
_PLACE = re.compile(_HERE)
_TAG = re.compile(r"""(<(?:"[^"]*"|'[^']*'|[^"'>])*>)""")


def typeset(text: str) -> str:
    """Plain text with no-break spaces."""
    return _PLACE.sub(_NBSP, text)


def typeset_html(html: str) -> str:
    """The same in what is read of clean HTML; tags and their attributes stay as they are."""
    return "".join(part if part.startswith("<") else typeset(part) for part in _TAG.split(html))
