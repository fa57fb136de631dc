"""The lines of keys and values, compared with what tomllib reads from the same text."""

import json
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailer.schedule.positions import Path, positions


def paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """Every place in what tomllib returns."""
    if path:
        yield path
    if isinstance(value, dict):
        for key, below in value.items():
            yield from paths(below, (*path, key))
    if isinstance(value, list):
        for number, below in enumerate(value):
            yield from paths(below, (*path, number))


TRICKY = '''\
# a comment with = and [brackets] and "quotes"
"quoted.key" = 1.5
'literal' = 1979-05-27 07:32:00
a.b . "c d" = """
text with ] and # and ""quotes"" in it
"""
inline = { x = [1, { y = '}' }], "z.z" = "\\"#" } # more
deep = [
  [ "]", '#' ],   # [ ignored ]
  # "ignored"
  [],
  { k = """a
b""", l = 2 },
  \'\'\'it's
\'\'\', 5
]
last = ""
[t.u]
k = true
[[t.list]]
k = 1
[[t.list.inner]]
[[t.list.inner]]
k = 2
[t.list.inner.table]
k = 3
[[t.list]]
k = 4
"\\u00fcber" = +inf
'''


def test_every_place_of_a_tricky_file_has_its_line() -> None:
    raw = tomllib.loads(TRICKY)
    lines = positions(TRICKY)
    assert set(lines) == set(paths(raw))
    expected = {
        ("quoted.key",): 2,
        ("literal",): 3,
        ("a", "b", "c d"): 4,
        ("inline", "x", 1, "y"): 7,
        ("inline", "z.z"): 7,
        ("deep",): 8,
        ("deep", 0, 1): 9,
        ("deep", 1): 11,
        ("deep", 2, "k"): 12,
        ("deep", 2, "l"): 13,
        ("deep", 3): 14,
        ("deep", 4): 15,
        ("last",): 17,
        ("t", "u"): 18,
        ("t", "u", "k"): 19,
        ("t", "list", 0): 20,
        ("t", "list", 0, "inner", 0): 22,
        ("t", "list", 0, "inner", 1, "k"): 24,
        ("t", "list", 0, "inner", 1, "table"): 25,
        ("t", "list", 0, "inner", 1, "table", "k"): 26,
        ("t", "list", 1): 27,
        ("t", "list", 1, "über"): 29,
    }
    assert {path: lines[path] for path in expected} == expected


@pytest.mark.parametrize(
    "text",
    ['a = """"""""', "a = ''''x'''''", 'a = """\\""""', 'a = "\\\\"', "a = ''", 'a = """"x"""', "a=[ ]"],
)
def test_quotes_at_the_edge_of_strings_do_not_hide_the_next_key(text: str) -> None:
    text += "\nb = 1"
    assert set(positions(text)) == set(paths(tomllib.loads(text))) == {("a",), ("b",)}
    assert positions(text)[("b",)] == 2


# Documents made of values whose every part stands on a line known beforehand: one key a line.
words = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=8)
values = st.recursive(
    st.one_of(
        st.integers(-9, 9), st.booleans(), words, st.floats(-9, 9).filter(lambda x: "e" not in repr(x))
    ),
    lambda below: st.one_of(st.lists(below, max_size=3), st.dictionaries(words, below, max_size=3)),
    max_leaves=8,
)


def toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{quoted(key)} = {toml(below)}" for key, below in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(toml(below) for below in value) + "]"
    return quoted(value) if isinstance(value, str) else json.dumps(value)


def quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(words, values, max_size=5))
def test_any_document_has_all_its_places_on_their_lines(document: dict[str, Any]) -> None:
    text = "".join(
        f"{quoted(key)} = {toml(value)}  # {number}\n" for number, (key, value) in enumerate(document.items())
    )
    assert set(positions(text)) == set(paths(tomllib.loads(text)))
    number_of = {key: number for number, key in enumerate(document, start=1)}
    assert all(line == number_of[str(path[0])] for path, line in positions(text).items())
