"""No connection to the inside, whatever the name, the spelling, the redirect or the proxy."""

import asyncio
import socket
from collections.abc import Coroutine
from ipaddress import ip_address
from typing import Any

import pytest

from mailer.feeds.addresses import is_public
from mailer.feeds.fetch import FetchProblem, Kind, Policy, fetch

NAME = "www.musterstadt.example"


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(work, 20))


async def problem_of(url: str, policy: Policy) -> FetchProblem:
    with pytest.raises(FetchProblem) as caught:
        await fetch(url, policy=policy)
    return caught.value


async def feed(_path: str, _fields: dict[str, str], writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<rss/>")


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[list[str]]]:
    """The world's DNS: successive answers per name; unknown names fail, and every question is kept."""
    answers: dict[str, list[list[str]]] = {"asked": []}

    def getaddrinfo(host: Any, port: int, *_: Any, **__: Any) -> list[Any]:
        name = host.decode() if isinstance(host, bytes) else host
        answers["asked"].append([name])
        if not answers.get(name):
            raise socket.gaierror("unknown name")
        now = answers[name].pop(0) if len(answers[name]) > 1 else answers[name][0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in now]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return answers


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "017700000001",
        "127.0.0.1.",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[2002:7f00:1::]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b:1::1]",
        "[fe80::1]",
        "[fec0::1]",
        "[fd00::1]",
        "[ff02::1]",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "localhost",
        "a.localhost",
        "LOCALHOST.",
        "①②⑦.⓪.⓪.①",
    ],
)
@pytest.mark.parametrize("proxied", [False, True])
def test_no_spelling_of_an_inner_address_is_asked(
    web_server: Any, names: dict[str, list[list[str]]], host: str, proxied: bool
) -> None:
    async def work() -> None:
        async with web_server(feed) as peer:
            proxy = f"http://127.0.0.1:{peer.port}" if proxied else None
            policy = Policy(allowed_ports=frozenset({peer.port}), proxy=proxy)
            problem = await problem_of(f"http://{host}:{peer.port}/", policy)
            assert (problem.kind, peer.connections, names["asked"]) == (Kind.REFUSED, 0, [])

    run(work())


@pytest.mark.parametrize(
    "url", ["ftp://a.example/", "file:///etc/passwd", "//a.example/", "http:///x", "x", "", "http://["]
)
def test_only_web_addresses_are_asked(url: str) -> None:
    assert run(problem_of(url, Policy())).kind is Kind.REFUSED


def test_ports_that_are_not_allowed_are_refused() -> None:
    assert run(problem_of("http://www.example.org:25/", Policy())).kind is Kind.REFUSED


@pytest.mark.parametrize(
    "location", ["http://127.0.0.1:{}/", "//[::1]:{}/", "http://innen.example:{}/", "file:///etc/passwd"]
)
def test_a_redirect_inwards_is_refused(
    web_server: Any, head: Any, names: dict[str, list[list[str]]], location: str
) -> None:
    async def work() -> None:
        async with web_server(feed) as inner:

            async def answer(_path: str, _fields: dict[str, str], writer: asyncio.StreamWriter) -> None:
                writer.write(head("302 Found", Location=location.format(inner.port)))

            async with web_server(answer) as outer:
                names[NAME] = names["innen.example"] = [["127.0.0.1"]]
                policy = Policy(
                    allowed_ports=frozenset({inner.port, outer.port}), allow_private=frozenset({NAME})
                )
                problem = await problem_of(f"http://{NAME}:{outer.port}/", policy)
                assert (problem.kind, outer.connections, inner.connections) == (Kind.REFUSED, 1, 0)

    run(work())


@pytest.mark.parametrize("answer", [["127.0.0.1"], ["93.184.215.14", "127.0.0.1"], ["10.1.2.3"]])
def test_a_name_with_an_inner_address_is_refused(
    web_server: Any, names: dict[str, list[list[str]]], answer: list[str]
) -> None:
    async def work() -> None:
        async with web_server(feed) as peer:
            names[NAME] = [answer]
            problem = await problem_of(
                f"http://{NAME}:{peer.port}/", Policy(allowed_ports=frozenset({peer.port}))
            )
            assert (problem.kind, peer.connections) == (Kind.REFUSED, 0)

    run(work())


