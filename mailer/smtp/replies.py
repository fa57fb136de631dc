"""SMTP replies: reading them, and what a refusal is about (pure).

RFC 5321 section 4.2 gives the form, RFC 2034 and RFC 3463 the enhanced status codes.
"""

import re
from collections import deque
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from functools import lru_cache

# RFC 5321 section 4.5.3.1.5 allows 512 octets a line; real servers exceed it, none by this much.
MAX_LINE = 2048
MAX_LINES = 128
MAX_TEXT = 500

_LINE = re.compile(rb"([2-5][0-9][0-9])(?:([ -])(.*))?", re.DOTALL)
_ENHANCED = re.compile(r"([245])\.([0-9]{1,3})\.([0-9]{1,3})(?:\s+|$)")


class GarbledReplyError(Exception):
    """What came is no SMTP reply, or exceeds every sane size. The session cannot go on."""


class Kind(Enum):
    OK = 2
    GO_ON = 3
    TRANSIENT = 4
    PERMANENT = 5

    #: enum's own is Python, and these are looked up for every reply
    __hash__ = object.__hash__


_KINDS = {kind.value: kind for kind in Kind}


class Stage(Enum):
    """What the client had said when the reply came."""

    SESSION = "session"
    MAIL = "mail"
    RCPT = "rcpt"
    CONTENT = "content"


