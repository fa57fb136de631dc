"""Feeds after the manner of TYPO3, GSB and Contao, with the defects those have."""

import json
import time
import tracemalloc
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.feeds.identity import canonical
from mailer.feeds.parse import NotAFeed, ParsedFeed, parse

SITE = "https://www.musterstadt.example/aktuelles/rss.xml"


def rss(items: str, *, channel: str = "", version: str = "2.0") -> bytes:
    return (
        f'<?xml version="1.0" encoding="utf-8"?>\n<rss version="{version}"><channel><title>Stadt Musterstadt</title>'
        f"<link>https://www.musterstadt.example/</link><description/>{channel}{items}</channel></rss>"
    ).encode()


def item(**fields: str) -> str:
    return "<item>" + "".join(f"<{name}>{text}</{name}>" for name, text in fields.items()) + "</item>"


TYPO3_NEWS = b"""<?xml version="1.0" encoding="utf-8"?>
<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:atom="http://www.w3.org/2005/Atom">
  <channel>
    <title>Stadt Musterstadt: Aktuelles</title><link>https://www.musterstadt.example/</link>
    <description>Meldungen</description><language></language><pubDate>Di, 05 M\xc3\xa4r 2024 12:00:00 MEZ</pubDate>
    <atom:link href="https://www.musterstadt.example/rss.xml" rel="self" type="application/rss+xml" />
    <item>
      <guid isPermaLink="false">news-417</guid>
      <pubDate>Di, 05 M\xc3\xa4r 2024 10:00:00 MEZ</pubDate>
      <title>B\xc3\xbcrgerbus sucht Fahrer &amp;amp; Fahrerinnen &lt;br/&gt; ab <![CDATA[<b>sofort</b>]]></title>
      <link>/aktuelles/detail?tx_news=417&cHash=1</link>
      <description>Der Verein sucht Freiwillige.</description>
      <content:encoded><![CDATA[<p><a href="/kontakt">Kontakt</a></p>]]></content:encoded>
      <category>Ehrenamt</category><category>Verkehr</category>
    </item>
  </channel>
</rss>"""


def test_a_typo3_feed_with_its_usual_defects_is_read() -> None:
    feed = parse(TYPO3_NEWS, url=SITE)
    assert (feed.format, feed.title) == ("rss20", "Stadt Musterstadt: Aktuelles")
    (news,) = feed.items
    assert news.identity == "news-417"
    assert news.title == "Bürgerbus sucht Fahrer & Fahrerinnen ab sofort"
    assert news.url == "https://www.musterstadt.example/aktuelles/detail?tx_news=417&cHash=1"
    assert news.published == datetime(2024, 3, 5, 9, tzinfo=UTC)  # 10:00 MEZ, not the channel's "now"
    assert news.summary == "Der Verein sucht Freiwillige."
    assert news.categories == ("Ehrenamt", "Verkehr")
    assert feed.problems == ("a raw & was escaped",)


ATOM = b"""<feed xmlns="http://www.w3.org/2005/Atom" xml:base="https://www.musterstadt.example/a/"><title>Musterstadt</title>
<entry><id>tag:musterstadt.example,2024:1</id><title type="text">1 &lt; 2</title><link href="b.html"/>
<published>2024-03-05T10:00:00+01:00</published><updated>2024-03-06T10:00:00Z</updated>
<summary type="html">&lt;img src="bild.png"&gt; &lt;a href='?x=1&amp;amp;y=2'&gt;mehr&lt;/a&gt;</summary></entry></feed>"""


def test_an_atom_feed_is_read_with_its_base() -> None:
    (entry,) = parse(ATOM).items
    assert (entry.identity, entry.title) == ("tag:musterstadt.example,2024:1", "1 < 2")
    assert entry.url == "https://www.musterstadt.example/a/b.html"
    assert (entry.published, entry.updated) == (
        datetime(2024, 3, 5, 9, tzinfo=UTC),
        datetime(2024, 3, 6, 10, tzinfo=UTC),
    )
    assert entry.summary == (
        '<img src="https://www.musterstadt.example/a/bild.png"> '
        "<a href='https://www.musterstadt.example/a/?x=1&amp;y=2'>mehr</a>"
    )


RDF = b"""<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:ev="http://purl.org/rss/1.0/modules/event/">
<channel rdf:about="https://www.musterstadt.example/"><title>Termine</title></channel>
<item rdf:about="https://www.musterstadt.example/t/1"><title>Vereinsabend</title><dc:date>2024-03-01</dc:date>
<link>https://www.musterstadt.example/t/1</link><ev:startdate>2024-04-09T19:00:00+02:00</ev:startdate>
<ev:enddate>2024-04-09T21:00:00+02:00</ev:enddate><ev:location>Rathaus</ev:location></item></rdf:RDF>"""


