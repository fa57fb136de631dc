"""Mailing lists: made once under a key that never changes, described anew as often as one likes."""

import re
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy.orm import Session

from subscribers.addresses import BadAddress, normalise
from subscribers.chain import Chain, Happening, append
from subscribers.model import Following, InDoubt, MailingList, Municipality, Visibility, WithoutForeword

_LANGUAGES = ("de", "en")
#: these stand in the head of a mail or in one line of a page; an imprint may have several
_ONE_LINE = ("title", "sender_name", "controller", "privacy_url", "privacy_version")

_LONGEST_FOREWORD = 14 * 24


class BadList(ValueError):
    """The list cannot be so; says why in one line."""


@dataclass(frozen=True, slots=True)
class Described:
    """What may be said about a list; None leaves it as it is, "" takes it back."""

    title: str | None = None
    visibility: Visibility | None = None
    language: str | None = None
    reply_to: str | None = None
    controller: str | None = None
    imprint: str | None = None
    privacy_url: str | None = None
    privacy_version: str | None = None
    follows: str | None = None
    sender_name: str | None = None
    following: Following | None = None
    coordinator: str | None = None
    #: 1 to 336, two weeks
    foreword_hours: int | None = None
    without_foreword: WithoutForeword | None = None
    in_doubt: InDoubt | None = None


def add_list(
    session: Session, key: str, municipality: str | None, described: Described, *, actor: str, now: datetime
) -> MailingList:
    """Make a list, of the network where no municipality is named. Raises BadList."""
    if not re.fullmatch(r"[a-z0-9](-?[a-z0-9])*", key):
        raise BadList(f"expected a key of lower-case letters, digits and dashes, got {key!r}")
    if described.title is None:
        raise BadList("expected a title of one line")
    said = _checked(described)
    if session.get(MailingList, key) is not None:
        raise BadList(f"there is a list {key!r} already")
    if municipality and session.get(Municipality, municipality) is None:
        raise BadList(f"{municipality!r} is not in the register: see `infomail municipalities list`")
    made = MailingList(key=key, municipality=municipality or None, created_at=now, **said)
    session.add(made)
    session.flush()
    record = {"list": key, "municipality": municipality or "", **said}
    append(session, Chain.AUDIT, [Happening("list.added", record)], actor=actor, at=now)
    return made


def edit_list(session: Session, key: str, described: Described, *, actor: str, now: datetime) -> list[str]:
    """Describe a list anew; returns the names of what changed. Raises BadList."""
    mailing_list = session.get(MailingList, key) if key.isprintable() else None
    if mailing_list is None:
        raise BadList(f"there is no list {key!r}: see `infomail lists list`")
    changes = {
        name: (getattr(mailing_list, name), value)
        for name, value in _checked(described).items()
        if getattr(mailing_list, name) != value
    }
    if not changes:
        return []
    for name, (_, value) in changes.items():
        setattr(mailing_list, name, value)
    said = {name: {"was": was, "is": value} for name, (was, value) in changes.items()}
    record = {"list": key, "changes": said}
    append(session, Chain.AUDIT, [Happening("list.edited", record)], actor=actor, at=now)
    return list(changes)


def _checked(described: Described) -> dict[str, str | int]:
    """What is said, as it is stored. Raises BadList."""
    said: dict[str, Any] = {
        name: value.strip() if isinstance(value, str) else value
        for name, value in asdict(described).items()
        if value is not None
    }
    for name in _ONE_LINE:
        if not said.get(name, "").isprintable():
            raise BadList(f"expected a {name.replace('_', ' ')} of one line")
    if said.get("title") == "":
        raise BadList("expected a title of one line")
    if any(not line.isprintable() for line in said.get("imprint", "").splitlines()):
        raise BadList("expected an imprint without control characters")
    if said.get("language", "de") not in _LANGUAGES:
        raise BadList(f"expected a language of {', '.join(_LANGUAGES)}")
    if said.get("privacy_url") and urlsplit(said["privacy_url"]).scheme not in ("http", "https"):
        raise BadList("--privacy-url: expected an address that starts with https://")
    if not 1 <= said.get("foreword_hours", 1) <= _LONGEST_FOREWORD:
        raise BadList(f"--foreword-hours: expected 1 to {_LONGEST_FOREWORD}")
    for name in ("reply_to", "coordinator"):
        if said.get(name):
            try:
                said[name] = normalise(said[name])
            except BadAddress as problem:
                raise BadList(f"--{name.replace('_', '-')}: {problem}") from None
    if not said.get("reply_to", "").isascii():
        raise BadList("--reply-to: not every server knows letters beyond ASCII before the @")
    return said
