"""From a claimed delivery to its envelope: prepared parts, filled with what is hers, and signed."""

from collections.abc import Callable, Sequence
from functools import lru_cache, partial

import structlog
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from mailer.database import Database
from mailer.outbox.claim import Claimed
from mailer.outbox.hand import Stamp
from mailer.render.dkim import Signer
from mailer.render.letterhead import Letterhead
from mailer.render.message import Prepared, Slot, header_value, salutation, text_only
from mailer.render.model import Edition
from mailer.smtp import Envelope
from subscribers.salutation import salutation as salutation_of
from subscribers.tokens import Keys, Purpose, sign_each

log = structlog.get_logger()

#: the tokens that a mail has
_PURPOSES = (Purpose.BOUNCE, Purpose.MESSAGE_ID, Purpose.UNSUBSCRIBE)


class Filler:
    """Makes envelopes whose mails are filled when their turn has come.

    unsignable: told of deliveries whose signing key is gone; those get no envelope
    """

    def __init__(
        self,
        database: Database,
        keys: Keys,
        letterhead: Letterhead,
        signer: Signer | None,
        unsignable: Callable[[Claimed], None],
    ) -> None:
        self._database = database
        self._keys = keys
        self._letterhead = letterhead
        self._signer = signer
        self._unsignable = unsignable
        self._edition = lru_cache(maxsize=64)(self._load_edition)

    def learn(self, batch: Sequence[Claimed]) -> None:
        """Read the editions of these now, not when the first of them is on its way."""
        for edition, as_text_only in {(each.edition_id, each.text_only) for each in batch}:
            if edition is None:
                continue
            try:
                self._edition(edition, as_text_only)
            except DBAPIError:
                raise
            except Exception:
                # one that nothing can be made of: each of its mails will say so, and harm no other
                log.exception("edition.broken", edition=edition)

    def envelope(self, delivery: Claimed, stamp: Stamp) -> Envelope | None:
        if delivery.key_id not in self._keys.by_id:
            self._unsignable(delivery)
            return None
        bounce, message_id, unsubscribe = sign_each(
            self._keys, _PURPOSES, delivery.context, delivery.subscriber, key_id=delivery.key_id
        )
        return Envelope(
            key=delivery,
            sender=self._letterhead.return_path.address(bounce),
            recipient=delivery.address,
            message=partial(self._fill, delivery, stamp, message_id, unsubscribe),
            envelope_id=bounce,
            # bulk is made of prepared parts
            canonical=delivery.message is None and delivery.address.isascii(),
        )

    def _fill(self, delivery: Claimed, stamp: Stamp, message_id: str, unsubscribe: str) -> bytes:
        if (notice := delivery.message) is not None:
            return self._signer.sign(notice, at=stamp.seconds) if self._signer else notice
        assert delivery.edition_id is not None
        as_text, as_html = _salutation(
            delivery.language, delivery.form, delivery.title, delivery.given, delivery.family
        )
        values = {
            Slot.TO: header_value(delivery.address),
            Slot.DATE: stamp.date,
            Slot.MESSAGE_ID: message_id.encode(),
            Slot.UNSUBSCRIBE: unsubscribe.encode(),
            Slot.SALUTATION_TEXT: as_text,
            Slot.SALUTATION_HTML: as_html,
        }
        prepared = self._edition(delivery.edition_id, delivery.text_only)
        message = prepared.fill(values)
        if self._signer is None:
            return message
        return self._signer.sign(message, at=stamp.seconds, form=prepared.relaxed(values))

    def _load_edition(self, edition: int, as_text_only: bool) -> Prepared:
        with self._database.read() as session:
            message = session.scalars(select(Edition.message).where(Edition.id == edition)).one()
        return Prepared(text_only(message) if as_text_only else message)


@lru_cache(maxsize=4096)
def _salutation(*person: object) -> tuple[bytes, bytes]:
    return salutation(salutation_of(*person))  # type: ignore[arg-type]  # as _fill passes them
