"""Bounds on what a client can take from a real server; each is told as a problem, with its setting."""

from __future__ import annotations

import asyncio
import gzip
import json
import select
import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from api.http.codings import CODINGS, compress
from api.serve import KEEP_ALIVE_SECONDS
from tests.instance import Access, Instance
from tests.patience import PATIENCE_SECONDS

HEADER_SECONDS, BODY_SECONDS, CONNECTIONS = 1.0, 1.0, 40


@pytest.fixture(scope="module")
def bounded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """It waits long for a head and a body."""
    instance = Instance(tmp_path_factory.mktemp("bounded") / "data")
    yield instance.start(
        HYPERTASK_CONNECTIONS=str(CONNECTIONS),
        HYPERTASK_SPACE_BODIES_BYTES="1000000",
        HYPERTASK_DEVICES_PER_SPACE="3",
        HYPERTASK_STREAMS_PER_SPACE="2",
        HYPERTASK_PAGE_BYTES="20000",
        HYPERTASK_INBOX_BYTES="3000000",
        HYPERTASK_IMPORT_BYTES="500000",
    )
    instance.discard()


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """It does not: what is to be answered has to be sent as a whole, or its test stands still at the wrong moment."""
    instance = Instance(tmp_path_factory.mktemp("hasty") / "data")
    yield instance.start(HYPERTASK_HEADER_SECONDS=str(HEADER_SECONDS), HYPERTASK_BODY_SECONDS=str(BODY_SECONDS))
    instance.discard()


@pytest.fixture
def access(bounded: Instance) -> Access:
    return bounded.access()


def connected(access: Access) -> socket.socket:
    address = urlsplit(access.url)
    return socket.create_connection((address.hostname, address.port), timeout=PATIENCE_SECONDS)


def answer(connection: socket.socket) -> bytes:
    """Everything until the other side ends."""
    parts = []
    try:
        while part := connection.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def problem_in(raw: bytes) -> dict[str, object]:
    head, _, body = raw.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head, raw[:200]
    found: dict[str, object] = json.loads(body)
    assert int(head.split(b" ")[1]) == found["status"]
    return found


def head_of(access: Access, line: str, *fields: str) -> bytes:
    return "\r\n".join([line, "host: x", f"authorization: Bearer {access.token}", *fields, "", ""]).encode()


@pytest.mark.parametrize("begun", [b"", b"G", b"GET /hashes HTTP/1.1\r\nhost: x\r\n", b"\r\n"])
def test_half_a_head_is_waited_for_so_long(hasty: Instance, begun: bytes) -> None:
    with closing(connected(hasty.access())) as connection:
        began = time.monotonic()
        connection.sendall(begun)
        said = answer(connection)
        assert time.monotonic() - began < KEEP_ALIVE_SECONDS, "that ended it"
    if begun:
        assert problem_in(said)["code"] == "request-timeout"
    else:
        assert said == b"", "who asked for nothing is answered nothing"


def test_half_a_head_behind_another_request_is_waited_for_no_longer(hasty: Instance) -> None:
    with closing(connected(hasty.access())) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        received = b""
        while b'"ok"' not in received:  # head and body may come apart
            more = connection.recv(65536)
            assert more, received
            received += more
        connection.sendall(b"GET /healthz HTTP/1.1\r\nhost:")
        assert problem_in(answer(connection))["code"] == "request-timeout"


@pytest.mark.parametrize(
    ("head", "body", "code"),
    [
        ("GET /hashes HTTP/1.1\r\n" + "x: y\r\n" * 300, b"", "headers-too-large"),
        ("GET /tasks?" + "&" * 300 + " HTTP/1.1\r\n", b"", "malformed-request"),
        ("GET /tasks?ids=" + "%2C" * 6000 + " HTTP/1.1\r\n", b"", "malformed-request"),
        ("POST /task/a HTTP/1.1\r\ntransfer-encoding: chunked\r\n", b"1\r\n \r\n" * 2000, "malformed-request"),
        ("POST /hashes HTTP/1.1\r\ntransfer-encoding: chunked\r\n", b"0\r\n" + b"x: y\r\n" * 50, "malformed-request"),
    ],
)
def test_what_takes_long_to_take_apart_is_refused(access: Access, head: str, body: bytes, code: str) -> None:
    with closing(connected(access)) as connection:
        connection.sendall(f"{head}host: x\r\nauthorization: Bearer {access.token}\r\n\r\n".encode() + body)
        assert problem_in(answer(connection))["code"] == code


def test_small_chunks_of_a_large_body_are_no_matter(access: Access) -> None:
    body = json.dumps({"client_state": {"id": "a", "x": "x" * 200_000}}).encode()
    parts = [body[begin : begin + 100] for begin in range(0, len(body), 100)]
    assert httpx.post(f"{access.url}/task/a", headers=access.headers, content=iter(parts)).status_code == 200


