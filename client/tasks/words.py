"""The words of a command about tasks: what they name, before it is known what for. Pure.

    +tag  -tag            Tag
    field:value           Field, also with a modifier: due.before:friday
    field:=3              Field whose value is JSON, not text
    everything else       Text; behind a "--" everything

`https://...`, `12:30` and `Note: buy milk` are text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

MODIFIERS: Final = {
    **dict.fromkeys(("is", "equals"), "is"),
    "isnt": "isnt",
    "not": "not",
    **dict.fromkeys(("has", "contains"), "has"),
    "hasnt": "hasnt",
    **dict.fromkeys(("before", "under", "below"), "before"),
    **dict.fromkeys(("after", "over", "above"), "after"),
    "by": "by",
    "any": "any",
    "none": "none",
    **dict.fromkeys(("startswith", "left"), "startswith"),
    **dict.fromkeys(("endswith", "right"), "endswith"),
    "word": "word",
    "noword": "noword",
}
"""Each with the name that it has inside; Taskwarrior has several names for some."""

_TAG: Final = re.compile(r"([+-])([^\W\d]\S*)\Z")
_FIELD: Final = re.compile(r"([^\W\d][\w.-]*):(=?)(.*)\Z", re.DOTALL)
OPERATORS: Final = frozenset({"and", "or", "xor", "!", "(", ")"})
"""Of a filter: client/tasks/expressions.py."""
_SETTING: Final = re.compile(r"rc(?:\.[a-z][\w.]*)?[:=]\S", re.ASCII)
NEVER_SET: Final = frozenset({"id", "_deleted"})


class WordError(ValueError):
    """A word that cannot be meant so; the message says what to write instead."""


class Tag(NamedTuple):
    name: str
    wanted: bool


class Field(NamedTuple):
    """`modifier` is empty without one; `is_json`: the value is to be read as JSON."""

    name: str
    modifier: str
    value: str
    is_json: bool


class Text(NamedTuple):
    text: str


def read_words(words: Iterable[str]) -> list[Tag | Field | Text]:
    """Raises WordError for what looks like an option."""
    read: list[Tag | Field | Text] = []
    literal = False
    for word in words:
        if literal:
            read.append(Text(word))
        elif word == "--":
            literal = True
        elif word.startswith("--"):
            raise WordError(f"there is no option {word}. If it is meant as text, write -- before it.")
        else:
            read.append(_read(word))
    return read


def _read(word: str) -> Tag | Field | Text:
    if _SETTING.match(word):
        raise WordError(
            f"{word} is a setting of Taskwarrior's; ours are in the config: hypertask config show. If it is meant as "
            "text, write -- before it."
        )
    if match := _TAG.match(word):
        return Tag(match[2], match[1] == "+")
    match = _FIELD.match(word)
    if match is None or match[3].startswith(("//", " ")):
        return Text(word)
    name, modifier = match[1], ""
    before, dot, last = name.rpartition(".")
    if dot and last in MODIFIERS:
        name, modifier = before, MODIFIERS[last]
    return Field(name, modifier, match[3], match[2] == "=")
