"""The text of schedule.toml becomes a Plan, or all problems in it at once.

A file with a syntax error shows no other problems, since nobody knows what it says. docs/schedule.md explains
the keys; a test compares the two.
"""

import re
import tomllib
from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any, NoReturn
from zoneinfo import ZoneInfo

import holidays

from mailer.schedule import shapes
from mailer.schedule.fields import Notes, Table, nearest, shown
from mailer.schedule.keys import KEYS
from mailer.schedule.nosend import CUSTOMS, NoSend, OnNoSendDay, parse_extra
from mailer.schedule.plan import (
    Contributed,
    Feed,
    Match,
    Newsletter,
    OnlyIf,
    Order,
    Plan,
    PlanProblem,
    PlanProblems,
    Release,
    Section,
    Then,
    TooFew,
)
from mailer.schedule.positions import positions
from mailer.schedule.rules import WEEKS, Rule, parse_cron, parse_send
from mailer.schedule.shapes import Shape

# Far beyond any plan. Without them a file put there by mistake could be parsed for minutes: tomllib's time
# grows with the square of a key's length.
MOST_CHARACTERS = 256 * 1024
MOST_IN_A_LINE = 4096

_SEND = Shape('"first tue 09:00", "mon 07:30" or cron = "..."', lambda raw: parse_send(shapes.TEXT.read(raw)))
_CRON = Shape('"0 9 1-7 * tue"', lambda raw: parse_cron(shapes.TEXT.read(raw)))
_RELEASE: Shape[Release] = shapes.choice("required", "none")
_ON_NO_SEND_DAY: Shape[OnNoSendDay] = shapes.choice(
    "next-working-day", "previous-working-day", "skip", "send"
)
_THEN: Shape[Then] = shapes.choice("skip", "postpone", "send")
_ORDER: Shape[Order] = shapes.choice("newest", "event", "deadline")
_CONTRIBUTED: Shape[Contributed] = shapes.choice("practice", "event", "help-wanted", "help-offered")
_SPAN = shapes.duration(least="1h", most="520w")
_NEVER = Rule("", "0", "0", "*", "*", "*")  # stands in for a rule that could not be read


def read_plan(text: str, *, source: str = "schedule.toml") -> Plan:
    """Read a plan. Raises PlanProblems with everything that is wrong; `source` names the file in its text."""
    text = text.removeprefix("\ufeff")  # Windows editors write a byte order mark
    if len(text) > MOST_CHARACTERS:
        _refuse(1, f"expected a plan of at most {MOST_CHARACTERS} characters, got {len(text)}", source)
    for number, line in enumerate(text.split("\n"), start=1):
        if len(line) > MOST_IN_A_LINE:
            what = f"expected at most {MOST_IN_A_LINE} characters in a line, got {len(line)}"
            _refuse(number, what, source)
    try:
        raw = tomllib.loads(text)
        notes = Notes(positions(text.replace("\r\n", "\n")))
    except tomllib.TOMLDecodeError as error:
        _refuse(*_syntax_problem(str(error), text), source)
    except RecursionError:
        _refuse(1, "expected a plan, got brackets in brackets without end", source)
    plan = _plan(Table(raw, (), KEYS["plan"], notes))
    if notes.problems:
        raise PlanProblems(tuple(sorted(notes.problems, key=lambda problem: problem.line)), source=source)
    return plan


def _refuse(line: int, message: str, source: str) -> NoReturn:
    raise PlanProblems((PlanProblem(line, message),), source=source) from None


def _syntax_problem(message: str, text: str) -> tuple[int, str]:
    """The line and the rest of tomllib's message: "Invalid value (at line 3, column 5)"."""
    parts = re.fullmatch(r"(.*) \(at line (\d+), column (\d+)\)", message, re.DOTALL)
    if parts is not None:
        return int(parts[2]), f"column {parts[3]}: {parts[1]}"
    return text.rstrip().count("\n") + 1, message


def _plan(table: Table) -> Plan:
    timezone = table.need("timezone", shapes.ZONE, ZoneInfo("UTC"))
    feeds = {key: _feed(key, feed) for key, feed in table.named_tables("feed", KEYS["feed"]).items()}
    newsletters = {
        key: _newsletter(key, newsletter, timezone, feeds)
        for key, newsletter in table.named_tables("newsletter", KEYS["newsletter"]).items()
    }
    no_send = _no_send(table.table("no_send_days", KEYS["no_send_days"]))
    return Plan(timezone, no_send, MappingProxyType(newsletters), MappingProxyType(feeds))


def _no_send(table: Table) -> NoSend:
    country = table.take("country", _COUNTRY, None)
    region = table.take("region", shapes.TEXT, None)
    if region is not None and "country" not in table:
        table.note("expected a country with it", "region")
    elif region is not None and country is not None:
        known = holidays.country_holidays(country).subdivisions
        if region not in known:
            table.note(
                f"expected a region of {country}, {nearest(region, known)}, got {shown(region)}", "region"
            )
    return NoSend(country, region, table.take_all("extra", _EXTRA))


def _country(raw: Any) -> str:
    country = shapes.TEXT.read(raw)
    if not re.fullmatch("[A-Z]{2}", country):
        raise ValueError
    try:
        holidays.country_holidays(country)
    except NotImplementedError:
        raise ValueError from None
    return country