def test_a_body_is_waited_for_so_long_and_longer_if_it_comes(hasty: Instance) -> None:
    access = hasty.access()
    body = json.dumps({"client_state": {"id": "a", "x": "x" * 40_000}}).encode()
    with closing(connected(access)) as connection:
        connection.sendall(posted(access, "/task/a", body)[:-1])
        assert problem_in(answer(connection))["code"] == "request-timeout"
    long = json.dumps({"client_state": {"id": "a", "x": "x" * 900_000}}).encode()
    with closing(connected(access)) as connection:
        connection.sendall(posted(access, "/task/a", long)[:-1])
        time.sleep(BODY_SECONDS + 0.3)  # there is a second for every 16 KiB that came
        connection.sendall(long[-1:])
        assert answer(connection).startswith(b"HTTP/1.1 200")


def posted(access: Access, path: str, body: bytes, *fields: str) -> bytes:
    """A request as a whole, which is the last one of its connection."""
    return (
        head_of(access, f"POST {path} HTTP/1.1", f"content-length: {len(body)}", "connection: close", *fields) + body
    )


def test_bodies_that_are_withheld_have_a_bound_and_others_go_on(bounded: Instance, access: Access) -> None:
    body = b'{"tasks":{"a":{"client_state":{"id":"a","x":"' + b"0" * 700_000 + b'"}}}}'
    head = head_of(access, "POST /tasks HTTP/1.1", f"content-length: {len(body)}")
    other = bounded.access()
    with closing(connected(access)) as first, closing(connected(access)) as second:
        first.sendall(head + body[:-1])
        second.sendall(head + body[:-1])
        small = httpx.post(f"{other.url}/task/a", headers=other.headers, json={"client_state": {"id": "a"}})
        assert small.status_code == 200
        [one], _, _ = select.select([first, second], [], [], PATIENCE_SECONDS)
        refused = problem_in(answer(one))
        assert refused["code"] == "rate-limited" and "SPACE_BODIES_BYTES" in str(refused["detail"])
    with httpx.Client(base_url=access.url, headers=access.headers) as http:
        until = time.monotonic() + PATIENCE_SECONDS
        while (sent := http.post("/tasks", content=body)).status_code == 429:  # it sees that they have gone
            assert time.monotonic() < until
        assert sent.status_code == 200, "all of it was given back"


def test_bodies_that_arrive_have_a_bound(bounded: Instance, access: Access) -> None:
    head = head_of(access, "POST /task/a HTTP/1.1", "content-length: 9")
    with ExitStack() as stack:
        for _ in range(CONNECTIONS - 10):
            stack.enter_context(closing(connected(access))).sendall(head + b"{")
        sent = httpx.post(f"{access.url}/task/a", headers=access.headers, json={"client_state": {"id": "a"}})
        assert sent.status_code == 200, "one that comes as a whole does not arrive any more"


