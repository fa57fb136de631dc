"""What the sign-up form says and what is wrong with it. Pure."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from subscribers.addresses import BadAddress, normalise
from subscribers.model import FormOfAddress

#: the fields of free text and how many characters each may have; RFC 5321 4.5.3.1.3 bounds the address
LONGEST = {"email": 254, "title": 60, "given": 100, "family": 100, "municipality": 200}


@dataclass(frozen=True, slots=True)
class SignUpForm:
    """As typed, white space at the ends aside."""

    email: str = ""
    form: str = FormOfAddress.NEUTRAL
    title: str = ""
    given: str = ""
    family: str = ""
    municipality: str = ""
    #: the version of the wording that was shown
    wording: str = ""
    #: "yes" where she says that she follows somebody in an office there
    successor: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """A form without faults."""

    #: normalised
    address: str
    form: FormOfAddress
    title: str
    given: str
    family: str
    municipality: str
    #: key of the municipality in the register, "" if it is not there
    ags: str
    #: follows somebody in an office there
    successor: bool


def read_form(
    typed: SignUpForm, *, ags: str = "", wording_version: str
) -> tuple[Asked | None, Mapping[str, str]]:
    """What was asked for, or None and what is wrong with each field.

    `ags` is what the register knows the municipality by, "" if it does not. Faults: missing,
    address, long, signs, choice, where, changed; the page has the words for them.
    """
    faults = {
        name: fault for name, longest in LONGEST.items() if (fault := _fault(getattr(typed, name), longest))
    }
    address = ""
    if not typed.email:
        faults["email"] = "missing"
    elif "email" not in faults:
        try:
            address = normalise(typed.email)
        except BadAddress:
            faults["email"] = "address"
    if typed.form not in set(FormOfAddress):
        faults["form"] = "choice"
    if typed.successor and not ags and "municipality" not in faults:
        # somebody will look at it, and must know where
        faults["municipality"] = "where"
    if typed.wording != wording_version:
        faults["wording"] = "changed"
    if faults:
        return None, faults
    return (
        Asked(
            address=address,
            form=FormOfAddress(typed.form),
            title=typed.title,
            given=typed.given,
            family=typed.family,
            municipality=typed.municipality,
            ags=ags,
            successor=bool(typed.successor),
        ),
        {},
    )


def _fault(text: str, longest: int) -> str:
    if len(text) > longest:
        return "long"
    # what stands in a name goes into the head of a mail one day: no line breaks, no controls
    if any(unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp") for sign in text):
        return "signs"
    return ""
