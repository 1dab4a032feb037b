"""What is known of the versions of a document's states (shared/core/version_vectors.py)."""

from __future__ import annotations

from shared.core.documents import Body, ContentHash
from shared.core.index.lineage import Lineage
from shared.core.resolution.context import Received, Stored
from shared.core.resolution.lookup import Lookup
from shared.core.resolution.revs import CREATED, RevParts, parse_rev
from shared.core.version_vectors import Source, Version, bounded, includes, maximal


def head_version(lookup: Lookup) -> dict[Source, int]:
    """What the head contains; nothing if there never was one."""
    head, lineage = lookup.head, lookup.lineage()
    if not lookup.exists:
        return {}
    if head.version is not None:
        return lineage.closed(head.version)
    return lineage.version_of(head.sequence, head.history)


def outgrown(lookup: Lookup) -> tuple[Received, ...]:
    """The head as it is known until now, to be kept if it turns out to contain more: a deletion that lost, say, or a
    state that the store had lost. A deletion that contains this much has seen all that the head has."""
    head = lookup.head
    if not lookup.exists or head.body is None:
        return ()
    return (Received(head.hash, head.body, frozenset(), bounded(head_version(lookup), lookup.lineage().sources())),)


def stored_version(lookup: Lookup, stored: Stored) -> dict[Source, int]:
    """The same of a revision, or of a received state that has one."""
    lineage = lookup.lineage()
    if stored.version is not None:
        return lineage.closed(stored.version)
    return lineage.version_of(stored.sequence, stored.history)


def contained_states(lookup: Lookup, version: Version) -> list[tuple[Version, Stored]]:
    """Stored states that a state of this version contains: those that have a version of their own, and the newest of
    the others."""
    contained: list[tuple[Version, Stored]] = []
    for stored in lookup.ancestors(lookup.lineage().reach(version)):
        its_version = stored_version(lookup, stored)
        if includes(lookup.lineage().completed(version, its_version.keys()), its_version):
            contained.append((its_version, stored))
    return contained


def common_ancestors(lookup: Lookup, version: Version) -> list[tuple[Version, Stored]]:
    """The newest of them."""
    return maximal(contained_states(lookup, version))


def seen_by_deleter(lookup: Lookup, version: Version) -> Body | None:
    """What was there before a deletion of this version as far as that is at hand, if the body under it is not: where
    the document itself was lost, the deletion was made of nothing, and what it contains was brought later."""
    seen = [(contained, stored) for contained, stored in contained_states(lookup, version) if stored.body is not None]
    newest = max(maximal(seen), key=lambda one: one[1].sequence, default=None)
    return newest[1].body if newest is not None else None


def rev_version(lineage: Lineage, parts: RevParts) -> dict[Source, int]:
    """What the state contains that this rev names, known here or lost."""
    if parts.version:
        return {source: number for source, number in lineage.with_origins(parts.version).items() if number > 0}
    return lineage.version_at(parts.history or lineage.first, parts.sequence)


def base_version(lookup: Lookup) -> dict[Source, int]:
    """What the base of the submission contains, at least."""
    base = lookup.submission.base
    if base is None or base == CREATED:
        return {}
    parts = parse_rev(base)
    if parts is not None:
        return rev_version(lookup.lineage(), parts)
    stored = lookup.stored(ContentHash(base)) if lookup.exists else None
    if stored is None or (not stored.was_head and stored.version is None):
        return {}
    return stored_version(lookup, stored)


def came_before(lookup: Lookup) -> bool:
    """Whether the submission is a repeat whose first arrival the store has lost: its state is here, as one that came
    after its base and that the head contains."""
    content = lookup.submission.hash
    if lookup.head.version is None or content is None or content == lookup.head.hash:
        return False
    stored = lookup.stored(content)
    if stored is None or (not stored.was_head and stored.version is None):
        return False
    version = stored_version(lookup, stored)
    return includes(version, base_version(lookup)) and includes(head_version(lookup), version)


def may_have_come_before(lookup: Lookup) -> bool:
    """Whether the submission may have arrived before, and the head may come from it, without a trace of it here: the
    head contains what came after its base and what the store has lost."""
    version = lookup.head.version
    if version is None or lookup.submission.base is None:
        return False
    lineage = lookup.lineage()
    seen = lineage.completed(base_version(lookup), version.keys())
    return any(
        number > seen.get(source, 0) and lineage.is_lost(source, number, version)
        for source, number in version.items()
    )
