"""The relay (smarthost) as an SMTP URL names it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Self
from urllib.parse import parse_qsl, unquote, urlsplit


class Tls(Enum):
    """How the connection is encrypted.

    opportunistic: STARTTLS if offered, the certificate unchecked: who could forge it could as
    well hide the offer (RFC 7435), so no password ever travels over it.
    """

    IMPLICIT = "implicit"
    REQUIRED = "required"
    OPPORTUNISTIC = "opportunistic"
    OFF = "off"


class Auth(Enum):
    PLAIN = "plain"
    LOGIN = "login"
    XOAUTH2 = "xoauth2"


_DEFAULT_PORTS = {"smtp": 25, "smtps": 465}
_MAX_CONNECTIONS = 100
_MAX_WINDOW = 1000


@dataclass(frozen=True, slots=True)
class Relay:
    """One relay. `auth` None means: PLAIN or LOGIN, whichever the relay offers.

    For XOAUTH2 the password is the bearer token.
    """

    host: str
    port: int
    tls: Tls = Tls.OPPORTUNISTIC
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    auth: Auth | None = None
    connections: int = 1
    #: messages under way on one connection, where the relay takes several at once
    window: int = 32

    @property
    def name(self) -> str:
        """host:port, as results, logs and figures name the relay."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Read ``smtp://user:password@host:port?starttls=…&connections=…&auth=…`` or ``smtps://…``.

        starttls: required (the default with a password), opportunistic (the default without), off.
        User name and password are percent-encoded. Raises ValueError, whose text never repeats the URL.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
            pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        except ValueError:
            # The parser's own words may quote the URL, and with it the password.
            raise ValueError("the SMTP URL cannot be read") from None
        options = dict(pairs)
        if parts.scheme not in _DEFAULT_PORTS:
            raise ValueError("an SMTP URL begins with smtp:// or smtps://")
        if not parts.hostname or not parts.hostname.isprintable() or " " in parts.hostname:
            raise ValueError("the SMTP URL names no host")
        if parts.path not in ("", "/") or parts.fragment:
            raise ValueError("the SMTP URL has a path; did the password need percent-encoding?")
        if len(options) != len(pairs) or options.keys() - {"starttls", "connections", "window", "auth"}:
            raise ValueError(
                "an SMTP URL takes each of starttls, connections, window and auth once, and nothing else"
            )
        username, password = _credentials(parts.username, parts.password)
        return cls(
            host=parts.hostname,
            port=_DEFAULT_PORTS[parts.scheme] if port is None else port,
            tls=_tls(parts.scheme, options.get("starttls"), secret=username is not None),
            username=username,
            password=password,
            auth=_auth(options.get("auth"), username),
            connections=_number(options, "connections", 1, _MAX_CONNECTIONS),
            window=_number(options, "window", 32, _MAX_WINDOW),
        )


def _credentials(username: str | None, password: str | None) -> tuple[str | None, str | None]:
    if username is None and password is None:
        return None, None
    if not username or not password:
        raise ValueError("the SMTP URL has a user name or a password, but not both")
    # What is no UTF-8 becomes U+FFFD, and no log-in succeeds with that: refuse it here instead.
    username, password = unquote(username), unquote(password)
    # NUL and \x01 are the separators of PLAIN (RFC 4616) and XOAUTH2.
    if not (username + password).isprintable() or "\ufffd" in username + password:
        raise ValueError("the SMTP URL has a control character or no UTF-8 in user name or password")
    return username, password


def _tls(scheme: str, starttls: str | None, *, secret: bool) -> Tls:
    if scheme == "smtps":
        if starttls is not None:
            raise ValueError("smtps:// is encrypted from the first byte: leave starttls out")
        return Tls.IMPLICIT
    if starttls is None:
        return Tls.REQUIRED if secret else Tls.OPPORTUNISTIC
    if starttls not in ("required", "opportunistic", "off"):
        raise ValueError("starttls is required, opportunistic or off")
    if secret and starttls == "opportunistic":
        raise ValueError("a password needs starttls=required (or, where nobody listens, off)")
    return Tls(starttls)


def _auth(auth: str | None, username: str | None) -> Auth | None:
    if auth is None:
        return None
    if auth not in [known.value for known in Auth]:
        raise ValueError("auth is plain, login or xoauth2")
    if username is None:
        raise ValueError("auth needs a user name and a password")
    return Auth(auth)


def _number(options: Mapping[str, str], name: str, default: int, most: int) -> int:
    text = options.get(name, str(default))
    if not text.isdecimal() or not 1 <= int(text) <= most:
        raise ValueError(f"{name} is a number from 1 to {most}")
    return int(text)
