"""The client joined with a scripted server over bytes, without a socket."""

import base64
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.smtp import About, Envelope, Outcome, Relay
from mailer.smtp.client import MOVES, Client, Ended, Event, Ready, StartTls, State
from mailer.smtp.pipeline import Returned, Settled

MESSAGE = b"Subject: x\r\n\r\n.dot\n"
ON_THE_WIRE = b"Subject: x\r\n\r\n..dot\r\n.\r\n"
OPENING = [(b"", b"220 hi\r\n"), (b"EHLO me.example.org\r\n", b"250-hi\r\n250 SIZE 1000\r\n")]
SENDING = [
    (b"MAIL FROM:<a@example.org> SIZE=20\r\n", b"250 2.1.0 Ok\r\n"),
    (b"RCPT TO:<b@example.org>\r\n", b"250 2.1.5 Ok\r\n"),
    (b"DATA\r\n", b"354 go on\r\n"),
    (ON_THE_WIRE, b"250 2.0.0 Ok: queued\r\n"),
]
RSET = (b"RSET\r\n", b"250 Ok\r\n")
Script = Sequence[tuple[bytes, bytes]]


def envelope(key: object = 1) -> Envelope:
    return Envelope(key, "a@example.org", "b@example.org", lambda: MESSAGE)


def play(client: Client, script: Script, size: int = 10_000) -> list[Event]:
    """Hold the client to the script: what it must say, and what it hears then, `size` bytes at a time."""
    events: list[Event] = []
    for expected, answer in script:
        said = b"".join(iter(client.data_to_send, b""))
        assert said == expected
        for at in range(0, len(answer), size):
            events += client.receive(answer[at : at + size])
    return events


def opened(url: str = "smtp://mail.example.org", script: Script = OPENING) -> Client:
    client = Client(Relay.from_url(url), "me.example.org")
    assert play(client, script)[-1] == Ready()
    return client


@given(st.integers(1, 60))
def test_a_session_sends_message_after_message_however_the_bytes_are_split(size: int) -> None:
    client = Client(Relay.from_url("smtp://mail.example.org"), "me.example.org")
    assert play(client, OPENING, size) == [Ready()]
    for key in (1, 2):
        client.send(envelope(key))
        assert not client.room
        (event,) = play(client, SENDING, size)
        assert isinstance(event, Settled)
        assert (event.result.key, event.result.outcome, event.result.problem) == (key, Outcome.SENT, "")
        assert event.result.reply is not None
        assert event.result.reply.text == "Ok: queued"
        assert client.room
    client.quit()
    assert isinstance(play(client, [(b"QUIT\r\n", b"221 bye\r\n")], size)[-1], Ended)


@pytest.mark.parametrize(
    ("step", "refusal", "outcome", "about", "next_script"),
    [
        (0, b"552 5.3.4 too big\r\n", Outcome.FAILED, About.MESSAGE, SENDING),
        (0, b"451 4.3.0 later\r\n", Outcome.DEFERRED, About.RELAY, SENDING),
        (0, b"530 5.7.0 log in first\r\n", Outcome.DEFERRED, About.RELAY, SENDING),
        (1, b"550 5.1.1 unknown\r\n", Outcome.FAILED, About.MAILBOX, [RSET, *SENDING]),
        (1, b"450 4.2.0 later\r\n", Outcome.DEFERRED, About.MAILBOX, [RSET, *SENDING]),
        (1, b"554 5.7.1 Relay access denied\r\n", Outcome.DEFERRED, About.RELAY, [RSET, *SENDING]),
        (2, b"554 5.5.1 no valid recipients\r\n", Outcome.DEFERRED, About.RELAY, [RSET, *SENDING]),
        (2, b"451 4.3.0 later\r\n", Outcome.DEFERRED, About.RELAY, [RSET, *SENDING]),
        (3, b"554 5.7.1 spam\r\n", Outcome.FAILED, About.MESSAGE, SENDING),
        (3, b"451 4.3.0 later\r\n", Outcome.DEFERRED, About.RELAY, SENDING),
    ],
)
def test_a_refusal_settles_one_envelope_and_the_session_goes_on(
    step: int, refusal: bytes, outcome: Outcome, about: About, next_script: Script
) -> None:
    client = opened()
    client.send(envelope())
    (event,) = play(client, [*SENDING[:step], (SENDING[step][0], refusal)])
    assert isinstance(event, Settled)
    assert (event.result.outcome, event.result.about) == (outcome, about)
    assert event.result.problem == refusal.decode().strip()
    client.send(envelope(2))
    (event,) = play(client, next_script)
    assert isinstance(event, Settled)
    assert event.result.outcome is Outcome.SENT


