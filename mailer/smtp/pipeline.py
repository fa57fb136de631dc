"""Transactions under way on a session that stands, as many at once as the server can take (pure).

Each command that went out expects one reply, and replies come in the order of the commands
(RFC 2920 3.1), so the queue of what is expected says whose reply one is. How commands are grouped
depends on what the server offers:

window      MAIL, RCPT and BDAT LAST of many messages back to back (CHUNKING with PIPELINING,
            RFC 3030 4.2). A server that refuses one of them swallows the chunk and refuses it, too.
groups      the end of one message with MAIL, RCPT and DATA of the next (PIPELINING): DATA is the
            last of its group, since what follows depends on its answer (RFC 2920 3.1).
lock-step   one command, one reply.

A refusal costs its own message only. What is left of its transaction is cleared by RSET before
the next one begins; where another had begun before the refusal was known and is answered with 503 for
that reason, it is given back to be sent again.
"""

from collections import deque
from collections.abc import Mapping
from enum import Enum, auto
from typing import NamedTuple

from mailer.smtp.envelope import Envelope, Outcome, Result, judge
from mailer.smtp.replies import About, GarbledReplyError, Kind, Reply, Stage
from mailer.smtp.transaction import Transaction, prepare


class Settled(NamedTuple):
    envelope: Envelope
    result: Result


class Returned(NamedTuple):
    """The server took nothing of this envelope and did not mean it: it may be tried again at once, here or
    on another connection. `result` holds if nobody does.
    """

    envelope: Envelope
    result: Result


class Gear(Enum):
    LOCK_STEP = "lock-step"
    GROUPS = "groups"
    WINDOW = "window"

    #: enum's own is Python, and these are looked up for every reply
    __hash__ = object.__hash__


def gear_for(offered: Mapping[str, str]) -> Gear:
    """The fastest gear that a server with these extensions takes."""
    if "PIPELINING" not in offered:
        return Gear.LOCK_STEP
    return Gear.WINDOW if "CHUNKING" in offered else Gear.GROUPS


class Step(Enum):
    """What of a transaction a reply answers."""

    MAIL = auto()
    RCPT = auto()
    DATA = auto()
    CONTENT = auto()
    RSET = auto()

    #: enum's own is Python, and these are looked up for every reply
    __hash__ = object.__hash__


_STAGES = {
    Step.MAIL: Stage.MAIL,
    Step.RCPT: Stage.RCPT,
    Step.DATA: Stage.CONTENT,
    Step.CONTENT: Stage.CONTENT,
}
#: what follows a step that went well, where it did not go out with it already
_NEXT: dict[Gear, dict[Step, Step]] = {
    Gear.WINDOW: {},
    Gear.GROUPS: {},
    Gear.LOCK_STEP: {Step.MAIL: Step.RCPT, Step.RCPT: Step.DATA},
}
_ANY = {Kind.OK, Kind.TRANSIENT, Kind.PERMANENT}
#: the kinds of reply that a step can have; after any other nothing that follows can be trusted
_FITTING = {
    Step.RSET: _ANY,
    Step.MAIL: _ANY,
    Step.RCPT: _ANY,
    Step.DATA: {Kind.GO_ON, Kind.TRANSIENT, Kind.PERMANENT},
    Step.CONTENT: _ANY,
}
_WELL = {Step.MAIL: Kind.OK, Step.RCPT: Kind.OK, Step.DATA: Kind.GO_ON, Step.CONTENT: Kind.OK}
_BAD_SEQUENCE = 503
END_OF_DATA = b".\r\n"


class Flight:
    """One transaction under way."""

    __slots__ = ("has_recipient", "is_answered", "is_complete", "refusal", "transaction")

    def __init__(self, transaction: Transaction) -> None:
        self.transaction = transaction
        #: the first reply that said no, and to what
        self.refusal: tuple[Reply, Stage] | None = None
        self.is_answered = False
        self.has_recipient = False
        #: the server may have the whole message
        self.is_complete = False


