"""A whole server for tests: real mongod, redis-server, API and worker processes, under `ops/supervise.py`."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Coroutine, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any, ClassVar, TypeVar

from api.access.provision import Provision
from api.authentication.auth import Devices
from shared.adapters.mongodb import access_stores, opened
from shared.core.access.audit import BY_OPERATOR
from shared.core.documents import SpaceId, UserName
from shared.settings import Settings
from tests import preloaded
from tests.patience import (
    PATIENCE_SECONDS,
    SERVER_CONSTANTS,
    SERVER_SETTINGS,
    STORE_TIMEOUT_SECONDS,
    SUBMIT_DEADLINE_SECONDS,
)

T = TypeVar("T")
ROOT = Path(__file__).resolve().parent.parent


class Operator:
    """Makes devices, over one connection to the server's MongoDB: logging in there takes longer than all the rest."""

    def __init__(self, settings: Settings) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._left = AsyncExitStack()
        self._mongo = self._run(self._left.enter_async_context(opened(settings)))

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def device(self, user: str, name: str, space: str, *, shared: bool, every_space: bool) -> tuple[str, str]:
        """Its id and its token."""

        async def create() -> tuple[str, str]:
            stores = access_stores(self._mongo)
            devices = Devices(stores)
            provision = Provision(stores, devices)
            device, token = await provision.device(
                user=UserName(user), name=name, space=SpaceId(space), shared=shared, origin=BY_OPERATOR
            )
            if every_space:
                owner = await provision.user(UserName(user), BY_OPERATOR)
                device, token = await devices.create(
                    owner, name=name, space=SpaceId(space), origin=BY_OPERATOR, every_space=True
                )
            return device.id, token

        return self._run(create())

    def close(self) -> None:
        self._run(self._left.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@dataclass(frozen=True)
class Access:
    """A space and a token that opens it."""

    url: str
    space: str
    token: str
    device: str
    user: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


class Instance:
    """Started by `start`, ended by `stop`; `connection` is what the supervisor writes down."""

    loads: ClassVar[bool] = True
    """What holds where it is not said."""

    def __init__(
        self,
        data: Path,
        *,
        api: int = 1,
        workers: int = 1,
        root: Path = ROOT,
        loads: bool | None = None,
        constants: Mapping[str, float] = MappingProxyType({}),
    ) -> None:
        """`root`: the checkout whose programs run. `loads`: each process loads its modules itself, and is as it is
        for everybody; else they are forked from one that has (`tests.preloaded`), and wait for each other with the
        patience of tests. `constants`: of modules, by module and name, that are others in these forks."""
        self.data = data
        self._root = root
        self._loads = not constants and (root != ROOT or (self.loads if loads is None else loads))
        self._constants = constants
        self._command = [
            sys.executable,
            str(root / "ops" / "supervise.py"),
            *("--data", str(data), "--port", "0", "--json"),
            # Earlier releases have none.
            *(["--no-web-client"] if "web-client" in (root / "ops" / "options.py").read_text() else []),
            *("--api", str(api), "--workers", str(workers)),
        ]
        self._process: subprocess.Popen[bytes] | preloaded.Started | None = None
        self._said: IO[bytes] | None = None
        self._operator: Operator | None = None
        self._lock = threading.Lock()
        self.url = ""
        self.token = ""
        self.space = ""

    def start(self, **environment: str) -> Instance:
        self.data.parent.mkdir(parents=True, exist_ok=True)
        log = self.data.with_suffix(".log").open("ab")
        whole = {**os.environ, "PYTHONPATH": str(self._root), **environment}
        if not self._loads:
            whole = {
                **SERVER_SETTINGS,
                **whole,
                preloaded.CONSTANTS: json.dumps({**SERVER_CONSTANTS, **self._constants}),
            }
        said, says = os.pipe()
        self._said = open(said, "rb")  # noqa: PTH123, SIM115 -- closed by `stop`
        with log, open(says, "wb") as output:  # noqa: PTH123
            if self._loads:
                self._process = subprocess.Popen(self._command, cwd=self._root, stdout=output, stderr=log, env=whole)
            else:
                self._process = preloaded.Started(
                    self._command[2:], whole, self._root, output, log, program=preloaded.SERVER
                )
        line = self._said.readline()  # ends with the process, so a start that fails is seen
        assert line, f"the server did not start: {self.log()[-2000:]}"
        self.__dict__.update(json.loads(line))
        return self

    def start_again(self) -> Instance:
        """After `stop`, at the same address."""
        place = self._command.index("--port") + 1
        self._command[place] = self.url.rpartition(":")[2]
        return self.start()

    def stop(self) -> None:
        if self._operator is not None:
            self._operator.close()
            self._operator = None
        if self._process is not None:
            if self._process.poll() is None:
                self._process.send_signal(signal.SIGTERM)
            assert self._process.wait(PATIENCE_SECONDS) == 0, self.log()[-2000:]
            assert self._said is not None
            self._said.close()

    def discard(self) -> None:
        """After the last test: `stop`, and MongoDB's files go. A few servers' are a gigabyte."""
        self.stop()
        shutil.rmtree(self.data / "mongo")

    def log(self) -> str:
        return self.data.with_suffix(".log").read_text()

    @property
    def connection(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.data / "connection.json").read_text())
        return found

    @property
    def settings(self) -> Settings:
        """For adapters that a test opens itself."""
        connection = self.connection
        return Settings(
            mongo_url=connection["mongo_url"],
            mongo_database=connection["mongo_database"],
            redis_url=connection["redis_url"],
            store_timeout_seconds=STORE_TIMEOUT_SECONDS,
            submit_deadline_seconds=SUBMIT_DEADLINE_SECONDS,
        )

    def access(
        self,
        *,
        space: str | None = None,
        user: str = "tester",
        name: str = "device",
        shared: bool = False,
        every_space: bool = False,
    ) -> Access:
        """A new device; in a new space unless one is named. `every_space`: its token opens all of its user's."""
        space = space or f"s-{uuid.uuid4().hex[:12]}"
        with self._lock:
            if self._operator is None:
                self._operator = Operator(self.settings)
        device, token = self._operator.device(user, name, space, shared=shared, every_space=every_space)
        return Access(self.url, space, token, device, user)

    def kill(self, kind: str, index: int = 0) -> int:
        """kill -9 of a child: 'api', 'worker', 'mongod' or 'redis'. Returns when the supervisor has replaced
        it, with the new pid."""
        old = self._pid(kind, index)
        with suppress(ProcessLookupError):  # it fell with what was killed before it, and is being replaced
            os.kill(old, signal.SIGKILL)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (new := self._pid(kind, index)) == old:
            assert time.monotonic() < deadline, f"{kind} was not restarted: {self.log()[-2000:]}"
            time.sleep(0.02)
        return new

    def pause(self, kind: str, index: int, seconds: float) -> None:
        """A child stands still for a while, as on a host that is suspended."""
        pid = self._pid(kind, index)
        os.kill(pid, signal.SIGSTOP)
        try:
            time.sleep(seconds)
        finally:
            os.kill(pid, signal.SIGCONT)

    def _pid(self, kind: str, index: int) -> int:
        children = self.connection["children"][kind]
        pid: int = children[index] if isinstance(children, list) else children
        return pid
