"""Which items go into which section. Pure; opens with its rules.

1. An item that stood in an issue of this newsletter before, or was rejected there, is never
   chosen again. ("Published since the last issue" would lose what a feed brought late.)
2. The same story brought by several feeds is chosen once: equal link, equal identity, or equal
   content, also by way of a third. The section named first in the plan gets it, and the other
   feeds are named.
3. What is over is never taken: an event that has ended, a deadline that has passed.
4. With `max_age`, older items are left out. Age counts from publication, else from when the item
   was first seen; one without a date that already stood in the feed when we first read it has
   no age we could know, and is left out.
5. `order = "event"`: coming ones first by date, and `within` bounds how far ahead; entries without
   a date follow, newest first. `deadline`: the same by the deadline, else by the event's end.
   `newest`: by publication. What was held back for this issue comes before all else.
6. `match`: one hit in every condition it gives: a category, a word in title or summary, a place.
7. At most `max`; what is over stays for the next issue or, with `carry_over = false`, is let go.
   A section with fewer than `min`, or whose `only_if` does not hold on the day of the slot, is left
   out and its items stay free.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol
from urllib.parse import urlsplit

from mailer.feeds.identity import canonical
from mailer.feeds.model import Kind
from mailer.schedule import Match, Section


class Candidate(Protocol):
    """What of an item decides: an Item has it, and so has a row with these columns."""

    id: int
    feed_key: str
    identity: str
    kind: Kind
    title: str
    url: str
    summary: str
    weight: int
    published: datetime | None
    updated: datetime | None
    starts: datetime | None
    ends: datetime | None
    all_day: bool
    deadline: date | None
    categories: Sequence[str]
    places: Sequence[str]
    municipality: str | None
    baseline: bool
    first_seen_at: datetime
    digest: str


def choose(
    sections: Sequence[Section],
    items: Sequence[Candidate],
    *,
    used: Iterable[Candidate],
    day: date,
    at: datetime,
    today: date,
    first: Collection[int] = (),
) -> list["Chosen"]:
    """What each section takes and lets go; sections that take nothing are left out.

    `items` are the candidates of all sections; `used` those that stood in earlier issues of the
    newsletter; `first` the ids of items that were held back for this one. `day` is the nominal day
    of the issue, `at` the instant it goes out and `today` the day of that.
    """
    coming = [item for item in items if not _is_over(item, at, today)]
    coming.sort(key=lambda item: item.id)
    coming.sort(key=_news, reverse=True)
    suited = {
        place: _suited(section, coming, at, first)
        for place, section in enumerate(sections)
        if section.only_if is None or section.only_if.holds(day)
    }
    told = {item.id: item for found in suited.values() for item in found}
    used = list(used)
    stories = _Stories(told.values(), used)
    taken = {stories.of(item) for item in used}
    taking: list[tuple[int, list[Candidate], list[Candidate]]] = []
    for place, found in suited.items():
        section = sections[place]
        fresh = _fresh(found, stories, taken, section.max if section.carry_over else None)
        if fresh and len(fresh) >= section.min:
            taking.append((place, fresh[: section.max], fresh[section.max :]))
            taken.update(stories.of(item) for item in fresh)
    tellers = stories.tellers(told.values(), {stories.of(item) for _, items, _ in taking for item in items})
    return [
        Chosen(place, [Pick(item, _others(item, tellers[stories.of(item)])) for item in items], over)
        for place, items, over in taking
    ]


@dataclass(frozen=True, slots=True)
class Pick:
    """An item to take, and the keys of the other feeds that brought the same."""

    item: Candidate
    also: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Chosen:
    """`place` of the section in the plan, what it takes, and the items it lets go for good."""

    place: int
    picks: list[Pick]
    let_go: list[Candidate]


def _fresh(
    found: Iterable[Candidate], stories: "_Stories", taken: Collection[int], most: int | None
) -> list[Candidate]:
    """The first item of each story that is not taken, `most` of them if it is given."""
    fresh: dict[int, Candidate] = {}
    for item in found:
        story = stories.of(item)
        if story not in taken:
            fresh.setdefault(story, item)
            if len(fresh) == most:
                break
    return list(fresh.values())


def _others(item: Candidate, feeds: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(feed for feed in feeds if feed != item.feed_key))


def _is_over(item: Candidate, at: datetime, today: date) -> bool:
    if item.deadline is not None and item.deadline < today:
        return True
    if item.starts is None and item.ends is None:
        return False
    last = item.ends or item.starts
    if item.all_day and item.ends is None:
        last = item.starts and item.starts + timedelta(days=1)
    return last is not None and last < at


def _news(item: Candidate) -> datetime:
    return item.published or item.updated or item.first_seen_at


def _suited(
    section: Section, coming: Iterable[Candidate], at: datetime, first: Collection[int]
) -> list[Candidate]:
    """What the section could take, in its order; `coming` is sorted by news."""
    feeds, kinds = frozenset(section.feeds), frozenset(section.contributions)
    news, municipal = Kind.NEWS, section.municipal
    found = [
        item
        for item in coming
        if (
            (item.feed_key in feeds or (municipal and item.municipality is not None))
            if item.kind is news
            else item.kind.value in kinds
        )
    ]
    if section.max_age is not None:
        oldest = at - section.max_age
        found = [item for item in found if not _older(item, oldest)]
    if section.match is not None:
        found = _matching(section.match, found)
    if section.order != "newest":
        found = _by_date(section, found, at)
    if first:
        found.sort(key=lambda item: item.id not in first)
    return found


def _by_date(section: Section, items: Iterable[Candidate], at: datetime) -> list[Candidate]:
    """Those with a date by it, as far ahead as the section looks; then the others as they stand."""
    dated: list[tuple[datetime, int, Candidate]] = []
    others: list[Candidate] = []
    latest = at + section.within if section.within is not None else None
    for item in items:
        when = _date(section.order, item)
        if when is None:
            others.append(item)
        elif latest is None or when <= latest:
            dated.append((when, item.id, item))
    dated.sort(key=lambda each: each[:2])
    return [item for _, _, item in dated] + others


def _date(order: str, item: Candidate) -> datetime | None:
    """The date that the section sorts by and looks ahead to."""
    if order == "event":
        return item.starts
    if item.deadline is not None:
        return datetime.combine(item.deadline, time(), tzinfo=UTC)
    return item.ends or item.starts


def _matching(match: Match, items: Iterable[Candidate]) -> list[Candidate]:
    """The items that have a hit in every condition."""
    if match.category:
        names = {name.casefold() for name in match.category}
        items = [item for item in items if any(each.casefold() in names for each in item.categories)]
    if match.words:
        word = re.compile("|".join(re.escape(word.casefold()) for word in match.words))
        items = [item for item in items if word.search(f"{item.title} {item.summary}".casefold())]
    if match.places:
        items = [item for item in items if _lies_in(item, match.places)]
    return list(items)


def _lies_in(item: Candidate, prefixes: tuple[str, ...]) -> bool:
    return any(place.startswith(prefixes) for place in (*item.places, item.municipality or ""))


def _older(item: Candidate, oldest: datetime) -> bool:
    if item.published or item.updated:
        return max(filter(None, (item.published, item.updated))) < oldest
    return item.baseline or item.first_seen_at < oldest


class _Stories:
    """Which items are the same story: those that have a sign in common, and what those have in common."""

    def __init__(self, fresh: Collection[Candidate], used: Collection[Candidate]) -> None:
        self._parents: list[int] = []  # a forest: each story's is itself, or one it turned out to be
        self._of: dict[int, int] = {}
        links = _links([*used, *fresh])
        # old news behind the address of a fresh one are the same, told anew; another date is another date
        shared = _shared_links([*fresh, *(item for item in used if item.starts)], links)
        by_sign: dict[str, int] = {}
        for item in (*used, *fresh):
            link = links[item.id]
            signs = _signs(item, link, alone=(item.feed_key, link) not in shared)
            if known := [by_sign[sign] for sign in signs if sign in by_sign]:
                roots = {self._settled(story) for story in known}
                story = min(roots)
                for root in roots:
                    self._parents[root] = story
            else:
                story = len(self._parents)
                self._parents.append(story)
            for sign in signs:
                by_sign[sign] = story
            self._of[item.id] = story

    def of(self, item: Candidate) -> int:
        """The number of the item's story."""
        story = self._of[item.id]
        return story if self._parents[story] == story else self._settled(story)

    def tellers(self, items: Iterable[Candidate], wanted: Collection[int]) -> dict[int, list[str]]:
        """The feeds of each wanted story, in the order of `items`."""
        found: dict[int, list[str]] = {story: [] for story in wanted}
        for item in items:
            if (story := self.of(item)) in found:
                found[story].append(item.feed_key)
        return found

    def _settled(self, story: int) -> int:
        while self._parents[story] != story:
            self._parents[story] = story = self._parents[self._parents[story]]
        return story


