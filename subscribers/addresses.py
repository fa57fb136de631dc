"""One spelling for each e-mail address, and what the suppression list knows it by.

The normalised form is the key of a subscriber and what SMTP is given: white space stripped,
local part in NFC and lower case, domain as lower-case A-label (IDNA 2008). RFC 5321 2.4
leaves the case of a local part to its host; no host in use tells "Anna" from "anna", and
the same person on a list twice is the likelier error (docs/decisions/0002).
"""

import hmac
import re
import unicodedata
from functools import lru_cache

import idna
from email_validator import EmailNotValidError, validate_email

#: a local part that is beyond question: dot-atom in ASCII (RFC 5321 4.1.2), at most 64 octets
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_PLAIN = re.compile(rf"(?=.{{1,64}}@){_ATOM}(?:\.{_ATOM})*@([^@]+)")
#: up to this length an address is short enough, however its domain is written
_SHORT = 120


class BadAddress(ValueError):
    """The text is no e-mail address; says why in one line."""


def normalise(text: str) -> str:
    """The one spelling of `text`. Raises BadAddress.

    Syntax only: no DNS is asked. Internationalised local parts (RFC 6531) are allowed.
    """
    stripped = text.strip()
    # most are plain, and a file has many people of few domains: what the library says of one is kept
    plain = _PLAIN.fullmatch(stripped) if len(stripped) <= _SHORT and stripped.isascii() else None
    if plain and (domain := _plain_domain(plain[1])):
        return f"{stripped[: plain.start(1) - 1].lower()}@{domain}"
    return _checked(stripped)


def _checked(stripped: str) -> str:
    if not stripped.isprintable() and any(
        unicodedata.category(character) in ("Cc", "Zl", "Zp") for character in stripped
    ):
        raise BadAddress("a control character stands in it")
    try:
        valid = validate_email(stripped, check_deliverability=False, strict=True)
    except EmailNotValidError as error:
        raise BadAddress(str(error)) from None
    if valid.ascii_domain is None:
        raise BadAddress("its domain has no name")
    return f"{unicodedata.normalize('NFC', valid.local_part).lower()}@{valid.ascii_domain.lower()}"


@lru_cache(maxsize=10_000)
def _plain_domain(domain: str) -> str:
    """The one spelling of an ASCII domain; "" for one that has none, whose reason is worth finding."""
    try:
        return domain_of(_checked(f"a@{domain}"))
    except BadAddress:
        return ""


def domain_of(address: str) -> str:
    """The domain of a normalised address, as A-label."""
    return address.rpartition("@")[2]


def readable(address: str) -> str:
    """The address with its domain as people write it (U-label)."""
    local, _, domain = address.rpartition("@")
    try:
        return f"{local}@{idna.decode(domain)}"
    except idna.IDNAError:
        return address


def masked(address: str) -> str:
    """The address as it may be shown to whoever holds a forwarded mail: `a…@example.org`."""
    local, _, domain = readable(address).rpartition("@")
    return f"{local[:1]}…@{domain}"


def address_hash(suppression_key: bytes, address: str) -> bytes:
    """HMAC-SHA256 of a normalised address: 32 bytes that only the holder of the key can match."""
    return hmac.digest(suppression_key, address.encode(), "sha256")
