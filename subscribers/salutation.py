"""How a mail begins. Pure; nothing is ever guessed from a first name.

DIN 5008 and the usage of German authorities: "Sehr geehrte Frau Dr. Meyer," names only the
highest degree (Prof. before Dr.) and never an engineer's or master's; whoever did not say
Frau or Herr is greeted by the whole name, and a mailbox without a name by "Guten Tag,".
"""

import re

from subscribers.model import FormOfAddress

#: language -> form of address -> opening; the name follows
_OPENINGS = {
    "de": {FormOfAddress.FRAU: "Sehr geehrte Frau", FormOfAddress.HERR: "Sehr geehrter Herr"},
    "en": {FormOfAddress.FRAU: "Dear Ms", FormOfAddress.HERR: "Dear Mr"},
}
_NEUTRAL = {"de": "Guten Tag", "en": "Hello"}

#: degrees that are spoken, the highest first
_SPOKEN = (("Prof.", re.compile(r"\bprof\b", re.I)), ("Dr.", re.compile(r"\bdr\b", re.I)))


def salutation(language: str, form: FormOfAddress, title: str, given: str, family: str) -> str:
    """The salutation with its closing comma, in `language` ("de" unless "en")."""
    language = language if language in _OPENINGS else "de"
    opening = _OPENINGS[language].get(form)
    if opening and family:
        return " ".join(part for part in (opening, _spoken(title), family) if part) + ","
    name = " ".join(part for part in (given, family) if part)
    return f"{_NEUTRAL[language]} {name},".replace(" ,", ",")


def _spoken(title: str) -> str:
    for degree, pattern in _SPOKEN:
        if pattern.search(title):
            return degree
    return ""
