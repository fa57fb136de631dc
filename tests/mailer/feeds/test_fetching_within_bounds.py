import asyncio
import gzip
import time
import tracemalloc
import zlib
from collections.abc import Callable, Coroutine
from typing import Any

import brotli
import pytest

from mailer.feeds.fetch import Fetched, FetchProblem, Kind, NotModified, Policy, fetch

FEED = b"<rss version='2.0'><channel><title>Musterstadt</title></channel></rss>"


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(work, 20))


def inside(port: int, **more: Any) -> Policy:
    """Loopback is private: tests allow it by name, as an operator would."""
    return Policy(allow_private=frozenset({"127.0.0.1"}), allowed_ports=frozenset({port}), **more)


def outcome(web_server: Callable[..., Any], answer: Any, path: str = "/feed", **policy: Any) -> Any:
    """What one fetch from a server that gives `answer` comes to: the result, or the problem."""

    async def work() -> Any:
        async with web_server(answer) as peer:
            try:
                return await fetch(f"http://127.0.0.1:{peer.port}{path}", policy=inside(peer.port, **policy))
            except FetchProblem as problem:
                return problem

    return run(work())


def saying(*parts: bytes) -> Any:
    async def answer(_path: str, _fields: dict[str, str], writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()

    return answer


def test_a_feed_is_fetched_with_what_the_next_fetch_needs(web_server: Any, head: Any) -> None:
    fields = {
        "Content_Type": "application/rss+xml",
        "ETag": '"7"',
        "Last_Modified": "Tue, 05 Mar 2024 09:00:00 GMT",
    }
    got = outcome(web_server, saying(head(**fields), FEED))
    assert (got.body, got.content_type, got.etag) == (FEED, "application/rss+xml", '"7"')
    assert (got.last_modified, got.moved_permanently) == ("Tue, 05 Mar 2024 09:00:00 GMT", False)
    assert got.final_url.endswith("/feed")


def test_an_unchanged_feed_is_not_sent_again(web_server: Any, head: Any) -> None:
    async def answer(_path: str, fields: dict[str, str], writer: asyncio.StreamWriter) -> None:
        writer.write(head("304 Not Modified" if fields.get("if-none-match") == '"7"' else "200 OK"))

    async def work() -> None:
        async with web_server(answer) as peer:
            url, policy = f"http://127.0.0.1:{peer.port}/", inside(peer.port)
            assert await fetch(url, policy=policy, etag='"7"', last_modified="x\r\nX-Bad: 1") == NotModified()
            assert isinstance(await fetch(url, policy=policy, etag='"8"'), Fetched)
            assert "X-Bad" not in peer.heads[0]

    run(work())


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("gzip", gzip.compress(FEED)),
        ("gzip", gzip.compress(FEED[:20]) + gzip.compress(FEED[20:])),  # two members
        ("deflate", zlib.compress(FEED)),
        ("deflate", zlib.compress(FEED)[2:-4]),  # raw, as some servers send it
        ("br", brotli.compress(FEED)),
        ("identity", FEED),
    ],
)
def test_compressed_bodies_arrive_whole(web_server: Any, head: Any, encoding: str, packed: bytes) -> None:
    assert outcome(web_server, saying(head(Content_Encoding=encoding), packed)).body == FEED


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("gzip", gzip.compress(FEED)[:-9]),
        ("gzip", b"no gzip at all"),
        ("br", FEED),
        ("br", brotli.compress(FEED)[:-4]),
        ("gzip, gzip", FEED),
    ],
)
def test_broken_or_strange_compression_is_said(
    web_server: Any, head: Any, encoding: str, packed: bytes
) -> None:
    assert outcome(web_server, saying(head(Content_Encoding=encoding), packed)).kind is Kind.UNREACHABLE


def _gzip_bomb() -> bytes:
    squeeze = zlib.compressobj(wbits=31)
    return b"".join(squeeze.compress(bytes(1_000_000)) for _ in range(200)) + squeeze.flush()


def _brotli_bomb() -> bytes:
    squeeze = brotli.Compressor(quality=5)
    return b"".join(squeeze.process(bytes(1_000_000)) for _ in range(200)) + squeeze.finish()


@pytest.mark.parametrize(("encoding", "make"), [("gzip", _gzip_bomb), ("br", _brotli_bomb)])
def test_a_bomb_is_cut_at_the_limit(
    web_server: Any, head: Any, encoding: str, make: Callable[[], bytes]
) -> None:
    bomb = make()
    assert len(bomb) < 250_000  # of 200 MB
    tracemalloc.start()
    started = time.monotonic()
    assert outcome(web_server, saying(head(Content_Encoding=encoding), bomb)).kind is Kind.TOO_LARGE
    assert time.monotonic() - started < 2
    assert tracemalloc.get_traced_memory()[1] < 50_000_000
    tracemalloc.stop()


