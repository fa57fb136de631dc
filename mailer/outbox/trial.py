"""A trial of an issue: sent to a few addresses at once, kept nowhere, counted nowhere."""

from collections.abc import Sequence
from datetime import datetime
from email.utils import format_datetime, make_msgid
from functools import partial

from mailer.render.dkim import Signer
from mailer.render.letterhead import Letterhead
from mailer.render.message import Prepared, Slot, header_value, salutation
from mailer.smtp import Envelope, Pool, Result
from subscribers.model import FormOfAddress
from subscribers.salutation import salutation as salutation_of
from subscribers.tokens import Keys, Purpose, sign

#: the handle of nobody: links and return path of a trial are well-formed and lead nowhere
_NOBODY = 0


async def send_trial(
    pool: Pool,
    message: bytes,
    recipients: Sequence[str],
    *,
    language: str,
    letterhead: Letterhead,
    signing: Keys,
    signer: Signer | None,
    now: datetime,
) -> list[Result]:
    """Send an encoded mail with slots to these normalised addresses; a result for each."""
    prepared = Prepared(message)
    as_text, as_html = salutation(salutation_of(language, FormOfAddress.NEUTRAL, "", "", ""))
    bounce = sign(signing, Purpose.BOUNCE, _NOBODY, _NOBODY)

    def fill(recipient: str) -> bytes:
        message_id = make_msgid(domain=letterhead.message_id_domain)
        message = prepared.fill(
            {
                Slot.TO: header_value(recipient),
                Slot.DATE: format_datetime(now).encode(),
                Slot.MESSAGE_ID: message_id[1:].partition("@")[0].encode(),
                Slot.UNSUBSCRIBE: sign(signing, Purpose.UNSUBSCRIBE, _NOBODY, _NOBODY).encode(),
                Slot.SALUTATION_TEXT: as_text,
                Slot.SALUTATION_HTML: as_html,
            }
        )
        return signer.sign(message, at=int(now.timestamp())) if signer else message

    results: list[Result] = []
    envelopes = [
        Envelope(
            key=recipient,
            sender=letterhead.return_path.address(bounce),
            recipient=recipient,
            message=partial(fill, recipient),
        )
        for recipient in recipients
    ]
    await pool.send(envelopes, results.extend)
    return results