def test_compressed_bodies_that_are_withheld_cost_what_was_sent(access: Access) -> None:
    whole = gzip.compress(b'{"tasks":{"a":{"client_state":{"id":"a","x":"' + b"0" * 900_000 + b'"}}}}')
    head = head_of(access, "POST /tasks HTTP/1.1", "content-encoding: gzip", f"content-length: {len(whole)}")
    with ExitStack() as stack:
        withheld = [stack.enter_context(closing(connected(access))) for _ in range(CONNECTIONS // 2)]
        for connection in withheld:
            connection.sendall(head + whole[:-1])
        sent = httpx.post(
            f"{access.url}/tasks", headers={**access.headers, "content-encoding": "gzip"}, content=whole
        )
        assert sent.status_code == 200, "a space has room for one of them decompressed"


def test_compressed_bodies_that_are_withheld_are_waited_for_no_longer(hasty: Instance) -> None:
    access = hasty.access()
    whole = gzip.compress(b'{"tasks":{"a":{"client_state":{"id":"a","x":"' + b"0" * 900_000 + b'"}}}}')
    with closing(connected(access)) as connection:
        connection.sendall(posted(access, "/tasks", whole, "content-encoding: gzip")[:-1])
        assert problem_in(answer(connection))["code"] == "request-timeout"


def test_connections_have_a_bound_and_new_ones_get_in(access: Access) -> None:
    idle = [connected(access) for _ in range(3 * CONNECTIONS)]
    try:
        assert httpx.get(f"{access.url}/healthz").status_code == 200
    finally:
        for connection in idle:
            connection.close()


def test_devices_of_a_space_have_a_bound_that_revoking_does_not_get_round(access: Access) -> None:
    with httpx.Client(base_url=access.url, headers=access.headers) as http:
        made = [http.post("/devices", json={"name": "d"}) for _ in range(3)]
        assert [one.status_code for one in made] == [201, 201, 409]
        assert made[2].json()["code"] == "too-many-devices" and "DEVICES_PER_SPACE" in made[2].json()["detail"]
        assert http.delete(f"/devices/{made[0].json()['device']}").status_code == 204
        assert http.post("/devices", json={"name": "d"}).status_code == 409


async def test_several_processes_make_no_more_devices_than_one(tmp_path: Path) -> None:
    instance = Instance(tmp_path / "data", api=2)
    await asyncio.to_thread(partial(instance.start, HYPERTASK_DEVICES_PER_SPACE="6"))
    try:
        access = await asyncio.to_thread(instance.access)
        # A connection for each request, so that all processes take some.
        limits = httpx.Limits(max_keepalive_connections=0)
        async with httpx.AsyncClient(base_url=access.url, headers=access.headers, limits=limits) as http:
            made = await asyncio.gather(*(http.post("/devices", json={"name": "d"}) for _ in range(24)))
            assert Counter(one.status_code for one in made) == {201: 5, 409: 19}
            assert len((await http.get("/devices")).json()["devices"]) == 6
    finally:
        await asyncio.to_thread(instance.stop)


async def test_streams_of_a_space_have_a_bound(bounded: Instance, access: Access) -> None:
    async with httpx.AsyncClient(base_url=access.url, headers=access.headers) as http:
        streams = [http.stream("GET", "/events") for _ in range(2)]
        for stream in streams:
            assert (await stream.__aenter__()).status_code == 200
        refused = await http.get("/events")
        assert refused.status_code == 429 and "STREAMS_PER_SPACE" in refused.json()["detail"]
        for stream in streams:
            await stream.__aexit__(None, None, None)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (await http.get("/hashes", params={"wait": "0"})).status_code != 200:
                await asyncio.sleep(0.05)


def test_pages_end_early_and_go_on_where_they_ended(access: Access) -> None:
    names = [f"d{n:02}" for n in range(12)]
    tasks = {name: {"client_state": {"id": name, "x": name * 2000}} for name in names}
    with httpx.Client(base_url=access.url, headers=access.headers) as http:
        assert http.post("/tasks", json={"tasks": tasks}).status_code == 200
        for asked in ({"limit": "1000"}, {"ids": ",".join([*reversed(names), "never"])}):
            found: dict[str, object] = {}
            after, pages = "", 0
            while True:
                page = http.get("/tasks", params={**asked, "after": after}).raise_for_status()
                assert len(page.content) < 40_000
                assert not found.keys() & page.json()["tasks"].keys()
                found |= page.json()["tasks"]
                pages += 1
                if (after := page.json()["after"]) is None:
                    break
            assert pages >= 3 and found.keys() - {"never"} == set(names)
            assert ("never" in found) == ("ids" in asked)


@pytest.mark.parametrize("coding", ["identity", *CODINGS])
def test_an_import_has_a_bound_decompressed(access: Access, coding: str) -> None:
    export = httpx.get(f"{access.url}/export", headers=access.headers).content
    headers = {**access.headers, "content-encoding": coding}
    for body, status in ((export, 200), (export + b" " * 600_000, 413), (export[:-1] + b"x", 422)):
        sent = body if coding == "identity" else compress(coding, body)
        answered = httpx.post(f"{access.url}/import", headers=headers, content=sent)
        assert answered.status_code == status, answered.text
    if coding != "identity":
        answered = httpx.post(f"{access.url}/import", headers=headers, content=b"{}")
        assert (answered.status_code, answered.json()["code"]) == (400, "malformed-request")


def test_an_import_that_does_not_come_keeps_no_other_space_waiting(bounded: Instance, access: Access) -> None:
    other = bounded.access()
    export = httpx.get(f"{other.url}/export", headers=other.headers).content
    with closing(connected(access)) as connection:
        connection.sendall(head_of(access, "POST /import HTTP/1.1", "content-length: 400000") + b"{")
        sent = httpx.post(f"{other.url}/import", headers=other.headers, content=export)
        assert sent.status_code == 200


def test_an_import_that_does_not_come_is_waited_for_no_longer(hasty: Instance) -> None:
    access = hasty.access()
    with closing(connected(access)) as connection:
        connection.sendall(head_of(access, "POST /import HTTP/1.1", "content-length: 400000") + b"{")
        assert problem_in(answer(connection))["code"] == "request-timeout"


def test_what_is_large_is_read_and_decided_as_what_is_small(access: Access) -> None:
    large = {"id": "a", "x": "\u00e9" * 100_000, "n": [1, 2.5, 1e300, None, True]}
    with httpx.Client(base_url=access.url, headers=access.headers) as http:
        sent = http.post("/task/a", json={"client_state": large, "base": "0"}).raise_for_status().json()
        assert sent["server_state"] == large and sent["outcome"] == "applied"
        assert http.get("/task/a").json() == large
        wrong = json.dumps({"client_state": large})[:-2] + ',"n":1}}'
        refused = http.post("/task/a", content=wrong)
        assert refused.status_code == 422 and refused.json()["pointer"] == "/client_state/n"
        tasks = {"a": {"client_state": {**large, "n": 1}}, "b": {"client_state": 7}}
        several = http.post("/tasks", json={"tasks": tasks}).raise_for_status().json()["tasks"]
        assert several["a"]["rev"] and several["b"]["error"]["pointer"] == "/tasks/b/client_state"
