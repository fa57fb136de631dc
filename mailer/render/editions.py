"""From an issue to its encoded editions: each distinct one is rendered and encoded once."""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from email.header import Header
from email.headerregistry import Address
from email.utils import quote
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from markupsafe import Markup
from sqlalchemy import select

from mailer.database import Database
from mailer.issues.model import Entry, Issue, entries_of
from mailer.render.choose import Chooser
from mailer.render.letterhead import Letterhead
from mailer.render.message import Slot, encode
from mailer.render.mjml import compile_mjml
from mailer.render.model import Edition
from mailer.render.sanitize import excerpt, plain_text
from mailer.render.template import environment
from subscribers.audience import AudienceKey
from subscribers.base import insert_into
from subscribers.model import FormOfAddress, Import, MailingList, Municipality
from subscribers.salutation import salutation
from subscribers.tokens import Keys, Purpose, sign


@dataclass(frozen=True, slots=True)
class Rendered:
    """One edition before it is stored; `message` has slots, `html` and `text` nobody's salutation."""

    subject: str
    html: str
    text: str
    message: bytes


def render_editions(
    database: Database,
    issue_id: int,
    keys: Iterable[AudienceKey],
    *,
    letterhead: Letterhead,
    signing: Keys,
    now: datetime,
) -> int:
    """Render and store what these parts of the audience need and nobody had yet; how many it was.

    `keys` are those of subscribers.audience. A person whose key is not among them finds no
    edition at the freeze.
    """
    with database.read() as session:
        issue = session.get_one(Issue, issue_id)
        entries = entries_of(session, issue)
        lists = {row.key: row for row in session.scalars(select(MailingList))}
        names = {row.ags: row.name for row in session.scalars(select(Municipality))}
        imports = {row.id: row for row in session.scalars(select(Import))}
        known = set(session.scalars(select(Edition.digest).where(Edition.issue_id == issue_id)))
    chooser = Chooser(issue, entries, lists, imports)
    wanted = {chooser.digest(key): key for key in keys}
    for digest in sorted(wanted.keys() - known):
        key = wanted[digest]
        mailing_list = lists[key.list_key]
        rendered = render_edition(
            issue,
            chooser.visible(key),
            mailing_list,
            digest=digest,
            language=key.language,
            municipality=names.get(mailing_list.municipality or "", ""),
            provenance=chooser.provenance(key),
            letterhead=letterhead,
            signing=signing,
        )
        with database.write() as session:
            # a second clock may have rendered the same one meanwhile: the first stays
            session.execute(
                insert_into(session, Edition)
                .values(
                    issue_id=issue_id,
                    digest=digest,
                    language=key.language,
                    subject=rendered.subject,
                    html=rendered.html,
                    text=rendered.text,
                    message=rendered.message,
                    created_at=now,
                )
                .on_conflict_do_nothing(index_elements=["issue_id", "digest"])
            )
    return len(wanted.keys() - known)


def render_edition(
    issue: Issue,
    entries: Sequence[Entry],
    mailing_list: MailingList,
    *,
    digest: str,
    language: str,
    municipality: str,
    letterhead: Letterhead,
    signing: Keys,
    provenance: Import | None = None,
) -> Rendered:
    """Render one edition of an issue: HTML, text, and the encoded mail with slots.

    `provenance` is the file that brought the readers, where this is the mail that tells them so.
    """
    # what stands for the slots while templates, MJML and premailer work: nothing they would touch,
    # and nothing a feed could have said
    slots = {slot: f"x{secrets.token_hex(12)}x" for slot in _IN_TEMPLATES}
    unsubscribe = letterhead.links.unsubscribe(slots[Slot.UNSUBSCRIBE])
    archive = letterhead.links.archive(sign(signing, Purpose.ARCHIVE, issue.handle, int(digest[:16], 16)))
    context = {
        "network": letterhead.network,
        "issue": {
            "title": issue.title,
            "number": issue.number,
            "year": issue.year,
            "subject": issue.subject,
            "preheader": issue.preheader,
            "date": issue.send_at.astimezone(ZoneInfo(issue.zone)).date(),
            "editorial": [Markup(issue.editorial)] if issue.editorial else [],  # noqa: S704  clean HTML
        },
        "sections": _sections(entries),
        "archive_url": archive,
        "list_title": mailing_list.title,
        "reason": "",
        "provenance": _provenance(provenance, mailing_list, letterhead) if provenance else None,
        "sender": asdict(letterhead.imprint),
        "municipality": {"name": municipality} if municipality else None,
        "language": language,
    }
    env = environment(letterhead.mail_templates, language, zone=ZoneInfo(issue.zone))

    def fill(name: str, greeting: Slot) -> str:
        links = {"salutation": slots[greeting], "unsubscribe_url": unsubscribe}
        return env.get_template(f"{issue.template}/{name}").render(context | {"slots": links})

    subject = fill("subject.txt", Slot.SALUTATION_TEXT).strip()
    text = fill("body.txt", Slot.SALUTATION_TEXT)
    html = compile_mjml(fill("body.mjml", Slot.SALUTATION_HTML))
    message = encode(
        headers=[
            ("From", str(Address(letterhead.imprint.name, addr_spec=letterhead.address))),
            ("Reply-To", mailing_list.reply_to or letterhead.imprint.email or letterhead.address),
            ("Subject", subject),
            ("Content-Language", language),
        ],
        lines=_lines(issue, mailing_list, archive, letterhead),
        text=text,
        html=html,
        sentinels={sentinel: slot for slot, sentinel in slots.items()},
        boundary=f"={digest[:32]}=",
    )
    nobody = salutation(language, FormOfAddress.NEUTRAL, "", "", "")
    public = {unsubscribe: letterhead.links.base, **{slots[slot]: nobody for slot in _GREETINGS}}
    return Rendered(subject, _replaced(html, public), _replaced(text, public), message)


