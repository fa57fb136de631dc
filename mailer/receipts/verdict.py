"""What a code and the words beside it mean for an address. Pure.

Only what says that nobody is there is hard: a full mailbox, a policy or a filter speaks about today
or about us. Words go before codes, since servers are careless with codes.
"""

import enum
import re

from mailer.receipts import wording


class Kind(enum.StrEnum):
    """What a report says, the gravest first."""

    COMPLAINT = "complaint"
    HARD = "hard"
    SOFT = "soft"
    DELAYED = "delayed"
    UNSUBSCRIBE = "unsubscribe"
    AUTOREPLY = "autoreply"
    OTHER = "other"


#: an enhanced code (RFC 3463 2), not a piece of an IP address or a version
_CODE = re.compile(r"(?<![\d.])[245]\.\d{1,3}\.\d{1,3}(?![\d.]*\d)")
_SMTP_CODE = re.compile(r"(?<![\d.])([45])\d\d(?=[ -])")


def flat(text: str) -> str:
    """As the tables of wording want it: lower case, single spaces, no soft hyphens."""
    return " ".join(text.replace("\xad", "").lower().split())


def code_in(text: str) -> str:
    """The first enhanced status code of a text that says something about a failure, or ""."""
    codes = _CODE.findall(text)
    telling = [code for code in codes if not code.endswith(".0.0")]
    return next(iter(telling or codes), "")


def failure(status: str, *sayings: str) -> Kind:
    """Hard or soft, for a delivery that failed: the first saying that tells something decides.

    `sayings` are the server's words, the surest first; `status` is the code of the report, or "".
    """
    flats = [flat(saying) for saying in sayings if saying]
    if status.startswith("4.") or any(wording.AFTER_DATA.search(each) for each in flats):
        return Kind.SOFT
    for saying in flats:
        kind = _in_words(saying)
        if kind is not None:
            return kind
    codes = [status, *map(code_in, flats)]
    return Kind.HARD if any(code in wording.HARD_CODES for code in codes) else Kind.SOFT


def _in_words(saying: str) -> Kind | None:
    if wording.HARD_REPLY.search(saying):
        return Kind.HARD
    if wording.SOFT_WORDS.search(saying):
        return Kind.SOFT
    if wording.HARD_WORDS.search(saying):
        codes = _SMTP_CODE.findall(saying)
        return Kind.SOFT if codes and set(codes) == {"4"} else Kind.HARD
    return None
