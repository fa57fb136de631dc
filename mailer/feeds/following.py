"""Whether links lead somewhere: asked for gently, within bounds, and never where a fetch would not go.

A server is asked for the head of its answer; where it refuses that, for the whole, of which nothing but
the head is read. One request at a time to each host; a host that wants to be left alone is.
"""

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mailer.feeds.fetch import REDIRECTS, FetchProblem, Kind, Policy, asked, checked, refusal, target, trusted
from mailer.feeds.hosts import Turns, host_of

#: seconds for one link, and for all of them
_ONE, _ALL = 8.0, 60.0
#: there is nothing, says who must know; any other refusal may be about us
_GONE = frozenset({404, 410})
#: the server asks for less, so it is not asked a second time
_TOO_MUCH = frozenset({429, 503})


@dataclass(frozen=True, slots=True)
class Followed:
    """What became of one link: it leads somewhere, is broken, or nobody knows (`problem` says why)."""

    url: str
    problem: str = ""
    is_broken: bool = False


async def follow(urls: Sequence[str], *, policy: Policy, seconds: float = _ALL) -> list[Followed]:
    """Follow each link, all of them within so many seconds; one result a link, in their order.

    They are of the web (http, https), and nobody's own: a server may take a request for an act.
    """
    try:
        trust = await asyncio.to_thread(trusted, policy.ca_bundle)
    except FetchProblem as problem:
        return [Followed(url, problem.message) for url in urls]
    round_ = _Round(replace(policy, total_seconds=min(_ONE, policy.total_seconds)), trust)
    tasks = [asyncio.create_task(round_.one(url)) for url in urls]
    if not tasks:
        return []
    _, late = await asyncio.wait(tasks, timeout=seconds)
    for task in late:
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)
    return [
        Followed(url, f"not within {seconds:g} s") if task in late else task.result()
        for url, task in zip(urls, tasks, strict=True)
    ]


class _Round:
    """What the links of one round share."""

    def __init__(self, policy: Policy, trust: ssl.SSLContext) -> None:
        self.policy = policy
        self.trust = trust
        self.turns = Turns(policy.host_pause, at_one_host=1)
        #: hosts that asked to be left alone
        self.resting: set[str] = set()

    async def one(self, url: str) -> Followed:
        host = host_of(url)
        async with self.turns.turn(host):
            if host in self.resting:
                return Followed(url, f"{host} wants to be left alone")
            try:
                async with asyncio.timeout(self.policy.total_seconds):
                    await self._look(url)
            except TimeoutError:
                return Followed(url, f"no answer within {self.policy.total_seconds:g} s")
            except FetchProblem as problem:
                if problem.status in _TOO_MUCH:
                    self.resting.add(host)
                return Followed(url, problem.message, is_broken=problem.status in _GONE)
        return Followed(url)

    async def _look(self, url: str) -> None:
        try:
            await self._ask("HEAD", url)
        except FetchProblem as problem:
            # some servers know HEAD for no page, others for none of theirs
            if problem.status is None or problem.status in _TOO_MUCH:
                raise
            await self._ask("GET", url)

    async def _ask(self, method: str, url: str) -> None:
        at = checked(url, self.policy)
        if at.userinfo:
            raise FetchProblem(Kind.REFUSED, "it holds a user name")
        headers: Mapping[str, str] = {"User-Agent": self.policy.user_agent, "Accept": "text/html, */*;q=0.8"}
        for _ in range(self.policy.max_redirects + 1):
            async with asked(method, at, headers, self.policy, self.trust) as answer:
                if answer.status_code not in REDIRECTS:
                    if not answer.is_success:
                        raise refusal(answer)
                    return
                at = checked(target(at, answer.headers.get("location", "")), self.policy)
        raise FetchProblem(Kind.REDIRECT, f"more than {self.policy.max_redirects} redirects")
