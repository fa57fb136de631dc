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

from mailer.issues.model import Entry, Issue
from mailer.render.choose import Numbered, Setting, public
from mailer.render.context import entry_context, issue_context, sections_of
from mailer.render.finish import BadPage, without_noncharacters
from mailer.render.headers import machine_headers
from mailer.render.letterhead import letterhead_of
from mailer.render.message import Slot, encode
from mailer.render.model import Stationery
from mailer.render.parts import body_names, entry_names, html_part
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


class Sheets:
    """The HTML of one kind of mail in one language; what recurs is compiled once."""

    def __init__(self, env: Environment, folder: str) -> None:
        self._env = env
        self._folder = folder
        self._blocks: dict[tuple[str, str], str] = {}
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
                entries.append({**entry, "block": Markup(f"{self._mark}-{entry['anchor']}x")})  # noqa: S704  ours
            sections.append({**section, "entries": entries})
        page = html_part(self._env, body_names(self._folder), {**context, "sections": sections})
        set_in = re.compile(rf"{self._mark}-(\w+)x")
        return set_in.sub(lambda found: self._block(by_anchor[found[1]], context), page)

    def text(self, name: str, context: Mapping[str, Any]) -> str:
        """A template of the kind, filled and otherwise left as it is."""
        return without_noncharacters(self._env.get_template(f"{self._folder}/{name}").render(context))

    def _block(self, entry: Mapping[str, Any], context: Mapping[str, Any]) -> str:
        # all that differs between two renderings of an entry of one issue
        key = entry["anchor"], entry["municipality"]
        if key not in self._blocks:
            same = {name: context[name] for name in ("language", "network")}
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

    def __init__(self, issue: Issue, stationery: Stationery) -> None:
        self._issue = issue
        self._letterhead = letterhead_of(stationery.letterhead)
        self._templates = stationery.templates
        self._slots = {slot: f"x{secrets.token_hex(12)}x" for slot in _IN_TEMPLATES}
        #: stands for the token of the edition's page
        self._page = f"x{secrets.token_hex(12)}x"
        self._sheets: dict[str, Sheets] = {}
        self._entries: dict[tuple[int, str], dict[str, Any]] = {}

    def edition(self, entries: Sequence[Numbered], setting: Setting, digest: str) -> Rendered:
        """The edition with these entries. `digest` is its key within the issue."""
        subject, html, text = self._parts(entries, setting)
        page_html, page_text = html, text
        if len(open_to_all := public(entries)) < len(entries):
            # its words in the inbox may name what the page must not
            _, page_html, page_text = self._parts(open_to_all, {**setting, "preheader": ""})
        return Rendered(
            subject=subject,
            html=self._for_nobody(html, setting),
            text=self._for_nobody(text, setting),
            page_html=self._for_nobody(page_html, setting),
            page_text=self._for_nobody(page_text, setting),
            message=self._message(subject, html, text, setting, digest),
        )

    def _parts(self, entries: Sequence[Numbered], setting: Setting) -> tuple[str, str, str]:
        """Subject, HTML and text, with sentinels for all slots and for the token of the page."""
        archive_url = self._letterhead.links.archive(self._page)
        contexts = {number: self._entry(number, entry, setting, archive_url) for number, entry in entries}
        context = issue_context(
            self._issue, sections_of(self._issue, entries, contexts), setting, self._letterhead, archive_url
        )
        unsubscribe = self._letterhead.links.unsubscribe(self._slots[Slot.UNSUBSCRIBE])
        in_text, in_html = (
            context | {"slots": {"salutation": self._slots[greeting], "unsubscribe_url": unsubscribe}}
            for greeting in _GREETINGS
        )
        sheets = self._sheets_in(setting["language"])
        return (
            sheets.text("subject.txt", in_text).strip(),
            sheets.html(in_html),
            sheets.text("body.txt", in_text),
        )

    def _entry(self, number: int, entry: Entry, setting: Setting, archive_url: str) -> dict[str, Any]:
        name = setting["names"].get(entry.municipality or "", "")
        if (number, name) not in self._entries:
            self._entries[number, name] = entry_context(number, entry, name, archive_url)
        return self._entries[number, name]

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
        )


_GREETINGS = (Slot.SALUTATION_TEXT, Slot.SALUTATION_HTML)
_IN_TEMPLATES = (*_GREETINGS, Slot.UNSUBSCRIBE)
