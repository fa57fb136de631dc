"""Fetches one document over HTTP, within bounds, and never from where it should not.

    check the address of every hop  ->  resolve once and pin (or leave both to the proxy)
    ->  ask  ->  read within bytes and time  ->  follow a redirect, or answer

Directly, a host is resolved once, all its addresses are checked and the connection goes to a checked one; a
name that later resolves elsewhere (DNS rebinding) gets nothing. Through a proxy we look up no name but its
own: resolution and address policy are the proxy's, and when it fails nothing is tried directly. Proxies named
in the environment are ignored.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import httpx2

from mailer.feeds.addresses import is_public, literal
from mailer.feeds.inflate import DECODERS, BrokenBody


@dataclass(frozen=True, slots=True)
class Policy:
    """What a fetch may cost and reach."""

    max_bytes: int = 10_000_000  # on the wire, and again when decompressed
    total_seconds: float = 30.0  # for everything: names, TLS, redirects, a dripping body
    max_redirects: int = 5
    host_pause: float = 0.5  # seconds between the starts of two requests to one host
    allow_private: frozenset[str] = frozenset()  # names (or address literals) that may lie inside
    allowed_ports: frozenset[int] = frozenset({80, 443})
    proxy: str | None = None  # http://[user:password@]host:port
    ca_bundle: Path | None = None  # PEM; trusted beside the system's authorities, never instead
    user_agent: str = "Infomail"


def admitting(policy: Policy, url: str) -> Policy:
    """The policy, and the host and port of `url` are allowed though they lie inside. Raises FetchProblem."""
    try:
        at = urlsplit(url)
        host, port = at.hostname or "", at.port or 443
    except ValueError:
        raise FetchProblem(Kind.REFUSED, "not a web address") from None
    return replace(
        policy,
        allow_private=policy.allow_private | {host},
        allowed_ports=policy.allowed_ports | {port},
    )


class Kind(StrEnum):
    REFUSED = "refused"  # we do not go there: scheme, port, address
    UNREACHABLE = "unreachable"  # name, connection, TLS, proxy, broken answer
    TIMEOUT = "timeout"
    TOO_LARGE = "too-large"
    STATUS = "status"
    REDIRECT = "redirect"  # too many, or to nowhere


class FetchProblem(Exception):
    """Why there is no document. `message` is one English line without credentials or query."""

    def __init__(self, kind: Kind, message: str, status: int | None = None, retry_after: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.status = status  # of the answer, for Kind.STATUS
        self.retry_after = retry_after  # what the server wrote (RFC 9110 section 10.2.3), "" for nothing


@dataclass(frozen=True, slots=True)
class Fetched:
    body: bytes  # decompressed
    content_type: str
    etag: str
    last_modified: str
    final_url: str  # after redirects, without credentials
    moved_permanently: bool  # every redirect said 301 or 308: the feed's address should be changed


@dataclass(frozen=True, slots=True)
class NotModified:
    """304: what the caller has is current."""


async def fetch(
    url: str,
    *,
    policy: Policy,
    etag: str = "",
    last_modified: str = "",
    trust: ssl.SSLContext | None = None,
) -> Fetched | NotModified:
    """The document at `url`; raises FetchProblem. `etag` and `last_modified` are of the copy on record.

    Who fetches much makes `trust` once, by `trusted`: reading the system's authorities takes a while.
    """
    headers = {"User-Agent": policy.user_agent, "Accept": _ACCEPT, "Accept-Encoding": "gzip, deflate, br"}
    conditions = {"If-None-Match": etag, "If-Modified-Since": last_modified}
    headers |= {name: value for name, value in conditions.items() if value and value.isprintable()}
    try:
        async with asyncio.timeout(policy.total_seconds):
            return await _follow(url, headers, policy, trust)
    except TimeoutError:
        raise FetchProblem(Kind.TIMEOUT, f"no whole answer within {policy.total_seconds:g} s") from None


_ACCEPT = "application/rss+xml, application/atom+xml, application/feed+json, application/xml, */*;q=0.5"


def trusted(ca_bundle: Path | None) -> ssl.SSLContext:
    """Whose certificates count: the system's authorities and those of the bundle. Raises FetchProblem."""
    context = ssl.create_default_context()
    if ca_bundle is not None:
        try:
            context.load_verify_locations(cafile=ca_bundle)
        except OSError as error:  # ssl.SSLError is one, too
            raise FetchProblem(Kind.UNREACHABLE, f"the CA bundle cannot be read: {error.strerror}") from None
    return context


