"""The relay (smarthost) as an SMTP URL names it."""

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
_MANY = 1_000_000_000
#: options that are whole numbers, and from where to where they may go
_NUMBERS = {
    "connections": (1, 100),
    "window": (1, 1000),
    "weight": (0, 1000),
    "per_connection": (1, _MANY),
    "per_minute": (1, _MANY),
    "per_hour": (1, _MANY),
    "per_day": (1, _MANY),
    "reserve": (0, 50),
    "idle": (1, 3600),
}


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
    #: share of the mail, relative to the others'; 0 stands by until none of the others can be reached.
    #: None: 1 for the first relay, 0 for those behind it
    weight: int | None = None
    #: messages a second
    rate: float | None = None
    #: messages after which a connection is replaced
    per_connection: int | None = None
    per_minute: int | None = None
    per_hour: int | None = None
    per_day: int | None = None
    #: percent of the three above that only notices may use
    reserve: int = 5
    #: seconds that a connection is kept with nothing to carry
    idle: int = 60

    @property
    def name(self) -> str:
        """host:port, as results, logs and figures name the relay."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Read ``smtp://user:password@host:port?starttls=…&connections=…&auth=…`` or ``smtps://…``.

        starttls: required (the default with a password), opportunistic (the default without), off. The other
        options are the numbers among the fields. User name and password are percent-encoded. Raises
        ValueError, whose text never repeats the URL.
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
        if len(options) != len(pairs) or options.keys() - {"starttls", "auth", "rate", *_NUMBERS}:
            raise ValueError(
                f"an SMTP URL takes each of starttls, auth, rate, {', '.join(_NUMBERS)} once,"
                " and nothing else"
            )
        username, password = _credentials(parts.username, parts.password)
        return cls(
            host=parts.hostname,
            port=_DEFAULT_PORTS[parts.scheme] if port is None else port,
            tls=_tls(parts.scheme, options.get("starttls"), secret=username is not None),
            username=username,
            password=password,
            auth=_auth(options.get("auth"), username),
            rate=_rate(options.get("rate")),
            **{name: _number(name, options[name]) for name in _NUMBERS if name in options},
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


def _number(name: str, text: str) -> int:
    least, most = _NUMBERS[name]
    if not text.isdecimal() or not least <= int(text[:20]) <= most:
        raise ValueError(f"{name} is a number from {least} to {most}")
    return int(text)


def _rate(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        rate = float(text)
    except ValueError:
        rate = 0
    if not 0.001 <= rate <= 1_000_000:
        raise ValueError("rate is messages a second, from 0.001 to 1000000")
    return rate
