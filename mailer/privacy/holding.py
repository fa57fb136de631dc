"""What is held on a person, from every stage, and what else she must be told (Art. 15 and 20 GDPR)."""

import json
import tomllib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from mailer.feeds import forget as feeds
from mailer.notices import forget as notices
from mailer.outbox import forget as outbox
from mailer.privacy.retaining import Retention
from mailer.receipts import forget as receipts
from subscribers import privacy
from subscribers.privacy import Whom
from subscribers.subscribing import CONFIRM_WITHIN


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What only the operator knows of the processing."""

    #: roots of templates, the first one first; privacy/facts.LANGUAGE.toml stands below one of them
    templates: Sequence[Path]
    #: who answers for the data where a list names nobody, and how to reach them
    controller: str
    contact: str
    privacy_url: str
    #: hosts of the relays
    relays: Sequence[str]
    keep: Retention


def held(session: Session, whom: Whom, around: Circumstances, language: str) -> dict[str, Any]:
    """All that is held on a person; instants and dates as such.

    Keys: address, form, title, given, family, language, format, created_at, reference, suppressed, offices,
    subscriptions, imports, consents, requests, tasks, audit, notices, contributions, deliveries, receipts,
    and about, which has what Art. 15 (1) asks for beside the data. Somebody who is no subscriber has no
    profile.
    """
    deliveries = outbox.deliveries_of(session, [whom], lock=False)
    found = privacy.held(session, whom)
    found |= {
        "notices": notices.held(session, whom),
        "contributions": feeds.held(session, whom.address),
        "deliveries": outbox.held(session, deliveries),
        "receipts": receipts.held(session, [row.id for row in deliveries], whom.address),
    }
    return found | {"about": _about(found, around, language)}


def is_nothing(found: dict[str, Any]) -> bool:
    """Whether neither a person nor a trace of the address is held; its hash may be."""
    traces = ("requests", "notices", "contributions", "deliveries", "receipts")
    return "reference" not in found and not any(found[name] for name in traces)


def as_json(found: dict[str, Any]) -> str:
    """As other programs can read it: instants and dates by ISO 8601."""
    return json.dumps(found, ensure_ascii=False, indent=2, default=_iso) + "\n"


def facts(templates: Sequence[Path], language: str) -> dict[str, Any]:
    """The texts of a language that say why, how long and with which rights data are processed."""
    for root in templates:
        path = root / "privacy" / f"facts.{language}.toml"
        if path.exists():
            return tomllib.loads(path.read_text(encoding="utf-8"))
    raise FileNotFoundError(f"privacy/facts.{language}.toml")


def _about(found: dict[str, Any], around: Circumstances, language: str) -> dict[str, Any]:
    said = facts(around.templates, language)
    bases = {row["basis"] for row in found["subscriptions"]}
    periods = asdict(around.keep) | {"sign_up": CONFIRM_WITHIN, "contributions": around.keep.requests}
    return {
        "controller": around.controller,
        "contact": around.contact,
        "privacy_notice": around.privacy_url,
        "purposes": said["purpose"],
        "legal_bases": [text for basis, text in said["basis"].items() if basis in bases],
        "retention": [
            text.format(days=periods[name].days) if name in periods else text
            for name, text in said["retention"].items()
        ],
        "recipients": {"text": said["recipients"], "relays": list(around.relays)},
        "third_countries": said["third_countries"],
        "automated_decisions": said["automated"],
        "source": {"text": said["source"], "named": _sources(found)},
        "rights": said["right"],
        "authority": said["authority"],
    }


def _sources(found: dict[str, Any]) -> list[str]:
    """Where consents and imports say that the data come from."""
    proofs = [record["said"].get("source", "") for record in found["consents"] if record["said"]]
    files = [row["source"] for row in found["imports"]]
    return sorted({source for source in (*proofs, *files) if source})


def _iso(value: object) -> str:
    if isinstance(value, date | datetime):
        return value.isoformat()
    raise TypeError(type(value))
