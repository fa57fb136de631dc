"""What an rspamd says of a mail: the protocol of its worker, https://docs.rspamd.com/developers/protocol."""

from dataclasses import dataclass

import httpx2

_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Weighed:
    """Points of a mail, the number at which rspamd would do something about it, and what brought points."""

    score: float
    most: float
    symbols: tuple[str, ...]


class Unweighed(Exception):
    """Nobody weighed it; says why, in one line."""


async def weigh(mail: bytes, *, url: str, sender: str, recipient: str) -> Weighed:
    """The points of `mail` by the rspamd at `url` (a worker, http://HOST:11333). Raises Unweighed.

    Asked directly whatever proxies the environment names: it is one of ours.
    """
    try:
        async with httpx2.AsyncClient(timeout=_SECONDS, trust_env=False) as client:
            answer = await client.post(
                f"{url.rstrip('/')}/checkv2", content=mail, headers={"From": sender, "Rcpt": recipient}
            )
        answer.raise_for_status()
        said = answer.json()
        symbols = ((str(name), float(each["score"])) for name, each in said["symbols"].items())
        return Weighed(
            score=float(said["score"]),
            most=float(said["required_score"]),
            symbols=tuple(sorted(name for name, points in symbols if points > 0)),
        )
    except httpx2.HTTPStatusError as problem:
        raise Unweighed(f"rspamd answered {problem.response.status_code}") from None
    except (httpx2.HTTPError, httpx2.InvalidURL) as problem:
        raise Unweighed(f"rspamd: {type(problem).__name__}: {str(problem)[:100]}") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Unweighed("rspamd answered what nobody understands") from None
