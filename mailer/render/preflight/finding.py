"""What preflight found: how grave it is, in words, and where."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from mailer.translations import translations


class Severity(StrEnum):
    #: nothing goes out as long as it is so
    BLOCKS = "blocks"
    WARNS = "warns"
    #: what needs the network could not be looked at
    UNCHECKED = "unchecked"


@dataclass(frozen=True, slots=True)
class Shown:
    """What preflight has to know of an entry: its number in the issue, where it leads, how long it counts."""

    number: int
    title: str
    url: str
    short_url: str
    ends: datetime | None
    deadline: date | None
    #: days that it came out or was changed on: the HTML says them, the text need not
    came_out: tuple[date, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found. `code` is one of MESSAGES; `values` fill its words."""

    code: str
    values: Mapping[str, str] = field(default_factory=dict)
    #: the heading it stands under, or the line it stands in; "" where its words say it
    where: str = ""

    @property
    def severity(self) -> Severity:
        return MESSAGES[self.code][0]

    def said(self, language: str) -> str:
        """One line for staff."""
        catalogue = translations(language)
        line = catalogue.gettext(MESSAGES[self.code][1]) % self.values
        place = catalogue.gettext("(at “%(where)s”)") % {"where": self.where}
        return f"{line} {place}" if self.where else line

    @property
    def key(self) -> tuple[str, ...]:
        """Equal for what is the same in two editions."""
        return (self.code, self.where, *(self.values[name] for name in sorted(self.values)))


def cut(text: str) -> str:
    """Short enough to be quoted in a finding."""
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


_LONGEST = 80
_BLOCKS, _WARNS, _UNCHECKED = Severity.BLOCKS, Severity.WARNS, Severity.UNCHECKED
#: code -> how grave, and the words (German in locale/de/LC_MESSAGES/desk.po)
MESSAGES: dict[str, tuple[Severity, str]] = {
    "imprint": (_BLOCKS, "The imprint is not complete (§ 5 DDG): set %(setting)s."),
    "template": (_BLOCKS, "It cannot be rendered: %(problem)s"),
    "no-unsubscribe": (_BLOCKS, "There is no link to unsubscribe in the %(part)s."),
    "placeholder": (_BLOCKS, "A placeholder was left: “%(found)s”"),
    "remote": (_BLOCKS, "Reading it would fetch something: %(found)s"),
    "no-alt": (_BLOCKS, "A picture has no alternative text: %(found)s"),
    "h1": (_WARNS, "It has %(count)s main headings (h1); one is right."),
    "heading-skipped": (_WARNS, "A heading skips a level: “%(found)s” (h%(level)s behind h%(before)s)."),
    "no-lang": (_WARNS, "The HTML does not say its language."),
    "no-title": (_WARNS, "The HTML has no title."),
    "link-empty": (_WARNS, "A link has no text: %(url)s"),
    "link-vague": (_WARNS, "A link does not say where it leads: “%(found)s”"),
    "link-bare": (_WARNS, "A link bears an address instead of words: “%(found)s”"),
    "link-same": (_WARNS, "Links with the same text lead to different places: “%(found)s”"),
    "contrast": (_WARNS, "Too little contrast, %(ratio)s:1, in “%(found)s” (%(colour)s on %(behind)s)."),
    "contrast-dark": (
        _WARNS,
        "Too little contrast in the dark, %(ratio)s:1, in “%(found)s” (%(colour)s on %(behind)s).",
    ),
    "layout-table": (_WARNS, "A table is neither data nor marked as layout (role=presentation)."),
    "text-lacks": (_WARNS, "The text part lacks what the HTML says: “%(found)s”"),
    "html-lacks": (_WARNS, "The HTML lacks what the text part says: “%(found)s”"),
    "http": (_WARNS, "A link is not encrypted: %(url)s"),
    "private-link": (_WARNS, "Nobody outside can follow a link: %(url)s"),
    "credentials": (_WARNS, "A link holds a user name: %(url)s"),
    "broken-url": (_WARNS, "A link is no web address: %(url)s"),
    "large": (_WARNS, "The HTML has %(size)s KB; Gmail cuts off what is over 102 KB."),
    "large-encoded": (_WARNS, "Encoded for the way the HTML has %(size)s KB; programs may cut it at 102 KB."),
    "heavy": (_WARNS, "With its pictures the mail has %(size)s KB."),
    "no-subject": (_WARNS, "The subject is empty."),
    "long-subject": (_WARNS, "The subject has %(count)s characters; programs show about 60 of them."),
    "shouting": (_WARNS, "The subject is in capitals."),
    "reply": (_WARNS, "The subject begins as an answer would: “%(found)s”"),
    "long-preheader": (_WARNS, "The words beside the subject have %(count)s characters; programs cut them."),
    "same-preheader": (_WARNS, "The words beside the subject only repeat it."),
    "event-over": (_WARNS, "The event is over when the mail goes out: “%(found)s”"),
    "deadline-over": (_WARNS, "The deadline is over when the mail goes out: “%(found)s”"),
    "twice": (_WARNS, "Two entries have the same title: “%(found)s”"),
    "dead-link": (_WARNS, "A link leads nowhere (%(problem)s): %(url)s"),
    "link-unchecked": (_UNCHECKED, "Not checked whether a link leads somewhere (%(problem)s): %(url)s"),
    "spam": (_WARNS, "rspamd gives it %(score)s points of %(most)s: %(symbols)s"),
    "spam-unchecked": (_UNCHECKED, "Not checked whether it looks like spam: %(problem)s"),
}
