"""Links are followed gently, within bounds, and never to where a fetch would not go."""

import asyncio
import threading
import time
from http.server import BaseHTTPRequestHandler

import pytest

from mailer.feeds.fetch import Policy
from mailer.feeds.following import Followed, follow
from tests.flow.site import Answer, Site


def followed(site: Site, *paths: str, seconds: float = 20, **bounds: float) -> list[Followed]:
    policy = Policy(
        allow_private=frozenset({"127.0.0.1"}),
        allowed_ports=frozenset({site.port, 80}),
        host_pause=0.0,
        total_seconds=bounds.get("one", 5.0),
    )
    urls = [f"http://127.0.0.1:{site.port}{path}" for path in paths]
    return asyncio.run(follow(urls, policy=policy, seconds=seconds))


def redirecting(to: str) -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(302)
        request.send_header("Location", to)
        request.send_header("Content-Length", "0")
        request.end_headers()

    return answer


def waiting(seconds: float) -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        time.sleep(seconds)
        request.send_response(204)
        request.end_headers()

    return answer


@pytest.mark.parametrize("knows_head", [True, False])
@pytest.mark.parametrize(
    ("status", "is_broken", "problem"),
    [
        (200, False, ""),
        (404, True, "the server answered 404: there is nothing at this address"),
        (410, True, "the server answered 410: gone for good"),
        (403, False, "the server answered 403: it lets nobody in"),
        (500, False, "the server answered 500"),
    ],
)
def test_what_a_server_answers_is_ok_or_broken_or_says_nothing(
    site: Site, knows_head: bool, status: int, is_broken: bool, problem: str
) -> None:
    site.knows_head = knows_head
    site.offer("/a", b"x" * 10, status=status)
    (found,) = followed(site, "/a")
    assert (found.is_broken, found.problem) == (is_broken, problem)


def test_who_answers_a_head_is_not_asked_for_the_whole(site: Site) -> None:
    site.knows_head = True
    site.offer("/a", b"x")
    followed(site, "/a")
    assert site.asked == ["/a"]


def test_of_a_document_without_end_only_the_head_is_read(site: Site) -> None:
    ended = threading.Event()

    def endless(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        try:
            while True:
                request.wfile.write(b"x" * 65536)
        finally:
            ended.set()

    site.pages["/a"] = endless
    (found,) = followed(site, "/a")
    assert found == Followed(found.url)
    assert ended.wait(5)


def test_a_redirect_is_followed_and_one_that_leads_inside_is_not(site: Site) -> None:
    site.offer("/there", b"x")
    site.pages["/ok"] = redirecting("/there")
    site.pages["/in"] = redirecting("http://10.0.0.1/admin")
    site.pages["/file"] = redirecting("file:///etc/passwd")
    site.pages["/round"] = redirecting("/round")
    ok, inside, file, around = followed(site, "/ok", "/in", "/file", "/round")
    assert ok.problem == ""
    assert inside.problem == "10.0.0.1 is not in the public Internet"
    assert file.problem == "neither http nor https"
    assert around.problem == "more than 5 redirects"
    assert not any(each.is_broken for each in (ok, inside, file, around))


def test_a_slow_server_costs_its_own_link_and_no_more_than_its_time(site: Site) -> None:
    site.knows_head = True
    site.pages["/slow"] = waiting(1.0)
    site.offer("/quick", b"x")
    slow, quick = followed(site, "/slow", "/quick", one=0.3)
    assert (slow.is_broken, slow.problem) == (False, "no answer within 0.3 s")
    assert quick.problem == ""


def test_when_the_time_for_all_is_over_the_rest_is_not_checked(site: Site) -> None:
    site.knows_head = True
    site.offer("/quick", b"x")
    site.pages["/slow"] = waiting(1.0)
    quick, slow, behind = followed(site, "/quick", "/slow", "/quick", seconds=0.4)
    assert quick.problem == ""
    assert (slow.problem, behind.problem) == ("not within 0.4 s",) * 2


def test_a_host_is_asked_for_one_thing_at_a_time(site: Site) -> None:
    site.knows_head = True
    under_way, most, lock = 0, 0, threading.Lock()

    def counting(request: BaseHTTPRequestHandler) -> None:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        time.sleep(0.02)
        with lock:
            under_way -= 1
        request.send_response(204)
        request.end_headers()

    paths = [f"/{n}" for n in range(6)]
    site.pages |= dict.fromkeys(paths, counting)
    assert [each.problem for each in followed(site, *paths)] == [""] * 6
    assert most == 1


@pytest.mark.parametrize("status", [429, 503])
def test_a_host_that_has_too_much_is_left_alone(site: Site, status: int) -> None:
    site.knows_head = True
    site.offer("/a", b"", status=status)
    site.offer("/b", b"")
    busy, other = followed(site, "/a", "/b")
    assert busy.problem.startswith(f"the server answered {status}")
    assert other.problem == "127.0.0.1 wants to be left alone"
    assert site.asked == ["/a"]


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://127.0.0.1/", "127.0.0.1 is not in the public Internet"),
        ("http://[::1]/", "::1 is not in the public Internet"),
        ("http://0x7f.1/", "an address in a spelling that is not canonical"),
        ("http://localhost/", "localhost is not in the public Internet"),
        ("https://me:secret@192.0.2.1/", "192.0.2.1 is not in the public Internet"),
        ("https://www.example.org:22/", "port 22 is not allowed"),
        ("https://", "neither http nor https"),
        ("https://[", "an address in a spelling that is not canonical"),
    ],
)
def test_nothing_inside_is_asked(url: str, problem: str) -> None:
    (found,) = asyncio.run(follow([url], policy=Policy()))
    assert (found.problem.replace("[", "").replace("]", ""), found.is_broken) == (problem, False)


def test_nobody_logs_in(site: Site) -> None:
    policy = Policy(allow_private=frozenset({"127.0.0.1"}), allowed_ports=frozenset({site.port}))
    (found,) = asyncio.run(follow([f"http://me:secret@127.0.0.1:{site.port}/a"], policy=policy))
    assert (found.problem, site.asked) == ("it holds a user name", [])


def test_no_links_take_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asyncio.run(follow([], policy=Policy())) == []
