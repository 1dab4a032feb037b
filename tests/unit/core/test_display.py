"""Text of others on a terminal."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.core.display import is_name, shown, shown_json

texts = st.text(st.characters(), max_size=120) | st.text(st.sampled_from("\x1b[\x00\x9b\u202e\n\ud800aé"), max_size=8)


@given(texts, st.booleans())
@example("\x1b]0;title\x07", False)
def test_a_terminal_obeys_nothing_of_it(text: str, lines: bool) -> None:
    out = shown(text, lines=lines)
    kinds = {unicodedata.category(character) for character in out if not (lines and character in "\n\t")}
    assert not kinds & {"Cc", "Zl", "Zp", "Cs"}
    assert not {unicodedata.bidirectional(character) for character in out} & {
        "RLO",
        "LRO",
        "RLE",
        "LRE",
        "RLI",
        "LRI",
    }
    assert shown(out, lines=lines) == out
    if is_name(text):
        assert out == text


@pytest.mark.parametrize(
    ("text", "out"),
    [
        ("Küche \U0001f469\u200d\U0001f4bb", "Küche \U0001f469\u200d\U0001f4bb"),
        ("\x1b[2J", "\\x1b[2J"),
        ("a\r\nb\tc", "a\\x0d\\x0ab\\x09c"),
        ("\u202egpj", "\\u202egpj"),
        ("\udc00", "\\udc00"),
    ],
)
def test_what_is_shown(text: str, out: str) -> None:
    assert shown(text) == out


def test_line_feeds_may_stay() -> None:
    assert shown("a\n\x1b", lines=True) == "a\n\\x1b"


@pytest.mark.parametrize("name", ["", "a" * 101, "a\n", "\x7f", "\x85", "\u2028", "\u2066", "\ud800"])
def test_what_is_no_name(name: str) -> None:
    assert not is_name(name)


@given(st.recursive(texts, lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=6))
def test_json_stays_the_same_json(value: object) -> None:
    text = shown_json(json.dumps(value, ensure_ascii=False))
    assert json.loads(text) == value
    assert shown(text) == text
