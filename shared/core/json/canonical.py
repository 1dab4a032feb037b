"""The canonical form of a JSON value and the content hash, exact and in pure Python.

Source: RFC 8785 (JSON Canonicalization Scheme); numbers as ECMAScript 2019 `Number::toString` prints them.
`shared.codec` has the fast path; this module is the reference that it is held against and falls back to.

Laws (tests/unit/test_codec.py):
    canonical(v) == canonical(w)  <=>  equal(v, w)
    canonical(v) is accepted by the strict parser, and canonical(parse(canonical(v))) == canonical(v)
    the order of keys, 1 against 1.0 and -0 against 0 do not matter; true against 1 does.
"""

from __future__ import annotations

import marshal
import math
from json.encoder import encode_basestring
from typing import Any, Final

from shared.core.identifiers import ContentHash

JsonValue = Any
"""None, bool, int, float, str, list[JsonValue] or dict[str, JsonValue]."""

MAX_SAFE_INTEGER: Final = 2**53 - 1
HASH_HEX_DIGITS: Final = 32
CONTAINERS: Final = (dict, list)
"""For isinstance, which is asked for each value: to make `dict | list` each time takes four times as long."""
_MAX_DIGITS: Final = 310
"""Of an integer that a double can hold, its sign included."""

_TEXTS: Final = frozenset({str})


def canonical(value: JsonValue) -> bytes:
    """RFC 8785 bytes of `value`.

    Raises ValueError for what JSON cannot say: NaN, infinities, lone surrogates, keys that are no strings.
    """
    parts: list[str] = []
    _write(value, parts)
    return "".join(parts).encode("utf-8")


def content_hash(value: JsonValue) -> ContentHash:
    """The first 32 hex digits (128 bits) of SHA-256 over the canonical form."""
    return hash_of_canonical(canonical(value))


def hash_of_canonical(data: bytes) -> ContentHash:
    """The content hash of bytes that are canonical already."""
    import hashlib  # noqa: PLC0415  it takes time to load, and a command that lists tasks hashes none

    return ContentHash(hashlib.sha256(data).hexdigest()[:HASH_HEX_DIGITS])


def equal(a: JsonValue, b: JsonValue) -> bool:
    """Equality of JSON values: as their canonical forms, without making them.

    Python's own == is not it: it takes True for 1.
    """
    if a is b:
        return True
    if a is None or b is None:
        return False
    if type(a) is str:  # most values are texts, and nothing else is equal to one
        return bool(a == b)
    if not (isinstance(a, CONTAINERS) and isinstance(b, CONTAINERS)):
        return _equal(a, b)
    # Most are not even equal by Python's ==, and most that are have the same bytes. Both is seen at the speed of C.
    return bool(a == b) and (marshal.dumps(a, 2) == marshal.dumps(b, 2) or _equal(a, b))


def _equal(a: JsonValue, b: JsonValue) -> bool:
    if a is b:
        return True
    if isinstance(a, bool) or isinstance(b, bool) or a is None or b is None:
        return False  # singletons: equal ones are identical
    if isinstance(a, dict):
        return isinstance(b, dict) and len(a) == len(b) and all(k in b and _equal(v, b[k]) for k, v in a.items())
    if isinstance(a, list):
        return isinstance(b, list) and len(a) == len(b) and all(map(_equal, a, b))
    if isinstance(b, CONTAINERS):
        return False
    return bool(a == b)


def number(value: float) -> str:
    """A double or a safe integer as ECMAScript prints it (ECMA-262, Number::toString, radix 10).

    Python's repr gives the same shortest digits that round-trip; only their arrangement differs.
    """
    if isinstance(value, int) and -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER:
        return str(value)
    value = float(value)
    if not math.isfinite(value):
        raise ValueError("a number must be finite")
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = repr(abs(value)).partition("e")
    integer, _, fraction = mantissa.partition(".")
    digits = (integer + fraction).lstrip("0")
    # n: the value is 0.DIGITS x 10**n, ECMA-262's n
    n = len(integer) + int(exponent or 0) - (len(integer + fraction) - len(digits))
    digits = digits.rstrip("0")
    k = len(digits)
    if k <= n <= 21:
        return sign + digits + "0" * (n - k)
    if 0 < n <= 21:
        return sign + digits[:n] + "." + digits[n:]
    if -6 < n <= 0:
        return sign + "0." + "0" * -n + digits
    e = f"e{'+' if n > 0 else '-'}{abs(n - 1)}"
    return sign + digits[0] + ("." + digits[1:] if k > 1 else "") + e


def integral_double(text: str) -> float | None:
    """The double that the digits of an integer beyond +-MAX_SAFE_INTEGER stand for; None if they stand for none.

    They do if the double has exactly that value, or if RFC 8785 writes the double so: 2**63 is read from
    9223372036854775808 and from 9223372036854776000, and no double from 9007199254740993, which would come back as
    another number.
    """
    if len(text) > _MAX_DIGITS:
        return None
    value = float(text)
    if math.isinf(value):
        return None
    return value if int(text) == value or number(value) == text else None


def utf16_key(key: str) -> bytes:
    """The sort key of RFC 8785: UTF-16 code units, big-endian so that bytes compare as they do."""
    return key.encode("utf-16-be")


def _write(value: JsonValue, parts: list[str]) -> None:
    match value:
        case None:
            parts.append("null")
        case True:
            parts.append("true")
        case False:
            parts.append("false")
        case str():
            parts.append(encode_basestring(value))
        case int() | float():
            parts.append(number(value))
        case list() if _TEXTS.issuperset(map(type, value)):
            parts.append(f"[{','.join(map(encode_basestring, value))}]")
        case list():
            separator = "["
            for item in value:
                parts.append(separator)
                _write(item, parts)
                separator = ","
            parts.append("]")
        case dict():
            if not all(isinstance(key, str) for key in value):
                raise ValueError("a key must be a string")
            separator = "{"
            for key in sorted(value, key=utf16_key):
                parts.append(f"{separator}{encode_basestring(key)}:")
                _write(value[key], parts)
                separator = ","
            parts.append("}" if value else "{}")
        case _:
            raise ValueError(f"not a JSON value: {type(value).__name__}")
