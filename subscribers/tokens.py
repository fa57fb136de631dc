"""Mailed tokens: who, about what, for which purpose, signed. Pure; keys are passed in.

A token is lower-case base32 (RFC 4648 6) without padding of

    purpose     1 byte
    key id      1 byte
    context     8 bytes: handle of the issue or notice
    subject     8 bytes: handle of the subscriber
    tag        10 bytes: HMAC-SHA256 of all before it, cut to 80 bits

which makes 45 characters. Lower case and no padding, so that it survives mail servers that fold
case and fits a local part (64 octets, RFC 5321 4.5.3.1.1) behind "bounce+". 80 bits cannot be
guessed against a server, and the key can be changed: the token names the one it was signed with.
"""

import base64
import binascii
import enum
import hmac
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Self

_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
_PAIRS = tuple(one + two for one in _ALPHABET for two in _ALPHABET)
#: three characters each for 15 bits
_TRIPLES = tuple(pair + one for pair in _PAIRS for one in _ALPHABET)
_TAG = 10
_SIGNED = 2 + 8 + 8
LENGTH = 45
_SHORTEST_KEY = 32


class Purpose(enum.IntEnum):
    """What a token may be used for; one made for one purpose is nothing for another."""

    BOUNCE = 1
    MESSAGE_ID = 2
    UNSUBSCRIBE = 3
    UNDO = 4
    CONFIRM = 5
    ARCHIVE = 6
    PREFERENCES = 7
    STILL_RIGHT = 8
    CONTRIBUTE = 9


class BadToken(ValueError):
    """No token of ours, or not for this purpose. Never says which: that would help a forger."""


@dataclass(frozen=True, slots=True)
class Token:
    purpose: Purpose
    key_id: int
    context: int
    subject: int


@dataclass(frozen=True, slots=True)
class Keys:
    """Signing keys by id; the primary one signs, all verify."""

    primary_id: int
    by_id: dict[int, bytes] = field(repr=False)

    @classmethod
    def parse(cls, setting: str) -> Self:
        """Keys from "ID:BASE64,ID:BASE64", the primary first. Raises ValueError saying what is wrong."""
        by_id: dict[int, bytes] = {}
        for part in filter(None, map(str.strip, setting.split(","))):
            number, _, encoded = part.partition(":")
            if not number.isdecimal() or not 0 <= int(number) <= 255:
                raise ValueError("expected ID:BASE64 with an ID from 0 to 255")
            try:
                key = base64.b64decode(encoded, validate=True)
            except binascii.Error:
                raise ValueError(f"key {number} is no BASE64") from None
            if len(key) < _SHORTEST_KEY:
                raise ValueError(f"key {number} has {len(key)} bytes, expected {_SHORTEST_KEY} or more")
            if int(number) in by_id:
                raise ValueError(f"key {number} stands there twice")
            by_id[int(number)] = key
        if not by_id:
            raise ValueError("expected at least one key, ID:BASE64")
        return cls(next(iter(by_id)), by_id)


def sign(keys: Keys, purpose: Purpose, context: int, subject: int, *, key_id: int | None = None) -> str:
    """The token for these unsigned 64-bit handles; with `key_id` signed by that key, else by the primary."""
    number = keys.primary_id if key_id is None else key_id
    signed = bytes((purpose, number)) + context.to_bytes(8, "big") + subject.to_bytes(8, "big")
    return _base32(signed + _tag(keys.by_id[number], signed))


def verify(keys: Keys, token: str, purpose: Purpose) -> Token:
    """What a token says, upper or lower case. Raises BadToken for anything but a token of ours."""
    text = token.lower().encode("ascii", "replace")
    # the last character carries 225 - 224 = 1 bit more than there is: only one spelling is ours
    if len(text) != LENGTH or not set(_ALPHABET.encode()).issuperset(text):
        raise BadToken
    data = base64.b32decode(text.upper() + b"===")
    signed, tag = data[:_SIGNED], data[_SIGNED:]
    key = keys.by_id.get(signed[1])
    expected = _tag(key or b"", signed)
    if not hmac.compare_digest(tag, expected) or key is None or signed[0] != purpose:
        raise BadToken
    if _base32(data).encode() != text:
        raise BadToken
    return Token(
        purpose, signed[1], int.from_bytes(signed[2:10], "big"), int.from_bytes(signed[10:18], "big")
    )


def _tag(key: bytes, signed: bytes) -> bytes:
    mac = _begun(key).copy()
    mac.update(signed)
    return mac.digest()[:_TAG]


@lru_cache(maxsize=16)
def _begun(key: bytes) -> hmac.HMAC:
    # hmac.digest would let go of the interpreter for each token, and get it back when others are done
    return hmac.new(key, digestmod="sha256")


def _base32(data: bytes) -> str:
    """28 bytes as 45 characters, in a quarter of the time that base64.b32encode takes."""
    # 224 bits and a zero are 15 groups of fifteen
    number = int.from_bytes(data, "big") << 1
    return "".join([_TRIPLES[number >> shift & 32767] for shift in range(210, -1, -15)])
