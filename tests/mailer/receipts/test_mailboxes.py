"""Mailboxes that others deliver into: a real Dovecot by IMAP, a Maildir, a token server."""

import imaplib
import json
import os
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from mailer.receipts import imap, maildir
from mailer.receipts.arrivals import Arrival
from mailer.receipts.mailbox import MailboxProblem, arrival
from mailer.receipts.oauth import Client, fetch_token
from mailer.receipts.returnpath import ReturnPath
from tests.mailer.receipts.conftest import ADDRESS, NOW, Intake
from tests.services import dovecot
from tests.services.certificates import certify

RETURN_PATH = ReturnPath.parse("bounce+{token}@example.org")
LONG_AGO = NOW - timedelta(days=90)
OWNER = "bounce@example.org"


@pytest.fixture(scope="module")
def server() -> Iterator[dovecot.Dovecot]:
    with dovecot.running() as running:
        yield running


@pytest.fixture
def owner(server: dovecot.Dovecot, request: pytest.FixtureRequest) -> str:
    """A mailbox of this test's own."""
    return f"{abs(hash(request.node.name))}@example.org"


def put(server: dovecot.Dovecot, owner: str, raw: bytes, *, folder: str = "INBOX", date: str = "") -> None:
    with imaplib.IMAP4("127.0.0.1", server.imap) as client:
        client.login(owner, "x")
        client.create(folder)
        kind, _ = client.append(folder, "", date, raw)
        assert kind == "OK"


def account(server: dovecot.Dovecot, owner: str) -> imap.Account:
    name = owner.replace("@", "%40")
    return imap.Account.from_url(f"imap://{name}:x@127.0.0.1:{server.imap}/?starttls=off&read=Gelesen")


def look(server: dovecot.Dovecot, owner: str, intake: Intake, **more: Any) -> int:
    arguments = {
        "tls": ssl.create_default_context(), "token": None, "return_path": RETURN_PATH, "now": NOW,
        "keep_since": LONG_AGO,
    }  # fmt: skip
    return imap.collect(account(server, owner), intake.keep, **(arguments | more))


def test_mails_are_taken_and_moved(server: dovecot.Dovecot, owner: str, intake: Intake) -> None:
    put(server, owner, b"Delivered-To: " + ADDRESS.encode() + b"\r\n\r\none\r\n")
    put(server, owner, b"Subject: two\r\n\r\n")
    assert look(server, owner, intake) == 2
    assert {kept.recipient for kept in intake.kept()} == {ADDRESS, owner}
    assert server.wait_for(owner, 1, 0) == []
    assert len(server.wait_for(owner, 2, 1, folder="Gelesen")) == 2
    assert look(server, owner, intake) == 0


def test_what_cannot_be_kept_stays_in_the_mailbox(
    server: dovecot.Dovecot, owner: str, intake: Intake
) -> None:
    put(server, owner, b"Subject: one\r\n\r\n")
    intake.broken = OSError("disk full")
    with pytest.raises(MailboxProblem):
        look(server, owner, intake)
    assert len(server.wait_for(owner, 1, 1)) == 1
    intake.broken = None
    assert look(server, owner, intake) == 1


