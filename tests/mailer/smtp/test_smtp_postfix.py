"""Against a real Postfix."""

import asyncio
import socket
import ssl
import time
from collections.abc import Iterator
from functools import partial

import pytest

from mailer.smtp import About, Envelope, Outcome, Pool, Relay, Result
from tests.services import sasl
from tests.services.certificates import Certified, certify
from tests.services.postfix import Postfix, relaying_to, running
from tests.wire.peer import Peer


def send(relay: Relay, *envelopes: Envelope, trust: ssl.SSLContext | None = None) -> dict[object, Result]:
    async def through_a_pool() -> list[Result]:
        results: list[Result] = []
        pool = Pool([relay], trust or ssl.create_default_context(), "me.example.org")
        try:
            await pool.send(envelopes, results.extend)
        finally:
            await pool.close()
        return results

    results = asyncio.run(through_a_pool())
    assert sorted(str(result.key) for result in results) == sorted(str(e.key) for e in envelopes)
    return {result.key: result for result in results}


def mail(number: int, text: bytes = b"x") -> bytes:
    return b"Subject: %d\r\nMessage-ID: <%d@example.org>\r\n\r\n%s\r\n" % (number, number, text)


def test_postfix_takes_what_we_send_and_says_whom_it_does_not_know(postfix: Postfix) -> None:
    text = b".\n.\r..\r\n...\nMAIL FROM:<x@example.net>\r\nend"
    relay = Relay.from_url(f"smtp://127.0.0.1:{postfix.port}?connections=2&starttls=off")
    results = send(
        relay,
        Envelope(1, "a@example.org", "b@example.org", lambda: mail(1, text), "envelope+1"),
        Envelope(2, "a@example.org", "unknown@example.org", lambda: mail(2)),
        Envelope(3, "a@example.org", "b@example.com", lambda: mail(3)),
        Envelope(4, "", "b@example.org", lambda: mail(4)),
        Envelope(5, "a@example.org", "b@example.org", lambda: mail(5, b"x" * 11_000_000)),
    )
    assert {key: (result.outcome, result.about) for key, result in results.items()} == {
        1: (Outcome.SENT, None),
        2: (Outcome.FAILED, About.MAILBOX),
        # "Relay access denied" is said of us, not of the recipient
        3: (Outcome.DEFERRED, About.RELAY),
        4: (Outcome.SENT, None),
        5: (Outcome.FAILED, About.MESSAGE),
    }
    assert results[2].problem.startswith("550 5.1.1 ")
    arrived = {mail.partition(b"Subject: ")[2][:1]: mail for mail in postfix.wait_for("b@example.org", 2)}
    assert arrived.keys() == {b"1", b"4"}
    assert arrived[b"1"].endswith(b"\n\n.\n.\n..\n...\nMAIL FROM:<x@example.net>\nend\n")
    assert b"ORCPT" not in arrived[b"1"]
    assert b"X-Original-To: b@example.org" in arrived[b"1"]


def test_many_messages_over_a_few_connections_all_arrive_once(postfix: Postfix) -> None:
    relay = Relay.from_url(f"smtp://127.0.0.1:{postfix.port}?connections=4")
    results = send(
        relay,
        *(Envelope(n, "a@example.org", "c@example.org", partial(mail, n)) for n in range(100, 300)),
    )
    assert {result.outcome for result in results.values()} == {Outcome.SENT}
    arrived = postfix.wait_for("c@example.org", 200, seconds=30)
    time.sleep(0.1)  # for a duplicate, if there were one
    subjects = sorted(int(mail.partition(b"Subject: ")[2][:3]) for mail in postfix.mailbox("c@example.org"))
    assert len(arrived) == 200
    assert subjects == list(range(100, 300))


