"""Changes of a TOML text that leave its comments, order and spacing as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import tomlkit
from tomlkit.container import Container
from tomlkit.items import AoT, Table


class EditedToml:
    """A text that is being changed. A path is the list of keys from the top; a table in a list of tables is called by
    its `name`. Raises ValueError for what is not TOML."""

    def __init__(self, text: str) -> None:
        self._document: Any = tomlkit.parse(text)

    def text(self) -> str:
        return tomlkit.dumps(self._document)

    def get(self, path: Sequence[str]) -> Any:
        """The value there, as plain Python; None: nothing."""
        place: Any = self._document
        for part in path:
            place = _step(place, part)
            if place is None:
                return None
        return place.unwrap() if hasattr(place, "unwrap") else place

    def put(self, path: Sequence[str], values: Mapping[str, str]) -> bool:
        """Sets values in the table at the path; what is missing on the way is made. False: there is something else
        in the way, and nothing that counts was changed."""
        place: Any = self._document
        for part in path:
            place = _make_step(place, part)
            if place is None:
                return False
        if not isinstance(place, Table | Container):
            return False
        for key, value in values.items():
            place[key] = value
        return True

    def remove(self, path: Sequence[str]) -> None:
        """Takes out what is there. Raises KeyError, StopIteration if there is nothing."""
        *above, last = path
        place: Any = self._document
        for part in above:
            place = _step(place, part)
        if isinstance(place, AoT):
            del place[next(index for index, row in enumerate(place) if row.get("name") == last)]
        else:
            del place[last]


def _step(place: Any, part: str) -> Any:
    if isinstance(place, AoT):
        return next((row for row in place if row.get("name") == part), None)
    return place.get(part) if hasattr(place, "get") else None


def _make_step(place: Any, part: str) -> Any:
    if (known := _step(place, part)) is not None:
        return known
    if isinstance(place, AoT):
        row = tomlkit.table()
        row["name"] = part
        place.append(row)
        return place[-1]
    if not hasattr(place, "append"):
        return None
    place.append(part, tomlkit.aot() if part == "upstreams" else tomlkit.table())
    return place[part]
