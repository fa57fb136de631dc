"""What a code and the words beside it mean for an address. Pure.

Only what says that nobody is there is hard: a full mailbox, a policy or a filter speaks about today
or about us. Words go before codes, since servers are careless with codes.
"""

import enum
import re
from dataclasses import dataclass

from mailer.receipts import reasons
from mailer.receipts.reasons import Reason


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
#: an address may be called anything: spam@, unknown@
_ADDRESS = re.compile(r"(?<![^\s<>\"'\[(:;,])[^\s<>\"'\[(:;,@]{1,64}@[\w.-]{1,255}")
_SMTP_CODE = re.compile(r"(?<![\d.])([45])\d\d(?=[ -])")


def flat(text: str) -> str:
    """As the tables of words want it: lower case, single spaces, no soft hyphens."""
    return " ".join(text.replace("\xad", "").lower().split())


def code_in(text: str) -> str:
    """The first enhanced status code of a text that says something about a failure, or ""."""
    codes = _CODE.findall(text)
    telling = [code for code in codes if not code.endswith(".0.0")]
    return next(iter(telling or codes), "")


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a delivery failed and whether that ends the address: `kind` is hard or soft."""

    kind: Kind
    reason: Reason


def failure(status: str, *sayings: str) -> Failure:
    """Hard or soft, and why: the first saying that tells something decides.

    `sayings` are the server's words, the surest first; `status` is the code of the report, or "".
    """
    reason, temporary = _reason(status, sayings)
    if status.startswith("4.") or temporary:
        return Failure(Kind.SOFT, reason)
    return Failure(Kind.HARD if reason in reasons.GONE else Kind.SOFT, reason)


def _reason(status: str, sayings: tuple[str, ...]) -> tuple[Reason, bool]:
    """The reason, and whether the words that give it are those of a reply that says "not now"."""
    if any(reasons.AFTER_DATA.search(flat(each)) for each in sayings):
        # what is refused then is the message, whatever the words; a code may still name the mailbox
        return _by_code(status or code_in(sayings[-1])) or Reason.POLICY, False
    code = status
    for saying in _surest_first(sayings):
        words = _ADDRESS.sub("@", flat(saying))
        by_words = next((reason for reason, pattern in reasons.WORDS if pattern.search(words)), None)
        if by_words is not None:
            return by_words, set(_SMTP_CODE.findall(words)) == {"4"}
        reason = _by_code(code_in(words)) or _by_code(code)
        if reason is not None:
            return reason, False
        code = ""
    return _by_code(status) or Reason.UNSTATED, False


def _surest_first(sayings: tuple[str, ...]) -> list[str]:
    """Replies of servers before the prose around them, which is the same for every reason."""
    replies = [
        "\n".join(line for line in saying.splitlines() if _SMTP_CODE.search(line) or _CODE.search(line))
        for saying in sayings
    ]
    ordered = [each for pair in zip(replies, sayings, strict=True) for each in pair]
    return [each for each in ordered if each]


def _by_code(code: str) -> Reason | None:
    if not _code_says_something(code):
        return None
    _, subject, detail = code.split(".")
    return reasons.CODES.get(f"{subject}.{detail}") or reasons.SUBJECTS.get(subject) or Reason.UNSTATED


def _code_says_something(code: str) -> bool:
    return bool(code) and not code.endswith(".0.0")
