"""The record of processing activities (Art. 30 GDPR), from what this installation really does.

It says what settings and data can tell; what only the controller knows is named as missing.
"""

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mailer.privacy.holding import Circumstances
from subscribers.model import Import, MailingList, Municipality, Office, Subscription, Suppression
from subscribers.subscribing import CONFIRM_WITHIN


@dataclass(frozen=True, slots=True)
class NextServer:
    """A relay without what logs in to it. `tls` is implicit, required, opportunistic or off."""

    name: str
    tls: str
    logs_in: bool


@dataclass(frozen=True, slots=True)
class Operation:
    """How the service runs, as far as its settings tell."""

    network: str
    version: str
    represented_by: str
    phone: str
    responsible: str
    public_url: str
    relays: Sequence[NextServer]
    #: "SQLite" or "PostgreSQL", and on which host the latter runs
    engine: str
    database_host: str
    records_ip: bool
    #: the domain that mails are signed for (DKIM), or ""
    signs_for: str


def record_of_activities(session: Session, around: Circumstances, runs: Operation, now: datetime) -> str:
    """The record as Markdown, in German: authorities read it."""
    environment = Environment(
        loader=FileSystemLoader(list(around.templates)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701  it makes Markdown; as_html escapes
    )
    return environment.get_template("privacy/verzeichnis.md").render(
        around=around,
        runs=runs,
        keep=around.keep,
        confirm_days=CONFIRM_WITHIN.days,
        lists=_lists(session),
        bases=_in_use(session, Subscription.basis),
        roles=_in_use(session, Office.role),
        imports=session.scalar(select(func.count()).select_from(Import)),
        suppressed=session.scalar(select(func.count()).select_from(Suppression)),
        now=now,
    )


def as_html(markdown: str) -> str:
    """A page of the little Markdown that the record is made of: headings, lists, paragraphs, bold."""
    body: list[str] = []
    for block in re.split(r"\n{2,}", markdown.strip()):
        lines = block.split("\n")
        heading = re.match(r"(#{1,3}) (.+)", lines[0])
        if heading:
            level = len(heading[1])
            body.append(f"<h{level}>{_inline(heading[2])}</h{level}>")
            lines = lines[1:]
        items = [line[2:] for line in lines if line.startswith("- ")]
        if items:
            body.append("<ul>" + "".join(f"<li>{_inline(item)}</li>" for item in items) + "</ul>")
        elif lines:
            body.append(f"<p>{_inline(' '.join(lines))}</p>")
    return _PAGE.format(body="\n".join(body))


_PAGE = """\
<!doctype html>
<html lang="de">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Verzeichnis von Verarbeitungstätigkeiten</title>
<style>
body {{ max-width: 45rem; margin: 2rem auto; padding: 0 1rem; font: 1rem/1.5 sans-serif; color: #111; }}
h2 {{ margin-top: 2rem; border-bottom: 1px solid #767676; break-after: avoid; }}
h1, h2, li, p {{ overflow-wrap: anywhere; hyphens: auto; }}
</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""


def _inline(text: str) -> str:
    return re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", html.escape(text, quote=False))


def _lists(session: Session) -> list[dict[str, Any]]:
    """Each list with its controller, and how many people are on it by which basis."""
    counts: dict[str, dict[str, int]] = {}
    rows = session.execute(
        select(Subscription.list_key, Subscription.basis, func.count()).group_by(
            Subscription.list_key, Subscription.basis
        )
    )
    for key, basis, count in rows:
        counts.setdefault(key, {})[basis] = count
    lists = session.execute(
        select(MailingList, Municipality.name)
        .outerjoin(Municipality, Municipality.ags == MailingList.municipality)
        .order_by(MailingList.key)
    )
    return [
        {
            "key": row.key,
            "title": row.title,
            "municipality": name or "",
            "controller": row.controller,
            "people": counts.get(row.key, {}),
        }
        for row, name in lists
    ]


def _in_use(session: Session, column: Any) -> list[str]:
    return sorted(value.value for value in session.scalars(select(column).distinct()))
