"""What it takes to decide, without a database: `python -m bench.decisions`.

Prints for each kind of submission the CPU time, the best of several, and the lines of Python that run, which are the
same on every machine (tests/unit/test_decision_steps.py holds them). Both are of one submission and leave out what
stores it: the space is in memory. Then the same of reading a batch, a document of it, in the two processes that do.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, Final, TypeVar

from api.http.codings import IDENTITY
from api.large.parser_process import answer_to, load_tasks
from bench.documents import Document, document
from shared.adapters.memory import MemorySpace
from shared.codec import content_hash
from shared.core.documents import Body, DeviceId, DocumentId
from shared.core.protocol import Limits
from shared.core.resolution.batch import Answer, Item
from shared.core.resolution.context import Submission
from shared.core.resolution.revs import CREATED
from shared.ports import Reply
from shared.transaction import CachedResolver, decide

DEVICES: Final = [DeviceId(f"device{number}") for number in range(8)]
ROUNDS: Final = 12
BATCH: Final = 100
_ADAPTERS: Final = str(Path("shared", "adapters"))
_SHARED: Final = str(Path(__file__).parents[1] / "shared")
_API: Final = str(Path(__file__).parents[1] / "api")

T = TypeVar("T")
Batch = Sequence[Submission]


class Space:
    """A space in memory, and what its devices have."""

    def __init__(self) -> None:
        self._space = MemorySpace()
        self._at = 0.0
        self.heads: dict[str, tuple[Body, str]] = {}

    def submission(self, body: Body, base: str | None, device: DeviceId = DEVICES[0]) -> Submission:
        self._at += 1
        return Submission(
            DocumentId(body["id"]), body, content_hash(body), self._at, base, device=device, single_device=True
        )

    def send(self, batch: Batch) -> list[Reply]:
        items = [Item(one, one.device or DEVICES[0]) for one in batch]
        replies, _ = self._space.transact(lambda found: decide(found, CachedResolver(2**20), items))
        return replies

    def taken(self, batch: Batch, replies: Iterable[Reply]) -> None:
        """Every device has what was answered last."""
        for one, reply in zip(batch, replies, strict=True):
            assert isinstance(reply, Answer) and reply.rev is not None
            body = one.client_state if reply.same else reply.body
            assert isinstance(body, dict)
            self.heads[one.document] = body, reply.rev

    def filled(self, count: int) -> Space:
        batch = [self.submission(document(f"t{number:07}"), CREATED) for number in range(count)]
        self.taken(batch, self.send(batch))
        return self


def new_documents(space: Space) -> Iterator[Batch]:
    for turn in range(ROUNDS):
        yield [space.submission(document(f"n{turn}-{number}"), CREATED) for number in range(8)]


def edits_of_the_head(space: Space) -> Iterator[Batch]:
    for turn in range(ROUNDS):
        yield [space.submission({**body, "turn": turn}, rev) for body, rev in list(space.heads.values())]


def edits_without_a_base(space: Space) -> Iterator[Batch]:
    for turn in range(ROUNDS):
        yield [space.submission({**body, "turn": turn}, None) for body, _ in list(space.heads.values())]


def edits_by_eight_devices(space: Space) -> Iterator[Batch]:
    """Each of another field of the same document, on the same base, in one transaction."""
    for turn in range(ROUNDS):
        body, rev = next(iter(space.heads.values()))
        yield [space.submission(_with_own(body, device, turn), rev, device) for device in DEVICES]


def edits_one_after_another(space: Space) -> Iterator[Batch]:
    """The same, each in a transaction of its own."""
    for turn in range(ROUNDS):
        body, rev = next(iter(space.heads.values()))
        yield from ([space.submission(_with_own(body, device, turn), rev, device)] for device in DEVICES)


def _with_own(body: Body, device: DeviceId, turn: int) -> Document:
    return {**body, device: f"{body.get(device, '')} {turn}".strip()}


KINDS: Final[dict[str, Callable[[Space], Iterator[Batch]]]] = {
    "new documents": new_documents,
    "edits of the head": edits_of_the_head,
    "edits without a base (v1.0)": edits_without_a_base,
    "eight devices edit one document, in one transaction": edits_by_eight_devices,
    "eight devices edit one document, one after another": edits_one_after_another,
}


def run(kind: str, around: Callable[[Callable[[], list[Reply]]], list[Reply]] = lambda send: send()) -> int:
    """How many submissions were decided, each batch inside `around`."""
    space, decided = Space().filled(8), 0
    for batch in KINDS[kind](space):
        space.taken(batch, around(lambda batch=batch: space.send(batch)))  # type: ignore[misc]
        decided += len(batch)
    return decided


def cpu_seconds(kind: str) -> float:
    """Of one submission, the space in memory included."""
    spent = 0.0

    def timed(send: Callable[[], list[Reply]]) -> list[Reply]:
        nonlocal spent
        began = time.thread_time()
        replies = send()
        spent += time.thread_time() - began
        return replies

    decided = run(kind, timed)
    return spent / decided


class Lines:
    """Counts lines of Python that run, but for those of the space in memory."""

    def __init__(self) -> None:
        self.taken = 0

    def __call__(self, work: Callable[[], T]) -> T:
        def count(frame: FrameType, event: str, _argument: object) -> Any:
            if event == "call" and not _is_counted(frame.f_code.co_filename):
                return None
            self.taken += event == "line"
            return count

        before = sys.gettrace()
        sys.settrace(count)
        try:
            return work()
        finally:
            sys.settrace(before)


def lines(kind: str) -> float:
    """Of one submission."""
    counted = Lines()
    decided = run(kind, counted)
    return counted.taken / decided


def batch_text() -> bytes:
    """A `POST /tasks` of new documents, as a client sends it."""
    tasks = {one: {"client_state": document(one), "base": CREATED} for one in map("r{:07}".format, range(BATCH))}
    return json.dumps({"tasks": tasks}).encode()


def lines_of_reading() -> float:
    """Of one document of a batch: parsed, checked, hashed, and put where the process that asked can take it."""
    counted, raw = Lines(), batch_text()
    answer = counted(lambda: _read(raw))
    assert len(counted(lambda: load_tasks(answer))) == BATCH
    return counted.taken / BATCH


def _read(raw: bytes) -> list[bytes]:
    head = {"call": "post_tasks", "limits": Limits()._asdict(), "coding": IDENTITY, "max_bytes": len(raw)}
    return answer_to([json.dumps(head).encode(), raw])


def _is_counted(path: str) -> bool:
    return path.startswith((_SHARED, _API)) and _ADAPTERS not in path


def main() -> None:
    for kind in KINDS:
        microseconds = min(cpu_seconds(kind) for _ in range(5)) * 1e6
        print(f"{kind:60}{microseconds:8.0f} us{lines(kind):8.0f} lines")
    raw = batch_text()
    spent: list[float] = []
    for _ in range(5):
        began = time.thread_time()
        load_tasks(_read(raw))
        spent.append(time.thread_time() - began)
    print(f"{'reading, of a batch':60}{min(spent) / BATCH * 1e6:8.1f} us{lines_of_reading():8.0f} lines")


if __name__ == "__main__":
    main()
