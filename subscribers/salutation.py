"""How a mail begins. Pure; nothing is ever guessed from a first name.

DIN 5008 and the usage of German authorities: "Sehr geehrte Frau Dr. Meyer," names only the
highest degree (Prof. before Dr.) and never an engineer's or master's; whoever did not say
Frau or Herr is greeted by the whole name, and a mailbox without a name by "Guten Tag,".
In English a degree stands in place of Ms or Mr: "Dear Dr Meyer,". No line breaks between
degree and name.
"""

import re

from subscribers.model import FormOfAddress

#: language -> form of address -> opening; the name follows
_OPENINGS = {
    "de": {FormOfAddress.FRAU: "Sehr geehrte Frau", FormOfAddress.HERR: "Sehr geehrter Herr"},
    "en": {FormOfAddress.FRAU: "Dear Ms", FormOfAddress.HERR: "Dear Mr"},
}
_NEUTRAL = {"de": "Guten Tag", "en": "Hello"}

_NBSP = "\N{NO-BREAK SPACE}"
#: degrees that are spoken, the highest first
_SPOKEN = (
    ({"de": "Prof.", "en": "Professor"}, re.compile(r"\bprof(essor(in)?)?\b", re.I)),
    ({"de": "Dr.", "en": "Dr"}, re.compile(r"\b(dr|doktor(in)?|doctor)\b", re.I)),
)


def salutation(language: str, form: FormOfAddress, title: str, given: str, family: str) -> str:
    """The salutation with its closing comma, in `language` ("de" unless "en")."""
    language = language if language in _OPENINGS else "de"
    opening = _OPENINGS[language].get(form)
    if opening and family:
        degree = _spoken(language, title)
        if degree and language == "en":
            opening = "Dear"
        return f"{opening} {degree}{_NBSP if degree else ''}{family},"
    name = " ".join(part for part in (given, family) if part)
    return f"{_NEUTRAL[language]} {name},".replace(" ,", ",")


def _spoken(language: str, title: str) -> str:
    return next((degree[language] for degree, pattern in _SPOKEN if pattern.search(title)), "")
