"""JSON values as BSON keeps them. One thing needs care: the driver takes an object with `$ref` and `$id` for a
reference of its own, and gives back less than it was given. Such a `$ref` is stored under another name.

Laws (tests/unit/test_bodies.py):
    restored(stored(v)) == v, and v is not changed
    body_text(stored(v)) says v
"""

from __future__ import annotations

import re
from typing import Any, Final

import orjson

_ESCAPED: Final = re.compile(r"~+\$ref\Z")


def stored(value: Any) -> Any:
    """What is given to the driver: `value` itself where nothing needs another name."""
    if isinstance(value, dict):
        new = {_name(key, value): stored(item) for key, item in value.items()}
        return value if all(k is n and value[k] is new[n] for k, n in zip(value, new, strict=True)) else new
    if isinstance(value, list):
        items = [stored(item) for item in value]
        return value if all(map(_is, value, items)) else items
    return value


def restored(value: Any) -> Any:
    """What `stored` was given."""
    if isinstance(value, dict):
        new = {_original(key): restored(item) for key, item in value.items()}
        return value if all(k is n and value[k] is new[n] for k, n in zip(value, new, strict=True)) else new
    if isinstance(value, list):
        items = [restored(item) for item in value]
        return value if all(map(_is, value, items)) else items
    return value


def body_text(body: dict[str, Any]) -> bytes:
    """JSON text of what `stored` was given, without the walk where nothing can have got another name."""
    data = orjson.dumps(body)
    return orjson.dumps(restored(body)) if b'$ref":' in data else data


def _is(a: object, b: object) -> bool:
    return a is b


def _name(key: str, among: dict[str, Any]) -> str:
    if (key == "$ref" and "$id" in among) or (key.startswith("~") and _ESCAPED.match(key)):
        return "~" + key
    return key


def _original(key: str) -> str:
    return key[1:] if key.startswith("~") and _ESCAPED.match(key) else key
