"""The sample contexts as the tests use them, and issues that are hard to set."""

from typing import Any
from zoneinfo import ZoneInfo

from markupsafe import Markup

from mailer.render.parts import body_names, html_part
from mailer.render.press import Sheets
from mailer.render.samples import NOTICES, entry, illustrated, issue, section
from mailer.render.sanitize import clean_html
from mailer.render.template import environment
from mailer.shipped import shipped

_WORD = "Rechtsschutzversicherungsgesellschaftenvorstandsvorsitzendenwechselankündigungsschreiben"
#: what does not break by itself, wherever a feed may put it
_LONG = entry(
    1,
    title=_WORD,
    url=f"https://example.org/{_WORD * 9}",
    source=_WORD,
    location=_WORD,
    summary=Markup(
        clean_html(
            f"<p>{_WORD} <a href='https://example.org/'>https://example.org/{'abc' * 60}</a></p>"
            f"<ul><li>{_WORD}</li></ul><blockquote>{_WORD}</blockquote><ol><li>{_WORD}</li></ol>"
        )
    ),
)
#: kind of mail -> a context for it
LETTERS: dict[str, dict[str, Any]] = {
    "issue": issue(8),
    "event": issue(3),
    "short": issue(1),
    "municipal": issue(4, municipality={"name": "Musterstadt"}, list_title="Vereinsbrief"),
} | {kind: full for kind, (full, *_) in NOTICES.items()}
#: issues that are hard to set
HARD: dict[str, dict[str, Any]] = {
    "nothing": issue(0),
    "much": issue(25),
    "long words": issue(0, sections=[section(_WORD, _LONG, entry(2))]),
    "one region, in English": issue(2, language="en", municipality={"name": "Musterstadt"}),
}


#: kind of issue -> one with logo, pictures and a part in Leichte Sprache
ILLUSTRATED = {kind: illustrated(LETTERS[kind]) for kind in ("issue", "event", "short", "municipal")}


def rendered(kind: str, context: dict[str, Any]) -> tuple[str, str, str]:
    """Subject, HTML and text."""
    env = environment([shipped("templates") / "mail"], context["language"], zone=ZoneInfo("Europe/Berlin"))
    sheets = Sheets(env, kind)
    html = html_part(env, body_names(kind), context) if kind in NOTICES else sheets.html(context)
    return sheets.subject(context), html, sheets.text(context)