async def _follow(
    url: str, headers: Mapping[str, str], policy: Policy, trust: ssl.SSLContext | None
) -> Fetched | NotModified:
    moved_permanently = False
    at = checked(url, policy)
    context = await asyncio.to_thread(trusted, policy.ca_bundle) if trust is None else trust
    for hop in range(policy.max_redirects + 1):
        async with asked("GET", at, headers, policy, context) as answer:
            if answer.status_code == 304 and headers.keys() & {"If-None-Match", "If-Modified-Since"}:
                return NotModified()
            if answer.status_code not in REDIRECTS:
                return await _received(answer, at, moved_permanently, policy.max_bytes)
            moved_permanently = answer.status_code in (301, 308) and (moved_permanently or hop == 0)
            at = checked(target(at, answer.headers.get("location", "")), policy)
    raise FetchProblem(Kind.REDIRECT, f"more than {policy.max_redirects} redirects")


#: statuses that send elsewhere (RFC 9110 section 15.4)
REDIRECTS = frozenset({301, 302, 303, 307, 308})


def checked(url: str | httpx2.URL, policy: Policy) -> httpx2.URL:
    """The address, if its scheme, port and host may be asked; what a name resolves to is seen later."""
    try:
        at = httpx2.URL(url)
        host = at.raw_host.decode("ascii").lower()
    except (httpx2.InvalidURL, ValueError, TypeError):
        raise FetchProblem(Kind.REFUSED, "not a web address") from None
    if at.scheme not in ("http", "https") or not host:
        raise FetchProblem(Kind.REFUSED, "neither http nor https")
    if (at.port or _PORTS[at.scheme]) not in policy.allowed_ports:
        raise FetchProblem(Kind.REFUSED, f"port {at.port} is not allowed")
    if host in policy.allow_private:
        return at
    try:
        address = literal(host)
    except ValueError as error:
        raise FetchProblem(Kind.REFUSED, str(error)) from None
    name = f".{host.rstrip('.')}"
    if name.endswith(".localhost") or (address is not None and not is_public(address)):
        raise FetchProblem(Kind.REFUSED, f"{host} is not in the public Internet")
    return at


_PORTS = {"http": 80, "https": 443}


@asynccontextmanager
async def asked(
    method: str, at: httpx2.URL, headers: Mapping[str, str], policy: Policy, context: ssl.SSLContext
) -> AsyncIterator[httpx2.Response]:
    """One request and its answer, the body not yet read. Its own client: no connection outlives its check."""
    destinations = [at] if policy.proxy else await _pinned(at, policy)
    timeout = httpx2.Timeout(policy.total_seconds, connect=policy.total_seconds / len(destinations))
    try:
        async with httpx2.AsyncClient(
            verify=context, proxy=policy.proxy, timeout=timeout, trust_env=False, follow_redirects=False
        ) as client:
            for left, destination in reversed(list(enumerate(reversed(destinations)))):
                request = client.build_request(
                    method, destination, headers={"Host": at.netloc.decode("ascii"), **headers}
                )
                request.extensions["sni_hostname"] = at.raw_host.decode("ascii")
                try:
                    answer = await client.send(request, stream=True)
                except (httpx2.ConnectError, httpx2.ConnectTimeout):
                    if left:
                        continue
                    raise
                try:
                    yield answer
                finally:
                    await answer.aclose()
                return
    except httpx2.TimeoutException:
        raise FetchProblem(Kind.TIMEOUT, f"no answer within {policy.total_seconds:g} s") from None
    except httpx2.ProxyError as error:
        raise FetchProblem(Kind.UNREACHABLE, f"the proxy refused: {str(error)[:100]}") from None
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise FetchProblem(Kind.UNREACHABLE, f"{type(error).__name__}: {str(error)[:200]}") from None