#: bytes to write, how many replies they ask for, and the transaction whose message ends with them
Piece = tuple[bytes, int, Flight | None]


class Pipeline:
    """The transactions of one session; `events` says what came of them."""

    def __init__(self, relay: str, offered: Mapping[str, str], *, window: int) -> None:
        self._relay = relay
        self._offered = offered
        self.gear = gear_for(offered)
        self._most = window if self.gear is Gear.WINDOW else 1
        # as TCP begins: a server that ends every session early has little under way when it does
        self._allowed = 1
        self._out: deque[Piece] = deque()
        self._expected: deque[tuple[Step, Flight]] = deque()
        #: how many replies are expected to what was handed out
        self._asked = 0
        #: of all that are expected, how many are no verdict on a whole message
        self._preparing = 0
        self._flights = 0
        #: a message that waits to go out together with the next one's commands
        self._held: Flight | None = None
        self._needs_reset = False
        self._stumbles = False
        self.events: list[Settled | Returned] = []

    @property
    def room(self) -> int:
        """How many more envelopes may begin now."""
        if self.gear is Gear.GROUPS:
            return 0 if self._preparing else 1
        return max(0, self._allowed - self._flights)

    @property
    def is_idle(self) -> bool:
        return not self._flights

    @property
    def is_asked(self) -> bool:
        """Whether the server owes a reply to something it was told."""
        return self._asked > 0

    @property
    def awaits_verdict(self) -> bool:
        """Whether the next reply decides on a whole message: breaking off before it is costly."""
        return bool(self._expected) and self._expected[0][0] is Step.CONTENT and self._asked > 0

    def begin(self, envelope: Envelope) -> None:
        """Raises UnsendableError, with nothing written and all else as it was."""
        flight = Flight(prepare(envelope, self._offered))
        self.flush()
        self._flights += 1
        if self._needs_reset:
            self._needs_reset = False
            self._ask(Step.RSET, flight)
            if self.gear is Gear.LOCK_STEP:
                return
        if self.gear is Gear.LOCK_STEP:
            self._ask(Step.MAIL, flight)
        else:
            self._ask_together(flight)

    def flush(self) -> None:
        """What waited for the next envelope goes out."""
        if (flight := self._held) is not None:
            self._held = None
            self._ask(Step.CONTENT, flight)

    def data_to_send(self, most: int) -> bytes:
        """The next bytes to write, about `most` of them; b"" for none."""
        pieces, size = [], 0
        while self._out and size < most:
            data, asks, completed = self._out.popleft()
            pieces.append(data)
            size += len(data)
            self._asked += asks
            if completed is not None:
                completed.is_complete = True
        return b"".join(pieces)

    def take(self, reply: Reply) -> None:
        """The reply to the oldest command that has none. Something must have been asked.

        Raises GarbledReplyError where that command can have no such reply.
        """
        step, flight = self._expected[0]
        if reply.kind not in _FITTING[step]:
            raise GarbledReplyError(f"the relay answered {step.name} with {reply}")
        self._expected.popleft()
        self._asked -= 1
        if step is Step.CONTENT:
            self._decide(flight, reply)
            return
        self._preparing -= 1
        if step is Step.RSET:
            if self.gear is Gear.LOCK_STEP:
                self._ask(Step.MAIL, flight)
            return
        flight.is_answered = True
        went_well = reply.kind is _WELL[step]
        if step is Step.RCPT:
            flight.has_recipient = went_well
        if step is Step.DATA and went_well:
            # 354 may come although nobody is to have it (RFC 2920 3.1): then an end of data alone
            self._held = flight
            if self.gear is Gear.LOCK_STEP:
                self.flush()
        elif went_well and flight.refusal is None:
            if (following := _NEXT[self.gear].get(step)) is not None:
                self._ask(following, flight)
        else:
            flight.refusal = flight.refusal or (reply, _STAGES[step])
            if step is Step.DATA or self.gear is Gear.LOCK_STEP:
                self._needs_reset = step is not Step.MAIL
                self._end(flight, reply)

    def lost(self, problem: str, reply: Reply | None, *, retriable: bool) -> None:
        """The session is over: say of each transaction what became of it.

        421 says itself that nothing was taken of what is under way. `retriable`: what the server
        answered nothing of may be tried again at once.
        """
        is_refused = reply is not None and reply.code == 421
        flights = dict.fromkeys(flight for _, flight in self._expected)
        if self._held is not None:
            flights[self._held] = None
        for flight in flights:
            envelope = flight.transaction.envelope
            if flight.refusal is not None:
                self._settle(envelope, *flight.refusal)
                continue
            is_doubtful = flight.is_complete and not is_refused
            outcome = Outcome.UNSURE if is_doubtful else Outcome.DEFERRED
            result = Result(envelope.key, outcome, About.RELAY, reply, self._relay, problem)
            again = is_refused or (retriable and not flight.is_answered and not is_doubtful)
            self.events.append(Returned(envelope, result) if again else Settled(envelope, result))
        self._out.clear()
        self._expected.clear()
        self._held, self._flights, self._asked, self._preparing = None, 0, 0, 0

    def _ask_together(self, flight: Flight) -> None:
        """MAIL and RCPT with BDAT or DATA."""
        _, mail, rcpt, message = flight.transaction
        if self.gear is Gear.WINDOW:
            self._out.append((b"%b%bBDAT %d LAST\r\n" % (mail, rcpt, len(message)), 2, None))
            self._out.append((message, 1, flight))
            self._expected += ((Step.MAIL, flight), (Step.RCPT, flight), (Step.CONTENT, flight))
            self._preparing += 2
        else:
            self._out.append((b"%b%bDATA\r\n" % (mail, rcpt), 3, None))
            self._expected += ((Step.MAIL, flight), (Step.RCPT, flight), (Step.DATA, flight))
            self._preparing += 3

    def _ask(self, step: Step, flight: Flight) -> None:
        transaction = flight.transaction
        match step:
            case Step.RSET:
                self._out.append((b"RSET\r\n", 1, None))
            case Step.MAIL:
                self._out.append((transaction.mail, 1, None))
            case Step.RCPT:
                self._out.append((transaction.rcpt, 1, None))
            case Step.DATA:
                self._out.append((b"DATA\r\n", 1, None))
            case Step.CONTENT if flight.refusal is None or flight.has_recipient:
                self._out.append((transaction.stuffed, 0, None))
                self._out.append((END_OF_DATA, 1, flight))
            case Step.CONTENT:
                self._out.append((END_OF_DATA, 1, None))
        self._expected.append((step, flight))
        self._preparing += step is not Step.CONTENT

    def _decide(self, flight: Flight, reply: Reply) -> None:
        """The server had the message and answers for it."""
        if reply.kind is Kind.OK and (flight.refusal is None or flight.has_recipient):
            # what it took it took, though it may have stumbled over MAIL
            flight.refusal = None
            self._allowed = min(self._most, self._allowed * 2)
            self._stumbles = False
        elif self.gear is Gear.WINDOW:
            self._needs_reset = True  # RFC 3030 2: the state is indeterminate
        self._end(flight, reply)

    def _end(self, flight: Flight, reply: Reply) -> None:
        self._flights -= 1
        envelope = flight.transaction.envelope
        said, stage = flight.refusal or (reply, Stage.CONTENT)
        if self._stumbles and stage is Stage.MAIL and said.code == _BAD_SEQUENCE:
            # over what the refused one before it left behind
            self.events.append(Returned(envelope, judge(envelope, said, stage, self._relay)))
            return
        self._stumbles = said.kind is not Kind.OK
        self._settle(envelope, said, stage)

    def _settle(self, envelope: Envelope, reply: Reply, stage: Stage) -> None:
        self.events.append(Settled(envelope, judge(envelope, reply, stage, self._relay)))
