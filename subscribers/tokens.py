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
import hashlib
import hmac
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Self

_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
#: bytes that SHA-256 takes at a time
_BLOCK = 64
#: what stands for each five bits, in whichever byte they are
_CHARACTERS = _ALPHABET.encode() * 8
#: groups of five bits that encoding makes room for, a power of two; each becomes a byte
_GROUPS = 64
_ROOM = bytes(_GROUPS - 28)
_HANDLES = struct.Struct(">BBQQ")
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
    return sign_each(keys, (purpose,), context, subject, key_id=key_id)[0]


def sign_each(
    keys: Keys, purposes: Sequence[Purpose], context: int, subject: int, *, key_id: int | None = None
) -> list[str]:
    """The same for several purposes, in less time than one by one: a mail has three."""
    number = keys.primary_id if key_id is None else key_id
    key = keys.by_id[number]
    signed = [_HANDLES.pack(purpose, number, context, subject) for purpose in purposes]
    return _base32([each + _tag(key, each) for each in signed])


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
    if _base32([data])[0].encode() != text:
        raise BadToken
    return Token(
        purpose, signed[1], int.from_bytes(signed[2:10], "big"), int.from_bytes(signed[10:18], "big")
    )


def _tag(key: bytes, signed: bytes) -> bytes:
    begun, around = _begun(key)
    inner, outer = begun.copy(), around.copy()
    inner.update(signed)
    outer.update(inner.digest())
    return bytes(outer.digest()[:_TAG])


@lru_cache(maxsize=16)
def _begun(key: bytes) -> tuple[Any, Any]:
    """Both hashes of HMAC-SHA-256 with the key in them (RFC 2104 2 and 4): `hmac` begins anew each time."""
    block = (key if len(key) <= _BLOCK else hashlib.sha256(key).digest()).ljust(_BLOCK, b"\0")
    return tuple(hashlib.sha256(bytes(byte ^ pad for byte in block)) for pad in (0x36, 0x5C))  # type: ignore[return-value]  # two


def _base32(data: Sequence[bytes]) -> list[str]:
    """28 bytes each as 45 characters each, in a fraction of the time that base64.b32encode takes.

    All bits are one number, in which each step pulls the halves of all groups of five bits apart at once.
    """
    # 224 bits and a zero are 45 of the 64 groups that a token has room for here
    number = int.from_bytes(_ROOM.join([b"", *data]), "big") << 1
    for right, left, width in _halves(len(data)):
        number = number & right | (number & left) << width
    text = number.to_bytes(_GROUPS * len(data), "big").translate(_CHARACTERS).decode()
    return [text[end - LENGTH : end] for end in range(_GROUPS, len(text) + 1, _GROUPS)]


@lru_cache(maxsize=8)
def _halves(tokens: int) -> list[tuple[int, int, int]]:
    """For groups of 64, 32 ... 2 times five bits: masks of their halves, and how far apart those go."""
    steps, size = [], _GROUPS
    while size > 1:
        # by now such groups stand in as many bytes
        half = size // 2
        right = sum((1 << 5 * half) - 1 << 8 * size * n for n in range(tokens * _GROUPS // size))
        steps.append((right, right << 5 * half, 3 * half))
        size = half
    return steps
