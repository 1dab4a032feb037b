"""Bytes <-> JSON values: strict parsing, canonical bytes, the content hash, and the client states that are made of
them.

Parsing and hashing go through orjson where that is provably the same as the reference code in `shared.core.json`, and
through the reference code elsewhere. Why the quick tests suffice stands beside each of them; a Hypothesis test
(tests/unit/test_codec.py) compares the fast path with the reference path on arbitrary JSON.
"""

from __future__ import annotations

import json
import re
from itertools import chain
from typing import Any, Final, NamedTuple

import orjson

from shared.core.identifiers import Body, ContentHash, DocumentId, JsonText
from shared.core.json import canonical as reference
from shared.core.json import strict
from shared.core.json.canonical import JsonValue
from shared.core.json.strict import Fault, FaultError
from shared.core.protocol import Limits

# In orjson's compact output a number follows ':' '[' or ','. It differs from RFC 8785 only where it prints
# '.0' (which is how it prints -0) or an exponent, and for integers that a double cannot hold (16 digits or more). A
# match may also lie inside a string: then the reference path is taken for nothing, which is slow and right.
_NUMBER_DIFFERS: Final = rb"[:\[,]-?(?:\d+\.0[,\]}]|[\d.]+e|0\.0|\d{16})"
# No number differs where none of three is: '.0', a digit before an 'e', and sixteen digits in a row. They are looked
# for first, by means that take a fifth of the pattern's time; it is compiled when it is used.
_DIGITS_ALIKE: Final = bytes(0x30 if code in b"0123456789" else code if code in b"e" else 0x20 for code in range(256))
"""All digits are the same; what is neither one nor an 'e' is a blank."""
_SIXTEEN: Final = b"0" * 16
# orjson sorts keys by code point, RFC 8785 by UTF-16 unit: that differs only between astral characters
# (UTF-8 lead bytes F0-F4, UTF-16 units D800-DFFF) and U+E000-U+FFFF (lead bytes EE, EF).
_ASTRAL: Final = re.compile(rb"[\xf0-\xf4]")
_ABOVE_SURROGATES: Final = re.compile(rb"[\xee\xef]")

# What orjson would mend silently: integers out of range (sixteen digits or more in a row, before a point or
# without one; it raises for overflow to infinity by itself). A number stands behind one of these; hashes and revs, in
# which there are as many digits now and then, stand behind a quotation mark.
_BEFORE_NUMBER: Final = frozenset(b":[, \t\n\r\f\v")
_ESCAPED: Final = b"\\u003"
_ESCAPED_COLON: Final = rb"\\u003[aA]"


def dumps(value: Any) -> bytes:
    """Compact JSON; keys in the order they have. A JsonText stands for what it says."""
    return orjson.dumps(value, default=_fragment)


def _fragment(value: object) -> orjson.Fragment:
    if isinstance(value, JsonText):
        return orjson.Fragment(bytes(value))
    raise TypeError


def size_of(value: Any) -> int:
    """Bytes of the JSON text. What counts towards a quota."""
    return len(dumps(value))


def loads(data: bytes) -> Any:
    """JSON that this project wrote itself (queue, cache). For what clients send there is `parse`, for what a server
    answers `loads_answer`."""
    return orjson.loads(data)


def loads_answer(data: bytes) -> Any:
    """JSON of a server, which may be another program: an integer beyond +-(2^53 - 1) becomes the double that it is.
    Raises ValueError."""
    value = orjson.loads(data)
    if not _has_long_number(data):
        return value
    return json.loads(data, parse_int=_number)


def _number(text: str) -> float:
    return value if abs(value := int(text)) <= reference.MAX_SAFE_INTEGER else float(text)


def canonical(value: JsonValue) -> bytes:
    """RFC 8785 bytes, as `shared.core.json.canonical.canonical`, about six times faster for most documents."""
    if not isinstance(value, dict | list):
        return reference.canonical(value)
    try:
        data = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # nesting or integers that orjson does not take
        return reference.canonical(value)
    return data if _is_canonical(data) else reference.canonical(value)


def content_hash(value: JsonValue) -> ContentHash:
    """First 32 hex digits of SHA-256 over the canonical form."""
    return reference.hash_of_canonical(canonical(value))


class Plain(NamedTuple):
    """What a text says of which it is certain that it is in the profile, but for its depth."""

    value: JsonValue
    text: bytes
    """Compact."""


def plain_of(raw: bytes) -> Plain | None:
    """None: it may be outside the profile."""
    try:
        value = orjson.loads(raw)
        again = orjson.dumps(value)
    except (orjson.JSONDecodeError, TypeError):
        return None
    return Plain(value, again) if _nothing_mended(raw, again) else None