#: names that nobody answers for would fill the loop's own few threads, and all else would wait for them
_LOOKUPS = ThreadPoolExecutor(32, thread_name_prefix="names")


async def _pinned(at: httpx2.URL, policy: Policy) -> list[httpx2.URL]:
    """`at` with each address of its host in the host's place; refused as a whole if one lies inside."""
    host = at.raw_host.decode("ascii").lower()
    try:
        found = await asyncio.get_running_loop().run_in_executor(
            _LOOKUPS, lambda: socket.getaddrinfo(host, at.port or _PORTS[at.scheme], type=socket.SOCK_STREAM)
        )
    except (OSError, UnicodeError):
        raise FetchProblem(Kind.UNREACHABLE, f"the name {host} is not known") from None
    addresses = list(dict.fromkeys(ip_address(entry[4][0]) for entry in found))
    if not addresses or (host not in policy.allow_private and not all(map(is_public, addresses))):
        raise FetchProblem(Kind.REFUSED, f"{host} is not in the public Internet")
    return [at.copy_with(host=str(address)) for address in addresses[:4]]


def target(at: httpx2.URL, location: str) -> httpx2.URL:
    """Where a redirect leads. Credentials stay with the origin they were given for. Raises FetchProblem."""
    try:
        to = at.join(location)
    except (httpx2.InvalidURL, ValueError):
        raise FetchProblem(Kind.REDIRECT, "a redirect to no address") from None
    if not location:
        raise FetchProblem(Kind.REDIRECT, "a redirect without a target")
    same = (to.scheme, to.host, to.port) == (at.scheme, at.host, at.port)
    if same and not to.userinfo:
        return to.copy_with(userinfo=at.userinfo)
    return to


async def _received(answer: httpx2.Response, at: httpx2.URL, moved: bool, max_bytes: int) -> Fetched:
    if not answer.is_success:
        raise refusal(answer)
    return Fetched(
        body=await _body(answer, max_bytes),
        content_type=answer.headers.get("content-type", ""),
        etag=answer.headers.get("etag", ""),
        last_modified=answer.headers.get("last-modified", ""),
        final_url=str(at.copy_with(userinfo=b"")),
        moved_permanently=moved,
    )


def refusal(answer: httpx2.Response) -> FetchProblem:
    """What an answer says that is no success."""
    told = _STATUSES.get(answer.status_code, "")
    return FetchProblem(
        Kind.STATUS,
        f"the server answered {answer.status_code}{told}",
        answer.status_code,
        answer.headers.get("retry-after", "")[:60] if answer.status_code in (429, 503) else "",
    )


_STATUSES = {
    401: ": it wants a log-in",
    403: ": it lets nobody in",
    404: ": there is nothing at this address",
    410: ": gone for good",  # RFC 9110 section 15.5.11
    429: ": asked too often",
    503: ": not available for now",
}


async def _body(answer: httpx2.Response, max_bytes: int) -> bytes:
    """The body, decompressed by us: httpx2 would inflate a whole chunk before anybody could count it."""
    encoding = answer.headers.get("content-encoding", "").strip().lower()
    if encoding not in ("", "identity", *DECODERS):
        raise FetchProblem(Kind.UNREACHABLE, f"an encoding nobody asked for: {encoding[:40]!r}")
    inflate = DECODERS[encoding]() if encoding in DECODERS else None
    body, wire = bytearray(), 0
    async for chunk in answer.aiter_raw():
        wire += len(chunk)
        try:
            body += inflate.feed(chunk, max_bytes - len(body)) if inflate else chunk
        except BrokenBody:
            raise FetchProblem(Kind.UNREACHABLE, "the compressed body is broken") from None
        if max(wire, len(body)) > max_bytes:
            raise FetchProblem(Kind.TOO_LARGE, f"more than {max_bytes} bytes")
    if inflate and wire and not inflate.complete:
        raise FetchProblem(Kind.UNREACHABLE, "the compressed body ends too early")
    return bytes(body)
