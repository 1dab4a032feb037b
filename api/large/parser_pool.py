"""Work beside the event loop: large bodies are read and checked in processes of their own, a few of each API process.

Reading JSON into values is one long step for the interpreter, which threads cannot share. A process can be given a
bound of memory and time, and less of the processor than those that answer. It is started when it is first needed,
ends with its parent, whose pipe it reads, and is replaced when it fails.

Fairness: of a space one job runs at a time, and spaces take turns.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from api.http.codings import IDENTITY, ReceivedBody
from api.large import parser_process
from api.limits.pace import Pace
from api.representations import batches, submissions
from shared import codec
from shared.core.documents import DocumentId, SpaceId
from shared.core.json.canonical import JsonValue
from shared.core.json.strict import FaultError
from shared.core.protocol import Limits
from shared.observability import event, on_behalf_of, request_id
from shared.ports import UnavailableError
from shared.python_process import end_process, start_module

logger = logging.getLogger(__name__)

PROCESSES: Final = 2
SMALL_BYTES: Final = 192 * 1024
"""What is decompressed, and read, on the event loop: a batch of 500 small documents takes 8 milliseconds there, which
is what it takes to get it from another process, and half of what it takes in all. Longer ones are not, nor are those
of more than _PLAIN_BYTES that need the exact parser or have more than _SMALL_MARKS, whose bytes take longer."""
_SMALL_MARKS: Final = 16 * 1024
_PLAIN_BYTES: Final = 2 * 1024
_WRITTEN_BYTES: Final = 256 * 1024
"""Of a body at a time, to the process that reads it; and of its answer, where that has several parts."""
_JOB_SECONDS: Final = 8.0
"""The worst body that the limits allow takes a second."""


@dataclass(slots=True)
class _Job:
    space: SpaceId
    parts: Sequence[bytes]
    answer: asyncio.Future[list[bytes]]
    request: str | None
    """The id of the request that the body came with."""


class ParserPool:
    """Reads what clients send. Use `async with`."""

    def __init__(self, limits: Limits, pace: Pace, processes: int = PROCESSES) -> None:
        self._pace = pace
        self._limits = limits
        self._count = processes
        self._waiting: dict[SpaceId, deque[_Job]] = {}
        self._busy: set[SpaceId] = set()
        self._more = asyncio.Condition()
        self._tasks: list[asyncio.Task[None]] = []
        self._resting: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> ParserPool:
        self._tasks = [asyncio.create_task(self._work()) for _ in range(self._count)]
        return self

    async def __aexit__(self, *exc: object) -> None:
        tasks = [*self._tasks, *self._resting]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def post_task(
        self, space: SpaceId, document: DocumentId, body: ReceivedBody, limits: Limits
    ) -> submissions.PostTask:
        """As `submissions.parse_post_task`."""
        here, plain = _read_here(body)
        if here:
            return submissions.parse_post_task(body.data, document, limits, plain)
        parts = await self._run(space, "post_task", body, limits, document=document)
        return parser_process.load_task(parts)

    async def post_tasks(self, space: SpaceId, body: ReceivedBody, limits: Limits) -> dict[str, batches.Posted]:
        """As `batches.parse_post_tasks`."""
        here, plain = _read_here(body)
        if here:
            return batches.parse_post_tasks(body.data, limits, plain)
        parts = await self._run(space, "post_tasks", body, limits)
        return parser_process.load_tasks(parts)

    async def value(self, space: SpaceId, body: ReceivedBody, *, max_depth: int) -> JsonValue:
        """As `codec.parse`."""
        here, plain = _read_here(body)
        if here:
            return codec.parse(body.data, max_depth=max_depth, plain=plain)
        [_, text] = await self._run(space, "value", body, self._limits, max_depth=max_depth)
        return codec.loads(text)

    async def _run(
        self, space: SpaceId, name: str, body: ReceivedBody, limits: Limits, **arguments: Any
    ) -> list[bytes]:
        head = {"call": name, "limits": limits._asdict(), **arguments}
        head |= {"coding": body.coding, "max_bytes": body.max_bytes}
        job = _Job(
            space, [json.dumps(head).encode(), body.data], asyncio.get_running_loop().create_future(), request_id()
        )
        async with self._more:
            self._waiting.setdefault(space, deque()).append(job)
            self._more.notify()
        answer = await job.answer
        if (fault := parser_process.load_fault(answer)) is not None:
            raise FaultError(fault)
        if body.coding != IDENTITY:
            body.on_decompressed(sum(map(len, answer)))
        return answer

    async def _work(self) -> None:
        process = _Process()
        try:
            while True:
                job = await self._next()
                began = time.monotonic()
                try:
                    if job.answer.done():  # whoever asked has gone
                        continue
                    async with asyncio.timeout(_JOB_SECONDS):
                        answer = await process.call(job.parts)
                except (TimeoutError, OSError, EOFError) as error:
                    with on_behalf_of([job.request]):
                        event(logger, logging.WARNING, "reading_failed", space=job.space, cause=error)
                    await process.end()
                    _settle(job, UnavailableError("the body could not be read in time"))
                except Exception as error:
                    with on_behalf_of([job.request]):
                        logger.exception("reading_failed", extra={"fields": {"space": job.space}})
                    await process.end()
                    _settle(job, error)
                else:
                    _settle(job, answer)
                finally:
                    # While others ask for something, half of the time is theirs.
                    rest = 0.0 if self._pace.is_alone(job.space) else time.monotonic() - began
                    self._track(asyncio.create_task(self._free(job.space, rest)))
        finally:
            await process.end()

    def _track(self, task: asyncio.Task[None]) -> None:
        self._resting.add(task)
        task.add_done_callback(self._resting.discard)

    async def _free(self, space: SpaceId, after: float) -> None:
        await asyncio.sleep(after)
        async with self._more:
            self._busy.discard(space)
            self._more.notify()

    async def _next(self) -> _Job:
        async with self._more:
            while True:
                for space in self._waiting:
                    if space not in self._busy:
                        return self._take(space)
                await self._more.wait()

    def _take(self, space: SpaceId) -> _Job:
        """The space's oldest; it is the last one whose turn comes then."""
        jobs = self._waiting.pop(space)
        job = jobs.popleft()
        if jobs:
            self._waiting[space] = jobs
        self._busy.add(space)
        return job


