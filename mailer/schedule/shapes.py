"""The shapes that values of the plan have: words, numbers, durations, keys, addresses.

A shape turns a raw TOML value into ours, or says what was expected in its place.
"""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from email_validator import EmailNotValidError, validate_email

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
Word = TypeVar("Word", bound=str)


@dataclass(frozen=True, slots=True)
class Shape(Generic[T_co]):
    """`read` raises ValueError for a value that does not fit; its text, if any, replaces `expected`."""

    expected: str
    read: Callable[[Any], T_co]


def choice(*words: Word) -> Shape[Word]:
    """One of a few words."""

    def read(raw: Any) -> Word:
        return words[words.index(_text(raw))]

    return Shape(" or ".join(f'"{word}"' for word in words), silently(read))


def number(*, least: int, most: int) -> Shape[int]:
    """A whole number. TOML's true is none, although Python's is."""

    def read(raw: Any) -> int:
        if not isinstance(raw, int) or isinstance(raw, bool) or not least <= raw <= most:
            raise ValueError
        return raw

    return Shape(f"a whole number from {least} to {most}", read)


def duration(*, least: str = "0m", most: str = "52w") -> Shape[timedelta]:
    """A number and a unit: "30m", "6h", "5d", "6w"."""

    def read(raw: Any) -> timedelta:
        found = _duration(_text(raw))
        if not _duration(least) <= found <= _duration(most):
            raise ValueError(f'a duration from "{least}" to "{most}"')
        return found

    return Shape('a duration such as "30m", "6h", "5d" or "6w"', read)


_UNITS = {
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}


def _duration(text: str) -> timedelta:
    parts = re.fullmatch(r"([0-9]{1,6})([mhdw])", text)
    if parts is None:
        raise ValueError
    return int(parts[1]) * _UNITS[parts[2]]


def silently(read: Callable[[Any], T]) -> Callable[[Any], T]:
    """The same, but a ValueError says nothing of its own, so that the shape's `expected` is shown."""

    def quiet(raw: Any) -> T:
        try:
            return read(raw)
        except ValueError:
            raise ValueError from None

    return quiet


def _text(raw: Any) -> str:
    if not isinstance(raw, str) or not raw.strip():
        raise ValueError
    return raw


def _line(raw: Any) -> str:
    text = _text(raw)
    # controls, and the two separators of Unicode: a title stands in the head of mails
    if any(unicodedata.category(character) in ("Cc", "Zl", "Zp") for character in text):
        raise ValueError("text of one line")
    return text


def _flag(raw: Any) -> bool:
    if not isinstance(raw, bool):
        raise ValueError
    return raw


def _key(raw: Any) -> str:
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", _text(raw)) or len(raw) > 64:
        raise ValueError
    return str(raw)


def _zone(raw: Any) -> ZoneInfo:
    try:
        return ZoneInfo(_text(raw))
    except (KeyError, OSError):  # unknown; a folder of the zone database ("Europe")
        raise ValueError from None


def _address(raw: Any) -> str:
    try:
        return validate_email(_text(raw), check_deliverability=False).normalized
    except EmailNotValidError:
        raise ValueError from None


def _url(raw: Any) -> str:
    parts = urlsplit(_text(raw))
    port_is_none_or_right = parts.port is None or parts.port > 0  # .port itself raises ValueError above 65535
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_is_none_or_right:
        raise ValueError
    if re.search(r"\s", raw):
        raise ValueError
    return str(raw)


def _municipality(raw: Any) -> str:
    if not re.fullmatch(r"[0-9]{2}|[0-9]{3}|[0-9]{5}|[0-9]{8}|[A-Za-z][A-Za-z0-9-]*", _text(raw)):
        raise ValueError
    return str(raw)


def _place(raw: Any) -> str:
    if not re.fullmatch(r"[0-9]{2}|[0-9]{3}|[0-9]{5}|[0-9]{8}", _text(raw)):
        raise ValueError
    return str(raw)


TEXT = Shape('"text in quotes"', _text)
LINE = Shape('"text in quotes"', _line)
FLAG = Shape("true or false", _flag)
KEY = Shape('a key of a-z, 0-9 and single "-" between them, such as "engagiert-termine"', _key)
ZONE = Shape('a time zone such as "Europe/Berlin"', silently(_zone))
ADDRESS = Shape('an e-mail address such as "redaktion@example.org"', _address)
URL = Shape('an address such as "https://www.example.org/feed.xml"', silently(_url))
MUNICIPALITY = Shape(
    "an AGS of 2, 3, 5 or 8 digits in quotes or a key that begins with a letter", _municipality
)
PLACE = Shape("an AGS of 2, 3, 5 or 8 digits in quotes", _place)
