"""Upstreams for the contract suite: how each driver is opened, several devices on one and the same."""

from __future__ import annotations

import itertools
import random
import subprocess
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from client.sync.upstream import Upstream
from client.upstreams.directory import FolderUpstream
from client.upstreams.git import GitUpstream
from client.upstreams.http import HttpUpstream
from client.upstreams.http_channel import Channel
from client.upstreams.mongodb import MongoUpstream
from shared.retry import Backoff
from tests.instance import Instance

Open = Callable[[str], Upstream]


class OnlyV1(httpx.AsyncHTTPTransport):
    """A server of which nothing but v1.0 is reached: two requests, and nothing at `/`."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        kind = (request.method, request.url.path.split("/")[1], request.url.query)
        if kind not in (("GET", "hashes", b""), ("POST", "task", b"")):
            return httpx.Response(404, json={}, request=request)
        return await super().handle_async_request(request)


class Lossy(httpx.AsyncHTTPTransport):
    """A network that loses requests, loses answers, and brings requests twice."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._random = random.Random(seed)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        fate = self._random.random()
        if fate < 0.08:
            raise httpx.ConnectError("lost on the way there", request=request)
        answer = await super().handle_async_request(request)
        if fate < 0.16 or (fate < 0.24 and request.method == "POST"):
            await answer.aread()
            await answer.aclose()
            if fate < 0.16:
                raise httpx.ReadError("lost on the way back", request=request)
            return await super().handle_async_request(request)
        return answer


@dataclass(frozen=True)
class Driver:
    """`opened` gives a device its upstream; all of one Driver meet at the same place."""

    name: str
    opened: Open
    space: str | None = None
    """Of a database."""


def directory(root: Path) -> Driver:
    return Driver("folder", lambda name: FolderUpstream(root, {"device": name}, device=name, make=True))


def repository(root: Path) -> Driver:
    place = root / "shared.git"
    subprocess.run(["git", "init", "-q", "--bare", str(place)], check=True)
    return Driver("git", lambda name: GitUpstream(f"file://{place}", root / name, {"device": name}, device=name))


def database(instance: Instance) -> Driver:
    """The database under a server, without it."""
    space = f"s-{uuid.uuid4().hex[:12]}"

    def opened(name: str) -> Upstream:
        settings = instance.settings  # it has other ones when it is started again
        address = urlsplit(settings.mongo_url)._replace(path=f"/{settings.mongo_database}").geturl()
        return MongoUpstream(address, {"device": name}, device=name, space=space)

    return Driver("mongodb", opened, space)


def server(instance: Instance, *, v1: bool = False, lossy: int | None = None) -> Driver:
    seeds = itertools.count(lossy or 0)
    first = instance.access()
    tokens: dict[str, str] = {}

    def opened(name: str) -> Upstream:
        if name not in tokens:
            with ThreadPoolExecutor(1) as thread:  # it runs a loop of its own
                made = thread.submit(lambda: instance.access(space=first.space, user=first.user, name=name))
                tokens[name] = made.result().token
        transport = OnlyV1() if v1 else Lossy(next(seeds)) if lossy is not None else None
        backoff = Backoff(attempts=2, base=0.01, cap=0.01, patience=1)
        return HttpUpstream(Channel(instance.url, tokens[name], transport=transport, backoff=backoff), {})

    return Driver("v1" if v1 else "http", opened, first.space)