def test_an_event_in_rss_1_0_is_read() -> None:
    feed = parse(RDF)
    (event,) = feed.items
    assert (feed.format, event.identity, event.location) == (
        "rss10",
        "https://www.musterstadt.example/t/1",
        "Rathaus",
    )
    assert event.starts == datetime(2024, 4, 9, 17, tzinfo=UTC)
    assert event.ends == datetime(2024, 4, 9, 19, tzinfo=UTC)
    assert event.published == datetime(2024, 2, 29, 23, tzinfo=UTC)


_OWN_DOCTYPE = "a document type declaration of its own, which no feed needs"


@pytest.mark.parametrize(
    ("version", "name"), [("0.91", "rss09x"), ("0.92", "rss09x"), ("2.0", "rss20"), ("", "rss20")]
)
def test_the_version_of_rss_is_told(version: str, name: str) -> None:
    assert parse(rss("", version=version)).format == name


def test_a_json_feed_is_read() -> None:
    body = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": "Musterstadt",
        "items": [
            {"id": 7, "url": "/7", "title": "Fest", "content_text": "a < b", "date_published": "2024-03-05T10:00:00Z",
             "tags": ["Feier"]},
            "no object",
        ],
    }  # fmt: skip
    feed = parse(json.dumps(body).encode(), url=SITE)
    (entry,) = feed.items
    assert (feed.format, entry.identity, entry.url) == ("jsonfeed", "7", "https://www.musterstadt.example/7")
    assert (entry.summary, entry.categories) == ("a &lt; b", ("Feier",))
    assert feed.problems == ("items that are no objects were dropped",)


CALENDAR = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Musterstadt//
X-WR-CALNAME:Termine
BEGIN:VEVENT
UID:reihe@musterstadt.example
DTSTART;TZID=Europe/Berlin:20240326T190000
DTEND;TZID=Europe/Berlin:20240326T210000
RRULE:FREQ=WEEKLY;COUNT=3
SUMMARY:Treff\\, offen
LOCATION:Rathaus
URL:/treff
END:VEVENT
BEGIN:VEVENT
UID:fest@musterstadt.example
DTSTART;VALUE=DATE:20240501
SUMMARY:Fest
END:VEVENT
BEGIN:VEVENT
UID:wild@musterstadt.example
DTSTART:20240501T000000Z
RRULE:FREQ=SECONDLY
SUMMARY:Bombe
END:VEVENT
END:VCALENDAR
"""


def test_a_calendar_is_read_with_the_dates_of_its_series() -> None:
    feed = parse(CALENDAR.encode(), url=SITE, now=datetime(2024, 3, 1, tzinfo=UTC))
    starts = {one.identity: one.starts for one in feed.items}
    assert starts == {
        "fest@musterstadt.example": datetime(2024, 4, 30, 22, tzinfo=UTC),
        "wild@musterstadt.example": datetime(2024, 5, 1, tzinfo=UTC),
        # 19:00 in Berlin, before and after the clocks change on 31 March
        "reihe@musterstadt.example#20240326T180000Z": datetime(2024, 3, 26, 18, tzinfo=UTC),
        "reihe@musterstadt.example#20240402T170000Z": datetime(2024, 4, 2, 17, tzinfo=UTC),
        "reihe@musterstadt.example#20240409T170000Z": datetime(2024, 4, 9, 17, tzinfo=UTC),
    }
    treff = next(one for one in feed.items if one.identity.startswith("reihe"))
    assert (treff.title, treff.location) == ("Treff, offen", "Rathaus")
    assert treff.url == "https://www.musterstadt.example/treff"
    assert feed.problems == ("repeating events with an unusual rule: only their first dates were read",)


@pytest.mark.parametrize(
    ("body", "content_type", "problem"),
    [
        ("Größe – „gut“".encode(), "", None),
        ("Größe – „gut“".encode("cp1252"), "", "declared as UTF-8, but not written so: read as Windows-1252"),
        (
            "Größe – „gut“".encode("cp1252"),
            "text/xml; charset=utf-8",
            "declared as UTF-8, but not written so: read as Windows-1252",
        ),
    ],
)
def test_german_letters_survive_a_wrong_declaration(
    body: bytes, content_type: str, problem: str | None
) -> None:
    feed = parse(rss(item(title="@", guid="1")).replace(b"@", body), content_type=content_type)
    assert feed.items[0].title == "Größe – „gut“"
    assert feed.problems == ((problem,) if problem else ())


def test_utf_8_declared_as_latin_1_is_read_as_what_it_is() -> None:
    body = rss(item(title="Größe", guid="1")).replace(b'"utf-8"', b'"ISO-8859-1"')
    feed = parse(body)
    assert (feed.items[0].title, feed.problems) == ("Größe", ("declared as iso8859-1, but written in UTF-8",))
    latin = body.decode().encode("latin-1")
    assert (parse(latin).items[0].title, parse(latin).problems) == ("Größe", ())


def test_a_latin_1_piece_in_a_utf_8_feed_spoils_nothing_else() -> None:
    body = rss(item(title="Größe für Männer, @", guid="1")).replace(b"@", "Füße".encode("latin-1"))
    assert parse(body).items[0].title == "Größe für Männer, Füße"


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda b: b"\xef\xbb\xbf" + b, None),
        (lambda b: b.decode().encode("utf-16"), None),
        (lambda b: b"\n\n  " + b, "white space before the XML declaration"),
        (lambda b: b"<br />\n<b>Warning</b>: foo in bar.php" + b, "text before the feed was skipped"),
        (lambda b: b.replace(b"Fest", b"Fe\x02st"), "control characters were removed or read as Windows-1252"),
        (lambda b: b.replace(b"Fest", b"Fe&#2;st"), "character references to control characters were mended"),
        (lambda b: b.replace(b"Fest", b"Fe&shy;st"), "HTML entities, unknown to XML, were resolved"),
        (lambda b: b.replace(b"</title><guid>", b"<br></title><guid>"), "not well-formed: mismatched tag"),
        (lambda b: b.replace(b"<rss", b'<!DOCTYPE rss PUBLIC "-//Netscape Communications//DTD RSS 0.91//EN" "http://my.netscape.com/publish/formats/rss-0.91.dtd">\n<rss'), None),
        (lambda b: b.replace(b"<rss", b"<!DOCTYPE rss><rss"), None),
    ],
)  # fmt: skip
def test_what_is_spoilt_is_mended_and_said(spoil: object, problem: str | None) -> None:
    feed = parse(spoil(rss(item(title="Fest", guid="1"))))  # type: ignore[operator]
    assert feed.items[0].title.replace("\u00ad", "") == "Fest"
    assert feed.problems == ((problem,) if problem else ())


def identities(*items: str, known: frozenset[str] = frozenset()) -> dict[str, str]:
    return {one.title: one.identity for one in parse(rss("".join(items)), known=known).items}


def contao(day: int) -> str:
    """One GUID and one link for a whole series, as Contao's calendar has it."""
    at = "https://www.musterstadt.example/reihe"
    return item(title=f"Sprechstunde am {day}.", guid=at, link=at, pubDate=f"{day} Apr 2024 18:00:00 +0200")