def test_servers_without_move_get_copies_and_marks(
    server: dovecot.Dovecot, owner: str, intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(server, owner, b"Subject: one\r\n\r\n")
    plain = (["IMAP4REV1"], ["IMAP4REV1 UIDPLUS"])
    for offered in plain:
        put(server, owner, b"Subject: again\r\n\r\n" + offered[0].encode())
        monkeypatch.setattr(
            imaplib.IMAP4, "capability", lambda _, offered=offered: ("OK", [offered[0].encode()])
        )
        assert look(server, owner, intake) > 0
        assert look(server, owner, intake) == 0
    assert len(server.wait_for(owner, 3, 1, folder="Gelesen")) == 3


def test_only_retention_deletes_and_only_what_was_read(
    server: dovecot.Dovecot, owner: str, intake: Intake
) -> None:
    old, young = '"01-Aug-2026 08:00:00 +0000"', '"20-Nov-2026 08:00:00 +0000"'
    put(server, owner, b"Subject: old\r\n\r\n", folder="Gelesen", date=old)
    put(server, owner, b"Subject: young\r\n\r\n", folder="Gelesen", date=young)
    put(server, owner, b"Subject: old, never read\r\n\r\n", folder="Andere", date=old)
    assert look(server, owner, intake) == 0
    assert server.wait_for(owner, 1, 1, folder="Gelesen") == [b"Subject: young\r\n\r\n"]
    assert len(server.wait_for(owner, 1, 1, folder="Andere")) == 1


def test_of_a_huge_mail_the_beginning_is_taken(server: dovecot.Dovecot, owner: str, intake: Intake) -> None:
    put(server, owner, b"Subject: huge\r\n\r\n" + b"x" * 70 + b"\r\n" * 1_500_000)
    assert look(server, owner, intake) == 1
    assert len(intake.kept()[0].raw) == 2_000_000
    assert len(server.wait_for(owner, 1, 1, folder="Gelesen")[0]) > 3_000_000


@contextmanager
def over_tls(folder: Path, *, trusted: bool) -> Iterator[tuple[dovecot.Dovecot, ssl.SSLContext]]:
    certified = certify(folder, "127.0.0.1")
    files = {"tls/server.pem": certified.certificate.read_text(), "tls/server.key": certified.key.read_text()}
    settings = "ssl_cert = <ROOT/tls/server.pem\nssl_key = <ROOT/tls/server.key\n"
    with dovecot.running(settings=settings, files=files, ssl="yes") as server:
        yield server, certified.client_context() if trusted else ssl.create_default_context()


@pytest.mark.parametrize("trusted", [True, False])
def test_starttls_is_the_default_and_certificates_are_checked(
    tmp_path: Path, intake: Intake, trusted: bool
) -> None:
    with over_tls(tmp_path, trusted=trusted) as (server, tls):
        put(server, OWNER, b"Subject: one\r\n\r\n")
        encrypted = imap.Account.from_url(f"imap://bounce%40example.org:x@127.0.0.1:{server.imap}/INBOX")
        arguments: dict[str, Any] = {
            "tls": tls, "token": None, "return_path": RETURN_PATH, "now": NOW, "keep_since": LONG_AGO,
        }  # fmt: skip
        if trusted:
            assert imap.collect(encrypted, intake.keep, **arguments) == 1
        else:
            with pytest.raises(MailboxProblem, match="certificate is not trusted"):
                imap.collect(encrypted, intake.keep, **arguments)


@pytest.mark.parametrize(
    "url",
    [
        "https://a:b@example.org/", "imaps://example.org/INBOX", "imaps://a:geheim@/INBOX",
        "imaps://a:geheim@example.org:port/INBOX", "imaps://a:geheim@example.org/INBOX?read=INBOX",
        "imaps://a:geheim%0d%0a@example.org/INBOX", "imap://a:geheim@example.org/?starttls=perhaps",
        "imaps://a:geheim@example.org/?unknown=1",
    ],
)  # fmt: skip
def test_a_wrong_url_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(ValueError, match=r"^(?!.*geheim)"):
        imap.Account.from_url(url)


def test_a_server_that_is_not_there_is_a_problem_and_no_crash(intake: Intake) -> None:
    nobody = imap.Account.from_url("imap://a:b@127.0.0.1:1/?starttls=off")
    with pytest.raises(MailboxProblem, match="refused"):
        imap.collect(
            nobody, intake.keep, tls=ssl.create_default_context(), token=None, return_path=RETURN_PATH,
            now=NOW, keep_since=LONG_AGO,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("head", "recipient", "sender"),
    [
        (f"Delivered-To: {ADDRESS}\nTo: x@example.org", ADDRESS, ""),
        (f"Return-Path: <>\nTo: Bounces <{ADDRESS.upper()}>", ADDRESS.upper(), "<>"),
        (f"Return-Path: <a@example.net>\nDelivered-To: {OWNER}\nX-Original-To: {ADDRESS}", ADDRESS, "a@example.net"),
        ("To: someone@example.net", OWNER, ""),
        (f"Subject: x\n\nTo: {ADDRESS}", OWNER, ""),
        ("", OWNER, ""),
    ],
)  # fmt: skip
def test_the_envelope_is_read_from_the_fields_that_servers_note_it_in(
    head: str, recipient: str, sender: str
) -> None:
    for newline in ("\n", "\r\n"):
        raw = head.replace("\n", newline).encode()
        assert arrival(raw, owner=OWNER, return_path=RETURN_PATH, now=NOW) == Arrival(
            raw, recipient, sender, NOW
        )


def test_a_maildir_is_read_filed_and_emptied_by_retention(tmp_path: Path, intake: Intake) -> None:
    box = tmp_path / "box"
    for name in ("new", "cur", "tmp"):
        (box / name).mkdir(parents=True)
    (box / "new" / "1.a.host").write_bytes(b"To: " + ADDRESS.encode() + b"\n\none")
    (box / "cur" / "0.a.host:2,S").write_bytes(b"old")
    long_ago = (LONG_AGO - timedelta(days=1)).timestamp()
    os.utime(box / "cur" / "0.a.host:2,S", (long_ago, long_ago))
    taken = maildir.collect(box, intake.keep, return_path=RETURN_PATH, now=NOW, keep_since=LONG_AGO)
    assert taken == 1
    assert [kept.recipient for kept in intake.kept()] == [ADDRESS]
    assert [path.name for path in (box / "cur").iterdir()] == ["1.a.host:2,S"]
    with pytest.raises(MailboxProblem, match="No such file"):
        maildir.collect(tmp_path / "x", intake.keep, return_path=RETURN_PATH, now=NOW, keep_since=LONG_AGO)


@contextmanager
def token_server(status: int, body: object) -> Iterator[tuple[str, list[tuple[str, dict[str, list[str]]]]]]:
    asked: list[tuple[str, dict[str, list[str]]]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"])).decode()
            asked.append((self.path, parse_qs(raw)))
            said = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_token_is_asked_for_by_client_credentials_through_the_proxy() -> None:
    with token_server(200, {"access_token": "abc.def-123"}) as (proxy, asked):
        client = Client("http://login.example.net/token", "us", "geheim", "mail/.default", proxy)
        assert fetch_token(client, ssl.create_default_context()) == "abc.def-123"
    (path, form) = asked[0]
    assert path == "http://login.example.net/token"
    assert form == {
        "grant_type": ["client_credentials"], "client_id": ["us"], "client_secret": ["geheim"],
        "scope": ["mail/.default"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("status", "body"), [(401, {"error": "x"}), (200, {}), (200, []), (200, {"access_token": "a\r\nb"})]
)
def test_no_token_is_a_problem_without_secrets(status: int, body: object) -> None:
    with token_server(status, body) as (url, _):
        client = Client(url, "us", "geheim", "x", None)
        with pytest.raises(MailboxProblem, match=r"^(?!.*geheim).*gave no token"):
            fetch_token(client, ssl.create_default_context())
