"""What an rspamd says of a mail: the protocol of its worker, https://docs.rspamd.com/developers/protocol."""

import asyncio
import json
from dataclasses import dataclass

import httpx2

_SECONDS = 10.0
#: bytes of an answer
_LONGEST = 1_000_000


@dataclass(frozen=True, slots=True)
class Weighed:
    """Points of a mail, the number at which rspamd would do something about it, and what brought points."""

    score: float
    most: float
    symbols: tuple[str, ...]
    #: whether it would do anything with it but let it through: put it off, mark it, refuse it
    is_suspect: bool


class Unweighed(Exception):
    """Nobody weighed it; says why, in one line."""


async def weigh(mail: bytes, *, url: str, sender: str, recipient: str) -> Weighed:
    """The points of `mail` by the rspamd at `url` (a worker, http://HOST:11333). Raises Unweighed.

    Asked directly whatever proxies the environment names: it is one of ours.
    """
    try:
        async with (
            asyncio.timeout(_SECONDS),
            httpx2.AsyncClient(timeout=_SECONDS, trust_env=False) as client,
            client.stream(
                "POST",
                f"{url.rstrip('/')}/checkv2",
                content=mail,
                headers={"From": sender, "Rcpt": recipient},
            ) as answer,
        ):
            answer.raise_for_status()
            body = b""
            async for chunk in answer.aiter_bytes():
                body += chunk
                if len(body) > _LONGEST:
                    raise Unweighed("rspamd answered too much")
        said = json.loads(body)
        points = {str(name): float(each["score"]) for name, each in said["symbols"].items()}
        return Weighed(
            score=float(said["score"]),
            most=float(said["required_score"]),
            # a pattern that is refused by itself brings none
            symbols=tuple(sorted(name for name in points if points[name] > 0)) or tuple(sorted(points)),
            is_suspect=str(said["action"]) != "no action",
        )
    except httpx2.HTTPStatusError as problem:
        raise Unweighed(f"rspamd answered {problem.response.status_code}") from None
    except TimeoutError:
        raise Unweighed(f"rspamd: no answer within {_SECONDS:g} s") from None
    except (httpx2.HTTPError, httpx2.InvalidURL) as problem:
        raise Unweighed(f"rspamd: {type(problem).__name__}: {str(problem)[:100]}") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Unweighed("rspamd answered what nobody understands") from None
