"""Which edition somebody gets. Pure: the same people always get the same one.

An entry without places is for everybody. One with places is for those whose place lies within
or around one of them (places are AGS prefixes: 05711 lies within 05 and around 05711000), and
for those whose place nobody knows.
"""

from collections.abc import Mapping, Sequence

from mailer.issues.content import digest, entry_content
from mailer.issues.model import Entry, Issue
from subscribers.audience import AudienceKey
from subscribers.model import Import, MailingList


class Chooser:
    """Maps keys to editions of one issue."""

    def __init__(
        self,
        issue: Issue,
        entries: Sequence[Entry],
        lists: Mapping[str, MailingList],
        imports: Mapping[int, Import],
    ) -> None:
        self._imports = imports
        self._issue = issue
        self._entries = entries
        self._lists = lists

    def visible(self, key: AudienceKey) -> list[Entry]:
        """The entries somebody with this key sees, in order."""
        places = key.places.split(",") if key.places else []
        return [entry for entry in self._entries if _reaches(entry.places, places)]

    def provenance(self, key: AudienceKey) -> Import | None:
        """The file that brought people with this key, if they must be told of it (Art. 14 GDPR)."""
        return self._imports[key.import_id] if key.import_id else None

    def digest(self, key: AudienceKey) -> str:
        """SHA-256 in hex of all that decides the rendering: the edition's key within its issue."""
        issue, mailing_list = self._issue, self._lists[key.list_key]
        told = self.provenance(key)
        return digest(
            [
                key.language, issue.template, issue.title, issue.number, issue.year, issue.subject,
                issue.preheader, issue.editorial, [entry_content(entry) for entry in self.visible(key)],
                mailing_list.key, mailing_list.title, mailing_list.municipality, mailing_list.reply_to,
                mailing_list.imprint, mailing_list.privacy_url, mailing_list.controller,
                [told.source, told.basis] if told else [],
            ]
        )  # fmt: skip


def _reaches(entry_places: Sequence[str], places: Sequence[str]) -> bool:
    if not entry_places or not places:
        return True
    return any(
        mine.startswith(theirs) or theirs.startswith(mine) for mine in entry_places for theirs in places
    )
