"""Which mails may be answered at all. Pure.

Two programs that answer each other never stop, and an answer to a forged sender reaches a stranger. So
nothing is ever answered that a program sent: RFC 3834 2, and the fields that came before it.
"""

from email.parser import BytesHeaderParser

#: bytes that hold the fields of a mail
_HEAD = 64_000
_BULK = {"bulk", "list", "junk", "auto_reply"}
#: their presence alone says that a program or a list sent the mail (RFC 2369, RFC 2919, Exchange)
_TELLING = (
    "List-Id", "List-Unsubscribe", "List-Post", "List-Help", "List-Owner", "List-Subscribe", "List-Archive",
    "Feedback-ID", "X-Auto-Response-Suppress", "X-Autoreply", "X-Autorespond", "X-Loop",
)  # fmt: skip


def may_be_answered(raw: bytes, sender: str) -> bool:
    """Whether a person seems to have sent this; `sender` is that of the envelope, "<>" the null sender."""
    fields = BytesHeaderParser().parsebytes(raw[:_HEAD])
    submitted = str(fields.get("Auto-Submitted", "no")).partition(";")[0].strip().lower()
    precedence = str(fields.get("Precedence", "")).strip().lower()
    return not (
        sender == "<>"
        or str(fields.get("Return-Path", "")).strip() == "<>"
        or submitted != "no"
        or precedence in _BULK
        or any(name in fields for name in _TELLING)
    )
