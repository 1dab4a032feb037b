"""Ids for tasks that come without one, and for those whose id is one of another program."""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

from client.formats.context import Context
from client.tasks.ids import ALPHABET, LENGTH, derived_id
from shared.core.identifiers import Body, DocumentId, is_document_id

_OURS: Final = re.compile(rf"[{ALPHABET}]{{{LENGTH}}}\Z")
_UUID: Final = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\Z")


def is_unique(identity: str) -> bool:
    """Whether no other program gives the same id to another task: a UUID, or one of those that are made here."""
    return _OURS.match(identity) is not None or _UUID.match(identity) is not None


class Names:
    """For one file: the same entries in the same order get the same ids, equal ones are told apart by counting."""

    def __init__(self, form: str, context: Context) -> None:
        self._form: Final = form
        self._context: Final = context
        self._seen: Counter[tuple[str, ...]] = Counter()
        self.numbered = 0
        """How many ids came from one that counts within the file alone."""

    @property
    def keeps_ids(self) -> bool:
        return self._context.keep_ids

    def of(self, *parts: str) -> DocumentId:
        """`parts`: what makes the entry the one it is."""
        self._seen[parts] += 1
        again = self._seen[parts]
        return derived_id(self._form, *parts, *([str(again)] if again > 1 else []))

    def of_id(self, identity: str, body: Body, *, before: DocumentId | None = None) -> DocumentId:
        """The id of a task that has `identity` in the file. Unless no two programs give the same, it counts within
        the source of the file alone. `before`: the id that an earlier version gave it; it stays if the task is here.
        """
        if is_document_id(identity) and (self._context.keep_ids or is_unique(identity)):
            return DocumentId(identity)
        for candidate in (identity if is_document_id(identity) else None, before):
            if candidate is not None and self._context.known(candidate, body):
                return DocumentId(candidate)
        self.numbered += 1
        return derived_id(self._form, "id", self._context.source, identity)