@pytest.mark.parametrize("status", [429, 503])
def test_how_long_a_server_wants_to_be_left_alone_is_told(web_server: Any, head: Any, status: int) -> None:
    problem = outcome(web_server, saying(head(f"{status} No", Retry_After="120")))
    assert (problem.kind, problem.status, problem.retry_after) == (Kind.STATUS, status, "120")


def test_a_feed_that_is_gone_for_good_says_so(web_server: Any, head: Any) -> None:
    assert outcome(web_server, saying(head("410 Gone"))).message == "the server answered 410: gone for good"


def test_an_endless_body_is_cut_at_the_limit(web_server: Any, head: Any) -> None:
    sent = 0

    async def answer(_path: str, _fields: dict[str, str], writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(head())
        for _ in range(500):  # 50 MB, or until we hang up
            writer.write(bytes(100_000))
            await writer.drain()
            sent += 100_000

    assert outcome(web_server, answer, max_bytes=1_000_000).kind is Kind.TOO_LARGE
    assert sent < 20_000_000


def test_a_body_of_exactly_the_limit_is_taken(web_server: Any, head: Any) -> None:
    assert len(outcome(web_server, saying(head(), bytes(1000)), max_bytes=1000).body) == 1000
    assert outcome(web_server, saying(head(), bytes(1001)), max_bytes=1000).kind is Kind.TOO_LARGE


def test_a_byte_now_and_then_is_cut_at_the_total_deadline(web_server: Any, head: Any) -> None:
    async def answer(_path: str, _fields: dict[str, str], writer: asyncio.StreamWriter) -> None:
        writer.write(head())
        for _ in range(100):
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.1)

    started = time.monotonic()
    assert outcome(web_server, answer, total_seconds=0.5).kind is Kind.TIMEOUT
    assert time.monotonic() - started < 2


def test_a_server_that_never_answers_is_left_at_the_deadline(web_server: Any) -> None:
    async def answer(_path: str, _fields: dict[str, str], _writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(2)

    assert outcome(web_server, answer, total_seconds=0.3).kind is Kind.TIMEOUT


@pytest.mark.parametrize("status", [304, 401, 404, 410, 500, 503])
def test_a_status_that_brings_no_feed_is_told(web_server: Any, head: Any, status: int) -> None:
    problem = outcome(web_server, saying(head(f"{status} No")))
    assert (problem.kind, problem.status) == (Kind.STATUS, status)


def test_nonsense_instead_of_http_is_unreachable(web_server: Any) -> None:
    assert outcome(web_server, saying(b"SSH-2.0-OpenSSH\r\n\r\n")).kind is Kind.UNREACHABLE


def test_a_closed_port_is_unreachable() -> None:
    async def work() -> None:
        server = await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        server.close()
        await server.wait_closed()
        with pytest.raises(FetchProblem) as caught:
            await fetch(f"http://127.0.0.1:{port}/", policy=inside(port))
        assert caught.value.kind is Kind.UNREACHABLE

    run(work())


@pytest.mark.parametrize(
    ("statuses", "permanently"),
    [((301,), True), ((308, 301), True), ((301, 302), False), ((307,), False), ((302, 301), False)],
)
def test_redirects_are_followed_and_told_apart(
    web_server: Any, head: Any, statuses: tuple[int, ...], permanently: bool
) -> None:
    async def answer(path: str, _fields: dict[str, str], writer: asyncio.StreamWriter) -> None:
        hop = int(path.strip("/"))
        if hop == len(statuses):
            writer.write(head() + FEED)
        else:
            writer.write(head(f"{statuses[hop]} Moved", Location=f"/{hop + 1}"))

    got = outcome(web_server, answer, "/0")
    assert (got.body, got.moved_permanently) == (FEED, permanently)
    assert got.final_url.endswith(f"/{len(statuses)}")


def test_a_circle_of_redirects_ends(web_server: Any, head: Any) -> None:
    problem = outcome(web_server, saying(head("302 Found", Location="/feed")))
    assert (problem.kind, problem.message) == (Kind.REDIRECT, "more than 5 redirects")


def test_a_redirect_to_nowhere_is_told(web_server: Any, head: Any) -> None:
    assert outcome(web_server, saying(head("302 Found"))).kind is Kind.REDIRECT


def test_credentials_are_sent_to_their_origin_and_shown_to_nobody(web_server: Any, head: Any) -> None:
    async def answer(path: str, fields: dict[str, str], writer: asyncio.StreamWriter) -> None:
        known = fields.get("authorization", "").startswith("basic ")
        if path == "/old":
            writer.write(head("301 Moved", Location="/new"))
        else:
            writer.write(head("200 OK" if known and path == "/new" else "403 Forbidden"))

    async def work() -> None:
        async with web_server(answer) as peer:
            at = f"http://anna:geheim@127.0.0.1:{peer.port}"
            got = await fetch(f"{at}/old", policy=inside(peer.port))
            assert isinstance(got, Fetched)
            assert "geheim" not in got.final_url
            with pytest.raises(FetchProblem) as caught:
                await fetch(f"{at}/other", policy=inside(peer.port))
            assert "geheim" not in str(caught.value)

    run(work())
