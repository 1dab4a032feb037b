"""JSON values as BSON keeps them. One thing needs care: the driver takes an object with `$ref` and `$id` for a
reference of its own, and gives back less than it was given. Such a `$ref` is stored under another name.

Laws (tests/unit/test_bodies.py):
    restored(stored(v)) == v, and v is not changed
    may_have_other_names(BSON of stored(v)) if stored(v) != v
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import orjson

from shared import codec
from shared.large import LARGE, weight_of

_REF: Final = b'$ref":'
"""How a key that ends so looks in compact JSON; text that looks so is walked for nothing."""
_OTHER_NAME: Final = b"~$ref\0"
"""How a name that `stored` gave ends in BSON."""
_ESCAPED: Final = re.compile(r"~+\$ref\Z")


def stored(value: Any) -> Any:
    """What is given to the driver: `value` itself where nothing needs another name."""
    return _renamed(value, _name) if _may_have_ref(value) else value


class StoredBody(NamedTuple):
    """What one look at the JSON text of a document tells."""

    value: Any
    """What is given to the driver."""
    size: int
    """Bytes of the text."""
    weight: int
    """Of the document, or more: see `shared.large`."""


def stored_body(body: dict[str, Any]) -> StoredBody:
    """`stored` of a document, and what else is asked of it."""
    text = codec.dumps(body)
    return StoredBody(_renamed(body, _name) if _REF in text else body, len(text), weight_of(text))


def restored(value: Any) -> Any:
    """What `stored` was given."""
    return _renamed(value, _original) if _may_have_ref(value) else value


def restored_and_weight(value: Any) -> tuple[Any, int]:
    """The same, and the weight of it or more: see `shared.large`."""
    try:
        text = orjson.dumps(value)
    except TypeError:
        return _renamed(value, _original), LARGE + 1
    return (_renamed(value, _original) if _REF in text else value), weight_of(text)


def _may_have_ref(value: Any) -> bool:
    """Whether some key may end in `$ref`. A walk over a large body would hold up the event loop; this does not."""
    try:
        return _REF in orjson.dumps(value)
    except TypeError:  # nesting or integers that orjson does not take
        return True


def _renamed(value: Any, name: Callable[[str, dict[str, Any]], str]) -> Any:
    if isinstance(value, dict):
        new = {name(key, value): _renamed(item, name) for key, item in value.items()}
        return value if all(k is n and value[k] is new[n] for k, n in zip(value, new, strict=True)) else new
    if isinstance(value, list):
        items = [_renamed(item, name) for item in value]
        return value if all(map(_is, value, items)) else items
    return value


def may_have_other_names(rows: memoryview) -> bool:
    """Whether some key of these, which are BSON, may be one that `stored` made."""
    return _OTHER_NAME in bytes(rows)


def _is(a: object, b: object) -> bool:
    return a is b


def _name(key: str, among: dict[str, Any]) -> str:
    if (key == "$ref" and "$id" in among) or (key.startswith("~") and _ESCAPED.match(key)):
        return "~" + key
    return key


def _original(key: str, _among: dict[str, Any]) -> str:
    return key[1:] if key.startswith("~") and _ESCAPED.match(key) else key
