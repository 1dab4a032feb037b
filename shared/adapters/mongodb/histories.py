"""Documents of which a transaction knows all that came before their heads: it need not read their revisions.

That is so for a document that is new, and for one whose history is known from the last transaction
(shared/adapters/mongodb/known_heads.py). What is added meanwhile is known as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from shared.core.documents import DocumentId
from shared.core.resolution.context import DocumentContext as Context
from shared.core.resolution.context import NeedsData, Submission
from shared.core.resolution.document_history import DocumentHistory, Past
from shared.large import LARGE

NOTHING_BEFORE: Final = DocumentHistory()
MOST_WEIGHT: Final = 5 * LARGE
"""Of the histories that the rules are given with the heads. What is more they ask for, so that it is weighed."""


Wanted = tuple[Context, Submission, NeedsData]


class Histories:
    """Of one transaction, by document."""

    def __init__(self) -> None:
        self._whole: dict[DocumentId, DocumentHistory] = {}
        self._added: dict[DocumentId, list[Past]] = {}
        """What is not among those yet."""

    def put(self, document: DocumentId, history: DocumentHistory) -> None:
        """All that the database has, before anything is added here."""
        self._whole.setdefault(document, history)

    def add(self, document: DocumentId, more: Iterable[Past]) -> None:
        """To be written. Of a document that is known."""
        self._added.setdefault(document, []).extend(more)

    def knows(self, document: DocumentId) -> bool:
        """Whether all that came before its head is known."""
        return document in self._whole

    def of(self, document: DocumentId) -> DocumentHistory | None:
        """None: not all of it is known."""
        history = self._whole.get(document)
        if history is not None and (added := self._added.pop(document, None)):
            history = self._whole[document] = history.extended(added)
        return history

    def loaded(self, wanted: Sequence[Wanted], read: Callable[[Sequence[Wanted]], list[Context]]) -> list[Context]:
        """As `Transaction.load`. `read` does it for what is not known here."""
        contexts: list[Context] = []
        unknown: dict[int, Wanted] = {}
        for place, (context, submission, missing) in enumerate(wanted):
            history = self.of(submission.document)
            known, rest = (context, missing) if history is None else history.loaded(context, submission, missing)
            contexts.append(known)
            if rest is not None:
                unknown[place] = known, submission, rest
        for place, context in zip(unknown, read(list(unknown.values())) if unknown else (), strict=True):
            contexts[place] = context
        return contexts


def within_weight(histories: Iterable[DocumentHistory | None]) -> list[DocumentHistory | None]:
    """Those of these, in order, that the rules may be given unasked; None in the place of the others."""
    given: list[DocumentHistory | None] = []
    weighed: set[int] = set()
    left = MOST_WEIGHT
    for history in histories:
        more = 0 if history is None or id(history) in weighed else history.weight
        fits = more <= left
        given.append(history if fits else None)
        if fits:
            left -= more
            weighed.add(id(history))
    return given
