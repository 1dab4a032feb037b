"""Adapters that are nothing but memory: documents as values, for clients without a server, and every port of the
server, for tests of what stands on it."""

from shared.adapters.memory.entries import Entry, HistoryItem, Provenance
from shared.adapters.memory.transaction import MemorySpace, MemoryTransaction, Space, SpaceChanges

__all__ = ["Entry", "HistoryItem", "MemorySpace", "MemoryTransaction", "Provenance", "Space", "SpaceChanges"]
