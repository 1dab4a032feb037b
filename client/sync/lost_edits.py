"""Telling the device whose edit lost: its own edits are remembered, and the upstream is asked what became of them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

from client.sync.decided import Decided, Replaced
from client.sync.engine.own_edits import lost, own_fields
from client.sync.state_store import SyncStateStore
from client.sync.upstream import Upstream, UpstreamError
from client.sync.versioning import TakenState
from shared.core.identifiers import DocumentId
from shared.observability import event

logger = logging.getLogger(__name__)

ASKED: Final = 50
"""Documents whose history is asked for in one sync; the others are asked for in the next."""


class OwnEdits:
    """Of one folder and one of its upstreams."""

    def __init__(self, store: SyncStateStore, name: str, upstream: Upstream) -> None:
        self._store = store
        self._name = name
        self._upstream = upstream

    def record_taken(self, taken: Mapping[DocumentId, TakenState]) -> None:
        """Remembers which fields are this device's now, and which are not any more; inside the transaction that
        stores the records."""
        known = self._store.own_edits(self._name, taken)
        changed: dict[DocumentId, frozenset[str]] = {}
        for document, one in taken.items():
            own = known.get(document, frozenset())
            if not own and (one.before.pending is None or one.before.shadow is None):
                continue  # nothing of it was ever edited here
            now = own_fields(own, one.before, one.answer)
            if now.stand != own:
                changed[document] = now.stand
            if now.replaced:
                base = one.before.outline.base
                self._store.set_replaced(self._name, document, Replaced(now.replaced, base, one.before.shadow))
        self._store.set_own_edits(self._name, changed)

    async def dropped(self) -> list[Decided]:
        """Asks the upstream about what was replaced, and keeps as conflicts what was dropped. If it does not answer,
        the next sync asks."""
        decisions: list[Decided] = []
        try:
            for document, one in self._store.replaced(self._name, ASKED).items():
                history = await self._upstream.history(document) if self._upstream.abilities.history else []
                conflicts = lost(history, one.since, one.was, one.fields)
                with self._store.transaction():
                    self._store.was_asked(self._name, document)
                    decided = self._store.record_conflicts(self._name, document, conflicts)
                decisions += [decided] if decided is not None else []
        except UpstreamError as error:
            event(logger, logging.DEBUG, "history_not_read", cause=error)
        return decisions