def test_a_name_that_changes_its_answer_gains_nothing(
    web_server: Any, names: dict[str, list[list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    # 127.0.0.2, where nobody listens, plays the public address of the first answer
    monkeypatch.setattr("mailer.feeds.fetch.is_public", lambda address: str(address) == "127.0.0.2")

    async def work() -> None:
        async with web_server(feed) as peer:
            names[NAME] = [["127.0.0.2"], ["127.0.0.1"]]
            policy = Policy(allowed_ports=frozenset({peer.port}))
            problem = await problem_of(f"http://{NAME}:{peer.port}/", policy)
            assert (problem.kind, peer.connections, names["asked"]) == (Kind.UNREACHABLE, 0, [[NAME]])

    run(work())


def test_a_host_allowed_by_name_may_lie_inside(web_server: Any, names: dict[str, list[list[str]]]) -> None:
    async def work() -> None:
        async with web_server(feed) as peer:
            names[NAME] = [["127.0.0.2", "127.0.0.1"]]  # nobody listens at the first
            policy = Policy(allowed_ports=frozenset({peer.port}), allow_private=frozenset({NAME}))
            got = await fetch(f"http://{NAME}:{peer.port}/", policy=policy)
            assert got.body == b"<rss/>"  # type: ignore[union-attr]
            assert f"Host: {NAME}:{peer.port}" in peer.heads[0]

    run(work())


def test_tls_is_checked_against_the_name_and_the_own_authority(
    web_server: Any, names: dict[str, list[list[str]]], authority: Any
) -> None:
    async def work() -> None:
        async with web_server(feed, tls=authority.server) as peer:
            names[NAME] = names["andere.example"] = [["127.0.0.1"]]
            ports, private = frozenset({peer.port}), frozenset({NAME, "andere.example"})
            trusting = Policy(allowed_ports=ports, allow_private=private, ca_bundle=authority.bundle)
            doubting = Policy(allowed_ports=ports, allow_private=private)
            got = await fetch(f"https://{NAME}:{peer.port}/", policy=trusting)
            assert got.body == b"<rss/>"  # type: ignore[union-attr]
            for url, policy in (
                (f"https://andere.example:{peer.port}/", trusting),
                (f"https://{NAME}:{peer.port}/", doubting),
            ):
                problem = await problem_of(url, policy)
                assert problem.kind is Kind.UNREACHABLE
                assert "certificate" in problem.message.lower()

    run(work())


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_with_a_proxy_no_name_is_looked_up(
    web_server: Any,
    forward_proxy: Any,
    names: dict[str, list[list[str]]],
    authority: Any,
    scheme: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NO_PROXY", "*")

    async def work() -> None:
        tls = authority.server if scheme == "https" else None
        async with web_server(feed, tls=tls) as peer, forward_proxy(peer.port) as proxy:
            policy = Policy(proxy=f"http://anna:geheim@127.0.0.1:{proxy.port}", ca_bundle=authority.bundle)
            got = await fetch(f"{scheme}://{NAME}/feed", policy=policy)
            assert got.body == b"<rss/>"  # type: ignore[union-attr]
            assert (proxy.connections, names["asked"]) == (1, [])
            asked = f"CONNECT {NAME}:443" if scheme == "https" else f"GET http://{NAME}/feed"
            assert proxy.heads[0].startswith(asked)
            assert "proxy-authorization: basic" in proxy.heads[0].lower()

    run(work())


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_dead_proxy_is_no_reason_to_go_directly(
    web_server: Any, names: dict[str, list[list[str]]], scheme: str
) -> None:
    async def work() -> None:
        async with web_server(feed) as peer:
            async with web_server(feed) as dead:
                pass
            names[NAME] = [["127.0.0.1"]]
            policy = Policy(
                proxy=f"http://anna:geheim@127.0.0.1:{dead.port}",
                allowed_ports=frozenset({peer.port}),
                allow_private=frozenset({NAME}),
            )
            problem = await problem_of(f"{scheme}://{NAME}:{peer.port}/", policy)
            assert (problem.kind, peer.connections, names["asked"]) == (Kind.UNREACHABLE, 0, [])
            assert "geheim" not in problem.message

    run(work())


def test_a_proxy_that_refuses_is_told(web_server: Any, head: Any) -> None:
    async def answer(_path: str, _fields: dict[str, str], writer: asyncio.StreamWriter) -> None:
        writer.write(head("403 Forbidden"))

    async def work() -> None:
        async with web_server(answer) as proxy:
            policy = Policy(proxy=f"http://127.0.0.1:{proxy.port}")
            problem = await problem_of(f"https://{NAME}/", policy)
            assert (problem.kind, problem.message) == (Kind.UNREACHABLE, "the proxy refused: 403 Forbidden")

    run(work())


def test_proxies_of_the_environment_are_ignored(
    web_server: Any, names: dict[str, list[list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work() -> None:
        async with web_server(feed) as peer, web_server(feed) as proxy:
            monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
            monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{proxy.port}")
            names[NAME] = [["127.0.0.1"]]
            policy = Policy(allowed_ports=frozenset({peer.port}), allow_private=frozenset({NAME}))
            await fetch(f"http://{NAME}:{peer.port}/", policy=policy)
            assert (peer.connections, proxy.connections) == (1, 0)

    run(work())


@pytest.mark.parametrize(
    "address", ["93.184.215.14", "2a00:1450:4001:80b::200e", "2002:5db8:d70e::", "64:ff9b::5db8:d70e"]
)
def test_public_addresses_are_public(address: str) -> None:
    assert is_public(ip_address(address))
