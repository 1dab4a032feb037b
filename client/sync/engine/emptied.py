"""A folder from which every file that was agreed on has gone at once. Pure.

The guard on many deletions begins at 21. A folder of less that is suddenly empty - a drive that is not mounted under
an empty directory, a cloud drive that was signed out, a slip - is asked about as well, unless each of its tasks was
deleted by a command. What is new in it since then changes nothing about that.

Laws (tests/unit/client/sync/engine/test_emptied.py):
    nothing is held as long as one file that was agreed on is there, or cannot be read
    what is held is what was to be deleted, and nothing else of the plan changes
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from client.sync.engine.plan import Delete
from client.sync.engine.planned import Plan
from client.sync.engine.records import Outline
from shared.core.identifiers import DocumentId


def hold_if_emptied(
    planned: Plan,
    there: AbstractSet[DocumentId],
    outlines: Mapping[DocumentId, Outline],
    meant: AbstractSet[DocumentId],
    *,
    settled: int = 0,
    before: AbstractSet[DocumentId] = frozenset(),
) -> Plan:
    """`there`: documents that have a file, readable or not; `outlines` as for `plan`. `settled`: so many more that
    were agreed on are there, with this upstream or another one. `meant`: documents that commands deleted. `before`:
    documents that were held so before; they stay it."""
    gone = {action.id for action in planned.actions if isinstance(action, Delete)}
    agreed_on = {document for document, outline in outlines.items() if outline.shadow_hash is not None}
    if not gone or settled or agreed_on & there or meant >= gone:
        gone &= before - meant
    if not gone:
        return planned
    actions = tuple(action for action in planned.actions if not (isinstance(action, Delete) and action.id in gone))
    return planned._replace(actions=actions, held_here=tuple(sorted({*planned.held_here, *gone})))
