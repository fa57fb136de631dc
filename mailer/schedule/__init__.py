"""The plan: what schedule.toml says, and when each newsletter is due.

    schedule.toml -> read_plan -> Plan -> slots, due, coming -> the clock

    read.py        the file's text becomes a Plan, or every problem in it with its line
    keys.py        every key there is
    plan.py        the values: Plan, Newsletter, Section, Feed
    rules.py       "first tue 09:00" and cron lines as wall-clock times
    nosend.py      the days on which nothing is sent
    rhythm.py      how often a rule comes round, to say it
    slots.py       coming slots, their shifts, and which one is due now
    postponing.py  when an issue with too few items goes out instead
    fields.py      taking values out of tables, and how a problem with one is put
    shapes.py      what a single value may look like
    positions.py   the line on which each key and value stands

Everything here is pure: text and times in, values out. The operator's side is docs/schedule.md.
"""

from mailer.schedule.keys import KEYS
from mailer.schedule.nosend import CUSTOMS, NoSend
from mailer.schedule.plan import (
    Feed,
    Match,
    Newsletter,
    OnlyIf,
    Plan,
    PlanProblem,
    PlanProblems,
    Section,
    TooFew,
)
from mailer.schedule.postponing import postpone
from mailer.schedule.read import read_plan
from mailer.schedule.rhythm import Rhythm, rhythm
from mailer.schedule.rules import Rule
from mailer.schedule.slots import PlannedSlot, coming, due, slots

__all__ = [
    "CUSTOMS",
    "KEYS",
    "Feed",
    "Match",
    "Newsletter",
    "NoSend",
    "OnlyIf",
    "Plan",
    "PlanProblem",
    "PlanProblems",
    "PlannedSlot",
    "Rhythm",
    "Rule",
    "Section",
    "TooFew",
    "coming",
    "due",
    "postpone",
    "read_plan",
    "rhythm",
    "slots",
]