@pytest.mark.parametrize("step", range(4))
def test_421_ends_the_session_and_hands_the_envelope_back(step: int) -> None:
    client = opened()
    client.send(envelope())
    returned, ended = play(client, [*SENDING[:step], (SENDING[step][0], b"421 4.7.0 enough\r\n")])
    assert isinstance(returned, Returned)
    assert (returned.result.outcome, returned.result.about) == (Outcome.DEFERRED, About.RELAY)
    assert isinstance(ended, Ended)
    assert client.closed
    assert client.receive(b"250 late\r\n") == []


@pytest.mark.parametrize(
    ("step", "kind", "outcome"),
    [
        (0, Returned, Outcome.DEFERRED),
        (1, Settled, Outcome.DEFERRED),
        (2, Settled, Outcome.DEFERRED),
        (3, Settled, Outcome.UNSURE),
    ],
)
def test_a_lost_connection_is_unsure_only_after_the_final_dot(
    step: int, kind: type[Settled | Returned], outcome: Outcome
) -> None:
    client = opened()
    client.send(envelope())
    play(client, [*SENDING[:step], (SENDING[step][0], b"")])
    event, ended = client.lost("gone", retriable=True)
    assert isinstance(event, kind)
    assert isinstance(event, Settled | Returned)
    assert event.result.outcome is outcome
    assert isinstance(ended, Ended)
    assert client.lost("gone", retriable=True) == []


def test_before_the_final_dot_has_been_handed_out_nothing_is_unsure() -> None:
    client = opened(script=[OPENING[0], (OPENING[1][0], b"250 hi\r\n")])
    client.send(Envelope(1, "a@example.org", "b@example.org", lambda: bytes(b"x\r\n" * 200_000)))
    play(client, [(b"MAIL FROM:<a@example.org>\r\n", b"250 Ok\r\n"), *SENDING[1:3]])
    assert client.data_to_send() == b"x\r\n" * 200_000
    event, _ = client.lost("gone", retriable=True)
    assert isinstance(event, Settled)
    assert event.result.outcome is Outcome.DEFERRED


@pytest.mark.parametrize("garbage", [b"hello\r\n", b"999 x\r\n", b"250-a\r\n550 b\r\n", b"354 go on\r\n"])
def test_garbage_after_the_final_dot_is_unsure(garbage: bytes) -> None:
    client = opened()
    client.send(envelope())
    event, ended = play(client, [*SENDING[:3], (ON_THE_WIRE, garbage)])
    assert isinstance(event, Settled)
    assert event.result.outcome is Outcome.UNSURE
    assert isinstance(ended, Ended)


def test_an_answer_that_comes_before_its_question_ends_the_session() -> None:
    client = opened()
    client.send(envelope())
    event, _ = play(client, [(SENDING[0][0], b"250 Ok\r\n250 Ok\r\n354 go\r\n250 queued\r\n")])
    assert isinstance(event, Settled)
    assert event.result.outcome is Outcome.DEFERRED
    assert client.data_to_send() == b""


def test_a_reply_nobody_asked_for_ends_an_idle_session() -> None:
    client = opened()
    assert isinstance(client.receive(b"250 surprise\r\n")[0], Ended)


@pytest.mark.parametrize(
    "script",
    [
        [(b"", b"554 no service\r\n")],
        [(b"", b"421 busy\r\n")],
        [(b"", b"450 later\r\n")],
        [(b"", b"SSH-2.0-x\r\n")],
        [OPENING[0], (OPENING[1][0], b"421 busy\r\n")],
        [OPENING[0], (OPENING[1][0], b"550 go away\r\n"), (b"HELO me.example.org\r\n", b"550 go away\r\n")],
    ],
)
def test_a_session_that_does_not_come_about_says_why(script: Script) -> None:
    client = Client(Relay.from_url("smtp://mail.example.org"), "me.example.org")
    (event,) = play(client, script)
    assert isinstance(event, Ended)
    assert event.problem.isprintable()


def test_helo_is_said_to_servers_that_know_no_ehlo() -> None:
    helo = [OPENING[0], (OPENING[1][0], b"502 5.5.1 what?\r\n"), (b"HELO me.example.org\r\n", b"250 hi\r\n")]
    client = opened(script=helo)
    client.send(envelope())
    assert play(client, [(b"MAIL FROM:<a@example.org>\r\n", b"250 Ok\r\n"), *SENDING[1:]])


EHLO = b"EHLO me.example.org\r\n"
TLS_OFFER = [OPENING[0], (EHLO, b"250-hi\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n")]


def test_what_was_offered_before_tls_is_forgotten() -> None:
    client = Client(Relay.from_url("smtp://u:p@mail.example.org"), "me.example.org")
    assert play(client, [*TLS_OFFER, (b"STARTTLS\r\n", b"220 go\r\n")]) == [StartTls()]
    client.tls_started()
    (event,) = play(client, [(EHLO, b"250 hi\r\n")])
    assert isinstance(event, Ended)
    assert event.problem == "the relay does not offer AUTH PLAIN or LOGIN"