def test_events_that_share_a_guid_are_told_apart_in_any_order() -> None:
    one = identities(contao(2), contao(9), contao(16))
    assert len(set(one.values())) == 3
    assert one == identities(contao(16), contao(2), contao(9))
    assert one["Sprechstunde am 2."] == identities(contao(2), contao(23))["Sprechstunde am 2."]


def test_an_event_once_told_apart_keeps_its_name_when_the_others_are_over() -> None:
    before = identities(contao(2), contao(9))
    assert (
        identities(contao(9), known=frozenset(before.values()))["Sprechstunde am 9."]
        == before["Sprechstunde am 9."]
    )


def test_a_corrected_title_does_not_make_a_new_item() -> None:
    first, then = item(title="Tag des Ehrnamts", guid="4"), item(title="Tag des Ehrenamts", guid="4")
    assert set(identities(first).values()) == set(identities(then).values()) == {"4"}


def test_an_item_without_guid_is_named_by_its_page_or_else_by_title_and_date() -> None:
    link = "https://Www.Musterstadt.example:443/a?utm_source=rss"
    assert identities(item(title="A", link=link, guid=""))["A"] == "https://www.musterstadt.example/a"
    bare = item(title="A", pubDate="05.03.2024")
    assert identities(bare)["A"].startswith("sha256:")
    assert identities(bare) != identities(item(title="A", pubDate="06.03.2024"))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("/a?tx_news_pi1[news]=12&cHash=aaa", "/a?tx_news_pi1%5Bnews%5D=12&cHash=bbb"),
        ("/a;jsessionid=1F2E.live?x=1", "/a?x=1&utm_campaign=rss&utm_medium=feed"),
        ("/a?PHPSESSID=1&id=7", "/a?id=7&wt_mc=rss"),
        ("/?cHash=1", "/"),
    ],
)
def test_checksums_tracking_and_sessions_name_no_page(one: str, other: str) -> None:
    assert canonical(f"https://www.musterstadt.example{one}") == canonical(
        f"https://www.musterstadt.example{other}"
    )