_GREETINGS = (Slot.SALUTATION_TEXT, Slot.SALUTATION_HTML)
_IN_TEMPLATES = (*_GREETINGS, Slot.UNSUBSCRIBE)


def _replaced(text: str, replacements: dict[str, str]) -> str:
    for old, new in replacements.items():
        text = text.replace(old, new)
    return text


def _sections(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    sections = []
    for position, group in groupby(entries, key=lambda entry: entry.section_position):
        of_section = list(group)
        sections.append(
            {
                "title": of_section[0].section,
                "anchor": f"s{position}",
                "entries": [_entry(entry, f"s{position}e{n}") for n, entry in enumerate(of_section)],
            }
        )
    return sections


def _provenance(told: Import, mailing_list: MailingList, letterhead: Letterhead) -> dict[str, str]:
    """What Art. 14 GDPR wants told that the mail does not say anyway."""
    imprint = letterhead.imprint
    return {
        "source": told.source,
        "basis": told.basis.value,
        "controller": mailing_list.controller or imprint.name,
        "objections_to": imprint.email or letterhead.address,
        "privacy_url": mailing_list.privacy_url or imprint.privacy_url,
    }


def _entry(entry: Entry, anchor: str) -> dict[str, Any]:
    return {
        "anchor": anchor,
        "title": entry.title,
        "url": entry.url,
        "source": entry.source,
        "summary": Markup(excerpt(entry.summary)),  # noqa: S704  clean HTML, cut clean
        "text": plain_text(excerpt(entry.summary)),
        "starts": entry.starts,
        "ends": entry.ends,
        "all_day": False,
        "location": entry.location,
        "published": entry.published,
    }


def _lines(issue: Issue, mailing_list: MailingList, archive: str, letterhead: Letterhead) -> list[bytes]:
    """The headers that machines read."""
    domain = letterhead.message_id_domain
    operator = letterhead.operator or letterhead.address
    token = Slot.UNSUBSCRIBE.value.decode()
    https = letterhead.links.unsubscribe(token)
    mailto = letterhead.return_path.unsubscribe_mailto(token)
    lines = [
        f"To: {Slot.TO.value.decode()}",
        f"Date: {Slot.DATE.value.decode()}",
        f"Message-ID: <{Slot.MESSAGE_ID.value.decode()}@{domain}>",
        # RFC 2919: the list's name, and an identifier that never changes
        f"List-Id: {_phrase(mailing_list.title)}\r\n <{mailing_list.key}.{domain}>",
        f"List-Help: <{letterhead.links.base}>",
        f"List-Archive: <{archive}>",
        f"List-Owner: <mailto:{operator}>",
        f"List-Unsubscribe: <{https}>,\r\n <{mailto}>",
        # RFC 8058: that https address takes a POST from the mail program itself
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click",
        f"Feedback-ID: {issue.id}:{mailing_list.key}:{issue.newsletter}:{domain}",
        "X-Auto-Response-Suppress: OOF, AutoReply",
    ]
    return [line.encode("ascii") for line in lines]


def _phrase(words: str) -> str:
    """A phrase (RFC 5322 3.2.5): quoted, or encoded where it is not ASCII."""
    if words.isascii():
        return f'"{quote(words)}"'
    return Header(words, "utf-8").encode(linesep="\r\n")
