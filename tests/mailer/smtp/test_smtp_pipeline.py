"""Many messages at once on one session, against a model of a server that answers as it likes."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.smtp import Envelope, Outcome, Relay
from mailer.smtp.client import Client, Ended, Event, Ready
from mailer.smtp.pipeline import Gear, Returned, Settled, gear_for

EXTENSIONS = {Gear.LOCK_STEP: (), Gear.GROUPS: ("PIPELINING",), Gear.WINDOW: ("PIPELINING", "CHUNKING")}
SHAPES = ["DATA group", "lock-step", "window"]
VERDICTS = ["250", "250", "250", "250", "450", "550", "421"]


@dataclass
class Server:
    """What RFC 5321 and RFC 3030 say of a server; what it makes of a command is drawn from `verdicts`.

    taken:   the numbers of the messages it answered for with 250
    forgets: whether a refused BDAT LAST clears the transaction, as Postfix does; the RFC leaves it open
    generous: whether DATA is answered with 354 though there is no recipient (RFC 2920 3.1)
    """

    extensions: tuple[str, ...]
    verdicts: list[str]
    forgets: bool = True
    generous: bool = False
    taken: list[bytes] = field(default_factory=list)
    ended: bool = False
    _buffer: bytes = b""
    _sender: bool = False
    _recipient: bool = False
    _content: int | None = None
    _in_data: bool = False

    def hear(self, data: bytes) -> bytes:
        self._buffer += data
        said = b""
        while not self.ended and (answer := self._next()) is not None:
            said += answer
        return said

    def _next(self) -> bytes | None:
        if self._in_data:
            at = 0 if self._buffer.startswith(b".\r\n") else self._buffer.find(b"\r\n.\r\n") + 2
            if at == 1:
                return None
            content, self._buffer = self._buffer[:at], self._buffer[at + 3 :]
            self._in_data = False
            return self._whole(content)
        if self._content is not None:
            if len(self._buffer) < self._content:
                return None
            content, self._buffer = self._buffer[: self._content], self._buffer[self._content :]
            self._content = None
            if not self._recipient:
                if self.forgets:
                    self._sender = False
                return b"554 5.5.1 no valid recipients\r\n"
            return self._whole(content)
        line, end, rest = self._buffer.partition(b"\r\n")
        if not end:
            return None
        self._buffer = rest
        return self._command(line)

    def _command(self, line: bytes) -> bytes:
        word = line.split(b" ")[0]
        if word == b"EHLO":
            lines = ["model", *self.extensions]
            return "".join(
                f"250{'-' if n < len(lines) - 1 else ' '}{each}\r\n" for n, each in enumerate(lines)
            ).encode()
        if word == b"RSET":
            self._sender = self._recipient = False
            return b"250 2.0.0 ok\r\n"
        if word == b"MAIL":
            if self._sender:
                return b"503 5.5.1 nested MAIL\r\n"
            self._sender = (verdict := self._verdict()) == "250"
            return self._said(verdict)
        if word == b"RCPT":
            if not self._sender:
                return b"503 5.5.1 MAIL first\r\n"
            if (verdict := self._verdict()) == "250":
                self._recipient = True
            return self._said(verdict)
        if word == b"DATA":
            if not self._recipient and not (self.generous and self._sender):
                return b"554 5.5.1 no valid recipients\r\n"
            self._in_data = True
            return b"354 go\r\n"
        assert word == b"BDAT", line
        self._content = int(line.split(b" ")[1])
        return b""

    def _whole(self, content: bytes) -> bytes:
        had = self._recipient
        self._sender = self._recipient = False
        if not had:
            return b"554 5.5.1 no valid recipients\r\n"
        verdict = self._verdict()
        if verdict == "250":
            self.taken.append(content.strip())
        return self._said(verdict)

    def _verdict(self) -> str:
        return self.verdicts.pop(0) if self.verdicts else "250"

    def _said(self, verdict: str) -> bytes:
        self.ended = verdict == "421"
        return f"{verdict} {verdict[0]}.0.0 so be it\r\n".encode()


def envelope(number: int) -> Envelope:
    return Envelope(number, "a@example.org", f"b{number}@example.org", lambda: b"%d\r\n" % number)


def converse(
    client: Client, server: Server, count: int, sizes: list[int], *, cut: int | None = None
) -> list[Event]:
    """Send `count` messages; bytes travel in pieces of `sizes`, and after `cut` of them the line is dead."""
    events = list(client.receive(b"220 model\r\n"))
    waiting = [envelope(number) for number in range(count)]
    travelled = at = 0
    to_server = to_client = b""
    while not client.closed:
        while client.room and waiting:
            client.send(waiting.pop(0))
        if client.room:
            client.flush()
        while data := client.data_to_send():
            to_server += data
        if not to_server and not to_client:
            if client.idle and not waiting:
                break
            # it owes an answer that never comes: the server has ended the session
            events += client.lost("gone", retriable=True)
            break
        size = sizes[at % len(sizes)]
        at += 1
        if to_client:
            piece, to_client = to_client[:size], to_client[size:]
            arrived = client.receive(piece)
            events += arrived
            waiting = [each.envelope for each in arrived if isinstance(each, Returned)] + waiting
        else:
            piece, to_server = to_server[:size], to_server[size:]
            to_client += server.hear(piece)
        travelled += len(piece)
        if cut is not None and travelled >= cut:
            events += client.lost("cut", retriable=True)
            break
    return events


def client() -> Client:
    return Client(Relay.from_url("smtp://mail.example.org?starttls=off&window=8"), "me.example.org")


_SIZES = st.lists(st.integers(1, 400), min_size=1, max_size=8)
_VERDICTS = st.lists(st.sampled_from(VERDICTS), max_size=60)


@pytest.mark.parametrize("gear", Gear)
def test_the_gear_is_the_fastest_that_the_server_takes(gear: Gear) -> None:
    assert gear_for(dict.fromkeys(EXTENSIONS[gear], "")) is gear


def test_chunking_alone_is_no_leave_to_run_ahead() -> None:
    assert gear_for({"CHUNKING": ""}) is Gear.LOCK_STEP


@pytest.mark.parametrize("gear", Gear)
@given(st.integers(0, 40), _SIZES)
def test_every_message_arrives_once_and_whole_however_the_bytes_are_split(
    gear: Gear, count: int, sizes: list[int]
) -> None:
    server = Server(EXTENSIONS[gear], [])
    events = converse(client(), server, count, sizes)
    assert server.taken == [b"%d" % number for number in range(count)]
    assert events[0] == Ready()
    assert [event.result.key for event in events[1:] if isinstance(event, Settled)] == list(range(count))
    assert all(event.result.outcome is Outcome.SENT for event in events[1:] if isinstance(event, Settled))


@pytest.mark.parametrize("gear", Gear)
@given(st.integers(1, 40), _SIZES, _VERDICTS, st.booleans(), st.booleans(), st.none() | st.integers(1, 3000))
def test_what_is_said_of_a_message_is_what_became_of_it(
    gear: Gear,
    count: int,
    sizes: list[int],
    verdicts: list[str],
    forgets: bool,
    generous: bool,
    cut: int | None,
) -> None:
    server = Server(EXTENSIONS[gear], list(verdicts), forgets, generous)
    session = client()
    events = converse(session, server, count, sizes, cut=cut)
    settled = [event for event in events if isinstance(event, Settled)]
    returned = {event.result.key for event in events if isinstance(event, Returned)}
    keys = [event.result.key for event in settled]
    assert len(keys) == len(set(keys))
    for event in settled:
        is_taken = b"%d" % event.result.key in server.taken
        match event.result.outcome:
            case Outcome.SENT:
                assert is_taken
            case Outcome.FAILED | Outcome.DEFERRED:
                assert not is_taken
            case Outcome.UNSURE:
                assert session.closed
    # nothing is sent twice over one session, and what was given back is not with the server
    assert len(server.taken) == len(set(server.taken))
    assert not {b"%d" % key for key in returned - set(keys)} & set(server.taken)
    if session.closed:
        assert sum(isinstance(event, Ended) for event in events) == 1
    else:
        assert sorted(keys) == list(range(count))


@pytest.mark.parametrize("gear", Gear)
@pytest.mark.parametrize("forgets", [True, False])
@pytest.mark.parametrize("verdicts", [["250", "550"], ["550"], ["250", "250", "550"], ["250", "450"]])
def test_a_refusal_costs_its_own_message_only(gear: Gear, forgets: bool, verdicts: list[str]) -> None:
    server = Server(EXTENSIONS[gear], list(verdicts), forgets)
    events = converse(client(), server, 20, [10_000])
    assert server.taken == [b"%d" % number for number in range(1, 20)]
    ends = {event.result.key: event.result.outcome for event in events if isinstance(event, Settled)}
    assert ends.pop(0) is not Outcome.SENT
    assert set(ends.values()) == {Outcome.SENT}


def test_a_refusal_in_a_window_that_is_full_costs_its_own_message_only() -> None:
    # 16 messages open the window; the refused one has others behind it already
    verdicts = [*["250"] * 3 * 16, "250", "550"]
    for forgets in (True, False):
        server = Server(EXTENSIONS[Gear.WINDOW], list(verdicts), forgets)
        events = converse(client(), server, 40, [100_000])
        assert sorted(server.taken, key=int) == [b"%d" % number for number in range(40) if number != 16]
        assert sum(isinstance(event, Settled) for event in events) == 40


def test_a_session_begins_with_one_message_and_widens_as_they_are_taken() -> None:
    session, server = client(), Server(EXTENSIONS[Gear.WINDOW], [])
    session.receive(b"220 model\r\n")
    session.receive(server.hear(session.data_to_send()))
    widths, number = [], 0
    for _ in range(5):
        widths.append(session.room)
        while session.room:
            session.send(envelope(number))
            number += 1
        session.receive(server.hear(session.data_to_send()))
    assert widths == [1, 2, 8, 8, 8]
