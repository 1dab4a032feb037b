"""What one write takes in an API process, without a database: `python -m bench.request_steps`.

CPU microseconds, and lines of Python that run, from the bytes of a request to those of its answer: through our
protocol, the middleware, the routes and the adapters in memory, and a queue that answers at once. The lines are the
same on every machine; those of asyncio, which differ from release to release of Python, are not counted, and are few.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from types import FrameType
from typing import Any, Final

import uvloop
from uvicorn.config import Config
from uvicorn.server import ServerState

from api.app import create_app
from api.http.http_protocol import HttpProtocol
from bench.documents import document
from shared.core.documents import ContentHash, SpaceId
from shared.core.resolution.batch import Answer, Item
from shared.core.resolution.context import Outcome, Refusal
from shared.core.resolution.revs import CREATED, Rev
from shared.ports import EncodedItem, Reply
from shared.settings import Settings
from tests.unit.api.in_memory import Service, running

_UNCOUNTED: Final = "/bench/"
"""What stands for the network and the queue."""
_ANSWER: Final = Answer(Outcome.APPLIED, "new", ContentHash("0" * 32), Rev("1-" + "0" * 32), None, True, ())


class _Queue:
    """Answers at once."""

    async def submit(self, space: SpaceId, item: Item | EncodedItem) -> Answer | Refusal:
        return _ANSWER

    async def submit_all(self, space: SpaceId, items: Sequence[Item | EncodedItem]) -> list[Reply]:
        return [_ANSWER] * len(items)

    async def waiting(self, space: SpaceId) -> int:
        return 0


class _Wire(asyncio.Transport):
    """One side of a connection: keeps what is sent."""

    def __init__(self) -> None:
        super().__init__({"peername": ("192.0.2.1", 40000), "sockname": ("192.0.2.2", 8480)})
        self.sent = bytearray()

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        self.sent += data

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...
    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...
    def close(self) -> None: ...


class Api:
    """A connection to an API process that is this one."""

    def __init__(self, protocol: HttpProtocol, wire: _Wire, token: str) -> None:
        self._protocol = protocol
        self._wire = wire
        self._always = f"host: test\r\nauthorization: Bearer {token}\r\n"

    async def send(self, path: str, body: bytes) -> bytes:
        """The answer."""
        self._wire.sent.clear()
        self._protocol.data_received(self.request(path, body))
        while self._protocol.cycle is None or not self._protocol.cycle.response_complete:
            await asyncio.sleep(0)
        return bytes(self._wire.sent)

    def request(self, path: str, body: bytes) -> bytes:
        return f"POST {path} HTTP/1.1\r\n{self._always}content-length: {len(body)}\r\n\r\n".encode() + body


@asynccontextmanager
async def opened() -> AsyncIterator[Api]:
    settings = Settings(requests_per_address=10**9, requests_per_token=10**9, requests_per_user=10**9)
    service = Service(settings)
    app: Any = create_app(settings, service.lifespan_of)
    async with running(app):
        state = replace(service.state, submissions=_Queue())
        quiet: dict[str, Any] = {"log_config": None, "access_log": False, "server_header": False}
        config = Config(app, http=HttpProtocol, ws="none", proxy_headers=False, **quiet)
        config.load()
        protocol = HttpProtocol(config, ServerState(), {"hypertask": state})
        wire = _Wire()
        protocol.connection_made(wire)
        yield Api(protocol, wire, await service.token())


def single(identity: str) -> tuple[str, bytes]:
    return f"/task/{identity}", json.dumps({"client_state": document(identity), "base": CREATED}).encode()


def batch(identity: str, count: int = 1) -> tuple[str, bytes]:
    identities = [f"{identity}{number:03}" for number in range(count)]
    tasks = {one: {"client_state": document(one), "base": CREATED} for one in identities}
    return "/tasks", json.dumps({"tasks": tasks}).encode()


KINDS: Final[dict[str, Callable[[str], tuple[str, bytes]]]] = {
    "POST /task/{id}": single,
    "POST /tasks": batch,
    "POST /tasks of 500": partial(batch, count=500),
}


async def _lines(kind: str, rounds: int = 15) -> float:
    async with opened() as api:
        taken: list[int] = []
        for number in range(rounds + 5):
            path, body = KINDS[kind](f"r{number:07}")
            count = 0

            def trace(frame: FrameType, event: str, _argument: object) -> Any:
                nonlocal count
                if event == "call" and _UNCOUNTED in frame.f_code.co_filename:
                    return None
                count += event == "line"
                return trace

            before = sys.gettrace()
            sys.settrace(trace)
            try:
                answer = await api.send(path, body)
            finally:
                sys.settrace(before)
            assert answer.startswith(b"HTTP/1.1 200"), answer
            if number >= 5:
                taken.append(count)
        return statistics.median(taken)


async def _seconds(kind: str) -> float:
    async with opened() as api:
        count = 60 if kind.endswith("500") else 2000
        requests = [KINDS[kind](f"r{number:07}") for number in range(count)]
        for path, body in requests[: count // 10]:
            await api.send(path, body)
        began = time.thread_time()
        for path, body in requests:
            await api.send(path, body)
        return (time.thread_time() - began) / count


def lines(kind: str) -> float:
    """Of one request."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_lines(kind))


def cpu_seconds(kind: str) -> float:
    """Of one request."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_seconds(kind))


def main() -> None:
    for kind in KINDS:
        microseconds = min(cpu_seconds(kind) for _ in range(5)) * 1e6
        print(f"{kind:20}{microseconds:8.0f} us{lines(kind):8.0f} lines")


if __name__ == "__main__":
    main()
