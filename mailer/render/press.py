"""The rendering itself. Pure: stored values go in, and the same ones always give the same bytes.

Editions differ in which entries they have and in the words around them, while an entry looks the
same in all of them. So the HTML of each entry is made once a language, on a page of its own
(entry.mjml or entry.html), and set into the page of each edition (body.mjml or body.html). How an
entry looks never depends on its neighbours.
"""

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from markupsafe import Markup

from mailer.feeds.model import Picture
from mailer.issues.model import Entry, Issue
from mailer.render.choose import Numbered, Setting, public
from mailer.render.context import entry_context, issue_context, picture_context, sections_of
from mailer.render.finish import BadPage
from mailer.render.headers import machine_headers
from mailer.render.letterhead import letterhead_of
from mailer.render.message import Slot, encode
from mailer.render.model import Stationery
from mailer.render.parts import body_names, entry_names, html_part, subject_line, text_part
from mailer.render.pictures import on_the_web, travelling
from mailer.render.template import Environment, environment
from subscribers.model import FormOfAddress
from subscribers.salutation import salutation


@dataclass(frozen=True, slots=True)
class Rendered:
    """One edition before it is stored.

    `message` has slots. `html` and `text` are the same without anybody's salutation and links;
    `page_html` and `page_text`, for the archive, are without internal entries, too.
    """

    subject: str
    html: str
    text: str
    page_html: str
    page_text: str
    message: bytes


@dataclass(frozen=True, slots=True)
class Printed:
    """An issue as HTML and text that name nobody and hold no token."""

    html: str
    text: str


class Sheets:
    """The HTML of one kind of mail in one language; what recurs is compiled once."""

    def __init__(self, env: Environment, folder: str) -> None:
        self._env = env
        self._folder = folder
        self._blocks: dict[tuple[str, ...], str] = {}
        # stands for what is set in while templates, MJML and premailer work: nothing they would
        # touch, and nothing a feed could have said
        self._mark = f"x{secrets.token_hex(12)}"

    def html(self, context: Mapping[str, Any]) -> str:
        """The HTML part, where `entry.block` is the HTML of that entry, made by entry.mjml or entry.html."""
        sections, by_anchor = [], {}
        for section in context["sections"]:
            entries = []
            for entry in section["entries"]:
                by_anchor[entry["anchor"]] = entry
                entries.append({**entry, "block": Markup(f"{self._mark}-{entry['anchor']}-")})  # noqa: S704  ours
            sections.append({**section, "entries": entries})
        page = html_part(self._env, body_names(self._folder), {**context, "sections": sections})
        set_in = re.compile(rf"{self._mark}-(\w+)-")
        return set_in.sub(lambda found: self._block(by_anchor[found[1]], context), page)

    def subject(self, context: Mapping[str, Any]) -> str:
        return subject_line(self._env, self._folder, context)

    def text(self, context: Mapping[str, Any]) -> str:
        return text_part(self._env, self._folder, context)

    def _block(self, entry: Mapping[str, Any], context: Mapping[str, Any]) -> str:
        # all that differs between two renderings of an entry of one issue
        key = tuple(entry[name] for name in ("anchor", "municipality", "calendar_url", "contact"))
        if key not in self._blocks:
            same = {name: context[name] for name in ("language", "network", "brand")}
            html = html_part(
                self._env, entry_names(self._folder), {**same, "entry": entry, "cut": self._mark}
            )
            pieces = html.split(self._mark)
            if len(pieces) != 3:
                raise BadPage("entry.mjml: {{ cut }} must stand once before the entry and once behind it")
            self._blocks[key] = pieces[1].strip()
        return self._blocks[key]


