"""Heads that this process wrote or read in its last transactions of a space, and what came before them, so that the
next one need not read them.

They hold as long as nobody else has written to the space. Its row tells: every transaction that writes leaves a name
of its own there, and counts `batches` up. If both are as this process left them, the last one was its own
(docs/decisions/0055-heads-known-from-the-last-transaction.md).
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from shared.adapters.mongodb.client import Row
from shared.adapters.mongodb.rows import lineage_of
from shared.core.documents import Epoch, SpaceId
from shared.core.resolution.context import Head
from shared.core.resolution.document_history import DocumentHistory

MOST_AT_ONCE: Final = 64
"""A transaction about more documents is a push or an import, of which hardly any comes again soon."""
_MAX_BYTES: Final = 16 * 1024 * 1024
"""Of bodies, of all spaces together; as values they take several times as much."""
_MAX_SPACE_BYTES: Final = 8 * 1024 * 1024
"""The same of one space."""
_MAX_HISTORY_BYTES: Final = 256 * 1024
"""The same of what came before one head. A longer history is not kept."""
_ROW_BYTES: Final = 512
"""What else a row counts for."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What the row of a space says after a transaction."""

    transaction: str
    """The name of the last one. A count alone comes again when the database is put back to an earlier moment."""
    batches: int
    """Counted by releases, too, that give transactions no names."""
    history: Epoch
    """The current one: putting back a backup may give another name to it, in the heads as well."""


def mark_of(row: Mapping[str, Any] | None) -> Mark | None:
    """None: the last transaction is not known by name."""
    if row is None or "transaction" not in row:
        return None
    return Mark(row["transaction"], row.get("batches", 0), lineage_of(row).current)


@dataclass(frozen=True, slots=True)
class KnownDocument:
    """The row of a head, what it is to the rules, and all that came before it; None: that is not known."""

    row: Row
    head: Head | None
    history: DocumentHistory | None = None

    @property
    def size(self) -> int:
        """Bytes that it counts for."""
        before = 0 if self.history is None else self.history.size
        return int(self.row.get("size", 0)) + _ROW_BYTES + before


@dataclass(frozen=True, slots=True)
class KnownInSpace:
    """Documents by key, the least recently used first: as long as the row of the space has this mark."""

    mark: Mark
    documents: dict[str, KnownDocument] = field(default_factory=dict)
    size: int = 0
    row: Row | None = None
    """The row of the space, as `allot` finds it; None: that is not known."""

    @property
    def whole_size(self) -> int:
        """Bytes that the space counts for."""
        policies = None if self.row is None else self.row.get("policies")
        return self.size + _ROW_BYTES + len(policies or "")


class HeadsChangedError(Exception):
    """The transaction decided by heads that are not those of the space; it runs again. `presumed`: a document was
    taken for a new one."""

    def __init__(self, *, presumed: bool) -> None:
        super().__init__(presumed)
        self.presumed = presumed


class KnownHeads:
    """Of one process. Used by several threads, each for another space."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spaces: OrderedDict[SpaceId, KnownInSpace] = OrderedDict()
        self._size = 0

    def of(self, space: SpaceId) -> KnownInSpace | None:
        """None: nothing is known."""
        with self._lock:
            return self._spaces.get(space)

    def forget(self, space: SpaceId) -> None:
        """Whatever it has now was written by somebody else, or nobody knows."""
        with self._lock:
            self._drop(space)

    def note(
        self,
        space: SpaceId,
        mark: Mark,
        known: KnownInSpace | None,
        gone: Iterable[str],
        documents: Mapping[str, KnownDocument],
        *,
        row: Row | None = None,
    ) -> None:
        """A transaction of this process left the space with this mark, and this row. `known`: what was known before;
        `gone`: keys that it says nothing of any more; `documents`: what is known instead."""
        # The same dictionary goes on: a copy for each transaction would take longer the more is known. Whoever still
        # decides by it has an older mark, and meets the row of the space when it writes.
        kept, size = ({}, 0) if known is None else (known.documents, known.size)
        for key in gone:
            before = kept.pop(key, None)
            size -= 0 if before is None else before.size
        for key, document in documents.items():
            too_long = document.history is not None and document.history.size > _MAX_HISTORY_BYTES
            kept[key] = replace(document, history=None) if too_long else document
            size += kept[key].size
        while size > _MAX_SPACE_BYTES:
            size -= kept.pop(next(iter(kept))).size
        with self._lock:
            self._drop(space)
            self._spaces[space] = now = KnownInSpace(mark, kept, size, row)
            self._size += now.whole_size
            while self._size > _MAX_BYTES:
                self._drop(next(iter(self._spaces)))

    def _drop(self, space: SpaceId) -> None:
        known = self._spaces.pop(space, None)
        if known is not None:
            self._size -= known.whole_size