def _signs(item: Candidate, link: str, *, alone: bool) -> list[str]:
    """What two items have in common when they are the same thing."""
    signs = []
    if item.weight > _A_FEW_WORDS or item.starts is not None:  # "Sitzung des Rates" alone is said of many
        signs.append(f"content {item.digest}")
    if ":" in item.identity:  # tag:, urn:, https: name a thing for everybody; "42" only in its feed
        signs.append(f"identity {item.identity}")
    if link:
        # where one feed has many things behind one address, it takes more to tell which is meant
        signs.append(f"link {link}" if alone else f"link {link} {item.title} {item.starts}")
    return signs


#: characters of a summary that say something of their own
_A_FEW_WORDS = 40


def _links(items: Iterable[Candidate]) -> dict[int, str]:
    """The address of each item without scheme, tracking and a last slash; "" where it has none."""
    paths = {item.id: _path(item.url) for item in items}
    often = Counter(paths.values())
    # where a path is met once, no query can make it equal to another
    return {
        item.id: paths[item.id] if often[paths[item.id]] == 1 else _named(paths[item.id], item.url)
        for item in items
    }


def _path(url: str) -> str:
    """Host and path; costs a tenth of taking the address apart as a whole."""
    host, _, path = url.partition("://")[2].partition("#")[0].partition("?")[0].partition("/")
    if ":" in host or "@" in host:
        parts = urlsplit(canonical(url))
        host, path = parts.netloc, parts.path.removeprefix("/")
    return f"{host.lower()}/{path.rstrip('/')}" if host else ""


def _named(path: str, url: str) -> str:
    return f"{path}?{canonical(url).partition('#')[0].partition('?')[2]}" if path else ""


def _shared_links(items: Iterable[Candidate], links: Mapping[int, str]) -> set[tuple[str, str]]:
    """The links, each with its feed, behind which that feed has several things: a page of all its dates."""
    behind: dict[tuple[str, str], tuple[str, datetime | None]] = {}
    shared = set()
    for item in items:
        where, what = (item.feed_key, links[item.id]), (item.title, item.starts)
        if behind.setdefault(where, what) != what:
            shared.add(where)
    return shared
