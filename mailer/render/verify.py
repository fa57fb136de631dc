"""Whether what was sent comes out again, byte for byte, from what is stored."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import cast

from jinja2 import TemplateError
from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.issues.model import Entry, Issue, pictures_of
from mailer.render.choose import Setting, recalled
from mailer.render.finish import BadPage
from mailer.render.model import Edition, EditionAudience, Stationery
from mailer.render.press import Press, Rendered
from mailer.render.selfcontained import NotSelfContained
from mailer.render.stationery import current_versions


@dataclass(frozen=True, slots=True)
class Verified:
    """One edition of an issue, rendered again."""

    edition: int
    language: str
    list_key: str
    #: "" if it came out the same, else a line that says what did not
    difference: str
    #: the releases it was rendered with, where they are not those of now
    versions: str = ""


def verify(session: Session, issue: Issue) -> list[Verified]:
    """Render every edition that somebody was sent again, and compare.

    An edition that is mapped to nobody was rendered before a last change, and never left the house.
    """
    sent = select(EditionAudience.edition_id).where(EditionAudience.issue_id == issue.id)
    editions = session.scalars(select(Edition).where(Edition.id.in_(sent)).order_by(Edition.id)).all()
    entries = {entry.id: entry for entry in session.scalars(select(Entry).where(Entry.issue_id == issue.id))}
    pictures = pictures_of(session, issue)
    presses: dict[int, tuple[Press, str]] = {}
    verified = []
    for edition in editions:
        list_key = edition.setting.get("of_list", {}).get("key", "")
        if edition.stationery_id is None:
            difference, versions = "it is older than the record of what editions are made of", ""
        else:
            if edition.stationery_id not in presses:
                stationery = session.get_one(Stationery, edition.stationery_id)
                presses[edition.stationery_id] = (
                    Press(issue, stationery, pictures),
                    _other_versions(stationery),
                )
            press, versions = presses[edition.stationery_id]
            difference = _difference(edition, entries, press)
        verified.append(Verified(edition.id, edition.language, list_key, difference, versions))
    return verified


def _difference(edition: Edition, entries: Mapping[int, Entry], press: Press) -> str:
    setting = cast(Setting, edition.setting)
    if any(row_id not in entries for _, row_id in setting["entries"]):
        return "an entry of it is gone"
    try:
        rendered = press.edition(recalled(setting, entries), setting, edition.digest)
    except (TemplateError, BadPage, NotSelfContained) as problem:
        return f"its template is refused now: {problem}"
    differing = list(_differing(edition, rendered))
    return f"{', '.join(differing)} came out otherwise" if differing else ""


def _differing(edition: Edition, rendered: Rendered) -> Iterator[str]:
    for name, stored, again in (
        ("message", edition.message, rendered.message),
        ("html", edition.html, rendered.page_html),
        ("text", edition.text, rendered.page_text),
    ):
        if stored != again:
            yield name


def _other_versions(stationery: Stationery) -> str:
    now = dict(current_versions())
    return ", ".join(
        f"{name} {then} (now {now.get(name, 'none')})"
        for name, then in stationery.versions.items()
        if now.get(name) != then
    )
