"""What a plan says: what travels, and what waits. Alone here: a sync that finds nothing needs no more of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from client.sync.engine.plan import Action
    from shared.core.identifiers import DocumentId


class Plan(NamedTuple):
    """`actions` in the order of the ids; what waits for people, by the reason."""

    actions: tuple[Action, ...] = ()
    refused: tuple[DocumentId, ...] = ()
    unreadable: tuple[DocumentId, ...] = ()
    """Something is to be done, and the file cannot be read."""
    held_here: tuple[DocumentId, ...] = ()
    """So many vanished from the folder that the deletions must be confirmed."""
    held_there: tuple[DocumentId, ...] = ()
    """So many vanished from the upstream that the removals must be confirmed."""
    undeletable: tuple[DocumentId, ...] = ()
    """Deleted here; the upstream knows no deletion."""

    @property
    def waits(self) -> bool:
        """Something is left for people."""
        return bool(self.refused or self.unreadable or self.held_here or self.held_there or self.undeletable)
