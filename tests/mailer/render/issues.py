"""An issue with entries, lists and a letterhead, all in memory."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from mailer.issues.model import Entry, Issue
from mailer.links import Links
from mailer.receipts.returnpath import ReturnPath
from mailer.render.choose import Chooser
from mailer.render.editions import with_page
from mailer.render.letterhead import Imprint, Letterhead
from mailer.render.press import Press, Rendered
from mailer.render.samples import SENDER
from mailer.render.stationery import stationery_of
from mailer.shipped import shipped
from subscribers.audience import AudienceKey
from subscribers.model import Import, MailingList
from subscribers.tokens import Keys

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
KEYS = Keys(1, {1: b"k" * 32})
LETTERHEAD = Letterhead(
    network="Netz der Gemeinden",
    address="infomail@example.org",
    operator="",
    imprint=Imprint(**SENDER),
    links=Links("https://infomail.example.org"),
    return_path=ReturnPath.parse("bounce+{token}@example.org"),
    message_id_domain="example.org",
    templates=(shipped("templates"),),
)
STATIONERY = stationery_of(LETTERHEAD)
NAMES = {"05999001": "Köthen am Muster", "05999002": "Musterstadt"}


def an_issue(**changes: Any) -> Issue:
    values: dict[str, Any] = {
        "id": 1, "handle": 7, "newsletter": "infomail", "slot": NOW, "send_at": NOW, "list_key": "netzwerk",
        "for_list": "", "number": 3, "year": 2026, "title": "Infomail", "zone": "Europe/Berlin",
        "template": "issue", "subject": "Infomail – 3/2026", "preheader": "", "editorial": "<p>Zum Gruß</p>",
        "easy_language": "",
    }  # fmt: skip
    return Issue(**(values | changes))


def an_entry(row_id: int, **changes: Any) -> Entry:
    values: dict[str, Any] = {
        "id": row_id, "section": "Neues", "section_position": 0, "position": row_id, "source": "",
        "title": f"Meldung {row_id}", "url": f"https://www.example.org/{row_id}", "summary": "<p>Text</p>",
        "location": "", "contact": "", "places": [], "roles": [], "also": [], "internal": False,
        "frozen": False, "all_day": False,
    }  # fmt: skip
    return Entry(**(values | changes))


def an_event(row_id: int, **changes: Any) -> Entry:
    starts = NOW + timedelta(days=10)
    return an_entry(row_id, **({"starts": starts, "ends": starts + timedelta(hours=2)} | changes))


def a_list(key: str = "netzwerk", **changes: Any) -> MailingList:
    values: dict[str, Any] = {
        "key": key, "title": "Infomail des Netzwerks", "municipality": None, "sender_name": "",
        "reply_to": "", "imprint": "", "privacy_url": "", "controller": "",
    }  # fmt: skip
    return MailingList(**(values | changes))


def a_chooser(
    issue: Issue,
    entries: Sequence[Entry],
    *lists: MailingList,
    imports: dict[int, Import] | None = None,
    stationery: str = STATIONERY.digest,
) -> Chooser:
    by_key = {each.key: each for each in lists or (a_list(),)}
    return Chooser(issue, entries, by_key, imports or {}, names=NAMES, stationery=stationery)


def a_key(
    list_key: str = "netzwerk", *, places: str = "", roles: str = "", language: str = "de"
) -> AudienceKey:
    return AudienceKey(list_key, language, places, roles)


def pressed(issue: Issue, chooser: Chooser, key: AudienceKey, press: Press | None = None) -> Rendered:
    """The edition for `key`."""
    digest = chooser.digest(key)
    setting = with_page(chooser.setting(key), issue, digest, KEYS)
    return (press or Press(issue, STATIONERY)).edition(chooser.visible(key), setting, digest)
