"""What of an issue a release is bound to. Pure."""

import hashlib
import json
from collections.abc import Iterable

from mailer.issues.model import Entry, Issue


def content_digest(issue: Issue, entries: Iterable[Entry]) -> str:
    """SHA-256 in hex of all that a reader of the issue sees. Any edit makes it differ."""
    return digest([*issue_content(issue), [entry_content(entry) for entry in entries]])


def issue_content(issue: Issue) -> list[object]:
    """What a reader sees of the issue around its entries, as JSON-ready values."""
    return [
        issue.title, issue.number, issue.year, issue.subject, issue.preheader, issue.editorial,
        issue.template, issue.easy_language,
    ]  # fmt: skip


def entry_content(entry: Entry) -> list[object]:
    """What a reader sees of one entry, and who that is, as JSON-ready values."""
    return [
        entry.section, entry.title, entry.url, entry.summary, entry.source, entry.location,
        entry.starts and entry.starts.isoformat(), entry.ends and entry.ends.isoformat(), entry.all_day,
        entry.deadline and entry.deadline.isoformat(), entry.published and entry.published.isoformat(),
        entry.updated and entry.updated.isoformat(), entry.contact, entry.kind, entry.municipality,
        entry.also, entry.picture_id, entry.frozen, entry.places, entry.roles, entry.internal,
    ]  # fmt: skip


def digest(values: object) -> str:
    """SHA-256 in hex of JSON-ready values."""
    return hashlib.sha256(json.dumps(values, ensure_ascii=False).encode()).hexdigest()
