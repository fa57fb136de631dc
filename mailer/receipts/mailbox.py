"""A mailbox that others deliver into: each new mail is taken, then filed away; only retention deletes.

Where a server knows no LMTP, its reports end in a mailbox, and the envelope is lost. What it was is
read from the fields that servers note it in.
"""

import email.utils
from collections.abc import Callable
from datetime import datetime
from email.parser import BytesHeaderParser

from mailer.receipts.arrivals import Arrival
from mailer.receipts.returnpath import ReturnPath

#: where servers note the envelope recipient, the surest first; To is what a report's writer was given
_NOTED = ("Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To", "X-Delivered-To", "To", "Cc")
#: bytes that hold the fields of a mail
_HEAD = 64_000


class MailboxProblem(Exception):
    """The mailbox could not be read now; says why, without secrets and addresses."""


#: stores a mail durably, or raises; it is filed away only afterwards
Keep = Callable[[Arrival], None]


def arrival(raw: bytes, *, owner: str, return_path: ReturnPath, now: datetime) -> Arrival:
    """A mail of a mailbox with the envelope it seems to have had.

    The recipient is `owner` where no field names an address of the return path: then the token is looked
    for in what the mail returns. Nothing here is believed: only a token's signature counts.
    """
    head = raw[:_HEAD]
    for end in (b"\r\n\r\n", b"\n\n"):
        head = head.partition(end)[0]
    fields = BytesHeaderParser().parsebytes(head + b"\r\n\r\n")
    recipient = owner
    for name in _NOTED:
        values = [str(value) for value in fields.get_all(name, [])]
        addresses = [address for _, address in email.utils.getaddresses(values)]
        if accepted := next(filter(return_path.accepts, addresses), None):
            recipient = accepted
            break
    sender = str(fields.get("Return-Path", "")).strip()
    return Arrival(raw, recipient, sender if sender == "<>" else sender.strip("<>"), now)
