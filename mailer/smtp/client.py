"""An SMTP client without sockets (RFC 5321).

Bytes from the server go in by `receive`, bytes for it come out by `data_to_send`; envelopes go
in by `send` while there is `room`, and come out as events. How many commands travel at once is this
module's own affair: now it asks and waits, one question at a time.
"""

from base64 import b64encode
from collections import deque
from dataclasses import dataclass
from enum import Enum, auto

from mailer.smtp.envelope import Envelope, Outcome, Result, judge
from mailer.smtp.relay import Auth, Relay, Tls
from mailer.smtp.replies import About, GarbledReplyError, Kind, Reply, ReplyReader, Stage, printable
from mailer.smtp.transaction import Transaction, extensions, prepare


@dataclass(frozen=True, slots=True)
class Ready:
    """The session stands: envelopes may be sent."""


@dataclass(frozen=True, slots=True)
class StartTls:
    """Do the TLS handshake now, then call `tls_started`."""


@dataclass(frozen=True, slots=True)
class Settled:
    envelope: Envelope
    result: Result


@dataclass(frozen=True, slots=True)
class Returned:
    """The session ended before the server took anything of this envelope, or ended it with 421:
    another connection may try. `result` holds if none does.
    """

    envelope: Envelope
    result: Result


@dataclass(frozen=True, slots=True)
class Ended:
    """The session is over; comes last. `reply` is what the server said, if it said anything."""

    problem: str
    reply: Reply | None


Event = Ready | StartTls | Settled | Returned | Ended


class State(Enum):
    GREETING = auto()
    EHLO = auto()
    HELO = auto()
    AGREEING = auto()
    STARTTLS = auto()
    HANDSHAKE = auto()
    AUTH = auto()
    READY = auto()
    MAIL = auto()
    RCPT = auto()
    DATA = auto()
    CONTENT = auto()
    RSET = auto()
    QUIT = auto()
    CLOSED = auto()


# What follows a reply of this kind in this state. Any other reply ends the session, and so does 421.
MOVES: dict[State, dict[Kind, State]] = {
    State.GREETING: {Kind.OK: State.EHLO},
    State.EHLO: {Kind.OK: State.AGREEING, Kind.PERMANENT: State.HELO},
    State.HELO: {Kind.OK: State.AGREEING},
    State.STARTTLS: {Kind.OK: State.HANDSHAKE},
    State.AUTH: {Kind.OK: State.READY, Kind.GO_ON: State.AUTH},
    State.READY: {},
    State.MAIL: {Kind.OK: State.RCPT, Kind.TRANSIENT: State.READY, Kind.PERMANENT: State.READY},
    State.RCPT: {Kind.OK: State.DATA, Kind.TRANSIENT: State.RSET, Kind.PERMANENT: State.RSET},
    State.DATA: {Kind.GO_ON: State.CONTENT, Kind.TRANSIENT: State.RSET, Kind.PERMANENT: State.RSET},
    State.CONTENT: {Kind.OK: State.READY, Kind.TRANSIENT: State.READY, Kind.PERMANENT: State.READY},
    State.RSET: {Kind.OK: State.READY},
    State.QUIT: {Kind.OK: State.CLOSED},
}

_STAGES: dict[State, Stage] = {
    State.MAIL: Stage.MAIL,
    State.RCPT: Stage.RCPT,
    State.DATA: Stage.CONTENT,
    State.CONTENT: Stage.CONTENT,
}

_FINAL_DOT = b".\r\n"


