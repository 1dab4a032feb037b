"""Random JSON of the kinds that merging is about, and edits of it. Everything comes from the generator it is given.

Small alphabets on purpose: equal elements, equal keys, values that one language takes for equal and another does not.
"""

from __future__ import annotations

import copy
import json
import math
import random
import struct
from typing import Any

from shared.core.merge.arrays import KEY_FIELDS

JsonValue = Any

WORDS = (
    *(
        "",
        "a",
        "b",
        "A",
        "ab",
        "é",
        "\U0001f600",
        "\ufb33",
        "a string that is strong",
        "another strong string",
        "ß",
        "ẞ",
    ),
    *(
        "1.2.3",
        "v2.0.0-rc.1",
        "^1.2|^2.0",
        "^1.3 || ~2.1 || ^3.0",
        "1.10",
        "https://example.org/a/1/b?x=2",
        "2026-01-02",
    ),
    *(
        "Straße 12",
        "STRASSE 12",
        "one two 3 four",
        "one TWO 3 four",
        "x²",
        "line one\nline two\nline three",
        "5 apples",
    ),
    *("2026-01-01T10:00:00Z", "2026-01-01T11:00:00+02:00", "20260101T000000Z", "2026-02-30T00:00:00Z"),
)
NUMBERS = (0, 1, 1.0, -0.0, 2, 1.5, -1, 2**53 - 1, 1e21, 5e-324, 100, 250, 1e-7, 123456.75)
KEYS = (
    *(
        "a",
        "b",
        "c",
        "",
        "a/b",
        "m~n",
        "a.b",
        "$set",
        "-",
        "0",
        "10",
        "tags",
        "x y",
        "notes",
        "__proto__",
        "toString",
    ),
    *(*KEY_FIELDS, "updated_at", "modified", "\U0001f600", "\ufb33"),
)
STRATEGIES = ("lww", "set", "list", "text", "counter", "max", "min", "version")
PATTERNS = ("", "/**", "/*", "/a", "/b", "/tags", "/notes", "/a/*", "/*/b", "/a/**", "/c/*/a", "/tags/*/**", "/m~0n")


def scalar(rng: random.Random) -> JsonValue:
    """null, a truth value, a number or a string."""
    return rng.choice(
        (None, True, False, rng.choice(NUMBERS), rng.randint(-5, 20), rng.choice(WORDS), rng.choice(WORDS))
    )


def value(rng: random.Random, depth: int = 3) -> JsonValue:
    """Any JSON value."""
    kind = rng.random()
    if depth == 0 or kind < 0.45:
        return scalar(rng)
    if kind < 0.7:
        return {rng.choice(KEYS): value(rng, depth - 1) for _ in range(rng.randrange(6))}
    return array(rng, depth)


def array(rng: random.Random, depth: int = 3) -> list[JsonValue]:
    """Sets, sorted sets, with duplicates, with named members, of records without names, of anything."""
    size = rng.randrange(8)
    match rng.randrange(9):
        case 0:
            return rng.sample("abcdefghABé", size)
        case 1:
            return sorted(rng.sample("abcdefgh", size))
        case 2:
            return sorted(rng.sample(range(30), size))
        case 3:
            return [rng.choice((0, 1, True, "a", None)) for _ in range(size)]
        case 4:
            return [rng.choice("abc") for _ in range(size)]
        case 5 | 6:
            field = rng.choice(KEY_FIELDS)
            names: list[Any] = rng.sample([*"abcdef", 0, 1, 2], size)
            inner = [{rng.choice("abct"): value(rng, depth - 1) for _ in range(rng.randrange(4))} for _ in names]
            return [{**fields, field: name} for fields, name in zip(inner, names, strict=True)]
        case 7:
            return [
                {"text": rng.choice(WORDS), "n": rng.randrange(4), "done": rng.random() < 0.5} for _ in range(size)
            ]
        case _:
            return [value(rng, depth - 1) for _ in range(size)]


def document(rng: random.Random) -> dict[str, JsonValue]:
    """The body of a document."""
    return {**{rng.choice(KEYS): value(rng) for _ in range(rng.randrange(7))}, "id": "the-document"}


def edited(rng: random.Random, of: JsonValue, times: int = 4) -> JsonValue:
    """The value after up to `times` edits, each somewhere in it."""
    of = copy.deepcopy(of)
    for _ in range(rng.randint(0, times)):
        of = _edit(rng, of)
    return of


def _edit(rng: random.Random, of: JsonValue) -> JsonValue:
    if isinstance(of, dict) and of:
        return _edit_object(rng, of)
    if isinstance(of, list) and of:
        return _edit_array(rng, of)
    if isinstance(of, str) and of and rng.random() < 0.6:
        return _edit_text(rng, of)
    return value(rng, 2)


def _edit_text(rng: random.Random, of: str) -> str:
    at = rng.randrange(len(of) + 1)
    insertion = rng.choice(("1", "22", " word", "\nanother line", "x", "²", "é"))
    return rng.choice((of[:at] + insertion + of[at:], of[:at] + of[at + 1 :], of.replace("1", "7"), of + insertion))


