"""Parsing JSON text by the I-JSON profile, exactly and with the place of the fault.

This is the slow, exact reference path: `shared.codec` takes it only for texts that its quick tests cannot clear.
Nothing is mended silently: a duplicate key, a number out of range or a lone surrogate is an error. An integer beyond
+-(2^53 - 1) is in range if it says a double: exactly, or as RFC 8785 writes that double. It becomes a float then, as
with any other spelling of the same number.
"""

from __future__ import annotations

import json
import math
import re
from functools import cache
from typing import Any, Final, NamedTuple

from shared.core.json.canonical import MAX_SAFE_INTEGER, JsonValue, integral_double


class Fault(NamedTuple):
    """What is wrong with a text or a value."""

    reason: str
    """Stable, in words: 'duplicate key', 'number out of range', 'lone surrogate', ..."""
    detail: str
    pointer: str | None = None
    """RFC 6901 pointer into the text's value; None where the text is no JSON at all."""

    @property
    def malformed(self) -> bool:
        """True for what is not JSON; False for JSON outside the profile."""
        return self.pointer is None


class FaultError(ValueError):
    """Carries the Fault out of the parser."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.detail)
        self.fault = fault


class _Pairs(list[tuple[str, Any]]):
    """An object as it stood in the text, duplicate keys and all."""


class _Bad:
    """A number or a word that JSON text may not hold; kept so that the walk can say where it stood."""

    __slots__ = ("reason", "text")

    def __init__(self, text: str, reason: str) -> None:
        self.text = text
        self.reason = reason


_DIGITS_OF_SAFE: Final = len(str(MAX_SAFE_INTEGER))


def _integer(text: str) -> float | _Bad:
    if len(text) < _DIGITS_OF_SAFE or (len(text) <= _DIGITS_OF_SAFE + 1 and abs(int(text)) <= MAX_SAFE_INTEGER):
        return int(text)
    value = integral_double(text)
    return _Bad(_clip(text), "number out of range") if value is None else value


def _float(text: str) -> float | _Bad:
    value = float(text)
    return value if abs(value) != float("inf") else _Bad(_clip(text), "number out of range")


def _constant(text: str) -> _Bad:
    return _Bad(text, "not a JSON number")


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_Pairs, parse_int=_integer, parse_float=_float, parse_constant=_constant
)


def parse(raw: bytes, *, max_depth: int, root: str = "") -> JsonValue:
    """The value that `raw` says. `root` is the pointer that stands for the whole text.

    Raises FaultError: malformed text, duplicate key, number out of range, lone surrogate, NUL in a key,
    nesting deeper than `max_depth`.
    """
    return _check(_decoded(raw, max_depth, root), root, max_depth)


def parse_each(raw: bytes, name: str, *, max_depth: int) -> list[tuple[str, JsonValue | Fault]] | None:
    """The members of the object that stands under `name` in the text, in order: one that is outside the profile is
    a Fault and does not stop the others. `max_depth` is that of each of them. None: the text has another form.

    Raises FaultError where the text is not JSON at all, or nested too deeply to be looked at, or where a member's own
    name is no text: no answer could name it.
    """
    outer = _decoded(raw, max_depth + 2, "")
    if not isinstance(outer, _Pairs) or [key for key, _ in outer] != [name] or not isinstance(outer[0][1], _Pairs):
        return None
    members: dict[str, JsonValue | Fault] = {}
    for key, item in outer[0][1]:
        pointer = f"/{name}/{_escaped(key)}"
        _check(key, f"/{name}", max_depth)
        try:
            if key in members:
                raise FaultError(Fault("duplicate key", f"The key {json.dumps(_clip(key))} occurs twice.", pointer))
            members[key] = _check(item, pointer, max_depth)
        except FaultError as error:
            members[key] = error.fault
    return list(members.items())


def check(value: JsonValue, *, max_depth: int, root: str = "") -> None:
    """Raises FaultError if `value`, made by a program and not parsed from text, is outside the profile."""
    _check(value, root, max_depth)


def _decoded(raw: bytes, max_depth: int, root: str) -> Any:
    """The text's value with its objects as pairs, not checked yet."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FaultError(Fault("not UTF-8", f"The text is not UTF-8: byte {error.start}.")) from None
    try:
        return _DECODER.decode(text)
    except RecursionError:
        place = _too_deep(text, max_depth) or ""
        raise FaultError(
            Fault("too deep", f"Objects and arrays may be nested {max_depth} deep.", root + place)
        ) from None
    except json.JSONDecodeError as error:
        if (deep := _too_deep(text, max_depth)) is not None:
            detail = f"Objects and arrays may be nested {max_depth} deep."
            raise FaultError(Fault("too deep", detail, root + deep)) from None
        where = f"line {error.lineno} column {error.colno}"
        what = error.msg.removesuffix(" at")
        raise FaultError(Fault("malformed JSON", f"The text is not JSON: {what} at {where}.")) from None


