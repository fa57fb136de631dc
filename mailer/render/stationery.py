"""Stationery: whatever an edition is rendered with that is neither its entries nor its setting.

It is read once before rendering and kept; rendering knows only what is kept, so the same
stationery gives the same bytes later, whatever became of folders and settings.
"""

from collections.abc import Sequence
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer import __version__
from mailer.issues.content import digest
from mailer.render.letterhead import Letterhead
from mailer.render.model import Stationery
from mailer.render.parts import TEMPLATES
from subscribers.base import insert_into

#: packages whose releases may change a byte of a mail
_RENDERING = ("babel", "cssutils", "jinja2", "lxml", "mjml-python", "nh3", "premailer")


def stationery_of(letterhead: Letterhead) -> Stationery:
    """The stationery of this letterhead as it is now, not stored yet."""
    templates, values = template_sources(letterhead.mail_templates), letterhead.record()
    versions = dict(current_versions())
    return Stationery(
        digest=digest([templates, values, versions]),
        templates=templates,
        letterhead=values,
        versions=versions,
    )


def template_sources(folders: Sequence[Path]) -> dict[str, str]:
    """Name -> source of each template below `folders`; the first folder that has a name wins.

    All of them, since one may include any other; nothing else that lies there.
    """
    found: dict[str, str] = {}
    for folder in folders:
        for path in folder.rglob("*"):
            if path.suffix in TEMPLATES and path.is_file():
                found.setdefault(path.relative_to(folder).as_posix(), path.read_text(encoding="utf-8"))
    return dict(sorted(found.items()))


@lru_cache
def current_versions() -> tuple[tuple[str, str], ...]:
    """Name and version of Infomail and of the packages that render."""
    return (("infomail", __version__), *((name, version(name)) for name in _RENDERING))


def keep(session: Session, stationery: Stationery) -> int:
    """The id of the stored row that is like `stationery`; it is stored if there is none."""
    session.execute(
        insert_into(session, Stationery)
        .values(
            digest=stationery.digest,
            templates=stationery.templates,
            letterhead=stationery.letterhead,
            versions=stationery.versions,
        )
        .on_conflict_do_nothing(index_elements=["digest"])
    )
    return session.scalars(select(Stationery.id).where(Stationery.digest == stationery.digest)).one()
