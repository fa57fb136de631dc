"""An SMTP client without sockets (RFC 5321).

Bytes from the server go in by `receive`, bytes for it come out by `data_to_send`; envelopes go
in by `send` while there is `room`, and come out as events. Opening a session is one question at a
time; how many messages are under way in it then is the affair of mailer.smtp.pipeline.
"""

from base64 import b64encode
from collections import deque
from dataclasses import dataclass
from enum import Enum, auto

from mailer.smtp.envelope import Envelope
from mailer.smtp.pipeline import Gear, Pipeline, Returned, Settled
from mailer.smtp.relay import Auth, Relay, Tls
from mailer.smtp.replies import GarbledReplyError, Kind, Reply, ReplyReader, printable
from mailer.smtp.transaction import extensions


@dataclass(frozen=True, slots=True)
class Ready:
    """The session stands: envelopes may be sent."""


@dataclass(frozen=True, slots=True)
class StartTls:
    """Do the TLS handshake now, then call `tls_started`."""


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
    QUIT = auto()
    CLOSED = auto()


# What follows a reply of this kind in this state. Any other reply ends the session, and so does 421.
MOVES: dict[State, dict[Kind, State]] = {
    State.GREETING: {Kind.OK: State.EHLO},
    State.EHLO: {Kind.OK: State.AGREEING, Kind.PERMANENT: State.HELO},
    State.HELO: {Kind.OK: State.AGREEING},
    State.STARTTLS: {Kind.OK: State.HANDSHAKE},
    State.AUTH: {Kind.OK: State.READY, Kind.GO_ON: State.AUTH},
    State.QUIT: {Kind.OK: State.CLOSED},
}

#: bytes handed out at a time: large enough that a window of mails goes out at once
_AT_A_TIME = 1 << 18


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
        self._pipeline: Pipeline | None = None
        self._replies = ReplyReader()
        self._out: deque[bytes] = deque()
        self._events: list[Event] = []
        self.replies = 0

    @property
    def room(self) -> int:
        """How many more envelopes `send` takes right now."""
        return self._pipeline.room if self._pipeline and self._state is State.READY else 0

    @property
    def idle(self) -> bool:
        """Whether nothing is under way, so that the session can be kept for later."""
        return self._state is State.READY and self._pipeline is not None and self._pipeline.is_idle

    @property
    def closed(self) -> bool:
        return self._state is State.CLOSED

    @property
    def gear(self) -> Gear | None:
        """How messages travel; None before the session stands."""
        return self._pipeline.gear if self._pipeline else None

    @property
    def awaits_verdict(self) -> bool:
        """Whether the server has a whole message and owes its answer: breaking off here is costly."""
        return self._state is State.READY and self._pipeline is not None and self._pipeline.awaits_verdict

    def send(self, envelope: Envelope) -> None:
        """Begin an envelope. Raises UnsendableError, with nothing written and the session as it was."""
        if not self.room or self._pipeline is None:
            raise RuntimeError("no room for another envelope")
        self._pipeline.begin(envelope)

    def flush(self) -> None:
        """No other envelope comes for now: let nothing wait for one."""
        if self._pipeline is not None:
            self._pipeline.flush()

    def receive(self, data: bytes) -> list[Event]:
        """Take bytes from the server; what they mean."""
        if self._state is State.HANDSHAKE:
            return self._broken("the relay sent plain text after STARTTLS")
        self._replies.feed(data)
        try:
            while self._state is not State.CLOSED and (reply := self._replies.next_reply()) is not None:
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
        asking for the next: what was not handed out when a session breaks leaves no doubt.
        """
        if self._out:
            return self._out.popleft()
        return self._pipeline.data_to_send(_AT_A_TIME) if self._pipeline else b""

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
        if reply.code == 421 and self._state is not State.QUIT:
            self._end(str(reply), reply, retriable=True)
        elif self._state is State.READY and self._pipeline is not None:
            if self._pipeline.is_asked:
                self._pipeline.take(reply)
            else:
                self._end("the relay answered before it was asked", retriable=False)
        elif self._out:
            # An answer that was under way before its question: somebody else may have put it there.
            self._end("the relay answered before it was asked", retriable=False)
        elif (following := MOVES[self._state].get(reply.kind)) is None:
            self._end(f"the relay answered {self._state.name} with {reply}", reply, retriable=False)
        else:
            if self._state is State.EHLO and reply.kind is Kind.OK:
                self._offered = extensions(reply)
            self._enter(following)

    def _enter(self, state: State) -> None:
        """Go to `state` and say what is said on arrival there."""
        self._state = state
        match state:
            case State.EHLO:
                self._offered = {}
                self._say(f"EHLO {self._hello_name}")
            case State.HELO:
                self._say(f"HELO {self._hello_name}")
            case State.AGREEING:
                self._agree()
            case State.STARTTLS | State.QUIT:
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
                self._pipeline = Pipeline(self._relay.name, self._offered, window=self._relay.window)
                self._events.append(Ready())
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

    def _say(self, line: str) -> None:
        self._out.append(line.encode("ascii") + b"\r\n")

    def _broken(self, problem: str) -> list[Event]:
        return self.lost(problem, retriable=False)

    def _end(self, problem: str, reply: Reply | None = None, *, retriable: bool) -> None:
        problem = printable(problem)
        if self._pipeline is not None:
            self._pipeline.lost(problem, reply, retriable=retriable)
            self._gather()
        self._state = State.CLOSED
        self._out.clear()
        self._events.append(Ended(problem, reply))

    def _gather(self) -> None:
        if self._pipeline is not None and self._pipeline.events:
            self._events += self._pipeline.events
            self._pipeline.events.clear()

    def _happened(self) -> list[Event]:
        self._gather()
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
