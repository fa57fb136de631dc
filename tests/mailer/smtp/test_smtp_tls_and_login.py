"""Encryption and log-in against aiosmtpd, with certificates made for the occasion."""

import asyncio
import ssl

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
from aiosmtpd.smtp import Envelope as ReceivedEnvelope
from aiosmtpd.smtp import Session as ReceivingSession

from mailer.smtp import About, Envelope, Outcome, Pool, Relay, Result
from tests.services.certificates import Certified, certify

MAIL = b"Subject: x\r\n\r\nhello\r\n"


class Inbox:
    """What aiosmtpd received: (encrypted, logged in, content) for each message."""

    def __init__(self) -> None:
        self.received: list[tuple[bool, bool, bytes]] = []

    async def handle_DATA(self, server: SMTP, session: ReceivingSession, envelope: ReceivedEnvelope) -> str:  # noqa: N802 (aiosmtpd's name)
        assert isinstance(envelope.content, bytes)
        assert server.transport is not None
        encrypted = server.transport.get_extra_info("ssl_object") is not None
        self.received.append((encrypted, bool(session.authenticated), envelope.content))
        return "250 2.0.0 taken"


def check_login(
    server: SMTP, session: ReceivingSession, envelope: ReceivedEnvelope, mechanism: str, data: LoginPassword
) -> AuthResult:
    return AuthResult(success=data == LoginPassword(b"user", "geh€im".encode()), handled=False)


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Certified:
    return certify(tmp_path_factory.mktemp("good"), "127.0.0.1", "localhost")


@pytest.fixture(scope="module")
def misnamed(tmp_path_factory: pytest.TempPathFactory) -> Certified:
    return certify(tmp_path_factory.mktemp("misnamed"), "mail.example.org")


def exchange(
    url: str,
    *,
    trust: ssl.SSLContext,
    starttls: ssl.SSLContext | None = None,
    implicit: ssl.SSLContext | None = None,
    exclude: tuple[str, ...] = (),
) -> tuple[Result, Inbox]:
    """Send one message to an aiosmtpd; `url` has {port} where its port goes."""

    async def both_ends() -> tuple[Result, Inbox]:
        inbox, results = Inbox(), list[Result]()
        server = await asyncio.get_running_loop().create_server(
            lambda: SMTP(
                inbox,
                hostname="localhost",
                tls_context=starttls,
                authenticator=check_login,
                auth_exclude_mechanism=exclude,
                # aiosmtpd counts only its own STARTTLS as encryption
                auth_require_tls=starttls is not None,
            ),
            "127.0.0.1",
            0,
            ssl=implicit,
        )
        relay = Relay.from_url(url.format(port=server.sockets[0].getsockname()[1]))
        pool = Pool([relay], trust, "me.example.org")
        try:
            async with asyncio.timeout(10):
                await pool.send([Envelope(1, "a@example.org", "b@example.org", lambda: MAIL)], results.extend)
        finally:
            await pool.close()
            server.close()
            await server.wait_closed()
        (result,) = results
        return result, inbox

    return asyncio.run(both_ends())


LOGIN = "user:geh%E2%82%ACim@"


@pytest.mark.parametrize("mechanism", ["plain", "login"])
def test_starttls_and_log_in(certified: Certified, mechanism: str) -> None:
    url = f"smtp://{LOGIN}127.0.0.1:{{port}}?auth={mechanism}"
    result, inbox = exchange(url, trust=certified.client_context(), starttls=certified.server_context())
    assert result.outcome is Outcome.SENT, result.problem
    assert inbox.received == [(True, True, MAIL)]


def test_login_is_used_where_plain_is_not_offered(certified: Certified) -> None:
    result, inbox = exchange(
        f"smtp://{LOGIN}127.0.0.1:{{port}}",
        trust=certified.client_context(),
        starttls=certified.server_context(),
        exclude=("PLAIN",),
    )
    assert result.outcome is Outcome.SENT, result.problem
    assert inbox.received == [(True, True, MAIL)]


def test_implicit_tls_and_log_in(certified: Certified) -> None:
    result, inbox = exchange(
        f"smtps://{LOGIN}localhost:{{port}}",
        trust=certified.client_context(),
        implicit=certified.server_context(),
    )
    assert result.outcome is Outcome.SENT, result.problem
    assert inbox.received == [(True, True, MAIL)]


def test_a_wrong_password_defers_and_never_fails(certified: Certified) -> None:
    result, inbox = exchange(
        "smtp://user:falsch@127.0.0.1:{port}",
        trust=certified.client_context(),
        starttls=certified.server_context(),
    )
    assert (result.outcome, result.about) == (Outcome.DEFERRED, About.RELAY)
    assert result.reply is not None
    assert result.reply.code == 535
    assert "falsch" not in repr(result)
    assert inbox.received == []


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_a_certificate_of_an_unknown_authority_is_refused(certified: Certified, scheme: str) -> None:
    query = "?starttls=required" if scheme == "smtp" else ""
    server = certified.server_context()
    result, inbox = exchange(
        f"{scheme}://127.0.0.1:{{port}}{query}",
        trust=ssl.create_default_context(),
        starttls=server if scheme == "smtp" else None,
        implicit=server if scheme == "smtps" else None,
    )
    assert (result.outcome, result.about) == (Outcome.DEFERRED, About.RELAY)
    assert "certificate verify failed" in result.problem
    assert inbox.received == []


def test_a_certificate_for_another_name_is_refused(misnamed: Certified) -> None:
    result, inbox = exchange(
        f"smtp://{LOGIN}127.0.0.1:{{port}}",
        trust=misnamed.client_context(),
        starttls=misnamed.server_context(),
    )
    assert (result.outcome, result.about) == (Outcome.DEFERRED, About.RELAY)
    assert "IP address mismatch" in result.problem
    assert inbox.received == []


def test_opportunistic_encryption_takes_any_certificate(misnamed: Certified) -> None:
    result, inbox = exchange(
        "smtp://127.0.0.1:{port}", trust=ssl.create_default_context(), starttls=misnamed.server_context()
    )
    assert result.outcome is Outcome.SENT, result.problem
    assert inbox.received == [(True, False, MAIL)]


def test_without_an_offer_opportunistic_encryption_does_without() -> None:
    result, inbox = exchange("smtp://127.0.0.1:{port}", trust=ssl.create_default_context())
    assert result.outcome is Outcome.SENT, result.problem
    assert inbox.received == [(False, False, MAIL)]


def test_a_server_without_tls_behind_an_smtps_url_is_refused() -> None:
    result, _ = exchange("smtps://127.0.0.1:{port}", trust=ssl.create_default_context())
    assert (result.outcome, result.about) == (Outcome.DEFERRED, About.RELAY)
