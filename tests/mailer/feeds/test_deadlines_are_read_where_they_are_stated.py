import json
import time
from datetime import date

import pytest

from mailer.feeds.deadlines import deadline_of
from mailer.feeds.parse import parse


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("Bewerbungsfrist: 31.03.2026", "2026-03-31"),
        ("Antragsfrist ist der 5. März 2026", "2026-03-05"),
        ("Einsendeschluss 31. Mai 2026", "2026-05-31"),
        ("Anmeldeschluss: Freitag, 3. Juli 2026", "2026-07-03"),
        ("Anmeldeschluss ist am 05.06.2026 um 12 Uhr", "2026-06-05"),
        ("Bewerbungen bis zum 15.04.2026", "2026-04-15"),
        ("Bewerben können sich Vereine noch bis zum 15.04.2026 online.", "2026-04-15"),
        ("Anträge können bis 30. 6. 2026 gestellt werden", "2026-06-30"),
        ("Anmeldung bis 15.04.26", "2026-04-15"),
        ("bis spätestens 1.5.2026", "2026-05-01"),
        ("Die Frist endet am Dienstag, 31.3.2026.", "2026-03-31"),
        ("Frist für Anträge: 2026-03-31", "2026-03-31"),
        ("Bewerbungsfrist (verlängert): 31.03.2026", "2026-03-31"),
        ("Die Bewerbungsfrist wurde bis zum 30.04.2026 verlängert", "2026-04-30"),
        ("Bewerbungsfrist: 1. bis 30. April 2026", "2026-04-30"),  # the end of a span counts
        ("Antragsfrist vom 1.3. bis 30.4.2026", "2026-04-30"),
        ("<b>Bewerbungsfrist</b>: <span>31.&nbsp;M&auml;rz 2026</span>", "2026-03-31"),
        ("Anmeldungen bis zum 15.04.2026. Beginn ist der 10.05.2026", "2026-04-15"),
        ("Bewerbungsfrist: 31.03.2026. Bewerbungen bis 31. März 2026", "2026-03-31"),  # the same, twice
    ],
)
def test_a_stated_deadline_is_found(text: str, day: str) -> None:
    assert deadline_of("Förderpreis", text) == date.fromisoformat(day)
    assert deadline_of(text, "") == date.fromisoformat(day)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Das Fest ist am 31.03.2026. Anmeldung erwünscht.",
        "Bewerbungsfrist: 31. März",  # of which year?
        "Bewerbungsfrist: 31.03.2026, Einsendeschluss 1.4.2026",
        "Bewerbungsfrist: 31.03.2026, Antragsfrist: 5. Mai",
        "Einsendeschluss 31.02.2026",
        "Anmeldung: Tel. 0211 4711, geöffnet bis 31.03.2026",
        "Die Ausstellung läuft bis zum 31.03.2026",
        "Fristlos gekündigt am 31.03.2026",
    ],
)
def test_what_states_no_deadline_for_certain_has_none(text: str) -> None:
    assert deadline_of("", text) is None


@pytest.mark.parametrize(
    "piece", ["bis spätestens ", "Anmeldung ", "Anmeldung x x x ", "frist: am ", "<", "frist 1. ", "1.1.", "frist vom 1. "]
)  # fmt: skip
def test_a_hostile_text_costs_nothing(piece: str) -> None:
    started = time.thread_time()
    deadline_of("", piece * 100_000)
    assert time.thread_time() - started < 0.5


def test_an_element_made_for_it_is_read_in_any_namespace() -> None:
    body = """<rss version="2.0" xmlns:f="urn:example:foerderung"><channel><title>T</title>
    <item><guid>1</guid><title>A</title><f:frist>31.03.2026</f:frist></item>
    <item><guid>2</guid><title>B</title><f:applicationDeadline>2026-03-31T23:59:00+02:00</f:applicationDeadline></item>
    <item><guid>3</guid><title>C</title><deadline>2026-03-31</deadline></item>
    <item><guid>4</guid><title>Anmeldung bis 1.1.2027</title><frist xmlns="urn:example:y">31. März 2026</frist></item>
    <item><guid>5</guid><title>E</title><frist>bald</frist></item></channel></rss>"""
    feed = parse(body.encode())
    assert [item.deadline for item in feed.items] == [date(2026, 3, 31)] * 4 + [None]
    assert feed.problems == ("unreadable deadline: 'bald'",)


def test_a_text_below_the_summary_counts_too() -> None:
    body = """<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel><title>T</title>
    <item><guid>1</guid><title>A</title><description>Kurz.</description>
    <content:encoded>&lt;p&gt;Einsendeschluss: 31.03.2026&lt;/p&gt;</content:encoded></item></channel></rss>"""
    assert parse(body.encode()).items[0].deadline == date(2026, 3, 31)


def test_a_json_feed_has_it_in_an_extension() -> None:
    items = [
        {"id": "1", "_deadline": "2026-03-31"},
        {"id": "2", "_infomail": {"deadline": "31.03.2026"}},
        {"id": "3", "content_text": "Bewerbungsfrist: 31.03.2026"},
        {"id": "4", "_infomail": 7},
    ]
    body = {"version": "https://jsonfeed.org/version/1.1", "title": "T", "items": items}
    assert [item.deadline for item in parse(json.dumps(body).encode()).items] == [date(2026, 3, 31)] * 3 + [
        None
    ]