def parse(raw: bytes, *, max_depth: int, plain: Plain | None = None) -> JsonValue:
    """The value of a client's text, by the I-JSON profile; raises FaultError, see `shared.core.json.strict`. `plain`:
    of the text, if that is known."""
    plain = plain or plain_of(raw)
    if plain is not None and not _deeper(plain.value, plain.text, max_depth):
        return plain.value
    return strict.parse(raw, max_depth=max_depth)  # raises, with the place


def _is_canonical(data: bytes) -> bool:
    if _may_differ(data) and re.search(_NUMBER_DIFFERS, data):
        return False
    return data.isascii() or not (_ASTRAL.search(data) and _ABOVE_SURROGATES.search(data))


def _may_differ(data: bytes) -> bool:
    """False: certainly `_NUMBER_DIFFERS` finds nothing."""
    if b"." in data and b".0" in data:  # a single character is found faster, and most documents have none
        return True
    alike = data.translate(_DIGITS_ALIKE)
    return b"0e" in alike or _SIXTEEN in alike


def _deeper(value: JsonValue, text: bytes, most: int) -> bool:
    """Whether objects and arrays lie deeper inside each other in `value`, which `text` says. The text is asked first:
    most documents have few brackets. Else all of one depth are looked at together."""
    if text.count(b"{") + text.count(b"[") <= most:
        return False
    level = [value]
    for _ in range(most + 1):
        lists = [item for item in level if type(item) is list]
        objects = [item.values() for item in level if type(item) is dict]
        if not lists and not objects:
            return False
        level = [
            item
            for item in chain(chain.from_iterable(lists), chain.from_iterable(objects))
            if type(item) in _CONTAINERS
        ]
    return True


_CONTAINERS: Final = frozenset({list, dict})


def _nothing_mended(raw: bytes, again: bytes) -> bool:
    """Whether it is certain that orjson read `raw`, and wrote `again` for it, without mending what is outside the
    profile. Depth is another question."""
    # Every key brings one colon outside strings. `again` holds what orjson kept, its strings literal; so if
    # no colon hides behind an escape in `raw`, the counts are equal exactly when nothing was dropped, that
    # is, when no key came twice.
    if b"\\" in raw and (b"\\u0000" in raw or (_ESCAPED in raw and re.search(_ESCAPED_COLON, raw))):
        return False
    return raw.count(b":") == again.count(b":") and not _has_long_number(raw)


def _has_long_number(text: bytes) -> bool:
    """It may also lie inside a string."""
    alike = text.translate(_DIGITS_ALIKE)
    at = alike.find(_SIXTEEN)
    while at >= 0:
        start = at - 1 if text[at - 1 : at] == b"-" else at
        if start == 0 or text[start - 1] in _BEFORE_NUMBER:
            return True
        at = alike.find(_SIXTEEN, alike.find(b" ", at))  # none begins before that
    return False


def check_depth(value: JsonValue, most: int, pointer: str) -> None:
    """Raises FaultError if objects and arrays lie deeper inside each other in `value`, which is in the profile
    otherwise."""
    if _deeper(value, orjson.dumps(value), most):
        strict.check(value, max_depth=most, root=pointer)


def marks_in(raw: bytes) -> int:
    """How many characters there are that can begin a value; there are no more values in the text than one more."""
    return len(raw) - len(raw.translate(None, _MARKS))


_MARKS: Final = b",[{:"


class ClientState(NamedTuple):
    """What a client thinks a document is, checked, with its content hash. `body` None: it has none."""

    body: Body | None
    hash: ContentHash | None


def checked_state(state: JsonValue, document: DocumentId, pointer: str, limits: Limits) -> ClientState:
    """`state` as a state of `document`. Raises FaultError: no object, id missing or another, too large."""
    body, data = checked_canonical(state, document, pointer, limits)
    return ClientState(body, reference.hash_of_canonical(data))


def checked_canonical(state: JsonValue, document: DocumentId, pointer: str, limits: Limits) -> tuple[Body, bytes]:
    """The same with the canonical form: not everybody needs the hash of it. Raises as `checked_state` does."""
    if not isinstance(state, dict):
        raise FaultError(Fault("not an object", "A document is a JSON object.", pointer))
    identity = state.get("id")
    if identity != document:
        reason = "id mismatch" if isinstance(identity, str) else "id missing"
        detail = f'A document has a string "id" equal to its address: "{document}".'
        raise FaultError(Fault(reason, detail, f"{pointer}/id"))
    data = canonical(state)
    if len(data) > limits.max_document_bytes:
        detail = f"The canonical form has {len(data)} bytes; {limits.max_document_bytes} are allowed."
        raise FaultError(Fault("too large", detail, pointer))
    return state, data