def _read_here(body: ReceivedBody) -> tuple[bool, codec.Plain | None]:
    """Whether it is read on the event loop, and what it says, if that is known then."""
    raw = body.data
    if body.coding != IDENTITY or len(raw) > SMALL_BYTES:
        return False, None
    if len(raw) <= _PLAIN_BYTES:
        return True, None
    plain = codec.plain_of(raw) if codec.marks_in(raw) <= _SMALL_MARKS else None
    return plain is not None, plain


def _settle(job: _Job, answer: list[bytes] | Exception) -> None:
    if job.answer.done():  # whoever asked has gone
        return
    if isinstance(answer, Exception):
        job.answer.set_exception(answer)
    else:
        job.answer.set_result(answer)


def _groups(lengths: Iterable[int]) -> Iterator[list[int]]:
    """What is read together: a read for each of hundreds of texts would take longer than their text."""
    group: list[int] = []
    size = 0
    for length in lengths:
        if group and size + length > _WRITTEN_BYTES:
            yield group
            group, size = [], 0
        group.append(length)
        size += length
    if group:
        yield group


class _Process:
    """A process of the pool, started when it is first called."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None

    async def call(self, parts: Sequence[bytes]) -> list[bytes]:
        """Raises EOFError or OSError if it dies meanwhile."""
        if self._process is None:
            self._process = await start_module(parser_process.__name__)
        into, out = self._process.stdin, self._process.stdout
        assert into is not None and out is not None
        for part in parser_process.framed(parts):
            for begin in range(0, len(part), _WRITTEN_BYTES):
                into.write(part[begin : begin + _WRITTEN_BYTES])
                await into.drain()
        count = int.from_bytes(await out.readexactly(4), "big")
        lengths = parser_process.numbers_in(await out.readexactly(4 * count))
        answer: list[bytes] = []
        for group in _groups(lengths):
            data = memoryview(await out.readexactly(sum(group)))
            at = 0
            for length in group:
                answer.append(bytes(data[at : at + length]))
                at += length
        return answer

    async def end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            await end_process(process)
