"""Runs MongoDB, Redis, API and worker processes on this machine, and starts again whichever dies.

The program behind ops/serve, which makes the virtual environment first.
"""

from __future__ import annotations

import asyncio
import errno
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

import httpx
import local_mongo
import local_redis
from child import Child, Service, dying_with_parent, while_alive
from data_directory import CannotStartError, DataDirectory, claimed
from options import CHECKOUT, Options, parse
from program import MONGOD, REDIS, Program, find
from redis.asyncio import Redis
from redis.exceptions import RedisError
from replica_set import DATABASE

_READY_SECONDS: Final = 180.0
_ASK_AGAIN_SECONDS: Final = 0.05
_PORTS_TO_TRY: Final = 3
_BACKLOG: Final = 2048
_API: Final = "api.serve"
_WORKER: Final = "worker"
_WORKER_WORKS: Final = "ht:queue:health-check"
"""A key in Redis, by arq: a worker writes it every five seconds, and it lasts for six."""
_SETUP: Final = "api.cli setup --json"
_LOOPBACK_OF: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}


class Server:
    """One local server: `start`, then `stop`, which also takes back a start that came half-way."""

    def __init__(self, options: Options, data: DataDirectory, listener: socket.socket) -> None:
        self._options = options
        self._data = data
        self._listener = listener
        self._services: dict[str, Service] = {}
        self._processes: dict[str, list[Child]] = {}
        self._first_token: dict[str, str] | None = None

    @property
    def url(self) -> str:
        host, port = self._listener.getsockname()[:2]
        host = _LOOPBACK_OF.get(host, host)
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    @property
    def result(self) -> dict[str, str]:
        """How to use it, once it is started."""
        assert self._first_token is not None
        return {"url": self.url, "token": self._first_token["token"], "space": self._first_token["space"]}

    async def start(self, mongod: Program, redis: Program) -> None:
        """Returns when everything answers. Raises CannotStartError."""
        say("Starting MongoDB and Redis ...")
        await _together(
            self._start_service("mongod", partial(local_mongo.service, self._data, mongod)),
            self._start_service("redis", partial(local_redis.service, self._data, redis)),
        )
        say("Starting the API and the worker ...")
        listener = self._listener.fileno()
        # The socket is ours and stays open while an API process is replaced: callers wait, none is refused.
        self._add_processes("api", self._options.api, f"{_API} --fd {listener}", inherited=[listener])
        self._add_processes("worker", self._options.workers, _WORKER)
        processes = [child for children in self._processes.values() for child in children]
        for child in processes:
            await child.start()
        works = self._take_first_token(), self._until_all_work()
        self._first_token, *_ = await while_alive(processes, _together(*works))
        for child in processes:
            child.keep_alive(say, self._publish)
        self._publish()

    async def stop(self) -> None:
        """Leaves no process behind, and the data in order."""
        self._listener.close()
        await asyncio.gather(*(child.stop(say) for group in self._processes.values() for child in group))
        await asyncio.gather(*(service.child.stop(say) for service in self._services.values()))
        self._data.unpublish()

    async def _start_service(self, name: str, on_port: Callable[[int], Service]) -> None:
        for attempt in range(1, _PORTS_TO_TRY + 1):
            service = self._services[name] = on_port(self._data.port(name, another=attempt > 1))
            await service.child.start()
            try:
                await while_alive([service.child], service.ready())
            except CannotStartError:
                # Between finding a port free and using it, another program may have been faster.
                if service.child.status is None or not service.port_was_taken() or attempt == _PORTS_TO_TRY:
                    raise
            else:
                service.child.keep_alive(say, self._publish)
                return

    def _add_processes(self, name: str, count: int, command: str, inherited: Sequence[int] = ()) -> None:
        self._processes[name] = [
            Child(
                f"{name} {number}",
                [sys.executable, "-m", *command.split()],
                env=self._environ(),
                cwd=CHECKOUT,
                log=self._data.log(f"{name}-{number}"),
                inherited=[self._data.children_lock, *inherited],
            )
            for number in range(1, count + 1)
        ]

    def _environ(self) -> dict[str, str]:
        return os.environ | {
            "HYPERTASK_MONGO_URL": self._services["mongod"].url,
            "HYPERTASK_MONGO_DATABASE": DATABASE,
            "HYPERTASK_REDIS_URL": self._services["redis"].url,
            "HYPERTASK_REDIS_SENTINELS": "",
            "PYTHONPATH": str(CHECKOUT),  # ahead of a foreign package that happens to be called `shared`
            "PYTHONUNBUFFERED": "1",
        }

    def _publish(self) -> None:
        """Tells others what is running where; from the start's end on."""
        if self._first_token is None:
            return
        pids: dict[str, Any] = {name: service.child.pid for name, service in self._services.items()}
        pids |= {name: [child.pid for child in children] for name, children in self._processes.items()}
        self._data.publish(
            {
                **self.result,
                "mongo_url": self._services["mongod"].url,
                "mongo_database": DATABASE,
                "redis_url": self._services["redis"].url,
                "pid": os.getpid(),
                "children": pids,
            }
        )

    async def _until_all_work(self) -> None:
        await _together(self._until_api_answers(), self._until_worker_works())

    async def _until_api_answers(self) -> None:
        answer = "nothing"
        with suppress(TimeoutError):
            async with asyncio.timeout(_READY_SECONDS), _client() as client:
                while True:
                    try:
                        response = await client.get(f"{self.url}/readyz")
                    except httpx.TransportError:
                        pass
                    else:
                        if response.status_code == 200:
                            return
                        answer = f"{response.status_code} {response.text[:500]}"
                    await asyncio.sleep(_ASK_AGAIN_SECONDS)
        raise CannotStartError(
            f"The API was not ready after {_READY_SECONDS:g} s; to GET /readyz it answered: {answer}\n"
            f"{self._processes['api'][0].log_tail()}"
        )

    async def _until_worker_works(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_READY_SECONDS), Redis.from_url(self._services["redis"].url) as redis:
                while True:
                    with suppress(RedisError):
                        if await redis.exists(_WORKER_WORKS):
                            return
                    await asyncio.sleep(_ASK_AGAIN_SECONDS)
        raise CannotStartError(
            f"The worker was not ready after {_READY_SECONDS:g} s.\n{self._processes['worker'][0].log_tail()}"
        )

    async def _take_first_token(self) -> dict[str, str]:
        """The one that is stored, while it opens something."""
        stored = self._data.first_token
        if stored is not None:
            await self._until_api_answers()
            if await self._opens(stored["token"]):
                if "set_up" not in stored:  # by an earlier release
                    await self._set_up("--no-token")
                    self._data.store_first_token({**stored, "set_up": "done"})
                return stored
            say("The first token opens nothing any more (revoked, or the data is new): making another.")
        token = {**await self._set_up("--token"), "set_up": "done"}
        self._data.store_first_token(token)
        return token

    async def _set_up(self, option: str) -> dict[str, str]:
        """The first token, if it was asked for. Says, this once, how the first administrator signs in."""
        status, out, error = await self._run(f"{_SETUP} {option}")
        if status != 0:
            raise CannotStartError(f"The server could not be set up: {error or out}")
        access: dict[str, Any] = json.loads(out)
        administrator = access.pop("administrator")
        if administrator is not None:
            say(
                f"The first administrator is {administrator['name']}, password {administrator['password']} (shown "
                f"this once; hypertask-server user reset makes another one). Sign in at {self.url}/sign-in"
            )
        return access

    async def _opens(self, token: str) -> bool:
        headers = {"Authorization": f"Bearer {token}"}
        async with (
            _client() as client,
            client.stream("GET", f"{self.url}/hashes", headers=headers) as response,
        ):
            return response.status_code != 401

    async def _run(self, command: str) -> tuple[int, str, str]:
        """Runs a short command of ours: exit status, stdout, stderr."""
        process = await asyncio.create_subprocess_exec(
            *dying_with_parent([sys.executable, "-m", *command.split()]),
            env=self._environ(),
            cwd=CHECKOUT,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
            pass_fds=[self._data.children_lock],
        )
        try:
            out, error = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode is not None
        return process.returncode, out.decode(), error.decode("utf-8", "replace").strip()


