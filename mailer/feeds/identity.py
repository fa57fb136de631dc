"""What names an item within its feed, so that the next fetch knows it again.

A GUID (RSS) or id (Atom, JSON Feed) names the item, else its address, else its title and date.
Contao gives one GUID to many events, so an item has names from coarse to fine, and takes the
coarsest that no other item of the feed has. The order of the items plays no part.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from urllib.parse import quote, unquote_to_bytes, urlsplit, urlunsplit

from mailer.feeds.parsed import ParsedItem, Problems


def identify(
    items: Sequence[ParsedItem], known: Collection[str], problems: Problems
) -> tuple[ParsedItem, ...]:
    """`items` come with the given id ("" for none) as identity, and go with their lasting one.

    Exact repeats are folded into one. `known` are the identities on record: an item once told apart from
    others stays so when those are gone.
    """
    distinct = tuple(dict.fromkeys(items))
    if len(distinct) < len(items):
        problems.note("items that repeat another exactly were folded")
    if any(not item.identity for item in distinct):
        problems.note("items without GUID were named by their link or title")
    ladders = [_names(item) for item in distinct]
    shared = Counter(name for ladder in ladders for name in ladder)
    if any(item.identity and shared[ladder[0]] > 1 for item, ladder in zip(distinct, ladders, strict=True)):
        problems.note("items that share a GUID were told apart by link, title and date")
    return tuple(
        replace(item, identity=_settled(ladder, shared, known))
        for item, ladder in zip(distinct, ladders, strict=True)
    )


def canonical(url: str) -> str:
    """The address without what does not name the page: default port, tracking and session parameters.

    TYPO3's `cHash` is a checksum over the other parameters; an upgrade or a new key changes all of them.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return url
    host = (parts.hostname or "").rstrip(".")
    if port and port != {"http": 80, "https": 443}.get(parts.scheme):
        host += f":{port}"
    query = "&".join(piece for piece in map(_respelled, parts.query.split("&")) if not _NOISE.match(piece))
    path = _SESSION_IN_PATH.sub("", parts.path) or "/"
    return urlunsplit((parts.scheme.lower(), host, path, query, parts.fragment))


_NOISE = re.compile(
    r"(?:utm_|mtm_|pk_|piwik_|wt_mc|mc_[ce]id|[fg]bclid|gclid|msclkid|phpsessid|jsessionid|fe_typo_user"
    r"|sessionid|chash(?:=|$))|$",
    re.I,
)
# Java servlets (RFC 3986 section 3.3 leaves room for it), as in the Government Site Builder
_SESSION_IN_PATH = re.compile(r";(?:jsessionid|phpsessid|sid)=[^/;]*", re.I)


def _respelled(piece: str) -> str:
    """One parameter with only that escaped which must be: `a%5Bb%5D` and `a[b]` are the same."""
    name, equals, value = piece.partition("=")
    return equals.join(quote(unquote_to_bytes(part), safe="[]/:;,@!$'()*+?~") for part in (name, value))


_LONGEST = 500  # beyond it a GUID or an address is kept as a digest: it is part of a key


def _names(item: ParsedItem) -> list[str]:
    when = item.starts or item.published or item.updated
    page = canonical(item.url) if item.url else ""
    occasion = (item.title, when.isoformat() if when else "")
    whole = (*occasion, item.summary, item.ends and item.ends.isoformat(), item.location, *item.categories)
    given = _bounded(item.identity.replace("\0", ""))
    first = given or _bounded(page) or ("" if not any(occasion) else "sha256:" + _digest(*occasion))
    finer = [_digest(page)] if given and page else []
    finer += [_digest(page, *occasion), _digest(page, *whole), _digest(item.url, *whole, item.updated)]
    return [*([first] if first else []), *(f"{first or 'item'}#{name}" for name in finer)]


def _bounded(name: str) -> str:
    return name if len(name) <= _LONGEST else "sha256:" + _digest(name)


def _settled(ladder: list[str], shared: Counter[str], known: Collection[str]) -> str:
    on_record = [name for name in ladder if name in known and shared[name] == 1]
    alone = [name for name in ladder if shared[name] == 1]
    return (on_record[-1:] or alone[:1] or ladder[-1:])[0]


def _digest(*parts: object) -> str:
    return hashlib.sha256("\x1f".join(str(part) for part in parts).encode("utf-8", "replace")).hexdigest()[
        :32
    ]
