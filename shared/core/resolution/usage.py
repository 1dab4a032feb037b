"""What a space holds, and what it may hold. Pure."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from shared.core.frozen import frozen


@frozen
class Usage:
    """What a space holds, or by how much that changes. None: it is not counted (yet)."""

    documents: int = 0
    """That are live."""
    size: int | None = 0
    """Bytes of their bodies."""
    history_size: int | None = 0
    """Bytes of all other bodies: superseded and received states, which stay until the retention is over."""

    def plus(self, more: Usage) -> Usage:
        """What is not counted stays so."""
        return Usage(
            self.documents + more.documents,
            None if self.size is None or more.size is None else self.size + more.size,
            None if self.history_size is None or more.history_size is None else self.history_size + more.history_size,
        )


def total(parts: Collection[Usage]) -> Usage:
    """What they are together, as `plus` tells it one after another."""
    return Usage(
        sum([part.documents for part in parts]),
        _sum([part.size for part in parts]),
        _sum([part.history_size for part in parts]),
    )


def _sum(sizes: list[int | None]) -> int | None:
    counted = [size for size in sizes if size is not None]
    return sum(counted) if len(counted) == len(sizes) else None


@frozen
class Quota:
    """What a space may hold; 0: any number."""

    documents: int = 0
    size: int = 0
    history_size: int = 0

    @property
    def is_limited(self) -> bool:
        return bool(self.documents or self.size or self.history_size)


NO_QUOTA: Final = Quota()
