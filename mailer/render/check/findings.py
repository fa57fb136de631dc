"""What was found, where, and the name that was probably meant."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing that is wrong in a template; one that `warns` stops nobody."""

    #: name of the template ("issue/body.mjml")
    file: str
    #: counted from 1; 0 where it is about the file as a whole
    line: int
    says: str
    warns: bool = False


def nearest(name: str, known: Iterable[str]) -> str:
    """ "; nearest is ...", or nothing if none is near."""
    return _nearest(name[:40], tuple(known))


@lru_cache(maxsize=256)  # what is misspelt once is misspelt again
def _nearest(name: str, known: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f"; nearest is {close[0]}" if close else ""
