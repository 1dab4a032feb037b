"""A space of one document whose store can be put back, for the tests of lost bases and versions."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

from shared import codec
from shared.adapters.memory import MemorySpace
from shared.core.documents import Body, DeviceId, DocumentId, Epoch, SequenceNumber
from shared.core.index.lineage import first_history, next_history
from shared.core.resolution.ancestors import Ancestor
from shared.core.resolution.batch import Answer, Item
from shared.core.resolution.context import Given, Head, Refusal, Submission
from shared.core.version_vectors import Version
from shared.transaction import CachedResolver, decide

ID = DocumentId("pb67wndxge8293xd")


def doc(**fields: Any) -> Body:
    return {"id": ID, **fields}


def dead(**fields: Any) -> Body:
    return {"id": ID, "_deleted": True, **fields}


def hash_of(body: Body | None) -> Any:
    return None if body is None else codec.content_hash(body)


@dataclass
class Upstream:
    space: MemorySpace = field(default_factory=MemorySpace)
    writer: Epoch = field(default_factory=lambda: first_history(1))
    time: float = 1_750_000_000.0

    def copy(self) -> MemorySpace:
        return copy.deepcopy(self.space)

    def put_back(self, space: MemorySpace, *, noticed: bool = True) -> None:
        """`noticed`: the next write is another process's."""
        self.space = copy.deepcopy(space)
        if noticed:
            lineage = self.space.lineage()
            first = SequenceNumber(lineage.sequence + 1)
            self.writer = next_history(lineage.current, first, hash((self.time, first)) % 2**40)

    def send(
        self,
        state: Body | None,
        base: str | None = None,
        *,
        device: str = "d",
        base_state: Body | Given | None = Given.NOTHING,
        version: Version | None = None,
        ancestors: tuple[Ancestor, ...] | None = None,
    ) -> Answer | Refusal:
        self.time += 1
        submission = Submission(
            ID,
            state,
            hash_of(state),
            self.time,
            base,
            base_state,
            DeviceId(device),
            single_device=True,
            version=version,
            ancestors=ancestors,
        )

        def work(transaction: Any) -> Any:
            replies, _ = decide(transaction, CachedResolver(2**20), [Item(submission, DeviceId(device))])
            self.writer = transaction.writer
            return replies[0]

        found = self.space.transact(work, writer=self.writer)
        assert isinstance(found, Answer | Refusal), found
        return found

    def put(self, state: Body | None, base: str | None = None, **more: Any) -> Answer:
        """Sends it, and again with the body of its base or with ancestors where that is asked for."""
        asked = {key: more.pop(key) for key in ("before", "earlier") if key in more}
        found = self.send(state, base, **more)
        if isinstance(found, Refusal) and found.code == "base-unknown":
            more |= {"base_state": asked.get("before")}
            if more.get("version") is not None:
                more |= {"ancestors": asked.get("earlier", ())}
            found = self.send(state, base, **more)
        assert isinstance(found, Answer), found
        return found

    @property
    def head(self) -> Head | None:
        entry = self.space.entries.get(ID)
        return None if entry is None else entry.head

    @property
    def body(self) -> Body | None:
        return self.head.body if self.head is not None else None
