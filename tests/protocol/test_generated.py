"""Requests of every shape to every route: no answer is a 5xx but 503 (or 507, a quota), every error is a problem, and
no answer tells of another space.

The routes come from the application, so a new one is asked without anybody thinking of it. The seed is fixed: the
same requests each time.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any
from urllib.parse import unquote

import httpx
import psutil
import pytest

from api.access.sign_in import SignIn
from api.app import ROUTES
from api.authentication.cookies import csrf_of
from shared.adapters.argon2 import Argon2Hasher
from shared.adapters.mongodb import access_stores, opened
from tests.described import is_described
from tests.instance import Access, Instance
from tests.patience import PATIENCE_SECONDS

WARM_UP = 8000
"""Requests after which memory is looked at: pools, caches and processes for what is large are there then."""
SECRET = "what another space has"
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS")
TEXTS = [
    "",
    "a",
    "b",
    ".",
    "..",
    "%",
    "%00",
    "%ff",
    "%ED%A0%80",
    "%2e%2e",
    "%2F",
    "a%0d%0ab",
    "a" * 129,
    "0",
    "-1",
    "1",
    "60",
    "1e9",
    "9" * 400,
    "null",
    "true",
    "*",
    "a,b",
    ",",
    ".,a",
    "%1b[2J",
    "%F0%9F%98%80",
    "junk",
    "0" * 32,
]
NAMES = ["since", "limit", "wait", "states", "ids", "after", "dry_run", "x", "", "%00"]
PLACES = {
    "id": ["a", "b"],
    "hash": ["0" * 32],
    "device": ["d"],
    "session": ["w"],
    "space": ["{space}"],
    "user": ["u", "{user}"],
    "invitation": ["i"],
}
"""What is likely in an address; what is in braces is the caller's."""
HEADERS = {
    "if-none-match": ["*", '"x"', "\udcff", '"', "W/", ",", '"' + "a" * 5000 + '"'],
    "if-match": ["*", '"0"', '"x"', "\udcfe\udc80", "a" * 300],
    "hypertask-confirm": ["deletions", "", "x", "\udcff"],
    "hypertask-space": ["another", "", "\udcff", "../x"],
    "last-event-id": ["junk", "\udcff", "", "a" * 9000],
    "accept-encoding": ["gzip", "zstd", "gzip;q=nan", "gzip;q=-1, zstd;q=inf", "br", "*;q=0", "\udcff"],
    "content-encoding": ["gzip", "zstd", "br", "identity", "x-gzip", "\udcff"],
    "content-type": ["application/json", "text/plain", "application/x+json; charset=\udcff", ""],
    "authorization": ["", "Bearer", "Bearer x", "Basic eDp5", "Bearer ht_" + "a" * 43, "hypertask \udcff"],
    "accept": ["text/html", "application/json", "\udcff"],
    "expect": ["100-continue"],
    "upgrade": ["websocket", "h2c"],
    "range": ["bytes=0-0"],
    "x-forwarded-proto": ["javascript"],
    "origin": ["null", "https://elsewhere.example", "http://[", "\udcff"],
    "sec-fetch-site": ["cross-site", "same-origin", ""],
    "hypertask-csrf": ["", "x", "\udcff"],
    "cookie": ["hypertask-session=x", "hypertask-session", "=;;", "\udcff=\udcfe", "a=" + "b" * 9000],
    "user-agent": ["\udc9b[2J\udcff", "a" * 3000, ""],
}
KEYS = [
    "id",
    "tasks",
    "client_state",
    "base",
    "base_state",
    "hash",
    "name",
    "ranges",
    "/a",
    "/**",
    "_deleted",
    "a",
    "b",
]
KEYS += ["", "\ud800", "\0", "$set", "a.b", "__proto__", ".", "..", "\U0001f600", "\x1b[2J", "updated_at", "tags"]
SCALARS: list[Any] = [None, True, False, 0, -0.0, 1, 1.5, 2**53, 2**53 + 1, 10**17, 1e308, -1, 10**400, "0", "lww"]
SCALARS += ["a", "b", "", "\ud800", "\udfff\ud800", "\0", "\x1b", "x" * 3000, "0" * 32, float("nan"), float("inf")]


def value(random: Random, depth: int = 0) -> Any:
    kind = random.randrange(8 if depth < 5 else 5)
    if kind < 5:
        return random.choice(SCALARS)
    if kind == 5:
        return [value(random, depth + 1) for _ in range(random.randrange(4))]
    return {random.choice(KEYS): value(random, depth + 1) for _ in range(random.randrange(5))}


