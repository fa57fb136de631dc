"""The proof of one person's consents as a page to print: for her, a court, or the supervisory authority.

All of the procedure stands on it (BGH I ZR 164/09): the wording and its version, where and when it
was shown, the confirmation mail as it was sent, both times, and whether the chain is whole.
"""

import email
import email.policy
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader
from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.notices.model import Notice
from mailer.render.dates import long_date
from mailer.render.letterhead import Imprint
from subscribers.chain import Chain, verify
from subscribers.evidence import Proof, of_person
from subscribers.model import Import, MailingList, Subscriber, Subscription


@dataclass(frozen=True, slots=True)
class Step:
    """One record, with the mail that was answered where there was one and it is still kept."""

    proof: Proof
    list_title: str
    mail_subject: str = ""
    mail_text: str = ""
    #: whether the mail on record is the very one that the record names
    is_same_mail: bool = False


def is_blocked(session: Session, subscriber: Subscriber) -> bool:
    """Whether some of the proof may be read for a legal claim only (Art. 17 (3) e GDPR)."""
    return any(proof.blocked_at for proof in of_person(session, subscriber.handle))


def extract(
    session: Session,
    subscriber: Subscriber,
    *,
    templates: Sequence[Path],
    zone: ZoneInfo,
    sender: Imprint,
    reason: str,
    now: datetime,
) -> str:
    """The page as HTML, in German. `reason` is why blocked proof is read, "" where none is."""
    titles = dict(session.execute(select(MailingList.key, MailingList.title)).all())
    steps = [_step(session, proof, titles) for proof in of_person(session, subscriber.handle)]
    brought = session.execute(
        select(Subscription, Import)
        .join(Import, Import.id == Subscription.import_id)
        .where(Subscription.subscriber_id == subscriber.id)
        .order_by(Import.id)
    ).all()
    checked = verify(session, Chain.CONSENT)
    environment = Environment(
        loader=FileSystemLoader(list(templates)), autoescape=True,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["moment"] = partial(_moment, zone=zone)
    return environment.get_template("print/proof.html").render(
        subscriber=subscriber, steps=steps, brought=brought, titles=titles, checked=checked, sender=sender,
        reason=reason, now=now,
    )  # fmt: skip


def _step(session: Session, proof: Proof, titles: Mapping[str, str]) -> Step:
    said = proof.content or {}
    title = titles.get(said.get("list", ""), said.get("list", ""))
    if "notice" not in said:
        return Step(proof, title)
    notice = session.scalar(select(Notice).where(Notice.handle == int(said["notice"], 16)))
    if notice is None or not notice.message:
        return Step(proof, title)
    mail = email.message_from_bytes(notice.message, policy=email.policy.default)
    text = mail.get_body(("plain",))
    return Step(
        proof,
        title,
        mail_subject=notice.subject,
        mail_text=text.get_content() if text else "",
        is_same_mail=hashlib.sha256(notice.message).hexdigest() == said.get("mail_sha256"),
    )


def _moment(at: datetime | str, *, zone: ZoneInfo) -> str:
    """ "Dienstag, 5. März 2024, 10:00:07 Uhr (MEZ)"; a time to be proved has its seconds."""
    instant = datetime.fromisoformat(at) if isinstance(at, str) else at
    local = instant.astimezone(zone)
    return f"{long_date(local, language='de', zone=zone)}, {local:%H:%M:%S}\N{NO-BREAK SPACE}Uhr ({local:%z})"