@pytest.mark.parametrize("size", range(1, 40))
def test_plain_text_injected_behind_starttls_is_refused_wherever_it_is_cut(size: int) -> None:
    client = Client(Relay.from_url("smtp://mail.example.org?starttls=required"), "me.example.org")
    injected = b"220 go\r\n250-evil\r\n250 AUTH PLAIN\r\n"
    events = play(client, [*TLS_OFFER, (b"STARTTLS\r\n", injected)], size)
    assert isinstance(events[-1], Ended)
    assert "plain text after STARTTLS" in events[-1].problem
    with pytest.raises(RuntimeError):
        client.tls_started()


def test_required_encryption_is_never_done_without() -> None:
    for script in (OPENING, [*TLS_OFFER, (b"STARTTLS\r\n", b"454 4.7.0 not now\r\n")]):
        client = Client(Relay.from_url("smtp://u:p@mail.example.org"), "me.example.org")
        assert isinstance(play(client, script)[-1], Ended)
        assert client.data_to_send() == b""


def b64(text: str) -> bytes:
    return base64.b64encode(text.encode())


@pytest.mark.parametrize(
    ("offer", "query", "script"),
    [
        (b"LOGIN PLAIN", "", [(b"AUTH PLAIN " + b64("\0ü\0p") + b"\r\n", b"235 in\r\n")]),
        (b"plain", "&auth=plain", [(b"AUTH PLAIN " + b64("\0ü\0p") + b"\r\n", b"235 in\r\n")]),
        (
            b"LOGIN",
            "",
            [
                (b"AUTH LOGIN\r\n", b"334 VXNlcm5hbWU6\r\n"),
                (b64("ü") + b"\r\n", b"334 UGFzc3dvcmQ6\r\n"),
                (b64("p") + b"\r\n", b"235 in\r\n"),
            ],
        ),
        (
            b"PLAIN XOAUTH2",
            "&auth=xoauth2",
            [(b"AUTH XOAUTH2 " + b64("user=ü\1auth=Bearer p\1\1") + b"\r\n", b"235 in\r\n")],
        ),
    ],
)
def test_each_mechanism_logs_in(offer: bytes, query: str, script: Script) -> None:
    hello = [OPENING[0], (EHLO, b"250-hi\r\n250 AUTH " + offer + b"\r\n")]
    opened("smtp://%C3%BC:p@mail.example.org?starttls=off" + query, [*hello, *script])


def test_a_refused_token_is_acknowledged_and_ends_the_session() -> None:
    client = Client(Relay.from_url("smtps://u:geheim@mail.example.org?auth=xoauth2"), "me.example.org")
    token = b64("user=u\1auth=Bearer geheim\1\1")
    (event,) = play(
        client,
        [
            OPENING[0],
            (EHLO, b"250-hi\r\n250 AUTH XOAUTH2\r\n"),
            (b"AUTH XOAUTH2 " + token + b"\r\n", b"334 eyJzdGF0dXMiOiI0MDEifQ==\r\n"),
            (b"\r\n", b"535 5.7.8 no\r\n"),
        ],
    )
    assert isinstance(event, Ended)
    assert event.problem == "the relay answered AUTH with 535 5.7.8 no"


@pytest.mark.parametrize("name", ["", "a b", "a\r\nMAIL FROM:<>", "ä.example.org", "a\0"])
def test_the_name_to_say_hello_with_cannot_carry_a_command(name: str) -> None:
    with pytest.raises(ValueError, match="hello"):
        Client(Relay.from_url("smtp://mail.example.org"), name)


def test_an_envelope_too_many_is_a_mistake_of_the_caller() -> None:
    client = opened()
    client.send(envelope())
    with pytest.raises(RuntimeError, match="no room"):
        client.send(envelope(2))


def test_every_state_but_those_that_await_no_reply_is_in_the_table() -> None:
    assert set(State) - set(MOVES) == {State.AGREEING, State.HANDSHAKE, State.READY, State.CLOSED}


@given(
    st.lists(st.sampled_from([b"250 ok\r\n", b"354 go\r\n", b"421 no\r\n", b"550 no\r\n", b"x\r\n", b"4"]))
)
def test_whatever_the_server_says_an_envelope_has_exactly_one_end(answers: list[bytes]) -> None:
    client = opened()
    client.send(envelope())
    events: list[Event] = []
    for answer in answers:
        while client.data_to_send():
            pass
        events += client.receive(answer)
    events += client.lost("gone", retriable=True)
    assert len([event for event in events if isinstance(event, Settled | Returned)]) == 1
    assert len([event for event in events if isinstance(event, Ended)]) == 1
