import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.feeds.discover import MOST, Candidate, announced, asks_to_log_in

AT = "https://www.musterstadt.example/rathaus/aktuelles.html"
SITE = "https://www.musterstadt.example"


def addresses(page: str) -> list[str]:
    return [found.url for found in announced(page, AT)]


def test_links_for_machines_come_first_and_plain_links_after_them() -> None:
    page = """<!doctype html><html><head>
    <a href="/presse.rss">Presse <b>als RSS</b></a>
    <link rel="alternate" type="application/rss+xml" title="News &amp; mehr" href="rss.xml">
    <LINK REL='stylesheet alternate' TYPE='application/Atom+XML; charset=utf-8' href=/atom>
    <link rel="alternate" type="text/html" hreflang="en" href="/en"><link rel="stylesheet" href="/feed.css"></html>"""
    assert announced(page, AT) == (
        Candidate(f"{SITE}/rathaus/rss.xml", "News & mehr", "application/rss+xml"),
        Candidate(f"{SITE}/atom", "", "application/atom+xml"),
        Candidate(f"{SITE}/presse.rss", "Presse als RSS", ""),
    )


@pytest.mark.parametrize(
    ("href", "found"),
    [
        ("/termine.ics", f"{SITE}/termine.ics"),
        ("webcal://www.musterstadt.example/t.ics", f"{SITE}/t.ics"),
        ("?type=9818", f"{AT}?type=9818"),
        ("/feed/", f"{SITE}/feed/"),
        ("/SiteGlobals/Functions/RSSFeed/RSSNewsfeed.xml", f"{SITE}/SiteGlobals/Functions/RSSFeed/RSSNewsfeed.xml"),
        ("/rss-hilfe.html", None),
        ("/feedback", None),
        ("javascript:x.rss", None),
        ("ftp://www.musterstadt.example/x.rss", None),
    ],
)  # fmt: skip
def test_a_link_counts_when_it_plainly_is_a_feed(href: str, found: str | None) -> None:
    assert addresses(f'<p><a class="x" href="{href}">hier</a></p>') == ([found] if found else [])


def test_the_base_element_moves_relative_links() -> None:
    page = '<base href="/unten/"><link rel="alternate" type="text/calendar" href="t.ics">'
    assert addresses(page) == [f"{SITE}/unten/t.ics"]


def test_comments_and_scripts_announce_nothing() -> None:
    link = '<link rel="alternate" type="application/rss+xml" href="/rss">'
    assert addresses(f"<!-- {link} --><script>'{link}'</script><style>{link}</style>") == []
    assert addresses(f"<!-- nicht zu Ende {link}") == [f"{SITE}/rss"]


def test_each_feed_is_named_once_and_at_most_twenty() -> None:
    assert addresses('<a href="/a.rss">A</a><a href="/a.rss#oben">B</a>') == [f"{SITE}/a.rss"]
    assert len(addresses("".join(f'<a href="/{n}.rss">x</a>' for n in range(50)))) == MOST


def test_a_log_in_page_is_told_by_its_password_field() -> None:
    assert asks_to_log_in('<form><input name="p" type="password"></form>')
    assert not asks_to_log_in('<form><input type="search"></form>')


@pytest.mark.parametrize(
    "piece", ["<!--", "<script ", "<a ", "<a href='", "<a b=c>", "<a href=/feed>", "<link " + "b=" * 200]
)
def test_a_hostile_page_costs_little(piece: str) -> None:
    started = time.thread_time()
    assert len(announced(piece * (1_000_000 // len(piece)), AT)) <= MOST
    assert time.thread_time() - started < 1


@given(st.lists(st.sampled_from(["<a href=", "<link rel=alternate type=", "application/rss+xml", "'", '"', ">", " ", "//[", "\0", "ä", "<base href=", "</a>", "<!--", "/x.rss"]) | st.text(max_size=4), max_size=30))  # fmt: skip
def test_no_page_makes_it_raise_or_name_what_is_no_web_address(pieces: list[str]) -> None:
    assert all(url.startswith(("http://", "https://")) for url in addresses("".join(pieces)))
