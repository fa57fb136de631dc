"""How long the regional editions of an issue take: `python bench/editions.py [--editions N] [--entries N]`.

Renders the editions of N places (60 by default) with as many entries each (40), the last of them the
place's own, and prints the time beside that of the plain way in the same run: each edition alone, its
templates compiled anew, all its entries in one page of MJML. Medians of three. Exit code 1 if sixty of
them take 2 s or more, if one depends on those before it, or holds other words than the plain one.
"""

import argparse
import re
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from mailer.issues.model import Entry, Issue
from mailer.links import Links
from mailer.receipts.returnpath import ReturnPath
from mailer.render.choose import Chooser
from mailer.render.editions import with_page
from mailer.render.letterhead import Imprint, Letterhead
from mailer.render.model import Stationery
from mailer.render.press import Press, Rendered
from mailer.render.stationery import stationery_of
from mailer.shipped import shipped
from subscribers.audience import AudienceKey
from subscribers.model import MailingList
from subscribers.tokens import Keys

_RUNS = 3
_SECONDS = 2.0
_NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
_KEYS = Keys(1, {1: b"k" * 32})
_TEXT = "Wer sich in seiner Kommune für andere einsetzt, soll <strong>dafür</strong> Gutes finden. "
_SUMMARY = f'<p>{_TEXT * 5}<a href="https://www.example.org/antrag">Antrag</a></p><ul><li>Frist</li><li>Ort</li></ul>'


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--editions", type=int, default=60)
    parser.add_argument("--entries", type=int, default=40)
    arguments = parser.parse_args()
    return measure(arguments.editions, arguments.entries)


def measure(count: int, entries: int) -> int:
    """Render, print, and say by the exit code whether it was quick and right."""
    issue, stationery = _issue(), stationery_of(_LETTERHEAD)
    chooser = _chooser(issue, stationery, count, entries)
    keys = [AudienceKey("netzwerk", "de", f"05{n:06}", "") for n in range(count)]

    def render(press: Callable[[], Press]) -> list[Rendered]:
        editions = []
        for key in keys:
            digest = chooser.digest(key)
            setting = with_page(chooser.setting(key), issue, digest, _KEYS)
            editions.append(press().edition(chooser.visible(key), setting, digest))
        return editions

    times, plain_times = [], []
    for _ in range(_RUNS):
        together = Press(issue, stationery)
        took, editions = _timed(lambda: render(lambda: together))  # noqa: B023  called at once
        times.append(took)
        took, plain = _timed(lambda: render(lambda: Press(issue, _plain(stationery))))
        plain_times.append(took)
        print(f"  {len(editions)} editions in {times[-1]:.2f} s; each alone, the plain way, {took:.2f} s")
    if not _agree(editions, plain) or render(lambda: Press(issue, stationery))[-1] != editions[-1]:
        print("the editions are not those of the plain way")
        return 1
    took, yardstick = statistics.median(times), statistics.median(plain_times)
    size = statistics.median(len(each.message) for each in editions)
    print(
        f"{len(editions)} editions of {entries} entries, {size / 1000:.0f} kB each:"
        f" {took:.2f} s (limit {_SECONDS} s for 60),"
        f" {len(editions) / took:.0f} editions/s, {yardstick / took:.1f} times as fast as the plain way"
    )
    return int(took >= _SECONDS * count / 60)


def _timed(render: Callable[[], list[Rendered]]) -> tuple[float, list[Rendered]]:
    began = time.perf_counter()
    editions = render()
    return time.perf_counter() - began, editions


def _agree(editions: list[Rendered], plain: list[Rendered]) -> bool:
    """Whether a reader sees the same words in both; where lines break in their source may differ."""
    return [_words(each.html) for each in editions] == [_words(each.html) for each in plain]


def _words(html: str) -> list[str]:
    return re.sub("<[^>]*>", " ", html).split()


def _plain(stationery: Stationery) -> Stationery:
    """Templates that set the entries into the page before it is compiled."""
    body = stationery.templates["issue/body.mjml"]
    own = {"issue/body.mjml": body.replace("{{ entry.block }}", '{% include "_layout/entry.mjml" %}')}
    return Stationery(templates=stationery.templates | own, letterhead=stationery.letterhead)


def _chooser(issue: Issue, stationery: Stationery, editions: int, count: int) -> Chooser:
    entries = [_entry(number, number // 8, []) for number in range(1, count)]
    entries += [_entry(count + n, count // 8, [f"05{n:06}"]) for n in range(editions)]
    network = MailingList(
        key="netzwerk", title="Netzwerk", municipality=None, sender_name="", reply_to="", imprint="",
        privacy_url="", controller="",
    )  # fmt: skip
    return Chooser(issue, entries, {"netzwerk": network}, {}, names={}, stationery=stationery.digest)


def _entry(number: int, section: int, places: list[str]) -> Entry:
    starts = _NOW + timedelta(days=number) if number % 4 == 0 else None
    return Entry(
        id=number, section=f"Rubrik {section}", section_position=section, position=number,
        title=f"Meldung {number} über das Engagement vor Ort", url=f"https://www.example.org/{number}",
        summary=_SUMMARY, source="Beispielstiftung", published=_NOW, starts=starts, ends=None, all_day=False,
        location="Bürgerhaus" if starts else "", contact="", municipality=None, places=places, roles=[],
        internal=False, frozen=False, also=[],
    )  # fmt: skip


def _issue() -> Issue:
    return Issue(
        id=1, handle=1, newsletter="infomail", slot=_NOW, send_at=_NOW, list_key="netzwerk", for_list="",
        number=1, year=2026, title="Infomail", zone="Europe/Berlin", template="issue", subject="Nr. 1",
        preheader="Neues", editorial="<p>Zum Gruß</p>",
    )  # fmt: skip


_LETTERHEAD = Letterhead(
    network="Netz der Gemeinden",
    address="infomail@example.org",
    operator="",
    imprint=Imprint(
        name="Beispielstelle", street="Musterweg 1", city="00000 Musterstadt", represented_by="",
        email="info@example.org", phone="", responsible="Erika Muster", privacy_url="",
    ),
    links=Links("https://infomail.example.org"),
    return_path=ReturnPath.parse("bounce+{token}@example.org"),
    message_id_domain="example.org",
    templates=(shipped("templates"),),
)  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