class Client:
    """One session with `relay`. Once `Ended` has come it is spent."""

    def __init__(self, relay: Relay, hello_name: str) -> None:
        if not hello_name.isascii() or not hello_name.isprintable() or not hello_name or " " in hello_name:
            raise ValueError("the name to say hello with is a host name or an address literal")
        self._relay = relay
        self._hello_name = hello_name
        self._state = State.GREETING
        self._encrypted = relay.tls is Tls.IMPLICIT
        self._offered: dict[str, str] = {}
        self._credentials: deque[str] = deque()
        self._transaction: Transaction | None = None
        self._replies = ReplyReader()
        self._out: deque[bytes] = deque()
        self._events: list[Event] = []
        self.replies = 0

    @property
    def room(self) -> int:
        """How many more envelopes `send` takes right now."""
        return 1 if self._state is State.READY else 0

    @property
    def idle(self) -> bool:
        """Whether nothing is under way, so that the session can be kept for later."""
        return self._state is State.READY

    @property
    def closed(self) -> bool:
        return self._state is State.CLOSED

    @property
    def awaits_verdict(self) -> bool:
        """Whether the server has the whole message and owes its answer: breaking off here is costly."""
        return self._state is State.CONTENT and not self._out

    def send(self, envelope: Envelope) -> None:
        """Begin an envelope. Raises UnsendableError, with nothing written and the session as it was."""
        if not self.room:
            raise RuntimeError("no room for another envelope")
        self._transaction = prepare(envelope, self._offered)
        self._enter(State.MAIL)

    def receive(self, data: bytes) -> list[Event]:
        """Take bytes from the server; what they mean."""
        if self._state is State.HANDSHAKE:
            return self._broken("the relay sent plain text after STARTTLS")
        self._replies.feed(data)
        try:
            while not self.closed and (reply := self._replies.next_reply()) is not None:
                self._take(reply)
        except GarbledReplyError as error:
            return self._broken(str(error))
        return self._happened()

    def lost(self, problem: str, *, retriable: bool) -> list[Event]:
        """The connection is gone. `retriable`: an envelope nothing of which was taken may be tried again."""
        if not self.closed:
            self._end(problem, retriable=retriable)
        return self._happened()

    def data_to_send(self) -> bytes:
        """The next bytes to write, b"" for none. Ask until there are none, and let each piece leave before
        asking for the next: the final dot comes alone, so that a break before it leaves no doubt.
        """
        return self._out.popleft() if self._out else b""

    def tls_started(self) -> None:
        """The handshake has succeeded. RFC 3207 section 4.2: what was said before it is forgotten."""
        if self._state is not State.HANDSHAKE:
            raise RuntimeError("no TLS handshake was due")
        self._encrypted = True
        self._enter(State.EHLO)

    def quit(self) -> None:
        if not self.idle:
            raise RuntimeError("something is still under way")
        self._enter(State.QUIT)

    def _take(self, reply: Reply) -> None:
        self.replies += 1
        following = MOVES[self._state].get(reply.kind)
        if reply.code == 421 and self._state is not State.QUIT:
            self._end(str(reply), reply, retriable=True)
        elif self._out:
            # An answer that was under way before its question: somebody else may have put it there.
            self._end("the relay answered before it was asked", retriable=False)
        elif following is None:
            self._end(f"the relay answered {self._state.name} with {reply}", reply, retriable=False)
        else:
            if following in (State.READY, State.RSET) and self._transaction is not None:
                self._settle(judge(self._transaction.envelope, reply, _STAGES[self._state], self._relay.name))
            if self._state is State.EHLO and reply.kind is Kind.OK:
                self._offered = extensions(reply)
            self._enter(following)

    def _enter(self, state: State) -> None:
        """Go to `state` and say what is said on arrival there."""
        came_from, self._state = self._state, state
        match state:
            case State.EHLO:
                self._offered = {}
                self._say(f"EHLO {self._hello_name}")
            case State.HELO:
                self._say(f"HELO {self._hello_name}")
            case State.AGREEING:
                self._agree()
            case State.STARTTLS | State.RSET | State.QUIT | State.DATA:
                self._say(state.name)
            case State.HANDSHAKE:
                if self._replies.pending:
                    # RFC 3207 section 6: bytes injected here would be read as if they had come encrypted.
                    self._end("the relay sent plain text after STARTTLS", retriable=False)
                else:
                    self._events.append(StartTls())
            case State.AUTH:
                self._say(self._credentials.popleft() if self._credentials else "*")
            case State.READY:
                if came_from in (State.AGREEING, State.AUTH):
                    self._events.append(Ready())
            case State.MAIL:
                self._out.append(self._current.mail)
            case State.RCPT:
                self._out.append(self._current.rcpt)
            case State.CONTENT:
                self._out += [self._current.content, _FINAL_DOT] if self._current.content else [_FINAL_DOT]
            case State.CLOSED:
                self._end("the session was closed", retriable=True)

    def _agree(self) -> None:
        """Decide by what the server offers: encrypt, log in, or begin."""
        relay = self._relay
        if not self._encrypted and relay.tls is not Tls.OFF:
            if "STARTTLS" in self._offered:
                return self._enter(State.STARTTLS)
            if relay.tls is Tls.REQUIRED:
                return self._end("the relay does not offer STARTTLS, which is required", retriable=False)
        if relay.username is None:
            return self._enter(State.READY)
        offered = self._offered.get("AUTH", "").upper().split()
        choices = [relay.auth] if relay.auth else [Auth.PLAIN, Auth.LOGIN]
        mechanism = next((choice for choice in choices if choice.name in offered), None)
        if mechanism is None:
            wanted = " or ".join(choice.name for choice in choices)
            return self._end(f"the relay does not offer AUTH {wanted}", retriable=False)
        self._credentials = deque(_credentials(mechanism, relay.username, relay.password or ""))
        return self._enter(State.AUTH)

    @property
    def _current(self) -> Transaction:
        assert self._transaction is not None, "a transaction's state without a transaction"
        return self._transaction

    def _say(self, line: str) -> None:
        self._out.append(line.encode("ascii") + b"\r\n")

    def _settle(self, result: Result) -> None:
        self._events.append(Settled(self._current.envelope, result))
        self._transaction = None

    def _broken(self, problem: str) -> list[Event]:
        return self.lost(problem, retriable=False)

    def _end(self, problem: str, reply: Reply | None = None, *, retriable: bool) -> None:
        problem = printable(problem)
        if self._transaction is not None:
            self._let_go(self._transaction.envelope, problem, reply, retriable=retriable)
        self._state = State.CLOSED
        self._out.clear()
        self._events.append(Ended(problem, reply))

    def _let_go(self, envelope: Envelope, problem: str, reply: Reply | None, *, retriable: bool) -> None:
        """The session ends under an envelope."""
        refused = reply is not None and reply.code == 421
        outcome = Outcome.UNSURE if self.awaits_verdict and not refused else Outcome.DEFERRED
        result = Result(envelope.key, outcome, About.RELAY, reply, self._relay.name, problem)
        # 421 says itself that nothing was taken; a silent end says so only before MAIL was answered.
        if retriable and (refused or self._state is State.MAIL):
            self._events.append(Returned(envelope, result))
            self._transaction = None
        else:
            self._settle(result)

    def _happened(self) -> list[Event]:
        events, self._events = self._events, []
        return events


def _credentials(mechanism: Auth, username: str, password: str) -> list[str]:
    """What the client says during AUTH, line by line. PLAIN: RFC 4616 with RFC 4954's initial response."""
    match mechanism:
        case Auth.PLAIN:
            return ["AUTH PLAIN " + _base64(f"\0{username}\0{password}")]
        case Auth.LOGIN:
            return ["AUTH LOGIN", _base64(username), _base64(password)]
        case Auth.XOAUTH2:
            # A refusal comes as a 334 with its reasons, and is answered by an empty line.
            return ["AUTH XOAUTH2 " + _base64(f"user={username}\1auth=Bearer {password}\1\1"), ""]


def _base64(text: str) -> str:
    return b64encode(text.encode()).decode("ascii")