class About(StrEnum):
    """Whom a refusal concerns: this recipient, this message, or our standing with the relay."""

    MAILBOX = "mailbox"
    MESSAGE = "message"
    RELAY = "relay"


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply: its code, its enhanced status ("5.1.1") if any, and its text.

    `text` is one printable line of at most 500 characters, without the codes; `lines` are the
    lines as they came (the answers to EHLO and AUTH carry data there).
    """

    code: int
    enhanced: str | None
    text: str
    lines: tuple[str, ...] = field(default=(), repr=False, compare=False)
    kind: Kind = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", _KINDS[self.code // 100])

    def __str__(self) -> str:
        said = f"{self.code} {self.enhanced} {self.text}" if self.enhanced else f"{self.code} {self.text}"
        return printable(said.rstrip())


def printable(text: str) -> str:
    """`text` as one line fit for a log or a table: what does not print is escaped, the rest cut."""
    line = text
    if not text.isprintable():
        line = "".join(
            char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
        )
    return line if len(line) <= MAX_TEXT else line[: MAX_TEXT - 1] + "…"


class ReplyReader:
    """Cuts a byte stream into replies. Raises GarbledReplyError; then the stream is beyond repair."""

    def __init__(self) -> None:
        #: whole lines that nobody has read yet, and what has come of the one after them
        self._whole: deque[bytes] = deque()
        self._rest = b""
        self._code = 0
        self._lines: list[str] = []

    @property
    def pending(self) -> bool:
        """Whether bytes beyond the last whole reply have come already."""
        return bool(self._whole or self._rest or self._lines)

    def feed(self, data: bytes) -> None:
        # A lone LF is read as a line end: some old servers write it, and here it can do no harm.
        *whole, self._rest = (self._rest + data).split(b"\n")
        self._whole += whole

    def next_reply(self) -> Reply | None:
        """The next whole reply, or None until more bytes come."""
        while self._whole:
            line = self._whole.popleft()
            if len(line) >= MAX_LINE:
                raise _too_long()
            line = line.removesuffix(b"\r")
            if not self._lines and line[3:4] == b" ":
                return _single(line)
            last = self._take(line)
            if last:
                reply = _reply(self._code, tuple(self._lines))
                self._lines = []
                return reply
        if len(self._rest) >= MAX_LINE:
            raise _too_long()
        return None

    def _take(self, line: bytes) -> bool:
        match = _matched(line)
        code = int(match[1])
        # RFC 5321 section 4.2.1: every line of a reply carries the same code.
        if self._lines and code != self._code:
            raise GarbledReplyError(f"a reply began with {self._code} and went on with {code}")
        if len(self._lines) >= MAX_LINES:
            raise GarbledReplyError(f"a reply has more than {MAX_LINES} lines")
        self._code = code
        self._lines.append((match[3] or b"").decode("utf-8", "backslashreplace"))
        return match[2] != b"-"


def _too_long() -> GarbledReplyError:
    return GarbledReplyError(f"a reply line is longer than {MAX_LINE} octets")


@lru_cache(maxsize=1024)
def _single(line: bytes) -> Reply:
    """A reply of one line: nearly all are, and most say the same again and again."""
    match = _matched(line)
    return _reply(int(match[1]), ((match[3] or b"").decode("utf-8", "backslashreplace"),))


def _matched(line: bytes) -> re.Match[bytes]:
    match = _LINE.fullmatch(line)
    if match is None:
        raise GarbledReplyError(
            f"not an SMTP reply: {printable(line[:80].decode('utf-8', 'backslashreplace'))}"
        )
    return match


def _reply(code: int, lines: tuple[str, ...]) -> Reply:
    enhanced = None
    texts = []
    for line in lines:
        match = _ENHANCED.match(line)
        # RFC 2034 section 4: the class repeats the code's first digit; what does not is mere text.
        if match is not None and match[1] == str(code)[0]:
            enhanced = enhanced or match[0].strip()
            line = line[match.end() :]
        texts.append(line.strip())
    return Reply(code, enhanced, printable(" ".join(filter(None, texts))), lines)


# RFC 3463, the registry it founded, and what Exchange adds: whom "subject.detail" concerns.
# A subject alone stands for its details that are not listed.
_ENHANCED_ABOUT: dict[str, About] = {
    "1": About.MAILBOX,
    "1.7": About.MESSAGE,  # our sender's address, not the recipient's
    "1.8": About.MESSAGE,
    "1.9": About.MESSAGE,
    "2": About.MAILBOX,
    "2.3": About.MESSAGE,  # longer than this mailbox accepts
    "3": About.RELAY,
    "3.4": About.MESSAGE,  # too big for the system
    "4": About.RELAY,
    "5": About.RELAY,
    "5.2": About.MESSAGE,
    "5.4": About.MESSAGE,
    "6": About.MESSAGE,
    "7": About.MESSAGE,
    "7.3": About.RELAY,  # security features, log-in, encryption: our account, not this mail
    "7.4": About.RELAY,
    "7.5": About.RELAY,
    "7.8": About.RELAY,
    "7.9": About.RELAY,
    "7.10": About.RELAY,
    "7.11": About.RELAY,
    "7.12": About.RELAY,
    "7.13": About.RELAY,
    "7.14": About.RELAY,
    "7.17": About.MAILBOX,  # RFC 7293: the mailbox, or the domain, has a new owner
    "7.18": About.MAILBOX,
    "7.25": About.RELAY,  # RFC 7372: reverse DNS of the client
    "7.54": About.RELAY,  # Exchange: unable to relay
    "7.57": About.RELAY,  # Exchange: client was not authenticated
    "7.60": About.RELAY,  # Exchange: may not send as this sender
}

_CODE_ABOUT: dict[int, About] = {
    421: About.RELAY,
    432: About.RELAY,
    450: About.MAILBOX,
    451: About.RELAY,
    452: About.RELAY,
    454: About.RELAY,
    455: About.RELAY,
    500: About.RELAY,
    502: About.RELAY,
    503: About.RELAY,
    504: About.RELAY,
    521: About.RELAY,
    530: About.RELAY,
    534: About.RELAY,
    535: About.RELAY,
    538: About.RELAY,
    550: About.MAILBOX,
    551: About.MAILBOX,
    553: About.MAILBOX,
    555: About.RELAY,
    556: About.MAILBOX,  # RFC 7504: the domain accepts no mail
}

# 5.7.1 says both "this mail is unwanted" and "you may not relay here"; only the words tell.
_RELAYING = re.compile(
    r"relay(?:ing)?\b.{0,40}\b(?:denied|permitted|allowed|prohibited)"
    r"|unable to relay|authenticat\w* (?:is )?required",
    re.IGNORECASE,
)
#: Postfix to whom its operator did not let in. Exchange Online says the same with 5.4.1, of mailboxes
_LOCKED_OUT = re.compile(r"rejected: access denied", re.IGNORECASE)


def about(reply: Reply, stage: Stage) -> About:
    """Whom a 4xx or 5xx `reply` concerns. In doubt never the mailbox: that would suppress a person."""
    if stage is Stage.SESSION or _RELAYING.search(reply.text):
        return About.RELAY
    if reply.code in (421, 454, 530, 535):
        # RFC 4954 section 6, RFC 3207 section 4: these speak of the session whatever is appended.
        return About.RELAY
    if (reply.enhanced or "").endswith(".7.1") and _LOCKED_OUT.search(reply.text):
        return About.RELAY
    found = _by_enhanced(reply, stage)
    if found is None:
        found = _CODE_ABOUT.get(reply.code, About.MESSAGE)
        # A bare 550 after the content has come is more often its filter than a missing mailbox.
        if found is About.MAILBOX and stage is Stage.CONTENT:
            found = About.MESSAGE
    # Nobody has been named before RCPT.
    if found is About.MAILBOX and stage is Stage.MAIL:
        found = About.MESSAGE
    return found


def _by_enhanced(reply: Reply, stage: Stage) -> About | None:
    if reply.enhanced is None:
        return None
    _, subject, detail = reply.enhanced.split(".")
    # X.4.x to RCPT speaks of the way to the recipient's domain (RFC 3463 section 3.5), and Exchange
    # Online says 5.4.1 for unknown recipients; elsewhere it speaks of the relay's own network.
    if subject == "4" and stage is Stage.RCPT and reply.kind is Kind.PERMANENT:
        return About.MAILBOX
    # X.0.x says nothing beyond the reply code.
    return _ENHANCED_ABOUT.get(f"{subject}.{detail}") or _ENHANCED_ABOUT.get(subject)
