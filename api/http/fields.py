"""The fields of a request's head, looked up by their names at once."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, Final

from starlette.datastructures import Headers

_FIELDS: Final = "hypertask.fields"
"""Where a request's Fields are in its scope, once somebody has asked for one of them."""


class Fields(Headers):
    """As the framework's, which goes through all of them for each that is asked for: of several of one name the first
    one counts."""

    def __init__(self, scope: MutableMapping[str, Any]) -> None:
        self._list = scope["headers"]
        self._first = {name.decode("latin-1"): value.decode("latin-1") for name, value in reversed(self._list)}

    def __getitem__(self, key: str) -> str:
        return self._first[key.lower()]

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and key.lower() in self._first

    def get(self, key: str, default: Any = None) -> Any:
        return self._first.get(key.lower(), default)


def fields_of(scope: MutableMapping[str, Any]) -> Fields:
    """Of the request, made once."""
    fields: Fields | None = scope.get(_FIELDS)
    if fields is None:
        fields = scope[_FIELDS] = Fields(scope)
    return fields
