"""The two sides of a sync, a folder and one upstream, with what is known of them: shared by the parts of a sync."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Protocol

from client.sync.arrivals import Checkpoint, Placed, Recovered
from client.sync.change_scope import EVERYTHING, ChangeScope, Recheck
from client.sync.files import FileContent, FolderContents
from client.sync.state_store import Arriving, SeenFile, SyncStateStore
from client.sync.upstream import Upstream
from client.sync.versioning import Versioning
from shared.core.identifiers import Body, ContentHash, DocumentId


class FileReader(Protocol):
    """What a sync reads of the files: client/sync/files.py says what each method promises."""

    def is_empty(self) -> bool: ...

    def refresh(self, scope: ChangeScope = EVERYTHING) -> FolderContents: ...

    def now(
        self, document: DocumentId, likely: Sequence[tuple[ContentHash | None, Body | None]] = ()
    ) -> FileContent | None: ...

    def note_written(self, files: Mapping[DocumentId, SeenFile | None]) -> None: ...


class FileWriter(Protocol):
    """How what arrives comes into the files: client/sync/arrivals.py says what each method promises."""

    @property
    def protected(self) -> AbstractSet[DocumentId]: ...

    async def stage_meanwhile(self, wanted: Mapping[DocumentId, Arriving]) -> dict[DocumentId, Arriving]: ...

    def place(self, arriving: Mapping[DocumentId, Arriving], *, durable: bool = True) -> dict[DocumentId, Placed]: ...

    def recover(self) -> Recovered: ...


@dataclass(slots=True)
class SyncPair:
    """`name` is the upstream's. `step` is told of each stage, for tests that stop a sync there. `several`: the folder
    has other upstreams, too."""

    store: SyncStateStore
    name: str
    upstream: Upstream
    files: FileReader
    arrivals: FileWriter
    versioning: Versioning
    step: Checkpoint
    several: bool
    recheck: Recheck = field(default_factory=Recheck)

    @property
    def sends_versions(self) -> bool:
        """Whether states go with their versions."""
        abilities = self.upstream.abilities
        return abilities.versions and (self.several or abilities.local)
