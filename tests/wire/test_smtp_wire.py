"""Raw bytes both ways over a real socket: what the pool makes of a server's every mood."""

import asyncio
import re
import socket
import ssl
import time
from collections.abc import Iterator
from functools import partial
from itertools import count

import pytest

from mailer.smtp import About, Envelope, Outcome, Pool, Relay, Result, Timeouts
from tests.wire.peer import Peer, Script, Wire, closing, listening, pool, sent

MAIL = b"Subject: x\r\n\r\nhello\r\n"
IMPATIENT = Timeouts(opening=0.3, reply=0.2, verdict=0.2, transaction=1)


async def willing(peer: Peer) -> None:
    await peer.greet("SIZE 100000", "8BITMIME")
    while True:
        await peer.take()


def play(
    *scripts: Script, messages: tuple[bytes, ...] = (MAIL,), query: str = "", timeouts: Timeouts | None = None
) -> tuple[list[Result], Wire]:
    async def both_ends() -> tuple[list[Result], Wire]:
        async with (
            listening(*scripts, query=query) as wire,
            closing(pool(wire.relay, timeouts=timeouts)) as through,
        ):
            return await sent(through, *messages), wire

    return asyncio.run(both_ends())


def dead_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def test_messages_travel_over_one_connection_with_one_recipient_each() -> None:
    results, wire = play(willing, messages=(MAIL, MAIL, MAIL))
    assert [result.outcome for result in results] == [Outcome.SENT] * 3
    assert {result.relay for result in results} == {wire.relay.name}
    (peer,) = wire.peers
    assert re.findall(rb"(?:MAIL|RCPT) [^\r]*", peer.heard) == [
        line
        for n in range(3)
        for line in (b"MAIL FROM:<a@example.org> SIZE=21", b"RCPT TO:<b%d@example.org>" % n)
    ]


