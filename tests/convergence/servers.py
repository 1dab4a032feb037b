"""What the clients of a run talk to: the product's rules in process, and simple policies to compare with."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import orjson

from shared.adapters.memory import MemorySpace
from shared.core.documents import Body, ContentHash, DeviceId, DocumentId, SequenceNumber
from shared.core.index.lineage import Begun, first_history, next_history
from shared.core.merge.clock import clock
from shared.core.resolution.context import AcknowledgedMap, Given, Refusal, Submission
from shared.core.resolution.states import is_tombstone
from shared.testing.document_state import DocumentState

Request = dict[str, Any]
"""As on the wire: client_state, and of some clients base and base_state. `_edits` is for LongestHistory."""
Answer = dict[str, Any]
"""As on the wire: server_state, rev, conflicts ({path, kept, dropped, rule}); or {"error": code}."""


class Server(Protocol):
    """A server with the documents of one run. Everything is synchronous: a run is one thread.

    An implementation over HTTP gives `now` as the real time, ignores `advance`, returns no bodies (then it is
    not checked that a dropped value is in the revisions), and may leave `prune` out.
    """

    def now(self) -> float:
        """Seconds since 1970."""
        ...

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        ...

    def post(self, device: str | None, document: str, request: Request) -> Answer:
        """One request. `device`: whose token it carries; None is a token that many devices use."""
        ...

    def hashes(self, device: str | None) -> dict[str, str]:
        """GET /hashes."""
        ...

    def bodies(self, document: str) -> Iterable[Body] | None:
        """All states that are stored; None: not known."""
        ...

    def size(self, document: str) -> int | None:
        """Counts what is stored for the document, so that growth shows; None: not known."""
        ...

    def prune(self, document: str, before: float) -> None:
        """Remove the bodies that were superseded before then."""
        ...

    def saved(self) -> Callable[[], None]:
        """What puts it back to what it is now; nothing where that cannot be done."""
        ...

    def write_others(self, count: int) -> None:
        """Somebody writes so many other documents."""
        ...


def fast_hash(body: Body) -> ContentHash:
    """The content hash of what a run writes, where orjson's sorted output is canonical: no floats, ASCII."""
    return ContentHash(hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32])


class InProcess:
    """Time, and the evidence of clean rounds."""

    def __init__(self, start: float = 1_750_000_000.0) -> None:
        self.time = start

    def now(self) -> float:
        return self.time

    def advance(self, seconds: float) -> None:
        self.time += seconds

    def prune(self, document: str, before: float) -> None:
        return None

    def bodies(self, document: str) -> Iterable[Body] | None:
        return None

    def size(self, document: str) -> int | None:
        return None

    def saved(self) -> Callable[[], None]:
        return lambda: None

    def write_others(self, count: int) -> None:
        return None