def state(random: Random) -> dict[str, Any]:
    """Nearly what a document is."""
    found: dict[str, Any] = {"id": random.choice(["a", "b", "a", "b", ".", 7])}
    found.update((random.choice(KEYS[3:]), value(random, 1)) for _ in range(random.randrange(4)))
    return found


def posted(random: Random) -> dict[str, Any]:
    found: dict[str, Any] = {"client_state": random.choice([None, state(random), state(random), value(random)])}
    if random.random() < 0.4:
        found["base"] = random.choice(["0", "x", None, "", 1, "\ud800", "a" * 201, "7-" + "0" * 32])
    if random.random() < 0.2:
        found["base_state"] = random.choice([None, state(random), value(random)])
    return found


MEMBERS: dict[str, list[Any]] = {
    "name": ["a", "New name", "x" * 101],
    "password": ["wrong password"],
    "new": ["another password"],
    "email": ["a@example.org", "a\n@b", None],
    "invitation": ["hi_" + "a" * 43],
    "secret": ["hi_" + "a" * 43],
    "role": ["reader", "editor", "owner"],
    "user": ["u", "."],
    "archived": [True, False],
    "space": ["s", "."],
    "expires_in": [60, 1e300, -1],
    "every_space": [True],
}
"""Of bodies about people and spaces."""


def member(random: Random, name: str) -> Any:
    return random.choice(MEMBERS[name] if random.random() < 0.7 else SCALARS)


BODIES: list[Callable[[Random], Any]] = [
    value,
    posted,
    lambda random: {"tasks": {random.choice(["a", "b", ".", "\ud800", *KEYS]): posted(random) for _ in range(3)}},
    lambda random: {"hash": random.choice(SCALARS)},
    lambda random: {"name": random.choice(SCALARS)},
    lambda random: {"ranges": {random.choice(["", "0", "ff", "g", "\ud800"]): random.choice(SCALARS)}},
    lambda random: {name: member(random, name) for name in random.sample(list(MEMBERS), random.randrange(1, 5))},
    lambda random: {random.choice(["/a", "/**", "/a/*", "x", "/\ud800", "/~"]): random.choice(SCALARS)},
]


def body(random: Random) -> bytes:
    raw = json.dumps(random.choice(BODIES)(random), ensure_ascii=random.random() < 0.8).encode(
        "utf-8", "surrogatepass"
    )
    way = random.randrange(12)
    if way == 0:
        return raw[: random.randrange(len(raw) + 1)]
    if way == 1:
        return bytes(random.getrandbits(8) for _ in range(random.randrange(40)))
    if way == 2:
        return b"[" * random.choice([60, 70, 600, 100_000]) + raw
    if way == 3:
        return raw.replace(b":", b":" * random.randrange(3), 1)
    return raw


def form(random: Random) -> bytes:
    """What /oauth takes, and nearly."""
    names = ["client_id", "device_name", "grant_type", "device_code", "x"]
    values = ["a", "", "%00", "%ff", "%ED%A0%80", "%1b[2J", "+", "urn:ietf:params:oauth:grant-type:device_code"]
    pairs = [f"{random.choice(names)}={random.choice(values)}" for _ in range(random.randrange(5))]
    return "&".join(pairs).encode()


@dataclass(frozen=True)
class Person:
    """Who asks: with the token of a device, or with a session."""

    access: Access
    session: str

    @property
    def as_session(self) -> dict[str, str]:
        return {"cookie": f"hypertask-session={self.session}", "hypertask-csrf": csrf_of(self.session)}


def person(server: Instance, space: str | None = None) -> Person:
    """A new one; in the space, if one is named."""
    access = server.access(space=space)

    async def begun() -> str:
        async with opened(server.settings) as mongo:
            stores = access_stores(mongo)
            found = await stores.users.by_login(access.user)
            assert found is not None
            _, token = await SignIn(stores, Argon2Hasher(threads=1), 1).begin(
                found[0], address=None, agent="generated"
            )
            return token

    return Person(access, asyncio.run(begun()))


def url_of(random: Random, path: str, access: Access) -> str:
    for name, likely in PLACES.items():
        place = random.choice(likely if random.random() < 0.6 else TEXTS)
        path = path.replace(f"{{{name}}}", place.format(space=access.space, user=access.user))
    if random.random() < 0.05:
        path += random.choice(["/", "//", "/x", "%00", ";x", "/.."])
    query = "&".join(f"{random.choice(NAMES)}={random.choice(TEXTS)}" for _ in range(random.choice([0, 0, 1, 2, 3])))
    return path + (f"?{query}" if query else "")


