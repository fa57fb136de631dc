"""Small plans to test with: one newsletter, whatever lines the test is about."""

from collections.abc import Callable

import pytest

from mailer.schedule import Newsletter, Plan, read_plan

NO_SEND = 'no_send_days = { country = "DE", region = "NW", extra = ["12-24", "12-31", "rosenmontag"] }'

PlanOf = Callable[..., tuple[Plan, Newsletter]]


@pytest.fixture(scope="session")
def plan_of() -> PlanOf:
    def make(rule: str, *lines: str, no_send: str = NO_SEND) -> tuple[Plan, Newsletter]:
        plan = read_plan(
            "\n".join(
                [
                    'timezone = "Europe/Berlin"',
                    no_send,
                    "[newsletter.blatt]",
                    'title = "Blatt"',
                    'list = "netzwerk"',
                    rule if rule.startswith("cron") else f'send = "{rule}"',
                    *lines,
                    "[[newsletter.blatt.section]]",
                    'title = "Termine"',
                    'feeds = ["termine"]',
                    "[feed.termine]",
                    'url = "https://www.example.org/termine.ics"',
                ]
            )
        )
        return plan, plan.newsletters["blatt"]

    return make
