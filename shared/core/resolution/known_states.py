"""What is known of the versions of a document's states (shared/core/version_vectors.py)."""

from __future__ import annotations

from shared.core.documents import ContentHash
from shared.core.index.lineage import Lineage
from shared.core.resolution.context import BEGINNING, Received, Stored
from shared.core.resolution.lookup import Lookup
from shared.core.resolution.revs import CREATED, RevParts, parse_rev
from shared.core.version_vectors import Source, Version, bounded, includes, maximal


def head_version(look: Lookup) -> dict[Source, int]:
    """What the head contains; nothing if there never was one."""
    head, lineage = look.head, look.lineage()
    if not look.exists:
        return {}
    if head.version is not None:
        return lineage.closed(head.version)
    return lineage.version_of(head.sequence, head.history)


def outgrown(look: Lookup) -> tuple[Received, ...]:
    """The head as it is known until now, to be kept if it turns out to contain more: a deletion that lost, say, or a
    state that the store had lost. A deletion that contains this much has seen all that the head has."""
    head = look.head
    if not look.exists or head.body is None:
        return ()
    return (Received(head.hash, head.body, frozenset(), bounded(head_version(look), look.lineage().sources())),)


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
        if includes(look.lineage().completed(version, here.keys()), here):
            found.append((here, stored))
    return found


def common_ancestors(look: Lookup, version: Version) -> list[tuple[Version, Stored]]:
    """The newest of them."""
    return maximal(contained_states(look, version))


def rev_version(lineage: Lineage, parts: RevParts) -> dict[Source, int]:
    """What the state contains that this rev names, known here or lost."""
    if parts.version:
        return {source: number for source, number in lineage.with_origins(parts.version).items() if number > 0}
    return lineage.version_at(parts.history or lineage.first, parts.sequence)


def base_version(look: Lookup) -> dict[Source, int]:
    """What the base of the submission contains, at least."""
    base = look.submission.base
    if base is None or base == CREATED:
        return {}
    parts = parse_rev(base)
    if parts is not None:
        return rev_version(look.lineage(), parts)
    stored = look.stored(ContentHash(base)) if look.exists else None
    if stored is None or (stored.until == BEGINNING and stored.version is None):
        return {}
    return stored_version(look, stored)


def came_before(look: Lookup) -> bool:
    """Whether the submission is a repeat whose first arrival the store has lost: its state is here, as one that came
    after its base and that the head contains."""
    content = look.submission.hash
    if look.head.version is None or content is None or content == look.head.hash:
        return False
    stored = look.stored(content)
    if stored is None or (stored.until == BEGINNING and stored.version is None):
        return False
    version = stored_version(look, stored)
    return includes(version, base_version(look)) and includes(head_version(look), version)


def may_have_come_before(look: Lookup) -> bool:
    """Whether the submission may have arrived before, and the head may come from it, without a trace of it here: the
    head contains what came after its base and what the store has lost."""
    version = look.head.version
    if version is None or look.submission.base is None:
        return False
    lineage = look.lineage()
    seen = lineage.completed(base_version(look), version.keys())
    return any(
        number > seen.get(source, 0) and lineage.is_lost(source, number, version)
        for source, number in version.items()
    )