@cache
def _mark() -> re.Pattern[str]:
    """Made when it is needed, which is seldom: that takes time."""
    # Nothing is tried twice: a string that does not end reaches to the end of the text.
    return re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[\[\]{},]', re.DOTALL)


def _too_deep(text: str, max_depth: int) -> str | None:
    """Where `text`, which need not be JSON, is nested too deeply: a pointer, or None."""
    if text.count("[") + text.count("{") <= max_depth:
        return None
    steps: list[int | str] = []  # the index or the key in each container that is open
    word = ""
    for match in _mark().finditer(text):
        mark = match.group()
        if mark in "[{":
            if steps and isinstance(steps[-1], str):
                steps[-1] = word
            if len(steps) >= max_depth:
                return "".join(f"/{_segment(step)}" for step in steps)
            steps.append(0 if mark == "[" else "")
        elif mark in "]}":
            if steps:
                steps.pop()
        elif mark == ",":
            if steps and isinstance(steps[-1], int):
                steps[-1] += 1
        else:
            word = mark
    return None


def _segment(step: int | str) -> str:
    if not isinstance(step, str):
        return str(step)
    try:
        return str(json.loads(step)).replace("~", "~0").replace("/", "~1")
    except ValueError:
        return ""


def _check(value: Any, root: str, max_depth: int) -> JsonValue:
    """`value` with its objects as dicts, which stands at `root`. Raises FaultError."""
    try:
        return _checked(value, 0, max_depth)
    except _FoundError as error:
        place = "".join(f"/{_escaped(str(step))}" for step in reversed(error.path))
        raise FaultError(Fault(error.reason, error.detail, root + place)) from None


class _FoundError(Exception):
    """A fault, whose place is put together on the way out: while nothing is wrong no pointer is made, which may be
    long, with a long key, and would be made for each value below it."""

    def __init__(self, reason: str, detail: str, *path: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.path: list[str | int] = list(path)
        """The innermost step first."""


def _checked(value: Any, depth: int, max_depth: int) -> JsonValue:
    kind = type(value)
    if kind is str:
        _check_text(value)
        return value
    if kind is list:
        return _checked_list(value, depth, max_depth)
    if isinstance(value, dict | _Pairs):
        return _checked_object(value, depth, max_depth)
    if kind is bool or value is None:
        return value
    if kind is float:
        if not math.isfinite(value):
            raise _FoundError("number out of range", "Numbers are finite.")
        return value
    if kind is int:
        if abs(value) > MAX_SAFE_INTEGER:
            raise _FoundError("number out of range", f"Integers lie within +-{MAX_SAFE_INTEGER}.")
        return value
    if isinstance(value, _Bad):
        raise _FoundError(value.reason, f"{value.reason.capitalize()}: {value.text}.")
    if isinstance(value, str | int | float | list):  # of a derived type, which a program may use
        return _checked(_plain(value), depth, max_depth)
    raise _FoundError("not JSON", f"{kind.__name__} is no JSON value.")


def _plain(value: str | int | float | list[Any]) -> JsonValue:
    match value:
        case str():
            return str(value)
        case int():
            return int(value)
        case float():
            return float(value)
        case _:
            return list(value)


def _checked_list(values: list[Any], depth: int, max_depth: int) -> JsonValue:
    if depth >= max_depth:
        raise _too_deep_error(max_depth)
    if _FLAGS.issuperset(map(type, values)):
        return values
    result: list[JsonValue] = []
    try:
        for item in values:
            result.append(_checked(item, depth + 1, max_depth))
    except _FoundError as error:
        error.path.append(len(result))
        raise
    return result


_FLAGS: Final = frozenset({bool, type(None)})


def _checked_object(value: Any, depth: int, max_depth: int) -> dict[str, JsonValue]:
    if depth >= max_depth:
        raise _too_deep_error(max_depth)
    result: dict[str, JsonValue] = {}
    for key, item in value.items() if isinstance(value, dict) else value:
        _check_text(key)
        if "\x00" in key:
            detail = "A key must not contain U+0000: the store cannot hold it."
            raise _FoundError("NUL in a key", detail, key)
        if key in result:
            detail = f"The key {json.dumps(_clip(key))} occurs twice in one object."
            raise _FoundError("duplicate key", detail, key)
        try:
            result[key] = _checked(item, depth + 1, max_depth)
        except _FoundError as error:
            error.path.append(key)
            raise
    return result


def _check_text(text: str) -> None:
    if text.isascii():
        return
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        code = ord(text[error.start])
        raise _FoundError("lone surrogate", f"U+{code:04X} stands alone; it is half of a character.") from None


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def _too_deep_error(max_depth: int) -> _FoundError:
    return _FoundError("too deep", f"Objects and arrays may be nested {max_depth} deep.")


def _clip(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "..."
