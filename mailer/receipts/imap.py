"""An IMAP mailbox that reports are delivered into (RFC 9051), read by polling.

A mail is taken, stored durably, and only then moved into the folder of what was read; whoever dies in
between takes it again, and the same mail twice changes nothing. That folder is ours: what has been kept
there long enough is deleted. In the mailbox itself nothing ever is.
"""

import contextlib
import imaplib
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from mailer.receipts.arrivals import LARGEST
from mailer.receipts.mailbox import Keep, MailboxProblem, arrival
from mailer.receipts.returnpath import ReturnPath

_PORTS = {"imaps": 993, "imap": 143}
#: seconds that the server may be silent
_SILENCE = 60
#: mails taken in one session; the rest at the next look
_MOST = 500
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class Account:
    """Where the mailbox is. `password` None means: a token of OAuth2 (XOAUTH2)."""

    host: str
    port: int
    implicit_tls: bool
    #: False only where the URL says starttls=off
    encrypted: bool
    username: str
    password: str | None = field(repr=False)
    mailbox: str = "INBOX"
    read: str = "Gelesen"

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Read `imaps://USER:PASSWORD@HOST:PORT/MAILBOX?read=FOLDER`, or `imap://` with STARTTLS.

        User name and password are percent-encoded. Raises ValueError, whose text never repeats the URL.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
            options = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
        except ValueError:
            raise ValueError("the IMAP URL cannot be read") from None
        if parts.scheme not in _PORTS or not parts.hostname or not parts.username:
            raise ValueError("expected imaps://USER:PASSWORD@HOST/MAILBOX?read=FOLDER")
        if options.keys() - {"read", "starttls"} or options.get("starttls", "off") not in ("off", "required"):
            raise ValueError("an IMAP URL takes read=FOLDER and, with imap://, starttls=required or off")
        mailbox, read = unquote(parts.path.strip("/")) or "INBOX", options.get("read", "Gelesen")
        username, password = unquote(parts.username), unquote(parts.password or "") or None
        # RFC 9051 5.1 would have other names encoded; control characters would end the command
        for each in (mailbox, read, username, password or ""):
            if not each.isascii() or (each and not each.isprintable()):
                raise ValueError("mailbox, folder, user name and password are letters of ASCII")
        if mailbox == read:
            raise ValueError("what was read needs a folder of its own")
        implicit = parts.scheme == "imaps"
        return cls(
            host=parts.hostname,
            port=_PORTS[parts.scheme] if port is None else port,
            implicit_tls=implicit,
            encrypted=implicit or options.get("starttls") != "off",
            username=username,
            password=password,
            mailbox=mailbox,
            read=read,
        )


def collect(
    account: Account,
    keep: Keep,
    *,
    tls: ssl.SSLContext,
    token: Callable[[], str] | None,
    return_path: ReturnPath,
    now: datetime,
    keep_since: datetime,
) -> int:
    """Take each mail of the mailbox, move it away, and delete there what came before `keep_since`.

    `token` fetches an access token where the account has no password. Returns how many were taken. Of a
    mail beyond the limit its beginning is taken. Raises MailboxProblem, and what `keep` raises.
    """
    with _translated(), _opened(account, tls, token) as client:
        _said(client.select(_quoted(account.mailbox)), "no such mailbox")
        (numbers,) = _said(client.uid("SEARCH", "UNDELETED"), "cannot be searched")
        taken = 0
        for uid in (numbers or b"").decode().split()[:_MOST]:
            raw = _fetched(client, uid)
            if raw is None:
                continue  # somebody else was faster
            keep(arrival(raw, owner=account.username, return_path=return_path, now=now))
            _move(client, uid, account.read)
            taken += 1
        _expire(client, account.read, keep_since)
    return taken


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise MailboxProblem(f"its certificate is not trusted: {error.verify_message}") from error
    except imaplib.IMAP4.error as error:
        # its words may quote what we sent
        raise MailboxProblem("the server broke the protocol or refused") from error
    except OSError as error:
        raise MailboxProblem(error.strerror or type(error).__name__) from error


@contextlib.contextmanager
def _opened(
    account: Account, tls: ssl.SSLContext, token: Callable[[], str] | None
) -> Iterator[imaplib.IMAP4]:
    client: imaplib.IMAP4
    if account.implicit_tls:
        client = imaplib.IMAP4_SSL(account.host, account.port, ssl_context=tls, timeout=_SILENCE)
    else:
        client = imaplib.IMAP4(account.host, account.port, timeout=_SILENCE)
    try:
        if account.encrypted and not account.implicit_tls:
            client.starttls(tls)
        _log_in(client, account, token)
        # what a server can do may change with the log-in
        *_, offered = _said(client.capability(), "says nothing of itself")
        client.capabilities = tuple(offered.decode("ascii", "replace").upper().split())
        yield client
    finally:
        with contextlib.suppress(OSError, imaplib.IMAP4.error):
            client.logout()


def _log_in(client: imaplib.IMAP4, account: Account, token: Callable[[], str] | None) -> None:
    try:
        if account.password is not None:
            client.login(account.username, account.password)
        elif token is not None:
            bearer = f"user={account.username}\x01auth=Bearer {token()}\x01\x01".encode()
            # a server that refuses says why and waits for an empty answer
            answers = iter((bearer,))
            client.authenticate("XOAUTH2", lambda _: next(answers, b""))
        else:
            raise MailboxProblem("the IMAP URL has no password, and no token server is set")
    except imaplib.IMAP4.abort:
        raise
    except imaplib.IMAP4.error as error:
        raise MailboxProblem("the server refused the log-in") from error


def _fetched(client: imaplib.IMAP4, uid: str) -> bytes | None:
    answer = _said(client.uid("FETCH", uid, f"(BODY.PEEK[]<0.{LARGEST}>)"), "a mail cannot be fetched")
    return next((part[1] for part in answer if isinstance(part, tuple)), None)


def _move(client: imaplib.IMAP4, uid: str, folder: str) -> None:
    """RFC 6851 where the server has it; else a copy, and a mark that keeps the mail from coming again."""
    can_move = "MOVE" in client.capabilities
    kind, _ = client.uid("MOVE" if can_move else "COPY", uid, _quoted(folder))
    if kind != "OK":
        client.create(_quoted(folder))
        _said(client.uid("MOVE" if can_move else "COPY", uid, _quoted(folder)), "a mail cannot be moved")
    if can_move:
        return
    _said(client.uid("STORE", uid, "+FLAGS.SILENT", r"(\Deleted)"), "a mail cannot be marked")
    if "UIDPLUS" in client.capabilities:
        # without it EXPUNGE would take what others have marked, too
        _said(client.uid("EXPUNGE", uid), "a mail cannot be moved")


def _expire(client: imaplib.IMAP4, folder: str, before: datetime) -> None:
    kind, _ = client.select(_quoted(folder))
    if kind != "OK":
        return  # nothing was ever moved there
    day = f"{before.day}-{_MONTHS[before.month - 1]}-{before.year}"
    (numbers,) = _said(client.uid("SEARCH", "BEFORE", day), "cannot be searched")
    if old := (numbers or b"").decode().split():
        _said(client.uid("STORE", ",".join(old), "+FLAGS.SILENT", r"(\Deleted)"), "cannot be deleted from")
        _said(client.expunge(), "cannot be deleted from")


def _quoted(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _said(answer: tuple[str, list[Any]], otherwise: str) -> list[Any]:
    kind, data = answer
    if kind != "OK":
        raise MailboxProblem(f"the mailbox or folder: {otherwise}")
    return data
