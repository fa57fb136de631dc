"""Which edition somebody gets. Pure: who sees the same gets the same one.

An entry is seen by somebody to whom all of this applies:

places      none named, or her place lies within or around one of them (places are AGS prefixes:
            05711 lies within 05 and around 05711000), or nobody knows her place
roles       none named, or she holds one of them
internal    it is not, or the list is the network's and not a municipality's

The page in the archive is open to whoever has the link: no internal entry stands there.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TypedDict
from zoneinfo import ZoneInfo

from mailer.issues.content import digest, entry_content, issue_content
from mailer.issues.model import Entry, Issue
from subscribers.audience import AudienceKey
from subscribers.model import Import, MailingList

#: an entry, and its number within the issue, from 1
Numbered = tuple[int, Entry]


class ListValues(TypedDict):
    """What a list says of itself; "" leaves the word to the operator."""

    key: str
    title: str
    municipality: str
    sender_name: str
    reply_to: str
    imprint: str
    privacy_url: str
    controller: str


class Setting(TypedDict):
    """What of list, place and moment decides an edition; kept with it (Edition.setting)."""

    language: str
    #: day that the issue bears, ISO 8601
    date: str
    preheader: str
    of_list: ListValues
    #: AGS -> name, of the municipalities that are named in it
    names: dict[str, str]
    #: [source, basis] where readers are told where their data come from (Art. 14 GDPR), else []
    told: list[str]
    #: [number, row id] of each entry, in order
    entries: list[list[int]]
    #: token of its page; no part of the digest, which it is made of
    archive: str


class Chooser:
    """Maps keys to editions of one issue on one stationery."""

    def __init__(
        self,
        issue: Issue,
        entries: Sequence[Entry],
        lists: Mapping[str, MailingList],
        imports: Mapping[int, Import],
        *,
        names: Mapping[str, str],
        stationery: str,
    ) -> None:
        """`names` of municipalities by AGS; `stationery` is its digest."""
        self._issue = issue
        self._numbered: list[Numbered] = list(enumerate(entries, start=1))
        self._lists = lists
        self._imports = imports
        self._names = names
        self._stationery = stationery
        self._digests: dict[tuple[str, str, int, tuple[int, ...]], str] = {}

    def visible(self, key: AudienceKey) -> list[Numbered]:
        """The entries somebody with this key sees, in order; own ones before those passed on."""
        places, roles = _parts(key.places), _parts(key.roles)
        municipal = self._lists[key.list_key].municipality is not None
        seen = [
            (number, entry)
            for number, entry in self._numbered
            if reaches(entry.places, places)
            and (not entry.roles or not roles.isdisjoint(entry.roles))
            and not (entry.internal and municipal)
        ]
        return sorted(seen, key=lambda each: each[1].frozen) if self._issue.for_list else seen

    def setting(self, key: AudienceKey) -> Setting:
        """The setting of the edition for this key, its page without a token yet."""
        visible, mailing_list = self.visible(key), self._lists[key.list_key]
        told = self._imports[key.import_id] if key.import_id else None
        named = {mailing_list.municipality, *(entry.municipality for _, entry in visible)}
        return Setting(
            language=key.language,
            date=self._issue.send_at.astimezone(ZoneInfo(self._issue.zone)).date().isoformat(),
            preheader=self._preheader(visible),
            of_list=ListValues(
                key=mailing_list.key,
                title=mailing_list.title,
                municipality=mailing_list.municipality or "",
                sender_name=mailing_list.sender_name,
                reply_to=mailing_list.reply_to,
                imprint=mailing_list.imprint,
                privacy_url=mailing_list.privacy_url,
                controller=mailing_list.controller,
            ),
            names={ags: self._names[ags] for ags in sorted(filter(None, named)) if ags in self._names},
            told=[told.source, told.basis.value] if told else [],
            entries=[[number, entry.id] for number, entry in visible],
            archive="",
        )

    def digest(self, key: AudienceKey) -> str:
        """SHA-256 in hex of all that decides the rendering: the edition's key within its issue."""
        numbers = tuple(number for number, _ in self.visible(key))
        known = key.list_key, key.language, key.import_id, numbers
        if known not in self._digests:  # an audience has thousands of keys, and few editions
            contents = [self._contents[number] for number in numbers]
            self._digests[known] = digest(
                [self._stationery, issue_content(self._issue), self.setting(key), contents]
            )
        return self._digests[known]

    def _preheader(self, visible: Sequence[Numbered]) -> str:
        """As it is written, unless it names an internal entry to who does not see that."""
        seen = {number for number, _ in visible}
        hidden = (entry for number, entry in self._numbered if entry.internal and number not in seen)
        preheader = self._issue.preheader
        return "" if any(entry.title and entry.title in preheader for entry in hidden) else preheader

    @cached_property
    def _contents(self) -> dict[int, list[object]]:
        return {number: entry_content(entry) for number, entry in self._numbered}


def recalled(setting: Setting, entries: Mapping[int, Entry]) -> list[Numbered]:
    """The entries of an edition, out of those of its issue by row id. Raises KeyError if one is gone."""
    return [(number, entries[row_id]) for number, row_id in setting["entries"]]


def public(entries: Iterable[Numbered]) -> list[Numbered]:
    """Those of them that anybody may see who has the address of the page."""
    return [(number, entry) for number, entry in entries if not entry.internal]


def reaches(entry_places: Sequence[str], places: set[str]) -> bool:
    """Whether what is meant for `entry_places` concerns somebody at `places`; an empty side means yes."""
    if not entry_places or not places:
        return True
    return any(
        mine.startswith(theirs) or theirs.startswith(mine) for mine in entry_places for theirs in places
    )


def _parts(joined: str) -> set[str]:
    return set(joined.split(",")) if joined else set()