def request(random: Random, client: httpx.Client, who: Person) -> httpx.Request:
    access = who.access
    headers = {"authorization": f"Bearer {access.token}"} if random.random() < 0.6 else who.as_session
    for name in random.sample(list(HEADERS), random.choice([0, 0, 1, 1, 2])):
        headers[name] = random.choice(HEADERS[name])
    route = random.choice(ROUTES)
    method = random.choice(sorted(route.methods or ()) if random.random() < 0.9 else METHODS)
    if method in ("GET", "HEAD") and random.random() < 0.9:
        content = b""
    else:
        content = body(random)
        if route.path.startswith("/oauth/") and random.random() < 0.8:
            content = form(random)
            headers.setdefault("content-type", "application/x-www-form-urlencoded")
        if headers.get("content-encoding", "").endswith("gzip") and random.random() < 0.7:
            content = gzip.compress(content)
    raw = {name.encode(): text.encode("utf-8", "surrogateescape") for name, text in headers.items()}
    return client.build_request(
        method, access.url + url_of(random, route.path, access), headers=list(raw.items()), content=content
    )


def check(sent: httpx.Request, answer: httpx.Response) -> None:
    about = (
        f"{sent.method} {sent.url} {sent.headers} {sent.content[:500]!r}: {answer.status_code} {answer.text[:300]}"
    )
    assert answer.status_code < 500 or answer.status_code in (503, 507), about
    assert SECRET not in answer.text, about
    assert is_described(sent.method, unquote(sent.url.path), answer.status_code), about
    assert answer.headers["x-content-type-options"] == "nosniff", about
    assert "cache-control" in answer.headers, about
    assert answer.headers["x-request-id"], about
    # `/` leads browsers to the web client, and nothing leads anywhere else.
    assert answer.headers.get("location", "/app/") == "/app/", about
    if answer.status_code == 405:
        assert answer.headers["allow"], about
    if answer.status_code in (429, 503):
        assert answer.headers["retry-after"], about
    if answer.status_code < 400:
        return
    assert answer.headers["content-type"] == "application/problem+json", about
    if sent.method == "HEAD":
        assert answer.content == b"", about
        return
    problem = answer.json()
    assert problem["status"] == answer.status_code, about
    assert problem.keys() >= {"type", "title", "status", "code", "detail", "request_id"}, about


def memory(server: Instance) -> list[float]:
    """Resident, in MiB, of the API and the worker."""
    children = server.connection["children"]
    return [psutil.Process(children[kind][0]).memory_info().rss / 2**20 for kind in ("api", "worker")]


@pytest.mark.parametrize(("count", "seed"), [(600, 1), pytest.param(20_000, 2, marks=pytest.mark.soak)])
def test_every_request_has_an_answer_in_one_form(server: Instance, count: int, seed: int) -> None:
    random = Random(seed)
    who = person(server)
    told: Counter[int] = Counter()
    asked: set[str] = set()
    before: list[float] = []
    another = server.access(user="another")
    with httpx.Client(trust_env=False) as client:
        known = {"client_state": {"id": "a", "text": SECRET}}
        client.post(f"{another.url}/task/a", headers=another.headers, json=known).raise_for_status()
        for number in range(count):
            if number == WARM_UP:
                before = memory(server)
            if number % 500 == 0:  # a device may have been revoked by one of them
                who = person(server, who.access.space)
            sent = request(random, client, who)
            if "wait=" in str(sent.url):
                sent.url = httpx.URL(str(sent.url).replace("wait=60", "wait=1"))
            answer = client.send(sent, stream=True)
            if answer.headers.get("content-type", "").startswith("text/event-stream"):
                answer.close()
                told[answer.status_code] += 1
                continue
            answer.read()
            check(sent, answer)
            told[answer.status_code] += 1
            asked.add(sent.method)
    assert asked == set(METHODS)
    assert {200, 400, 401, 403, 404, 405, 413, 415, 422} - {413} <= told.keys(), told
    assert told[503] < count / 20, told
    if before:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not all(after <= 1.2 * was for was, after in zip(before, memory(server), strict=True)):
            assert time.monotonic() < deadline, f"MiB before {before}, after {memory(server)}"
            time.sleep(1)
        print(f"\n{told}; MiB of the API and the worker before {before}, after {memory(server)}")