@pytest.mark.parametrize(
    "link",
    ["/a?tx_news_pi1[news]=12&tx_news_pi1[action]=detail&no_cache=1", "/a?id=1&L=0", "/a?12", "/a?q=a%26b#c"],
)
def test_the_rest_of_an_address_stays_as_it_is(link: str) -> None:
    assert canonical(f"https://www.musterstadt.example{link}") == f"https://www.musterstadt.example{link}"


def test_a_guid_that_is_no_address_stays_as_written_wherever_the_feed_is() -> None:
    body = rss(item(title="A", guid="417"))  # isPermaLink is true unless it says false (RSS 2.0)
    for url in (SITE, SITE.replace("https:", "http:"), "https://neu.musterstadt.example/rss"):
        (entry,) = parse(body, url=url).items
        assert (entry.identity, entry.url) == ("417", "")
    link = rss(item(title="A", guid="https://www.musterstadt.example/417"))
    assert parse(link).items[0].url == "https://www.musterstadt.example/417"


def test_relative_links_of_rss_start_at_the_site_it_names() -> None:
    (entry,) = parse(rss(item(title="A", link="news/7", guid="7")), url=SITE).items
    assert entry.url == "https://www.musterstadt.example/news/7"


def test_a_title_with_a_marked_section_of_no_known_kind_is_read() -> None:
    (entry,) = parse(rss(item(title="&lt;b&gt;Fest&lt;/b&gt; &lt;![WAS[mit]] Musik", guid="1"))).items
    assert entry.title.startswith("Fest")


def test_exact_repeats_are_folded() -> None:
    feed = parse(rss(contao(2) + contao(2)))
    assert len(feed.items) == 1
    assert "items that repeat another exactly were folded" in feed.problems


@pytest.mark.parametrize(
    "link", ["javascript:alert(1)", "data:text/html,x", "mailto:a@example.org", "ftp://a.example/"]
)
def test_a_link_that_is_no_web_address_is_dropped(link: str) -> None:
    feed = parse(
        rss(item(title="A", link=link, guid="1")).replace(b"<guid>", b'<guid isPermaLink="false">'), url=SITE
    )
    assert (feed.items[0].url, feed.problems) == ("", ("links that are no web address were dropped",))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"<!DOCTYPE html><html><body>404</body></html>", "an HTML page"),
        (b"<html><body><rss></rss></body></html>", "an HTML page"),
        (b"<head><title>Anmeldung</title></head>", "an HTML page"),
        (b"<sitemap/>", "the root element is sitemap"),
        (b"\x1f\x8b\x08\0\0", "compressed or binary data"),
        (b"\0\0\0", "compressed or binary data"),
        (b"Guten Tag", "neither XML, JSON nor iCalendar"),
        (b'{"a": 1}', "JSON, but no JSON Feed"),
        (b"[" * 100_000, "JSON that cannot be read"),
        (b'<?xml version="1.0" encoding="UTF-7"?>+ADw-rss+AD4-', "written in UTF-7"),
        (b"<rss>" + b"<a>" * 100_000, "nested too deeply"),
        (b"<rss " + b" ".join(b'a%d="1"' % n for n in range(50_000)) + b"/>", "too many attributes in one tag"),
        (rss("<item/>" * 100_000), "too many items"),
        (rss("<item>" + "<category>x</category>" * 50_000 + "</item>"), "too many parts in one item"),
        (b"<rss><channel><" + b"<a>" * 500_000, "not well-formed, and too large to be mended"),
        (rss(item(title="A", description="<![CDATA[" + "<a href='x'>" * 300_000 + "]]>")), "too much markup"),
        (b"<!DOCTYPE rss [" + b"<!--" * 500_000, _OWN_DOCTYPE),
        (b"<!DOCTYPE rss " + b" " * 500_000, _OWN_DOCTYPE),
        (b'<!DOCTYPE rss PUBLIC "' + b"-//Netscape Communications//DTD RSS 0.9" * 50_000, _OWN_DOCTYPE),
    ],
)  # fmt: skip
def test_what_is_no_feed_or_a_bomb_is_refused_at_once(body: bytes, reason: str) -> None:
    started = time.thread_time()
    with pytest.raises(NotAFeed) as caught:
        parse(body)
    assert caught.value.reason == reason
    assert time.thread_time() - started < 2


