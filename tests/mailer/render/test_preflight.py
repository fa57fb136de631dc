"""Preflight: each bad mail gives its one finding, a good one gives none, and nothing breaks it."""

import re
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.render.preflight import Finding, Severity, Shown, imprint_gaps, inspect
from mailer.render.preflight.finding import MESSAGES
from mailer.translations import translations
from tests.mailer.render.issues import (
    LETTERHEAD,
    NOW,
    a_chooser,
    a_key,
    a_list,
    an_entry,
    an_event,
    an_issue,
    pressed,
)

GOOD = (
    '<!doctype html><html lang="de"><head><title>Infomail</title></head><body><h1>Infomail</h1><h2>Neues</h2>'
    '<p style="color:#1f2933">Wort <a href="https://www.example.org/1">Weiter: Meldung</a></p></body></html>'
)
TEXT = "Infomail\n\nNeues\n\nWort\nhttps://www.example.org/1\n"
MESSAGE = b"List-Unsubscribe: <\0u\0>\r\n\r\nContent-Type: text/plain\r\n\r\n\0u\0\r\nContent-Type: text/html\r\n\r\n\0u\0"


def found(**changes: Any) -> list[Finding]:
    values: dict[str, Any] = {
        "subject": "Infomail Nr. 3", "html": GOOD, "text": TEXT, "message": MESSAGE, "shown": [], "send_at": NOW,
        "ours": "https://infomail.example.org",
    }  # fmt: skip
    return list(inspect(**(values | changes)))


def shown(**changes: Any) -> Shown:
    values: dict[str, Any] = {
        "title": "Meldung", "url": "https://www.example.org/1", "short_url": "", "ends": None, "deadline": None,
    }  # fmt: skip
    return Shown(**(values | changes))


def test_a_good_mail_gives_no_finding() -> None:
    assert found() == []


BODY = "<h2>Neues</h2>"


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("no-unsubscribe", {"message": MESSAGE.replace(b"<\0u\0>", b"<>")}),
        ("no-unsubscribe", {"message": MESSAGE.replace(b"\r\n\r\n\0u\0\r\n", b"\r\n\r\n-\r\n")}),
        ("no-unsubscribe", {"message": MESSAGE.removesuffix(b"\0u\0")}),
        ("placeholder", {"subject": "Infomail {{ issue.number }}"}),
        ("placeholder", {"text": TEXT + "TODO: Frist nachtragen\n"}),
        ("placeholder", {"html": GOOD.replace("Wort", "Lorem ipsum dolor")}),
        ("placeholder", {"html": GOOD.replace("Wort", "x0123456789abcdef01234567x")}),
        ("placeholder", {"text": TEXT + "Guten Tag [Name],\n"}),
        ("placeholder", {"text": TEXT + "%(title)s\n"}),
        ("remote", {"html": GOOD.replace(BODY, BODY + '<img alt="" src="https://www.example.org/x.png">')}),
        ("remote", {"html": GOOD.replace("<body>", '<body background="//www.example.org/x.png">')}),
        ("no-alt", {"html": GOOD.replace(BODY, BODY + '<img src="cid:a@example.org">')}),
        ("h1", {"html": GOOD.replace("<h1>Infomail</h1>", "")}),
        ("h1", {"html": GOOD.replace("h2", "h1")}),
        ("heading-skipped", {"html": GOOD.replace("h2", "h3")}),
        ("no-lang", {"html": GOOD.replace(' lang="de"', "")}),
        ("no-title", {"html": GOOD.replace("<title>Infomail</title>", "")}),
        ("link-empty", {"html": GOOD.replace("Weiter: Meldung", "")}),
        ("link-vague", {"html": GOOD.replace("Weiter: Meldung", "hier …")}),
        ("link-same", {"html": GOOD.replace("</p>", ' <a href="https://www.example.org/">Weiter: Meldung</a></p>'), "text": TEXT + "https://www.example.org/\n"}),
        ("contrast", {"html": GOOD.replace("#1f2933", "#999999")}),
        ("contrast", {"html": GOOD.replace("<body>", '<body bgcolor="#333">')}),
        ("contrast-dark", {"html": GOOD.replace("</head>", "<style>@media (prefers-color-scheme: dark) { body { background-color: #111111 !important; } h1, h2, a { color: #ffffff !important } }</style></head>")}),
        ("layout-table", {"html": GOOD.replace(BODY, BODY + "<table><tr><td>a</td></tr></table>")}),
        ("text-lacks", {"text": TEXT.replace("Neues", "")}),
        ("text-lacks", {"text": TEXT.replace("https://www.example.org/1", "")}),
        ("html-lacks", {"text": TEXT + "https://www.example.org/2\n"}),
        ("http", {"html": GOOD.replace("https:", "http:"), "text": TEXT.replace("https:", "http:")}),
        ("private-link", {"html": GOOD.replace("www.example.org", "intranet"), "text": TEXT.replace("www.example.org", "intranet")}),
        ("private-link", {"html": GOOD.replace("www.example.org", "10.1.2.3"), "text": TEXT.replace("www.example.org", "10.1.2.3")}),
        ("credentials", {"html": GOOD.replace("//www", "//me:secret@www"), "text": TEXT.replace("//www", "//me:secret@www")}),
        ("broken-url", {"html": GOOD.replace("</p>", ' <a href="https://">Weiter: Nichts</a></p>'), "text": TEXT + "https://\n"}),
        ("large", {"html": GOOD.replace("Wort", "Wort " * 22_000)}),
        ("heavy", {"message": MESSAGE + bytes(1_000_001)}),
        ("no-subject", {"subject": "  "}),
        ("long-subject", {"subject": "Infomail " * 10}),
        ("shouting", {"subject": "INFOMAIL NR. 3 IST DA"}),
        ("reply", {"subject": "AW: Infomail"}),
        ("event-over", {"shown": [shown(ends=NOW - timedelta(hours=1))]}),
        ("deadline-over", {"shown": [shown(deadline=date(2026, 3, 1))]}),
        ("twice", {"shown": [shown(), shown()]}),
    ],
)  # fmt: skip
def test_each_mistake_gives_its_one_finding(code: str, changes: dict[str, Any]) -> None:
    assert {finding.code for finding in found(**changes)} == {code}