@pytest.mark.parametrize(
    "mark", [b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r.\r\n", b"\r\n.\n", b"\r\n.\r", b"\r\n.\r\n"]
)
@pytest.mark.parametrize("before", [b"", b"\r", b"\n", b"."])
def test_no_end_of_data_inside_a_message_reaches_the_wire(mark: bytes, before: bytes) -> None:
    smuggled = b"MAIL FROM:<evil@example.net>\r\nRCPT TO:<victim@example.net>\r\nDATA\r\nSubject: y\r\n"
    results, wire = play(willing, messages=(MAIL + before + mark + smuggled, MAIL))
    assert [result.outcome for result in results] == [Outcome.SENT] * 2
    content, _, rest = wire.peers[0].heard.partition(b"DATA\r\n")[2].partition(b"\r\n.\r\n")
    # everything of the first message came before its one end, with CRLF line ends only
    assert content.endswith(b"Subject: y")
    assert rest.startswith(b"MAIL FROM:<a@example.org>")
    assert content.count(b"\r") == content.count(b"\n") == content.count(b"\r\n")


def test_every_byte_of_a_message_arrives() -> None:
    body = b"".join(bytes([byte]) * 3 + b"\r\n" for byte in range(256) if byte not in b"\r\n") * 50
    results, wire = play(willing, messages=(MAIL + body,))
    assert results[0].outcome is Outcome.SENT
    content = wire.peers[0].heard.partition(b"DATA\r\n")[2].partition(b"\r\n.\r\n")[0]
    received = [line.removeprefix(b".") for line in content.split(b"\r\n")]
    assert b"\r\n".join([*received, b""]) == MAIL + body


def test_a_refused_recipient_leaves_the_others_their_mail() -> None:
    async def picky(peer: Peer) -> None:
        await peer.greet()
        await peer.hear()
        await peer.say(b"250 ok\r\n")
        await peer.hear()
        await peer.say(b"550 5.1.1 nobody\x07 here\r\n")
        assert await peer.hear() == b"RSET\r\n"
        await peer.say(b"250 ok\r\n")
        await peer.take()

    refused, taken = play(picky, messages=(MAIL, MAIL))[0]
    assert (refused.outcome, refused.about) == (Outcome.FAILED, About.MAILBOX)
    assert refused.problem == "550 5.1.1 nobody\\x07 here"
    assert taken.outcome is Outcome.SENT


def test_421_in_mid_session_sends_the_rest_over_another_connection() -> None:
    async def two_each(peer: Peer) -> None:
        await peer.greet()
        await peer.take()
        await peer.take()
        await peer.hear()
        await peer.say(b"421 4.7.0 two are enough\r\n")

    results, wire = play(two_each, messages=(MAIL,) * 7)
    assert [result.outcome for result in results] == [Outcome.SENT] * 7
    assert len(wire.peers) == 4  # 2 + 2 + 2 + 1


def test_421_to_everything_defers_without_a_storm_of_connections() -> None:
    async def unwilling(peer: Peer) -> None:
        await peer.greet()
        await peer.hear()
        await peer.say(b"421 4.7.0 not you\r\n")

    results, wire = play(unwilling, messages=(MAIL,) * 50)
    assert {result.outcome for result in results} == {Outcome.DEFERRED}
    assert {result.problem for result in results} == {"421 4.7.0 not you"}
    assert len(wire.peers) == 2


def breaking(before: int, *, last_words: bytes = b"") -> Script:
    """Break the connection instead of giving the answer number `before` (0 MAIL ... 3 the final dot)."""

    async def script(peer: Peer) -> None:
        await peer.greet()
        for number, answer in enumerate((b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n", b"250 taken\r\n")):
            await peer.hear(b"\r\n.\r\n" if number == 3 else b"\r\n")
            if number == before:
                await peer.say(last_words)
                return
            await peer.say(answer)

    return script


@pytest.mark.parametrize(
    ("before", "outcome"), [(1, Outcome.DEFERRED), (2, Outcome.DEFERRED), (3, Outcome.UNSURE)]
)
def test_a_connection_that_breaks_leaves_doubt_only_after_the_final_dot(
    before: int, outcome: Outcome
) -> None:
    (broken, other), wire = play(breaking(before), willing, messages=(MAIL, MAIL))
    assert (broken.outcome, broken.about) == (outcome, About.RELAY)
    assert other.outcome is Outcome.SENT
    assert len(wire.peers) == 2


def test_a_connection_that_breaks_before_mail_was_answered_is_replaced() -> None:
    ((result,), wire) = play(breaking(0), willing)
    assert result.outcome is Outcome.SENT
    assert len(wire.peers) == 2


def test_a_reset_in_the_midst_of_a_long_message_leaves_no_doubt() -> None:
    async def resetting(peer: Peer) -> None:
        await peer.greet()
        for answer in (b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"):
            await peer.hear()
            await peer.say(answer)
        await peer.reader.readexactly(1000)
        peer.reset()

    (result,) = play(resetting, messages=(MAIL + b"x" * 70 + b"\r\n" * 8_000_000,))[0]
    assert (result.outcome, result.about) == (Outcome.DEFERRED, About.RELAY)


@pytest.mark.parametrize(
    ("number", "words", "outcome", "about"),
    [
        (2, b"554 5.6.0 no\r\n", Outcome.FAILED, About.MESSAGE),
        (2, b"452 4.3.1 full\r\n", Outcome.DEFERRED, About.RELAY),
        (3, b"554 5.7.1 spam\r\n", Outcome.FAILED, About.MESSAGE),
        (3, b"451 4.7.1 greylisted\r\n", Outcome.DEFERRED, About.MESSAGE),
        (3, b"550 5.2.1 disabled\r\n", Outcome.FAILED, About.MAILBOX),
    ],
)
def test_a_message_refused_at_data_or_after_the_dot_was_certainly_not_sent(
    number: int, words: bytes, outcome: Outcome, about: About
) -> None:
    (result,) = play(breaking(number, last_words=words))[0]
    assert (result.outcome, result.about, result.problem) == (outcome, about, words.decode().strip())


async def silent(peer: Peer) -> None:
    await peer.reader.read()


async def dripping(peer: Peer) -> None:
    for _ in count():
        await peer.say(b"220-")
        await peer.say(b"x\r\n")
        await asyncio.sleep(0.05)


async def silent_after_mail(peer: Peer) -> None:
    await peer.greet()
    await peer.reader.read()


async def silent_after_the_dot(peer: Peer) -> None:
    await peer.greet()
    await peer.take(b"")
    await peer.reader.read()


@pytest.mark.parametrize(
    ("script", "outcome"),
    [
        (silent, Outcome.DEFERRED),
        (dripping, Outcome.DEFERRED),
        (silent_after_mail, Outcome.DEFERRED),
        (silent_after_the_dot, Outcome.UNSURE),
    ],
)
def test_a_server_that_never_answers_costs_no_more_than_the_timeout(script: Script, outcome: Outcome) -> None:
    began = time.monotonic()
    (result,) = play(script, timeouts=IMPATIENT)[0]
    assert (result.outcome, result.problem) == (outcome, "the relay did not answer in time")
    assert time.monotonic() - began < 2


def test_a_relay_that_lets_in_and_falls_silent_is_not_waited_for_by_every_message() -> None:
    results, wire = play(silent_after_mail, messages=(MAIL,) * 20, timeouts=IMPATIENT)
    assert {result.outcome for result in results} == {Outcome.DEFERRED}
    assert len(wire.peers) == 2


@pytest.mark.parametrize(
    "words", [b"554 5.7.1 no service\r\n", b"421 busy\r\n", b"HTTP/1.1 400 no\r\n\r\n", b""]
)
def test_a_greeting_that_is_none_defers_everything_after_one_attempt(words: bytes) -> None:
    async def unfriendly(peer: Peer) -> None:
        await peer.say(words)

    results, wire = play(unfriendly, messages=(MAIL, MAIL))
    assert {(result.outcome, result.about) for result in results} == {(Outcome.DEFERRED, About.RELAY)}
    assert len(wire.peers) == 1


def test_helo_is_tried_where_ehlo_is_unknown() -> None:
    async def old(peer: Peer) -> None:
        await peer.say(b"220 old\r\n")
        await peer.hear()
        await peer.say(b"500 what?\r\n")
        assert await peer.hear() == b"HELO me.example.org\r\n"
        await peer.say(b"250 hello\r\n")
        await peer.take()

    (result,) = play(old)[0]
    assert result.outcome is Outcome.SENT


def test_replies_injected_behind_starttls_end_the_session_before_the_handshake() -> None:
    async def injecting(peer: Peer) -> None:
        await peer.greet("STARTTLS")
        await peer.hear()
        await peer.say(b"220 go\r\n250-evil\r\n250 AUTH PLAIN\r\n")
        peer.heard += await peer.reader.read()

    ((result,), wire) = play(injecting, query="?starttls=required")
    assert (result.outcome, result.about) == (Outcome.DEFERRED, About.RELAY)
    assert result.problem == "the relay sent plain text after STARTTLS"
    assert wire.peers[0].heard.endswith(b"STARTTLS\r\n")


def test_a_password_never_travels_where_encryption_was_stripped() -> None:
    async def stripped(peer: Peer) -> None:
        await peer.greet("AUTH PLAIN LOGIN")
        peer.heard += await peer.reader.read()

    async def both_ends() -> tuple[list[Result], bytes]:
        async with listening(stripped) as wire:
            relay = Relay.from_url(f"smtp://user:geheim@{wire.relay.name}")
            async with closing(pool(relay)) as through:
                return await sent(through, MAIL), wire.peers[0].heard

    (result,), heard = asyncio.run(both_ends())
    assert result.problem == "the relay does not offer STARTTLS, which is required"
    assert b"AUTH" not in heard


def test_a_kept_connection_is_used_again_and_replaced_when_it_has_died() -> None:
    async def one_then_gone(peer: Peer) -> None:
        await peer.greet()
        await peer.take()
        await peer.take()
        await peer.say(b"421 4.4.2 idle too long\r\n")

    async def three_rounds() -> tuple[list[Result], int]:
        async with listening(one_then_gone, willing) as wire, closing(pool(wire.relay)) as through:
            results = await sent(through, MAIL)
            results += await sent(through, MAIL)
            await asyncio.sleep(0.05)
            results += await sent(through, MAIL)
            return results, len(wire.peers)

    results, connections = asyncio.run(three_rounds())
    assert [result.outcome for result in results] == [Outcome.SENT] * 3
    assert connections == 2


def test_closing_says_goodbye() -> None:
    async def polite(peer: Peer) -> None:
        await peer.greet()
        await peer.take()
        assert await peer.hear() == b"QUIT\r\n"
        await peer.say(b"221 bye\r\n")

    assert play(polite)[1].peers[0].heard.endswith(b"QUIT\r\n")


def test_several_connections_share_the_envelopes() -> None:
    async def slow(peer: Peer) -> None:
        await peer.greet()
        while True:
            await asyncio.sleep(0.01)
            await peer.take()

    results, wire = play(slow, messages=(MAIL,) * 20, query="?connections=4")
    assert {result.outcome for result in results} == {Outcome.SENT}
    assert len(wire.peers) == 4
    assert all(b"RCPT" in peer.heard for peer in wire.peers)


def test_a_relay_that_allows_fewer_connections_than_wished_still_takes_everything() -> None:
    async def full(peer: Peer) -> None:
        await peer.say(b"421 4.7.0 too many connections\r\n")

    async def slow(peer: Peer) -> None:
        await peer.greet()
        while True:
            await peer.take()
            await asyncio.sleep(0.01)

    results, _ = play(slow, full, messages=(MAIL,) * 8, query="?connections=4")
    assert [result.outcome for result in results] == [Outcome.SENT] * 8


def test_the_next_relay_takes_over_where_one_cannot_be_connected_to() -> None:
    async def both_ends() -> tuple[list[Result], str]:
        async with listening(willing) as wire:
            dead = Relay("127.0.0.1", dead_port(), connections=3)
            async with closing(pool(dead, wire.relay)) as through:
                return await sent(through, *[MAIL] * 5), wire.relay.name

    results, name = asyncio.run(both_ends())
    assert {(result.outcome, result.relay) for result in results} == {(Outcome.SENT, name)}


def test_relays_with_weights_all_take_part_and_one_that_stands_by_does_not() -> None:
    async def slow(peer: Peer) -> None:
        await peer.greet()
        while True:
            await peer.take()
            await asyncio.sleep(0.01)

    async def both_ends() -> list[int]:
        async with (
            listening(slow, query="?weight=1") as first,
            listening(slow, query="?weight=1") as second,
            listening(slow, query="?weight=0") as standing_by,
            closing(pool(first.relay, second.relay, standing_by.relay)) as through,
        ):
            await sent(through, *[MAIL] * 20)
            return [len(wire.peers) for wire in (first, second, standing_by)]

    assert asyncio.run(both_ends()) == [1, 1, 0]


def test_a_relay_that_breaks_in_the_middle_leaves_the_rest_to_the_next_one() -> None:
    async def both_ends() -> tuple[list[Result], str, str]:
        async with (
            listening(breaking(0), refusing) as first,
            listening(willing) as second,
            closing(pool(first.relay, second.relay)) as through,
        ):
            return await sent(through, *[MAIL] * 6), first.relay.name, second.relay.name

    async def refusing(peer: Peer) -> None:
        peer.reset()

    results, first, second = asyncio.run(both_ends())
    assert {result.outcome for result in results} == {Outcome.SENT}
    assert {result.relay for result in results} <= {first, second}
    assert second in {result.relay for result in results}


def test_a_connection_is_replaced_when_it_has_carried_all_that_it_may() -> None:
    results, wire = play(willing, messages=(MAIL,) * 5, query="?per_connection=2")
    assert {result.outcome for result in results} == {Outcome.SENT}
    assert [peer.heard.count(b"DATA\r\n") for peer in wire.peers] == [2, 2, 1]
    assert all(peer.heard.endswith(b"QUIT\r\n") for peer in wire.peers[:2])


def test_a_connection_with_nothing_to_carry_is_ended_after_its_idle_time() -> None:
    async def polite(peer: Peer) -> None:
        await peer.greet()
        await peer.take()
        assert await peer.hear() == b"QUIT\r\n"
        await peer.say(b"221 bye\r\n")

    async def both_ends() -> bytes:
        async with listening(polite, query="?idle=1") as wire, closing(pool(wire.relay)) as through:
            await sent(through, MAIL)
            assert not wire.peers[0].heard.endswith(b"QUIT\r\n")
            await asyncio.sleep(1.2)
            return wire.peers[0].heard

    assert asyncio.run(both_ends()).endswith(b"QUIT\r\n")


def test_a_rate_is_kept_over_several_connections() -> None:
    began = time.monotonic()
    results, _ = play(willing, messages=(MAIL,) * 15, query="?connections=3&rate=10")
    assert {result.outcome for result in results} == {Outcome.SENT}
    assert 1.2 < time.monotonic() - began < 3  # fourteen pauses of a tenth of a second


def test_a_relay_that_refuses_whatever_it_is_given_gets_ten_mails_and_not_all() -> None:
    async def refusing(peer: Peer) -> None:
        await peer.greet()
        while True:
            await peer.hear()
            await peer.say(b"451 4.3.2 not now\r\n")

    results, wire = play(refusing, messages=(MAIL,) * 50)
    assert {(result.outcome, result.about) for result in results} == {(Outcome.DEFERRED, About.RELAY)}
    assert sum(peer.heard.count(b"MAIL FROM") for peer in wire.peers) == 10


def test_without_any_relay_everything_is_deferred_and_says_why() -> None:
    dead = Relay("127.0.0.1", dead_port(), connections=3)
    results = asyncio.run(sent(pool(dead), *[MAIL] * 5))
    assert {(result.outcome, result.about, result.relay) for result in results} == {
        (Outcome.DEFERRED, About.RELAY, dead.name)
    }
    assert all("refused" in result.problem.lower() for result in results)


def test_one_envelope_that_cannot_be_sent_does_not_stop_the_others() -> None:
    def poisonous() -> bytes:
        raise ValueError("no such slot")

    mixed = [
        Envelope(0, "a@example.org", "b@example.org\r\nRCPT TO:<c@example.net>", lambda: MAIL),
        Envelope(1, "a@example.org", "b@example.org", poisonous),
        Envelope(2, "a@example.org", "b@example.org", lambda: MAIL + b"x" * 100_000),
        Envelope(3, "a@example.org", "b@example.org", lambda: MAIL),
    ]

    async def both_ends() -> tuple[list[Result], bytes]:
        results: list[Result] = []
        async with listening(willing) as wire, closing(pool(wire.relay)) as through:
            await through.send(mixed, results.extend)
            return results, wire.peers[0].heard

    results, heard = asyncio.run(both_ends())
    assert {result.key: result.outcome for result in results} == {
        0: Outcome.FAILED,
        1: Outcome.DEFERRED,
        2: Outcome.FAILED,
        3: Outcome.SENT,
    }
    assert b"example.net" not in heard
    assert heard.count(b"MAIL FROM") == 1


def test_messages_are_made_one_by_one_as_their_turn_comes() -> None:
    made: list[int] = []

    def make(number: int) -> bytes:
        made.append(number)
        return MAIL

    def envelopes() -> Iterator[Envelope]:
        for number in range(4):
            assert len(made) == number, "taken before the last one was sent"
            yield Envelope(number, "", "b@example.org", partial(make, number))

    async def both_ends() -> None:
        async with listening(willing) as wire, closing(pool(wire.relay)) as through:
            await through.send(envelopes(), lambda result: None)

    asyncio.run(both_ends())
    assert made == [0, 1, 2, 3]


def test_a_result_that_cannot_be_recorded_stops_the_sending() -> None:
    async def both_ends() -> int:
        async with listening(willing, query="?connections=2") as wire, closing(pool(wire.relay)) as through:
            with pytest.raises(OSError, match="disk full"):
                await through.send(
                    [Envelope(n, "", "b@example.org", lambda: MAIL) for n in range(100)], full_disk
                )
            return sum(peer.heard.count(b"DATA") for peer in wire.peers)

    def full_disk(results: object) -> None:
        raise OSError("disk full")

    assert asyncio.run(both_ends()) <= 2


def test_a_cancelled_sending_drops_its_connections_and_the_pool_goes_on() -> None:
    async def both_ends() -> tuple[list[Result], int]:
        async with listening(silent_after_mail, willing) as wire, closing(pool(wire.relay)) as through:
            sending = asyncio.create_task(sent(through, MAIL))
            while not wire.peers or b"EHLO" not in wire.peers[0].heard:  # noqa: ASYNC110 (the peer sets no event)
                await asyncio.sleep(0.01)
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending
            return await sent(through, MAIL), len(wire.peers)

    results, connections = asyncio.run(both_ends())
    assert [result.outcome for result in results] == [Outcome.SENT]
    assert connections == 2


def test_a_pool_needs_a_relay() -> None:
    with pytest.raises(ValueError, match="relay"):
        Pool([], ssl.create_default_context(), "me.example.org")
