"""Where bounces go, and how a mail that comes back names its delivery. Pure.

Servers of authorities differ in what they let through, so there are three forms:

    bounce+{token}@example.org     subaddressing
    {token}@bounce.example.org     a domain of its own
    bounce@example.org             one fixed address: the token is then found in the returned
                                   Message-ID, in References and In-Reply-To, or as ENVID
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self
from urllib.parse import quote

_MARK = "{token}"
_SHAPE = r"[a-z2-7]{45}"
#: a token standing by itself; what it names is checked by its signature, not by its looks
_ANY_TOKEN = re.compile(rf"(?<![a-z2-7]){_SHAPE}(?![a-z2-7])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ReturnPath:
    """The envelope sender of all mails, as INFOMAIL_RETURN_PATH says it."""

    pattern: str

    @classmethod
    def parse(cls, setting: str) -> Self:
        """Raises ValueError saying what is expected."""
        local, at, domain = setting.strip().rpartition("@")
        if not at or not local or not domain or domain.count("{") or re.search(r"[\s<>\"]", setting):
            raise ValueError("expected bounce+{token}@HOST, {token}@HOST or an address")
        if local.replace(_MARK, "", 1).count("{"):
            raise ValueError("expected {token} once, and no other braces")
        if len(local.replace(_MARK, "x" * 45)) > 64:
            raise ValueError("its local part is too long with a token (64 characters, RFC 5321)")
        return cls(setting.strip())

    @property
    def carries_token(self) -> bool:
        return _MARK in self.pattern

    def address(self, token: str) -> str:
        """The envelope sender of the delivery that `token` names."""
        return self.pattern.replace(_MARK, token)

    def accepts(self, recipient: str) -> bool:
        """Whether a mail to this address is for us."""
        if not self.carries_token:
            return recipient.lower() == self.pattern.lower()
        return self.token_in(recipient) is not None

    def token_in(self, recipient: str) -> str | None:
        """What stands in the token's place of an address of ours; some servers fold its case."""
        before, _, after = map(re.escape, self.pattern.lower().partition(_MARK))
        match = re.fullmatch(f"{before}({_SHAPE}){after}", recipient.lower())
        return match[1] if match and self.carries_token else None

    def unsubscribe_mailto(self, token: str) -> str:
        """A mailto: URL (RFC 6068) that unsubscribes: the token in the address, else in the subject."""
        if self.carries_token:
            return f"mailto:{self.address(token)}?subject=unsubscribe"
        return f"mailto:{self.pattern}?subject={quote('unsubscribe ')}{token}"


def tokens_in(texts: Iterable[str]) -> list[str]:
    """Everything in these texts that looks like a token, in order, each once."""
    return list(dict.fromkeys(match[0].lower() for text in texts for match in _ANY_TOKEN.finditer(text)))