_COUNTRY = Shape('a country code such as "DE"', _country)
_EXTRA = Shape(
    'a day such as "12-24" or "2026-05-15", or one of ' + ", ".join(CUSTOMS),
    shapes.silently(lambda raw: parse_extra(shapes.TEXT.read(raw))),
)


def _newsletter(key: str, table: Table, timezone: ZoneInfo, feeds: Mapping[str, Feed]) -> Newsletter:
    release = table.take("release", _RELEASE, "required")
    draft = table.take("draft", shapes.duration(), timedelta(days=5 if release == "required" else 0))
    remind = table.take("remind", shapes.duration(), min(timedelta(days=1), draft))
    if remind > draft:
        table.note("expected at most the time of draft, before which there is nothing to release", "remind")
    sections = tuple(_section(section, feeds) for section in table.tables("section", KEYS["section"]))
    if not sections:
        table.note(f"expected at least one [[newsletter.{key}.section]]")
    for number, section in enumerate(sections):
        if section.title and section.title in {earlier.title for earlier in sections[:number]}:
            table.note("expected a title that no section before it has", "section", number, "title")
    too_few = table.table("too_few", KEYS["too_few"])
    return Newsletter(
        key=key,
        title=table.need("title", shapes.LINE, ""),
        list=table.need("list", shapes.KEY, ""),
        rule=_rule(table),
        draft=draft,
        release=release,
        late=table.take("late", shapes.duration(least="1m"), timedelta(hours=6)),
        remind=remind,
        notify=table.take_all("notify", shapes.ADDRESS),
        on_no_send_day=table.take("on_no_send_day", _ON_NO_SEND_DAY, "next-working-day"),
        too_few=TooFew(
            too_few.take("below", shapes.number(least=0, most=1000), 1), too_few.take("then", _THEN, "skip")
        ),
        template=table.take("template", shapes.KEY, "issue"),
        zone=table.take("zone", shapes.ZONE, timezone),
        deputies=table.take_all("deputies", shapes.ADDRESS),
        emergency_release=table.take("emergency_release", shapes.FLAG, False),
        sections=sections,
    )


def _rule(table: Table) -> Rule:
    if "send" in table and "cron" in table:
        table.note("expected send or cron, got both", "cron")
    if "cron" in table:
        return table.take("cron", _CRON, _NEVER)
    return table.need("send", _SEND, _NEVER)


def _section(table: Table, feeds: Mapping[str, Feed]) -> Section:
    order = table.take("order", _ORDER, "newest")
    if "within" in table and order == "newest":
        table.note('expected only with order = "event" or "deadline" (see max_age)', "within")
    most = table.take("max", shapes.number(least=1, most=1000), 8)
    least = table.take("min", shapes.number(least=1, most=1000), 1)
    if least > most:
        table.note(f"expected at most max, which is {most}, got {least}", "min")
    contributions = table.take_all("contributions", _CONTRIBUTED)
    municipal = table.take("municipal", shapes.FLAG, False)
    if not (contributions or municipal or "feeds" in table):
        table.note("expected feeds, contributions or municipal, where its items come from")
    return Section(
        title=table.need("title", shapes.LINE, ""),
        feeds=_feeds_of(table, feeds) if "feeds" in table else (),
        contributions=contributions,
        municipal=municipal,
        order=order,
        within=table.take("within", _SPAN, None),
        max=most,
        min=least,
        only_if=_only_if(table),
        carry_over=table.take("carry_over", shapes.FLAG, True),
        max_age=table.take("max_age", _SPAN, None),
        match=_match(table),
    )


def _feeds_of(table: Table, feeds: Mapping[str, Feed]) -> tuple[str, ...]:
    def read(raw: Any) -> str:
        key = shapes.TEXT.read(raw)
        if key not in feeds:
            raise ValueError(f"the key of a [feed.KEY] table, {nearest(key, feeds.keys())}")
        return key

    return table.need_all("feeds", Shape("the keys of [feed.KEY] tables", read))


def _only_if(table: Table) -> OnlyIf | None:
    if "only_if" not in table:
        return None
    condition = table.table("only_if", KEYS["only_if"])
    week = shapes.choice(*WEEKS)
    found = OnlyIf(
        condition.take_all("months", shapes.number(least=1, most=12)), condition.take_all("weeks", week)
    )
    if "months" not in condition and "weeks" not in condition:
        condition.note("expected months or weeks in it")
    return found


def _match(table: Table) -> Match | None:
    if "match" not in table:
        return None
    condition = table.table("match", KEYS["match"])
    found = Match(
        condition.take_all("category", shapes.TEXT, or_one=True),
        condition.take_all("words", shapes.TEXT, or_one=True),
        condition.take_all("places", shapes.PLACE, or_one=True),
    )
    if not any(key in condition for key in KEYS["match"]):
        condition.note("expected category, words or places in it")
    return found


def _feed(key: str, table: Table) -> Feed:
    municipality = table.take("municipality", shapes.MUNICIPALITY, None)
    places = table.take_all("places", shapes.PLACE)
    if "places" not in table and municipality is not None and municipality[0].isdigit():
        places = (municipality,)
    return Feed(
        key=key,
        url=table.need("url", shapes.URL, ""),
        every=table.take("every", shapes.duration(least="5m"), timedelta(hours=1)),
        municipality=municipality,
        places=places,
        internal=table.take("internal", shapes.FLAG, False),
        allow_private=table.take("allow_private", shapes.FLAG, False),
        title=table.take("title", shapes.LINE, ""),
    )
