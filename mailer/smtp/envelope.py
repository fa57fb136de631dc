"""What goes in and what comes out: an Envelope, and exactly one Result for it."""

from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple

from mailer.smtp.replies import About, Kind, Reply, Stage, about


class Envelope(NamedTuple):
    """One message to one recipient.

    key:         the caller's own name for it; comes back in the Result
    sender:      the return path, '' for the null sender
    message:     yields the message (header, empty line, body) when its turn has come
    envelope_id: comes back in delivery reports (RFC 3461 section 4.4); '' for none
    canonical:   whoever made the message promises that it is ASCII, that CR and LF stand only together and
                 that no line begins with a dot: looking for them costs more than all else about a message
    """

    key: object
    sender: str
    recipient: str
    message: Callable[[], bytes]
    envelope_id: str = ""
    canonical: bool = False


class Outcome(StrEnum):
    """sent: the relay took responsibility. deferred: certainly not sent, worth another try.
    failed: certainly not sent, refused for good. unsure: the connection broke when the relay
    had perhaps the whole message and had not yet answered.
    """

    SENT = "sent"
    DEFERRED = "deferred"
    FAILED = "failed"
    UNSURE = "unsure"


class Result(NamedTuple):
    """What became of an envelope. `about` and `problem` are None and '' when it was sent.

    relay:   host:port of the relay that decided, or of the last one tried
    problem: one printable line of at most 500 characters
    """

    key: object
    outcome: Outcome
    about: About | None
    reply: Reply | None
    relay: str
    problem: str


class UnsendableError(Exception):
    """An envelope that cannot be sent over this session; raised before a byte of it is written."""

    def __init__(self, problem: str, outcome: Outcome = Outcome.FAILED) -> None:
        super().__init__(problem)
        self.problem = problem
        self.outcome = outcome


def judge(envelope: Envelope, reply: Reply, stage: Stage, relay: str) -> Result:
    """The Result that `reply` means for `envelope` at `stage` of its transaction."""
    if reply.kind is Kind.OK:
        return Result(envelope.key, Outcome.SENT, None, reply, relay, "")
    concerns = about(reply, stage)
    # Trouble between us and the relay is the operators' to mend; no recipient fails for it.
    lasting = reply.kind is Kind.PERMANENT and concerns is not About.RELAY
    outcome = Outcome.FAILED if lasting else Outcome.DEFERRED
    return Result(envelope.key, outcome, concerns, reply, relay, str(reply))
