"""Every key that a plan may have, by the table that has it. docs/schedule.md explains them in this order."""

from collections.abc import Mapping

KEYS: Mapping[str, tuple[str, ...]] = {
    "plan": ("timezone", "no_send_days", "newsletter", "feed"),
    "no_send_days": ("country", "region", "extra"),
    "newsletter": (
        "title",
        "list",
        "send",
        "cron",
        "draft",
        "release",
        "late",
        "remind",
        "notify",
        "deputies",
        "on_no_send_day",
        "too_few",
        "template",
        "zone",
        "emergency_release",
        "section",
    ),
    "too_few": ("below", "then"),
    "section": (
        "title",
        "feeds",
        "contributions",
        "municipal",
        "order",
        "within",
        "max",
        "min",
        "only_if",
        "carry_over",
        "max_age",
        "match",
    ),
    "only_if": ("months", "weeks"),
    "match": ("category", "words", "places"),
    "feed": ("url", "every", "municipality", "places", "internal", "allow_private", "title"),
}