@pytest.mark.parametrize(
    "declaration",
    [
        '[<!ENTITY x SYSTEM "file:///etc/hostname">]',
        '[<!ENTITY x "geheim">]',
        '[<!ENTITY y "geheim"><!ENTITY x "&y;&y;&y;">]',
        '[<!ENTITY % p SYSTEM "http://127.0.0.1:9/p">%p;]',
        "[<!ENTITY x ']><rss>'>]",
        "[]",
        'SYSTEM "http://127.0.0.1:9/x.dtd"',
        'PUBLIC "-//example.org//DTD x//EN" "http://127.0.0.1:9/x.dtd"',
        'PUBLIC "-//Netscape Communications//DTD RSS 0.91//EN" "file:///etc/hostname"',
        'PUBLIC "-//Netscape Communications//DTD RSS 0.91//EN" "http://my.netscape.com/" [<!ENTITY x "y">]',
    ],
)
def test_a_document_that_declares_a_type_of_its_own_is_refused(declaration: str) -> None:
    plain = rss(item(title="Haus &x; Hof", guid="1"))
    with pytest.raises(NotAFeed) as caught:
        parse(plain.replace(b"<rss", f"<!DOCTYPE rss {declaration}><rss".encode()))
    assert caught.value.reason == _OWN_DOCTYPE


def test_a_people_search_that_feedparser_makes_quadratic_costs_nothing() -> None:
    started = time.thread_time()
    assert len(parse(rss(item(title="A", author="a" * 1_000_000))).items) == 1
    assert time.thread_time() - started < 1


def test_a_feed_of_the_usual_size_is_cheap() -> None:
    body = rss("".join(item(title=f"Meldung {n}", guid=str(n), description="x" * 500) for n in range(500)))
    tracemalloc.start()
    assert len(parse(body).items) == 500
    assert tracemalloc.get_traced_memory()[1] < 50_000_000
    tracemalloc.stop()


def only_not_a_feed(body: bytes) -> ParsedFeed | None:
    try:
        return parse(body, content_type="text/xml; charset=utf-8", url=SITE)
    except NotAFeed:
        return None


@given(st.binary(max_size=300))
def test_no_bytes_make_the_reader_raise_anything_else(body: bytes) -> None:
    only_not_a_feed(body)


PIECES = ["<item>", "</item>", "<title>", "</title>", "<link>", "</link>", "<guid>", "&", "&#", "&x;", "<![CDATA[", "]]>", "<!--",
          "<!DOCTYPE", "<?", "<", ">", "'", '"', " ", "http://[", "xmlns:a='b'", "<a:b>", "ä", "\x96", "\0", "<entry>", "<content type='xhtml'>",
          "<pubDate>", "1 Jan", "<source>", "<image>", "</image>", "<rss>", "<link rel='x'/>", "BEGIN:VEVENT\n", "DTSTART:20240501\n", "RRULE:FREQ=DAILY\n", "<georss:point>", "1,2", "<itunes:keywords>"]  # fmt: skip


@given(st.sampled_from(["<rss><channel>", "<feed>", "<rdf:RDF>", "", "BEGIN:VCALENDAR\n", "{", '{"version":"https://jsonfeed.org/version/1","items":[{'])
       , st.lists(st.sampled_from(PIECES) | st.text(max_size=5), max_size=25))  # fmt: skip
def test_no_rubble_of_a_feed_makes_the_reader_raise_anything_else(start: str, rubble: list[str]) -> None:
    body = (start + "".join(rubble)).encode("utf-8", "replace")
    feed = only_not_a_feed(body)
    if feed is not None:
        assert all(one.url == "" or one.url.startswith("http") for one in feed.items)
        assert len({one.identity for one in feed.items}) == len(feed.items)


JSON_FEED = json.dumps(
    {
        "version": "https://jsonfeed.org/version/1.1",
        "title": "Musterstadt",
        "items": [
            {"id": "1", "title": "Fest", "content_html": "<p>Frist: 5.3.2026</p>", "_deadline": "2026-03-05"}
        ],
    }
).encode()


@given(
    st.sampled_from([TYPO3_NEWS, ATOM, RDF, JSON_FEED, CALENDAR.encode()]),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 40), st.binary(max_size=8)), min_size=1, max_size=6),
)
def test_no_mutation_of_a_feed_makes_the_reader_raise_anything_else(
    body: bytes, changes: list[tuple[float, int, bytes]]
) -> None:
    for where, cut, put in changes:
        at = int(where * len(body))
        body = body[:at] + put + body[at + cut :]
    feed = only_not_a_feed(body)
    if feed is not None:
        assert len({one.identity for one in feed.items}) == len(feed.items)