async def _together(*works: Any) -> list[Any]:
    """Their results. The first error ends the others, and is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(work) for work in works]
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]


def _client() -> httpx.AsyncClient:
    return httpx.AsyncClient(trust_env=False, verify=False, timeout=10)  # no address here is https


async def serve(options: Options, server: Server, mongod: Program, redis: Program) -> None:
    """Until it is told to stop."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN or number is not signal.SIGHUP:  # nohup
            loop.add_signal_handler(number, stopping.set)
    building = asyncio.create_task(_build_web_client()) if options.web_client else None
    starting = asyncio.create_task(server.start(mongod, redis))
    stopped = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait({starting, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            starting.result()
            _announce(options, server.result)
            await stopped
        say("Stopping ...")
    finally:
        ending = [task for task in (starting, stopped, building) if task is not None]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        await server.stop()
    say(f"Stopped. The data is in {options.data}.")


async def _build_web_client() -> None:
    """Beside the start: the server answers whether or not it can be built here. It says why not."""
    command = [sys.executable, str(CHECKOUT / "ops" / "web"), "build"]
    process = await asyncio.create_subprocess_exec(
        *dying_with_parent(command),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        _, error = await process.communicate()
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)  # npm has processes of its own
            await process.wait()
    if process.returncode == 0:
        say("The web client is at /app/.")
    else:
        reason = error.decode("utf-8", "replace").strip()[-1500:]
        say(f"There is no web client at /app/, since it could not be built; all else works. {reason}")


def say(text: str) -> None:
    """To whoever watches, if anybody still does."""
    with suppress(OSError):
        print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def _announce(options: Options, result: dict[str, str]) -> None:
    text = (
        json.dumps(result)
        if options.json
        else _WELCOME.format(**result, data=options.data, programs=Path(sys.executable).parent)
    )
    with suppress(OSError):
        print(text, flush=True)
    if options.host not in {"127.0.0.1", "::1", "localhost"}:
        say("It listens beyond this machine, without TLS: let a proxy with TLS stand before it.")


_WELCOME: Final = """
Hypertask is ready.

  address   {url}
  token     {token}  (space {space}; kept in {data}/first-token.json)

For another terminal, so that `hypertask` and what the README shows work there:

export PATH="{programs}:$PATH" URL={url} TOKEN={token}

Write a document, and see it listed:

curl -H 'Authorization: Bearer {token}' -d '{{"client_state": {{"id": "a", "text": "hello"}}}}' {url}/task/a
curl -H 'Authorization: Bearer {token}' {url}/hashes

Ctrl-C stops it. The data stays in {data}; the logs are in {data}/logs.
"""


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """The socket that all API processes accept from."""
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise CannotStartError(f"--host {host} is no address of this machine ({error.strerror}).") from None
    family, _, _, _, address = addresses[0]
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Accepted sockets inherit it. uvicorn takes a socket it is handed for a Unix one and does not set it,
        # and then small answers wait 40 ms for the other side's delayed acknowledgement.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            listener.bind(address)
            listener.listen(_BACKLOG)
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                raise CannotStartError(f"--host {host} is no address of this machine.") from None
            raise CannotStartError(
                f"Cannot listen on {host} port {port} ({error.strerror}). Stop what uses it, or choose "
                "another port: --port 8481, or --port 0 for any that is free."
            ) from None
        yield listener


def _find_programs() -> tuple[Program, Program]:
    mongod, redis = find(MONGOD, say), find(REDIS, say)
    for program in (mongod, redis):
        say(f"{program.path.name} {program.version} from {'a wheel' if program.from_wheel else program.path}")
    if mongod.from_wheel:
        say(
            "That mongod is an old patch level, under the SSPL, and listens on loopback alone: it is for one "
            "machine. If there is a newer one on PATH, that is taken."
        )
    return mongod, redis


def main() -> int:
    options = parse(sys.argv[1:])
    try:
        with (
            claimed(options.data, say) as data,
            _listening(options.host, options.port) as listener,
        ):
            asyncio.run(serve(options, Server(options, data, listener), *_find_programs()))
    except CannotStartError as error:
        say(f"Cannot start. {error}")
        return 1
    except KeyboardInterrupt:  # before there was anything to stop
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
