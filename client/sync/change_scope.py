"""What may have changed: everything, or these documents. A sync looks at no more than that."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from shared.core.identifiers import DocumentId


class ChangeScope(NamedTuple):
    """`documents`: None stands for everything."""

    documents: frozenset[DocumentId] | None = None

    @classmethod
    def of(cls, documents: Iterable[DocumentId]) -> ChangeScope:
        return cls(frozenset(documents))

    @property
    def is_everything(self) -> bool:
        return self.documents is None

    def __or__(self, other: ChangeScope) -> ChangeScope:
        if self.documents is None or other.documents is None:
            return EVERYTHING
        return ChangeScope(self.documents | other.documents)

    def __bool__(self) -> bool:
        """Whether anything may have changed."""
        return self.documents is None or bool(self.documents)


EVERYTHING: Final = ChangeScope()
NOTHING: Final = ChangeScope(frozenset())


class Unsynced:
    """For each upstream: what may have changed in the folder since they were in sync."""

    def __init__(self, upstreams: Iterable[str]) -> None:
        self._scopes = dict.fromkeys(upstreams, EVERYTHING)

    def add(self, scope: ChangeScope) -> None:
        """Something changed in the folder, so for all of them."""
        for name, before in self._scopes.items():
            self._scopes[name] = before | scope

    def of(self, name: str) -> ChangeScope:
        return self._scopes[name]

    def start(self, name: str) -> ChangeScope:
        """A sync begins, that looks at what is returned. Until it ends well, everything may have changed."""
        scope, self._scopes[name] = self._scopes[name], EVERYTHING
        return scope

    def end(self, name: str) -> None:
        """It ended, the upstream and the folder are in sync, and nothing waits."""
        self._scopes[name] = NOTHING


class Recheck:
    """What is looked at before the next plan of one run of a sync."""

    def __init__(self, scope: ChangeScope = NOTHING) -> None:
        self._files = scope
        self._included: set[DocumentId] = set()
        """They come one by one, thousands of them, and are put together when they are asked for."""
        self.documents = scope
        """Documents that may be unsettled; no others need to be compared."""
        self.upstream = True
        """It is to be asked for its changes."""
        self.arrivals = True
        """There may be states that arrived and are not in their files yet."""
        self.forgotten = False
        """An answer showed that the upstream does not know any more what was agreed on."""

    @property
    def files(self) -> ChangeScope:
        """Files that may hold something else than was seen or written."""
        if self._included:
            self._files |= ChangeScope.of(self._included)
            self._included.clear()
        return self._files

    @files.setter
    def files(self, scope: ChangeScope) -> None:
        self._files = scope
        self._included.clear()

    def include(self, documents: Iterable[DocumentId]) -> None:
        """Their files may hold something else."""
        self._included.update(documents)