def _edit_object(rng: random.Random, of: dict[str, JsonValue]) -> JsonValue:
    key = rng.choice(sorted(of))
    match rng.randrange(6):
        case 0 | 1 | 2:
            of[key] = _edit(rng, of[key])
        case 3:
            of[rng.choice(KEYS)] = value(rng, 2)
        case 4:
            del of[key]
        case _:
            of[rng.choice(KEYS)] = of.pop(key)
    return {**of, "id": "the-document"} if of.get("id") == "the-document" or key == "id" else of


def _edit_array(rng: random.Random, of: list[JsonValue]) -> JsonValue:
    index = rng.randrange(len(of))
    match rng.randrange(7):
        case 0 | 1:
            of[index] = _edit(rng, of[index])
        case 2 | 3:
            of.insert(index, _like(rng, of))
        case 4:
            del of[index]
        case 5:
            of.insert(rng.randrange(len(of)), of.pop(index))
        case _:
            of.append(_like(rng, of))
    return of


def _like(rng: random.Random, of: list[JsonValue]) -> JsonValue:
    """An element that goes with the others."""
    first = of[0]
    if isinstance(first, dict):
        return {**copy.deepcopy(first), **{field: rng.choice("ghij") for field in KEY_FIELDS if field in first}}
    if isinstance(first, str):
        return rng.choice("abcdefgh")
    return rng.randrange(40) if isinstance(first, int) and rng.random() < 0.7 else value(rng, 1)


def policies(rng: random.Random) -> dict[str, JsonValue]:
    """A declaration; valid, but for one in a while."""
    declared: dict[str, JsonValue] = {}
    for _ in range(rng.randrange(4)):
        pattern = rng.choice(PATTERNS)
        strategy = rng.choice((*STRATEGIES, "delete-wins", "exact", "secret"))
        declared[pattern] = rng.choice((strategy, [strategy], [rng.choice(STRATEGIES), "delete-wins"]))
    if rng.random() < 0.05:
        declared[rng.choice(("no pointer", "/~2", "/**/a", "/a"))] = rng.choice(("text", "none", [], ["lww", "set"]))
    return declared


def any_number(rng: random.Random) -> float:
    """A double of any size; whole ones beyond 2^53 among them."""
    kind = rng.randrange(4)
    if kind == 0:
        return rng.randrange(-(2**53) + 1, 2**53)
    if kind == 1:
        return float(rng.randrange(2**53, 10**22))
    if kind == 2:
        return rng.choice((1, -1)) * rng.random() * 10.0 ** rng.randrange(-320, 308)
    [found] = struct.unpack("<d", rng.getrandbits(64).to_bytes(8, "little"))
    return float(found) if math.isfinite(found) else 0.5


def any_text(rng: random.Random) -> str:
    """Characters of all planes."""
    points = (*range(0x80), 0xE9, 0x2028, 0xD7FF, 0xE000, 0xFB33, 0xFFFD, 0xFFFF, 0x1F600, 0x10FFFF)
    return "".join(chr(rng.choice(points)) for _ in range(rng.randrange(9)))


def any_value(rng: random.Random, depth: int = 3) -> JsonValue:
    """A JSON value with any numbers and any texts."""
    kind = rng.randrange(6 if depth else 4)
    if kind == 0:
        return rng.choice((None, True, False, "", [], {}))
    if kind < 3:
        return any_number(rng)
    if kind == 3:
        return any_text(rng)
    if kind == 4:
        return [any_value(rng, depth - 1) for _ in range(rng.randrange(5))]
    return {any_text(rng): any_value(rng, depth - 1) for _ in range(rng.randrange(5))}


def spoiled(rng: random.Random, text: str) -> str:
    """A text with a change that may make it invalid, or another value."""
    at = rng.randrange(len(text) + 1)
    what = rng.choice(
        (
            *(
                "{",
                "}",
                "[",
                "]",
                ",",
                ":",
                '"',
                "\\",
                "0",
                "-",
                ".5",
                "e9",
                "e999",
                " ",
                "\n",
                "\t",
                "NaN",
                "Infinity",
            ),
            *(
                "\\ud800",
                "\\udc00\\ud800",
                '"a":1,"a":2',
                '"\\u0000":1',
                "9007199254740993",
                "9007199254740992",
                "1e400",
            ),
            *(
                "[" * 70,
                '{"a":' * 66,
                "null",
                "tru",
                "\x00",
                "\x1f",
                "\ufeff",
                "//",
                "'",
                "100000000000000000",
                "1" * 400,
            ),
        )
    )
    return rng.choice(
        (text[:at] + what + text[at:], text[:at] + text[at + 1 :], text[:at], text.replace(",", ",,", 1))
    )


def text_of(rng: random.Random, of: JsonValue) -> str:
    """JSON text of a value, in one of several ways of writing it."""
    return json.dumps(of, ensure_ascii=rng.random() < 0.5, indent=rng.choice((None, None, 1)))
