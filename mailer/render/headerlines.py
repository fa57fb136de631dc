"""Header lines of words that people chose: names, titles, subjects (RFC 5322 2.2, RFC 2047).

What stands in them comes from feeds, files and forms. It never ends its header: whatever could be read
as the end of a line is a blank here, and what looks like an encoded word is encoded, so that it
is shown as it was written. Lines are ASCII and short.
"""

import base64
import re
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.utils import quote

import idna

#: longest line with encoded words in it, and longest encoded word (RFC 2047 2)
_LINE, _WORD = 76, 75
_AROUND = len("=?utf-8?q??=")
#: blanks, control characters, and all else that Python or a mail program takes for the end of a line
_BREAK = re.compile("[\x00-\x20\x7f-\x9f\u2028\u2029]")
#: the same and all other white space, such as the no-break space
_SPACE = re.compile(rf"[\s{_BREAK.pattern[1:-1]}]+")
_SURROGATE = re.compile("[\ud800-\udfff]")
#: octets that stand for themselves in the Q encoding, wherever it is used (RFC 2047 5 (3))
_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")
#: a word that stands for itself among words (RFC 5322 2.2), and in a phrase (3.2.3)
_ANY_WORD = re.compile(r"[!-~]+")
_ATOM = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+")


def header_line(name: str, value: str | Address) -> bytes:
    """The whole header with its line end. Raises ValueError for an address that ASCII cannot write."""
    column = len(name) + 2
    if isinstance(value, Address):
        text = _mailbox(value, column)
    else:
        text = _laid_out(one_line(value), column, _ANY_WORD)
    return f"{name}: {text}".rstrip(" ").encode("ascii") + b"\r\n"


def one_line(text: str) -> str:
    """The text as a header can hold it: one line, single blanks, no half characters."""
    # a no-break space stays one where it stands alone
    text = _SPACE.sub(lambda run: " " if _BREAK.search(run[0]) else run[0], text)
    return _SURROGATE.sub("\ufffd", text.strip())


def phrase(text: str, column: int) -> str:
    """Words before an address or an identifier (RFC 5322 3.2.5), where a line has got to `column`."""
    text = one_line(text)
    quoted = f'"{quote(text)}"'
    if all(map(_ATOM.fullmatch, text.split(" "))) or not text.isascii() or "=?" in text:
        return _laid_out(text, column, _ATOM)
    return quoted if column + len(quoted) <= _LINE else _laid_out(text, column, _ATOM)


def ascii_address(address: str) -> str:
    """An address as every server knows it, its domain in A-labels. Raises ValueError if there is none."""
    try:
        parsed = Address(addr_spec=address)
    except HeaderParseError as problem:
        raise ValueError("no e-mail address") from problem
    domain = (
        parsed.domain if parsed.domain.isascii() else idna.encode(parsed.domain, uts46=True).decode("ascii")
    )
    written = Address(username=parsed.username, domain=domain).addr_spec
    if not written.isascii() or one_line(written) != written:
        raise ValueError("an address that cannot be written in ASCII")
    return written


def _mailbox(value: Address, column: int) -> str:
    address = ascii_address(value.addr_spec)
    if not value.display_name:
        return address
    name = phrase(value.display_name, column)
    room = _LINE - (len(name.rpartition("\r\n")[2]) + (0 if "\r\n" in name else column))
    return f"{name} <{address}>" if len(address) + 3 <= room else f"{name}\r\n <{address}>"


def _laid_out(text: str, column: int, plain: re.Pattern[str]) -> str:
    """The words, folded at blanks; those that are not `plain` are encoded, neighbours together.

    A blank between two encoded words is none of the text (RFC 2047 6.2), so theirs are encoded, too.
    """
    made = ""
    for word, encoded in _runs(text, column, plain):
        if made:
            made, column = f"{made} ", column + 1
        pieces = _encoded(word, _LINE - column) if encoded else [word]
        if made and (len(pieces) > 1 or column + len(pieces[0]) > _LINE):
            made, column = f"{made[:-1]}\r\n ", 1
            pieces = _encoded(word, _WORD) if encoded else [word]
        made += "\r\n ".join(pieces)
        column = len(pieces[-1]) + (1 if len(pieces) > 1 else column)
    return made


def _runs(text: str, column: int, plain: re.Pattern[str]) -> list[tuple[str, bool]]:
    """Words one by one, and what stands between them and must be encoded."""
    runs: list[tuple[str, bool]] = []
    for word in filter(None, text.split(" ")):
        encoded = not plain.fullmatch(word) or "=?" in word or len(word) > _LINE - column
        if encoded and runs and runs[-1][1]:
            runs[-1] = f"{runs[-1][0]} {word}", True
        else:
            runs.append((word, encoded))
    return runs


def _encoded(text: str, room: int) -> list[str]:
    """Encoded words, the first one as long as the room on its line, cut between letters."""
    # Q can be read by people who see it raw, B is short for letters far from Latin
    escaped = sum(len(_q(letter)) > 1 for letter in text)
    kind, encode = ("b", _b) if 2 * escaped > len(text) else ("q", _q)
    words, begun = [], ""
    for letter in text:
        if begun and len(encode(begun + letter)) > min(room, _WORD) - _AROUND:
            words.append(begun)
            begun, room = "", _WORD
        begun += letter
    return [f"=?utf-8?{kind}?{encode(word)}?=" for word in (*words, begun)]


def _q(text: str) -> str:
    return "".join(
        chr(octet) if octet in _PLAIN else "_" if octet == 0x20 else f"={octet:02X}"
        for octet in text.encode()
    )


def _b(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