class Rules(InProcess):
    """`resolve` on the in-memory reference model."""

    def __init__(self, start: float = 1_750_000_000.0, explain: Callable[[str], None] | None = None) -> None:
        super().__init__(start)
        self.states: dict[str, DocumentState] = {}
        self.maps: dict[str, tuple[float, int, bool, AcknowledgedMap | None]] = {}
        """Of each device: time and sequence of its last map, whether it posted since, what it acknowledged."""
        self.explain = explain
        self.space = MemorySpace(histories=(Begun(first_history(1), SequenceNumber(1)),))
        self.times = 0
        """How often it was put back."""

    def state(self, document: str) -> DocumentState:
        return self.states.setdefault(document, DocumentState(self.space))

    def saved(self) -> Callable[[], None]:
        space = copy.deepcopy(self.space)

        def put_back() -> None:
            self.times += 1
            self.space = copy.deepcopy(space)
            lineage = self.space.lineage()
            writer = next_history(lineage.current, SequenceNumber(lineage.sequence + 1), self.times * 7919)
            self.states = {d: DocumentState(self.space, writer=writer) for d in self.states}
            # The maps that devices were told are kept beside the database, and are lost with it.
            self.maps = {}

        return put_back

    def write_others(self, count: int) -> None:
        for state in self.states.values():
            state.write_others(count)

    def post(self, device: str | None, document: str, request: Request) -> Answer:
        client_state = request["client_state"]
        acknowledged = None
        if device is not None and device in self.maps:
            at, sequence, _, acknowledged = self.maps[device]
            self.maps[device] = (at, sequence, True, acknowledged)
        submission = Submission(
            DocumentId(document),
            client_state,
            None if client_state is None else fast_hash(client_state),
            self.time,
            base=request.get("base"),
            base_state=request.get("base_state", Given.NOTHING),
            device=None if device is None else DeviceId(device),
            single_device=device is not None,
            acknowledged=acknowledged,
        )
        decision, rev = self.state(document).submit(submission, hash_of=fast_hash)
        if self.explain is not None:
            self.explain(f"server: {decision!r}")
        if isinstance(decision, Refusal):
            return {"error": decision.code}
        conflicts = [
            {"path": c.path, "kept": c.kept, "dropped": c.dropped, "rule": c.rule} for c in decision.conflicts
        ]
        return {"server_state": decision.state, "rev": rev, "conflicts": conflicts}

    def hashes(self, device: str | None) -> dict[str, str]:
        if device is not None:
            at, sequence, posted, acknowledged = self.maps.get(device, (0.0, 0, True, None))
            if not posted:
                acknowledged = AcknowledgedMap(at, SequenceNumber(sequence))
            newest = max((state.sequence for state in self.states.values()), default=0)
            self.maps[device] = (self.time, newest, False, acknowledged)
        return {d: s.head.hash for d, s in self.states.items() if s.head and s.head.body is not None}

    def bodies(self, document: str) -> Iterable[Body]:
        state = self.state(document)
        stored = [r.body for r in state.revisions]
        return [b for b in (*stored, state.head.body if state.head else None) if b is not None]

    def size(self, document: str) -> int:
        return self.state(document).size

    def prune(self, document: str, before: float) -> None:
        self.state(document).prune(before)


class WholeDocument(InProcess):
    """A server that keeps one whole state; `wins` says whether an arriving one replaces it."""

    def __init__(self, start: float = 1_750_000_000.0) -> None:
        super().__init__(start)
        self.heads: dict[str, Request] = {}

    def wins(self, arriving: Request, stored: Request) -> bool:
        raise NotImplementedError

    def saved(self) -> Callable[[], None]:
        heads = dict(self.heads)

        def put_back() -> None:
            self.heads = dict(heads)

        return put_back

    def post(self, device: str | None, document: str, request: Request) -> Answer:
        stored = self.heads.get(document)
        if request["client_state"] is not None and (stored is None or self.wins(request, stored)):
            stored = self.heads[document] = request
        state = stored["client_state"] if stored else None
        return {"server_state": None if state is None or is_tombstone(state) else state, "rev": "1-x"}

    def hashes(self, device: str | None) -> dict[str, str]:
        states = {d: r["client_state"] for d, r in self.heads.items()}
        return {d: fast_hash(s) for d, s in states.items() if not is_tombstone(s)}


class NewestClock(WholeDocument):
    """Whole-document last-write-wins on the clock field; what arrives, where there is none or a tie."""

    def wins(self, arriving: Request, stored: Request) -> bool:
        a, b = clock(arriving["client_state"]), clock(stored["client_state"])
        return a is None or b is None or min(a, self.time) >= min(b, self.time)


class Arriving(WholeDocument):
    """The state that arrives wins."""

    def wins(self, arriving: Request, stored: Request) -> bool:
        return True


class LongestHistory(WholeDocument):
    """The state that went through more edits wins, the greater hash on a tie."""

    def wins(self, arriving: Request, stored: Request) -> bool:
        a, b = ((r["_edits"], fast_hash(r["client_state"])) for r in (arriving, stored))
        return bool(a > b)


POLICIES: dict[str, Callable[[], Server]] = {
    "these rules": Rules,
    "newest clock wins": NewestClock,
    "arriving state wins": Arriving,
    "longest history wins": LongestHistory,
}
