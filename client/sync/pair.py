"""The two sides of a sync, a folder and one upstream, with what is known of them: shared by the parts of a sync."""

from __future__ import annotations

from dataclasses import dataclass, field

from client.sync.arrivals import Arrivals, Step
from client.sync.files import Files
from client.sync.recheck import Recheck
from client.sync.state_store import SyncStateStore
from client.sync.upstream import Upstream
from client.sync.versioning import Versioning


@dataclass(slots=True)
class SyncPair:
    """`name` is the upstream's. `step` is told of each stage, for tests that stop a sync there. `several`: the folder
    has other upstreams, too."""

    store: SyncStateStore
    name: str
    upstream: Upstream
    files: Files
    arrivals: Arrivals
    versioning: Versioning
    step: Step
    several: bool
    recheck: Recheck = field(default_factory=Recheck)

    @property
    def sends_versions(self) -> bool:
        """Whether states go with their versions."""
        abilities = self.upstream.abilities
        return abilities.versions and (self.several or abilities.local)