def test_only_what_the_law_and_readers_cannot_do_without_blocks() -> None:
    blocking = {code for code, (severity, _) in MESSAGES.items() if severity is Severity.BLOCKS}
    assert blocking == {"imprint", "template", "no-unsubscribe", "placeholder", "remote", "no-alt"}


@pytest.mark.parametrize("language", ["de", "en"])
@pytest.mark.parametrize("kind", ["issue", "event", "short", "municipal"])
def test_the_shipped_kinds_give_no_finding(kind: str, language: str) -> None:
    issue = an_issue(template=kind, subject="Infomail: Landespreis", easy_language="<p>Ein Brief.</p>")
    long = f"https://www.example.org/{'abc/' * 30}"
    entries = [
        *(an_entry(n, summary='<p>Text mit <a href="https://www.example.org/da">Bezug</a></p>') for n in (1, 2)),
        an_entry(3, url=long), *(an_event(n, section="Termine", section_position=1) for n in (4, 5)),
    ]  # fmt: skip
    town = a_list("verein", title="Vereinsbrief", municipality="05999002")
    edition = pressed(issue, a_chooser(issue, entries, a_list(), town), a_key("verein", language=language))
    of_entries = [
        shown(title=entry.title, url=entry.url, short_url=LETTERHEAD.links.entry(issue.handle, number))
        for number, entry in enumerate(entries, start=1)
    ]
    assert found(
        subject=edition.subject, html=edition.html, text=edition.text, message=edition.message, shown=of_entries
    ) == []  # fmt: skip


@given(st.text(), st.text(), st.text())
def test_nothing_breaks_preflight(subject: str, html: str, text: str) -> None:
    findings = found(subject=subject, html=f"<p>{html}<a href='{html}'>x</a></p>{html}", text=text)
    assert all(finding.said("de") and finding.said("en") for finding in findings)


def test_staff_are_told_in_german() -> None:
    catalogue = translations("de")
    assert [text for _, text in MESSAGES.values() if catalogue.gettext(text) == text] == []
    for _, text in MESSAGES.values():
        fields = re.findall(r"%\(\w+\)s", text)
        assert sorted(re.findall(r"%\(\w+\)s", catalogue.gettext(text))) == sorted(fields)


def test_the_same_in_two_editions_has_the_same_key() -> None:
    one, two = Finding("http", {"url": "http://a"}), Finding("http", {"url": "http://a"})
    assert one.key == two.key != Finding("http", {"url": "http://b"}).key


def test_an_imprint_without_gaps_has_none() -> None:
    assert imprint_gaps(LETTERHEAD.imprint) == []
    assert imprint_gaps(replace(LETTERHEAD.imprint, city=" ")) == ["INFOMAIL_SENDER_CITY"]
