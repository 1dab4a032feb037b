"""Ids for tasks that come without one."""

from __future__ import annotations

from collections import Counter
from typing import Final

from client.ids import derived_id
from shared.core.documents import DocumentId


class Names:
    """For one file: the same entries in the same order get the same ids, equal ones are told apart by counting."""

    def __init__(self, source: str) -> None:
        self._source: Final = source
        self._seen: Counter[tuple[str, ...]] = Counter()

    def of(self, *parts: str) -> DocumentId:
        """`parts`: what makes the entry the one it is."""
        self._seen[parts] += 1
        again = self._seen[parts]
        return derived_id(self._source, *parts, *([str(again)] if again > 1 else []))
