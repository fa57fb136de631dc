"""Which items go into which section. Pure; opens with its rules.

1. An item that stood in an issue of this newsletter before, or was rejected there, is never
   chosen again. ("Published since the last issue" would lose what a feed brought late.)
2. The same thing brought by two feeds is chosen once: equal link, equal identity, or equal content.
   The section named first in the plan gets it.
3. With `max_age`, older items are left out. Age counts from publication, else from when the item
   was first seen; one without a date that already stood in the feed when we first read it has
   no age we could know, and is left out.
4. `order = "event"`: coming ones first by date, what is over is left out, and `within` bounds how
   far ahead; entries without a date follow, newest first. `newest`: by publication.
   `deadline`: by its end, what has ended is left out.
5. `match`: one hit in every condition it gives: a category, a word in title or summary, a place.
6. At most `max`; what is over stays for the next issue or, with `carry_over = false`, is let go.
   A section with fewer than `min`, or whose `only_if` does not hold on the day of the slot, is left
   out and its items stay free.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from urllib.parse import urlsplit

from mailer.feeds.model import Item
from mailer.schedule import Match, Section


def choose(
    sections: Sequence[Section],
    items: Sequence[Item],
    *,
    used: Iterable[Item],
    day: date,
    at: datetime,
) -> list["Chosen"]:
    """What each section takes and lets go; sections that take nothing are left out.

    `items` are the candidates of all sections; `used` those that stood in earlier issues of the
    newsletter; `day` is the nominal day of the issue and `at` the instant it goes out.
    """
    taken: set[str] = {sign for item in used for sign in _signs(item)}
    chosen: list[Chosen] = []
    for place, section in enumerate(sections):
        if section.only_if is not None and not section.only_if.holds(day):
            continue
        found = _choose_section(section, items, taken, at)
        if found and len(found) >= section.min:
            taken.update(sign for item in found[: section.max] for sign in _signs(item))
            over = found[section.max :] if not section.carry_over else []
            chosen.append(Chosen(place, found[: section.max], over))
            taken.update(sign for item in over for sign in _signs(item))
    return chosen


@dataclass(frozen=True, slots=True)
class Chosen:
    """`place` of the section in the plan, the items it takes, and those it lets go for good."""

    place: int
    items: list[Item]
    let_go: list[Item]


def _choose_section(section: Section, items: Sequence[Item], taken: set[str], at: datetime) -> list[Item]:
    suited = [item for item in items if item.feed_key in section.feeds and _suits(section, item, at)]
    suited.sort(key=lambda item: _rank(section.order, item))
    found: list[Item] = []
    seen = set(taken)
    for item in suited:
        signs = _signs(item)
        if seen.isdisjoint(signs):
            found.append(item)
        seen.update(signs)
    return found


def _suits(section: Section, item: Item, at: datetime) -> bool:
    if section.max_age is not None and _older(item, at - section.max_age):
        return False
    if section.match is not None and not _matches(section.match, item):
        return False
    if section.order == "newest":
        return True
    last = item.ends or item.starts
    if last is not None and last < at:
        return False
    return section.within is None or item.starts is None or item.starts <= at + section.within


def _matches(match: Match, item: Item) -> bool:
    text = f"{item.title} {item.summary}".casefold()
    conditions = (
        (match.category, lambda name: name.casefold() in [each.casefold() for each in item.categories]),
        (match.words, lambda word: word.casefold() in text),
        (match.places, lambda prefix: any(place.startswith(prefix) for place in item.places)),
    )
    return all(any(map(holds, wanted)) for wanted, holds in conditions if wanted)


def _older(item: Item, oldest: datetime) -> bool:
    if item.published or item.updated:
        return max(filter(None, (item.published, item.updated))) < oldest
    return item.baseline or item.first_seen_at < oldest


def _rank(order: str, item: Item) -> tuple[int, timedelta, int]:
    """Sorts the dated first by date, then the rest newest first."""
    when = {"event": item.starts, "deadline": item.ends or item.starts}.get(order)
    if when is not None:
        return 0, when - _EPOCH, item.id
    return 1, _EPOCH - (item.published or item.updated or item.first_seen_at), item.id


_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def _signs(item: Item) -> set[str]:
    """What two items have in common when they are the same thing."""
    signs = {f"content {item.digest}"}
    if ":" in item.identity:  # tag:, urn:, https: name a thing for everybody; "42" only in its feed
        signs.add(f"identity {item.identity}")
    if item.url:
        parts = urlsplit(item.url)
        signs.add(f"link {parts.netloc.lower()}{parts.path.rstrip('/')}?{parts.query}")
    return signs
