"""What a sync has to do: two hash maps, compared.

Laws (tests/unit/core/test_plan.py):
    compare(a, b) == ()  <=>  a == b
    compare(b, a) is compare(a, b) with Push and Fetch exchanged
    every id is named at most once, and only if the maps do not agree on it
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shared.core.documents import ContentHash, DocumentId


@dataclass(frozen=True, slots=True)
class Push:
    """Only our side has the document."""

    id: DocumentId


@dataclass(frozen=True, slots=True)
class Fetch:
    """Only their side has the document."""

    id: DocumentId


@dataclass(frozen=True, slots=True)
class Differs:
    """Both sides have the document, with other content."""

    id: DocumentId


Action = Push | Fetch | Differs


def compare(ours: Mapping[DocumentId, ContentHash], theirs: Mapping[DocumentId, ContentHash]) -> tuple[Action, ...]:
    """One action for every id on which the maps do not agree, in the order of the ids.

    The order is fixed so that a plan can be shown, compared and repeated.
    """
    actions: list[Action] = []
    for document, hash_ in ours.items():
        their_hash = theirs.get(document)
        if their_hash is None:
            actions.append(Push(document))
        elif their_hash != hash_:
            actions.append(Differs(document))
    actions.extend(Fetch(document) for document in theirs if document not in ours)
    return tuple(sorted(actions, key=lambda action: action.id))
