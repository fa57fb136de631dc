"""What the forms of the pages say and what is wrong with it. Pure.

Faults: missing, address, long, signs, choice, changed; the pages have the words for them.
"""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from mailer.translations import LANGUAGES
from subscribers.addresses import BadAddress, normalise
from subscribers.model import Format, FormOfAddress, Subscriber

#: the fields of free text and how many characters each may have; RFC 5321 4.5.3.1.3 bounds the address
LONGEST = {"email": 254, "title": 60, "given": 100, "family": 100, "municipality": 200}
_NAMES = ("title", "given", "family")


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
    """A sign-up without faults."""

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


@dataclass(frozen=True, slots=True)
class ProfileForm:
    """How somebody wants to be called and to read, as typed."""

    form: str
    title: str
    given: str
    family: str
    language: str
    format: str

    @classmethod
    def of(cls, subscriber: Subscriber) -> Self:
        """The form as it stands before anybody typed."""
        return cls(
            subscriber.form, subscriber.title, subscriber.given, subscriber.family, subscriber.language,
            subscriber.format,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Profile:
    """The same without faults, by the names that the subscriber has for it."""

    form: FormOfAddress
    title: str
    given: str
    family: str
    language: str
    format: Format


def read_form(
    typed: SignUpForm, *, ags: str = "", wording_version: str
) -> tuple[Asked | None, Mapping[str, str]]:
    """What was asked for, or None and what is wrong with each field.

    `ags` is what the register knows the municipality by, "" if it does not.
    """
    faults = _faults(typed, LONGEST)
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


def read_profile(typed: ProfileForm) -> tuple[Profile | None, Mapping[str, str]]:
    """How the person wants it, or None and what is wrong with each field."""
    faults = _faults(typed, _NAMES)
    choices: dict[str, set[str]] = {
        "form": set(FormOfAddress), "language": set(LANGUAGES), "format": set(Format),
    }  # fmt: skip
    faults |= {name: "choice" for name, known in choices.items() if getattr(typed, name) not in known}
    if faults:
        return None, faults
    return (
        Profile(
            form=FormOfAddress(typed.form),
            title=typed.title,
            given=typed.given,
            family=typed.family,
            language=typed.language,
            format=Format(typed.format),
        ),
        {},
    )


def _faults(typed: object, names: Mapping[str, int] | tuple[str, ...]) -> dict[str, str]:
    found = ((name, _fault(getattr(typed, name), LONGEST[name])) for name in names)
    return {name: fault for name, fault in found if fault}


def _fault(text: str, longest: int) -> str:
    if len(text) > longest:
        return "long"
    # what stands in a name goes into the head of a mail one day: no line breaks, no controls
    if any(unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp") for sign in text):
        return "signs"
    return ""
