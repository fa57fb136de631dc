"""An access token by client credentials (RFC 6749 4.4), for mailboxes that know no passwords."""

import ssl
from dataclasses import dataclass, field

import httpx2

from mailer.receipts.mailbox import MailboxProblem


@dataclass(frozen=True, slots=True)
class Client:
    """Who we are to the token server; `proxy` is what the request goes through, or None."""

    url: str
    id: str
    secret: str = field(repr=False)
    scope: str
    proxy: str | None


def fetch_token(client: Client, tls: ssl.SSLContext) -> str:
    """Ask for a token; one is asked for at each look, so none is kept. Raises MailboxProblem."""
    asked = {
        "grant_type": "client_credentials",
        "client_id": client.id,
        "client_secret": client.secret,
        "scope": client.scope,
    }
    try:
        with httpx2.Client(proxy=client.proxy, verify=tls, trust_env=False, timeout=30) as http:
            answer = http.post(client.url, data=asked)
    except httpx2.HTTPError as error:
        raise MailboxProblem(f"the token server: {type(error).__name__}") from error
    try:
        said = answer.json()
        token = said["access_token"] if answer.status_code == 200 else None
    except (ValueError, KeyError, TypeError):
        token = None
    # a token is letters, digits and -._~+/= (RFC 6750 2.1)
    if not isinstance(token, str) or not token.isascii() or not token.isprintable():
        raise MailboxProblem(f"the token server answered {answer.status_code} and gave no token")
    return token
