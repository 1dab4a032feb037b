"""Documents as values in memory: what a space is to the rules when no database holds it."""

from shared.adapters.memory.entries import Entry, HistoryItem, Provenance
from shared.adapters.memory.transaction import MemorySpace, MemoryTransaction, Space, SpaceChanges

__all__ = ["Entry", "HistoryItem", "MemorySpace", "MemoryTransaction", "Provenance", "Space", "SpaceChanges"]