def test_a_message_passes_a_smarthost_with_its_envelope_id_and_original_recipient() -> None:
    async def beyond(postfix: Postfix, listener: socket.socket) -> bytes:
        heard: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            peer = Peer(reader, writer)
            await peer.greet("DSN")
            await peer.take()
            heard.set_result(peer.heard)
            writer.close()

        server = await asyncio.start_server(connected, sock=listener)
        pool = Pool([Relay("127.0.0.1", postfix.port)], ssl.create_default_context(), "me.example.org")
        envelope = Envelope(1, "a@example.org", "b=c@example.net", lambda: mail(1, b"."), "id+1")
        try:
            await pool.send([envelope], lambda result: None)
            return await asyncio.wait_for(heard, 10)
        finally:
            await pool.close()
            server.close()
            await server.wait_closed()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        settings = relaying_to(listener.getsockname()[1])
        with running(mailboxes=(), settings=settings) as postfix:
            heard = asyncio.run(beyond(postfix, listener))
    assert b"ENVID=id+2B1" in heard
    assert b"ORCPT=rfc822;b+3Dc@example.net" in heard
    assert b"NOTIFY=FAILURE,DELAY" in heard
    assert heard.endswith(b"\r\n\r\n..\r\n.\r\n")


@pytest.fixture(scope="module")
def submission(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Postfix, Certified]]:
    """A Postfix as a state's smarthost is: STARTTLS before anything, and nobody in without a password."""
    certified = certify(tmp_path_factory.mktemp("submission"), "127.0.0.1")
    with sasl.running() as settings:
        encrypted = {
            "smtpd_tls_security_level": "encrypt",
            "smtpd_tls_auth_only": "yes",
            "smtpd_tls_chain_files": f"{certified.key}, {certified.certificate}",
        }
        with running(mailboxes=("b@example.org",), settings=settings | encrypted) as postfix:
            yield postfix, certified


@pytest.mark.parametrize("mechanism", ["plain", "login"])
def test_postfix_lets_us_in_by_starttls_and_a_password_that_dovecot_checks(
    submission: tuple[Postfix, Certified], mechanism: str
) -> None:
    postfix, certified = submission
    before = len(postfix.mailbox("b@example.org"))
    relay = Relay.from_url(f"smtp://user:{sasl.PASSWORD}@127.0.0.1:{postfix.port}?auth={mechanism}")
    envelope = Envelope(1, "a@example.org", "b@example.org", lambda: mail(1))
    results = send(relay, envelope, trust=certified.client_context())
    assert results[1].outcome is Outcome.SENT, results[1].problem
    assert len(postfix.wait_for("b@example.org", before + 1)) == before + 1
    assert f"sasl_method={mechanism.upper()}, sasl_username=user" in postfix.log


@pytest.mark.parametrize(
    ("user", "code"), [("user:falsch@", 535), ("user:token@", 535), ("", 554)], ids=["wrong", "token", "none"]
)
def test_whom_dovecot_does_not_know_postfix_takes_nothing_from_and_no_mail_fails_for_it(
    submission: tuple[Postfix, Certified], user: str, code: int
) -> None:
    postfix, certified = submission
    query = "?auth=xoauth2" if "token" in user else "?starttls=required"
    relay = Relay.from_url(f"smtp://{user}127.0.0.1:{postfix.port}{query}")
    envelope = Envelope(1, "a@example.org", "b@example.org", lambda: mail(1))
    result = send(relay, envelope, trust=certified.client_context())[1]
    assert (result.outcome, result.about) == (Outcome.DEFERRED, About.RELAY)
    assert result.reply is not None
    assert result.reply.code == code


@pytest.mark.parametrize(
    "unwanted", ["", "chunking", "chunking, pipelining"], ids=["window", "groups", "lock-step"]
)
def test_postfix_takes_all_and_refuses_its_own_by_every_gear(unwanted: str) -> None:
    settings = {"smtpd_discard_ehlo_keywords": unwanted}
    with running(mailboxes=("b@example.org",), settings=settings) as postfix:
        relay = Relay.from_url(f"smtp://127.0.0.1:{postfix.port}?connections=2&window=16")
        known = [Envelope(n, "a@example.org", "b@example.org", partial(mail, n)) for n in range(100, 200)]
        unknown = [Envelope(n, "a@example.org", f"x{n}@example.org", partial(mail, n)) for n in range(20)]
        mixed = [each for at in range(20) for each in (*known[at * 5 : at * 5 + 5], unknown[at])]
        results = send(relay, *mixed)
        arrived = postfix.wait_for("b@example.org", 100, seconds=30)
    assert {results[n].outcome for n in range(100, 200)} == {Outcome.SENT}
    assert {(results[n].outcome, results[n].about) for n in range(20)} == {(Outcome.FAILED, About.MAILBOX)}
    subjects = sorted(int(each.partition(b"Subject: ")[2][:3]) for each in arrived)
    assert subjects == list(range(100, 200))
