"""Mailed tokens: what we signed verifies, and nothing else does."""

import base64
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscribers.tokens import LENGTH, BadToken, Keys, Purpose, sign, sign_each, verify


def _key(byte: bytes) -> str:
    return base64.b64encode(byte * 32).decode()


KEYS = Keys.parse(f"2:{_key(b'b')},1:{_key(b'a')}")
HANDLE = st.integers(0, 2**64 - 1)


@given(st.sampled_from(Purpose), HANDLE, HANDLE, st.sampled_from([None, 1, 2]))
def test_what_was_signed_verifies_in_either_case(
    purpose: Purpose, context: int, subject: int, key_id: int | None
) -> None:
    token = sign(KEYS, purpose, context, subject, key_id=key_id)
    assert len(token) == LENGTH
    assert len(f"bounce+{token}") <= 64
    assert token == token.lower()
    for spelling in (token, token.upper()):
        read = verify(KEYS, spelling, purpose)
        assert (read.purpose, read.context, read.subject) == (purpose, context, subject)
        assert read.key_id == (key_id or 2)


@given(st.lists(st.sampled_from(Purpose), max_size=9), HANDLE, HANDLE)
def test_several_tokens_signed_together_are_those_signed_one_by_one(
    purposes: list[Purpose], context: int, subject: int
) -> None:
    together = sign_each(KEYS, purposes, context, subject, key_id=1)
    assert together == [sign(KEYS, purpose, context, subject, key_id=1) for purpose in purposes]


@pytest.mark.parametrize("length", [32, 64, 65, 200])
def test_a_token_ends_with_the_first_80_bits_of_an_hmac(length: int) -> None:
    key = bytes(range(200))[:length]
    token = sign(Keys(7, {7: key}), Purpose.BOUNCE, 1, 2**64 - 1)
    data = base64.b32decode(token.upper() + "===")
    assert data[:18] == b"\x01\x07" + (1).to_bytes(8) + b"\xff" * 8
    assert data[18:] == hmac.digest(key, data[:18], "sha256")[:10]


def test_every_flipped_bit_is_refused() -> None:
    token = sign(KEYS, Purpose.UNSUBSCRIBE, 1, 2)
    data = base64.b32decode(token.upper() + "===")
    for bit in range(len(data) * 8):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        forged = base64.b32encode(bytes(flipped)).decode().rstrip("=").lower()
        with pytest.raises(BadToken):
            verify(KEYS, forged, Purpose.UNSUBSCRIBE)


def test_every_changed_character_is_refused_so_a_token_has_one_spelling() -> None:
    token = sign(KEYS, Purpose.UNSUBSCRIBE, 1, 2)
    for place in range(len(token)):
        for character in "abcdefghijklmnopqrstuvwxyz234567=018.é":
            if character != token[place]:
                with pytest.raises(BadToken):
                    verify(KEYS, token[:place] + character + token[place + 1 :], Purpose.UNSUBSCRIBE)


@given(st.text(max_size=60))
def test_anything_else_is_refused_and_nothing_worse(text: str) -> None:
    with pytest.raises(BadToken):
        verify(KEYS, text, Purpose.UNSUBSCRIBE)


@pytest.mark.parametrize("other", [each for each in Purpose if each is not Purpose.UNSUBSCRIBE])
def test_a_token_for_one_purpose_is_nothing_for_another(other: Purpose) -> None:
    with pytest.raises(BadToken):
        verify(KEYS, sign(KEYS, other, 1, 2), Purpose.UNSUBSCRIBE)


def test_a_rotated_key_still_verifies_and_a_dropped_one_does_not() -> None:
    before = Keys.parse(f"1:{_key(b'a')}")
    token = sign(before, Purpose.UNSUBSCRIBE, 1, 2)
    assert verify(KEYS, token, Purpose.UNSUBSCRIBE).key_id == 1
    with pytest.raises(BadToken):
        verify(Keys.parse(f"2:{_key(b'b')}"), token, Purpose.UNSUBSCRIBE)


def test_an_unknown_key_id_is_no_key_of_nothing() -> None:
    empty = Keys(9, {9: b""})
    token = sign(empty, Purpose.UNSUBSCRIBE, 1, 2)
    with pytest.raises(BadToken):
        verify(KEYS, token, Purpose.UNSUBSCRIBE)


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        ("", "at least one"),
        ("geheim", "expected ID:BASE64"),
        (f"256:{_key(b'a')}", "from 0 to 255"),
        ("1:***", "no BASE64"),
        (f"1:{base64.b64encode(b'short').decode()}", "5 bytes"),
        (f"1:{_key(b'a')},1:{_key(b'b')}", "twice"),
    ],
)
def test_keys_that_cannot_be_right_are_refused_by_name(setting: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Keys.parse(setting)


def test_keys_never_show_themselves() -> None:
    assert "aaaa" not in repr(Keys.parse(f"1:{base64.b64encode(b'a' * 32).decode()}"))
