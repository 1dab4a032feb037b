"""What is known of the versions of a document's states (shared/core/version_vectors.py)."""

from __future__ import annotations

from shared.core.resolution.base_selection import Lookup
from shared.core.resolution.context import Stored
from shared.core.version_vectors import Source, Version, includes, maximal


def head_version(look: Lookup) -> dict[Source, int]:
    """What the head contains; nothing if there never was one."""
    head, lineage = look.head, look.lineage()
    if not look.exists:
        return {}
    if head.version is not None:
        return lineage.closed(head.version)
    return lineage.version_of(head.sequence, head.history)


def stored_version(look: Lookup, stored: Stored) -> dict[Source, int]:
    """The same of a revision, or of a received state that has one."""
    lineage = look.lineage()
    if stored.version is not None:
        return lineage.closed(stored.version)
    return lineage.version_of(stored.sequence, stored.history)


def contained_states(look: Lookup, version: Version) -> list[tuple[Version, Stored]]:
    """Stored states that a state of this version contains: those that have a version of their own, and the newest of
    the others."""
    found: list[tuple[Version, Stored]] = []
    for stored in look.ancestors(look.lineage().reach(version)):
        here = stored_version(look, stored)
        if includes(version, here):
            found.append((here, stored))
    return found


def common_ancestors(look: Lookup, version: Version) -> list[tuple[Version, Stored]]:
    """The newest of them."""
    return maximal(contained_states(look, version))