class Press:
    """Renders the editions of one issue on one stationery."""

    def __init__(self, issue: Issue, stationery: Stationery, pictures: Sequence[Picture] = ()) -> None:
        """`pictures` are those of all the issue's entries."""
        self._issue = issue
        self._letterhead = letterhead_of(stationery.letterhead)
        domain = self._letterhead.message_id_domain
        self._pictures = {each.id: (each, travelling(each, domain)) for each in pictures}
        self._images = on_the_web(self._letterhead.links, self._letterhead.logo, pictures, domain)
        self._templates = stationery.templates
        self._slots = {slot: f"x{secrets.token_hex(12)}x" for slot in _IN_TEMPLATES}
        #: stands for the token of the edition's page
        self._page = f"x{secrets.token_hex(12)}x"
        self._sheets: dict[str, Sheets] = {}
        self._entries: dict[tuple[int, str, str], dict[str, Any]] = {}

    def edition(self, entries: Sequence[Numbered], setting: Setting, digest: str) -> Rendered:
        """The edition with these entries. `digest` is its key within the issue."""
        archive_url = self._letterhead.links.archive(self._page)
        subject, html, text = self._parts(entries, setting, archive_url)
        page_html, page_text = html, text
        if len(open_to_all := public(entries)) < len(entries):
            # its words in the inbox may name what the page must not
            _, page_html, page_text = self._parts(open_to_all, {**setting, "preheader": ""}, archive_url)
        return Rendered(
            subject=subject,
            html=self._standing_alone(self._for_nobody(html, setting)),
            text=self._for_nobody(text, setting),
            page_html=self._on_the_web(self._for_nobody(page_html, setting)),
            page_text=self._for_nobody(page_text, setting),
            message=self._message(subject, html, text, setting, digest),
        )

    def for_others(self, entries: Sequence[Numbered], setting: Setting, page: str) -> Printed:
        """The issue with these entries as somebody else may publish or send it.

        `page` is its address for everybody, or "". Templates see `draft` and leave out what is between
        us and a reader; one that does not gets addresses without a token in its place. Contacts are
        meant for the readers of the mail, and stay there.
        """
        setting = {**setting, "preheader": "", "told": [], "archive": ""}
        _, html, text = self._parts(entries, setting, page, draft=True)
        return Printed(self._on_the_web(self._for_nobody(html, setting)), self._for_nobody(text, setting))

    def _parts(
        self, entries: Sequence[Numbered], setting: Setting, archive_url: str, *, draft: bool = False
    ) -> tuple[str, str, str]:
        """Subject, HTML and text, with sentinels for all slots and for the token of the page."""
        entry_of = self._open_entry if draft else self._entry
        contexts = {number: entry_of(number, entry, setting, archive_url) for number, entry in entries}
        context = issue_context(
            self._issue, sections_of(self._issue, entries, contexts), setting, self._letterhead, archive_url
        ) | {"draft": draft}
        unsubscribe = self._letterhead.links.unsubscribe(self._slots[Slot.UNSUBSCRIBE])
        in_text, in_html = (
            context | {"slots": {"salutation": self._slots[greeting], "unsubscribe_url": unsubscribe}}
            for greeting in _GREETINGS
        )
        sheets = self._sheets_in(setting["language"])
        return (
            sheets.subject(in_text),
            sheets.html(in_html),
            sheets.text(in_text),
        )

    def _entry(self, number: int, entry: Entry, setting: Setting, archive_url: str) -> dict[str, Any]:
        name = setting["names"].get(entry.municipality or "", "")
        if (number, name, archive_url) not in self._entries:
            found = self._pictures.get(entry.picture_id or 0)
            picture = picture_context(*found) if found else None
            self._entries[number, name, archive_url] = entry_context(
                number,
                entry,
                name,
                archive_url=archive_url,
                short_url=self._letterhead.links.entry(self._issue.handle, number),
                picture=picture,
            )
        return self._entries[number, name, archive_url]

    def _open_entry(self, number: int, entry: Entry, setting: Setting, page: str) -> dict[str, Any]:
        # what is bound to places does not stand on the page for everybody
        found = self._entry(number, entry, setting, "" if entry.places else page)
        return {**found, "contact": ""}

    def _sheets_in(self, language: str) -> Sheets:
        if language not in self._sheets:
            env = environment(self._templates, language, zone=ZoneInfo(self._issue.zone))
            self._sheets[language] = Sheets(env, self._issue.template)
        return self._sheets[language]

    def _for_nobody(self, part: str, setting: Setting) -> str:
        links = self._letterhead.links
        nobody = salutation(setting["language"], FormOfAddress.NEUTRAL, "", "", "")
        replaced = {
            self._page: setting["archive"],
            links.unsubscribe(self._slots[Slot.UNSUBSCRIBE]): links.base,
            **{self._slots[slot]: nobody for slot in _GREETINGS},
        }
        for old, new in replaced.items():
            part = part.replace(old, new)
        return part

    def _standing_alone(self, html: str) -> str:
        for image in self._images.values():
            html = html.replace(image.url, image.data_url)
        return html

    def _on_the_web(self, html: str) -> str:
        for address, image in self._images.items():
            html = html.replace(image.url, address)
        return html

    def _message(self, subject: str, html: str, text: str, setting: Setting, digest: str) -> bytes:
        said = setting["of_list"]
        return encode(
            headers=[
                *self._letterhead.people_headers(sender_name=said["sender_name"], reply_to=said["reply_to"]),
                ("Subject", subject),
                ("Content-Language", setting["language"]),
            ],
            lines=machine_headers(self._issue, setting, self._letterhead),
            text=text.replace(self._page, setting["archive"]),
            html=html.replace(self._page, setting["archive"]),
            sentinels={sentinel: slot for slot, sentinel in self._slots.items()},
            boundary=f"={digest[:32]}=",
            images=list(self._images.values()),
        )


_GREETINGS = (Slot.SALUTATION_TEXT, Slot.SALUTATION_HTML)
_IN_TEMPLATES = (*_GREETINGS, Slot.UNSUBSCRIBE)
