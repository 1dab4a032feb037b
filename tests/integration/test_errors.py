"""Every error of the API has one form, is bounded, and gives nothing away."""

from __future__ import annotations

import asyncio
import json
import re
import select
import socket
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from pymongo import MongoClient

from api.authentication.auth import Devices
from shared.adapters.mongodb import access_stores, opened
from shared.core.access.audit import BY_OPERATOR
from shared.core.documents import DeviceId
from tests.instance import Access, Instance
from tests.integration.truth import administrator
from tests.patience import PATIENCE_SECONDS

BODY_LIMIT = 2 * 4 * 1024 * 1024 + 1024  # a state and the state of its base
DOCUMENT_LIMIT = 1024 * 1024
ANSWER_LIMIT = 4096


@dataclass(frozen=True)
class Case:
    """A request and the error that it gets."""

    name: str
    status: int
    code: str
    method: str = "POST"
    path: str = "/task/a"
    content: bytes | Iterator[bytes] = b'{"client_state":{"id":"a"}}'
    headers: dict[str, str] = field(default_factory=dict)
    pointer: str | None = None
    """With a star at the end: it, or something inside it."""
    answer_headers: dict[str, str] = field(default_factory=dict)


def state(text: str, pointer: str, name: str) -> Case:
    content = b'{"client_state":' + text.encode("utf-8", "surrogatepass") + b"}"
    return Case(name, 422, "invalid-document", content=content, pointer=f"/client_state{pointer}")


def malformed(content: bytes, name: str, code: str = "malformed-json") -> Case:
    return Case(name, 400, code, content=content)


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


def document_of(size: int) -> bytes:
    """A request whose document has a canonical form of so many bytes."""
    return b'{"client_state":{"id":"a","text":"%s"}}' % (b"x" * (size - len('{"id":"a","text":""}')))


def chunks(size: int) -> Iterator[bytes]:
    """A body without a declared length."""
    for _ in range(size // 4096):
        yield b" " * 4096


UNAUTHENTICATED = {"www-authenticate": 'Bearer realm="hypertask"'}
SOMEBODY = "Bearer ht_" + "A" * 43

CASES = [
    malformed(b"", "no body"),
    malformed(b"{", "cut short"),
    malformed(b'{"client_state":{"id":"a"}}x', "more behind it"),
    malformed(b"{'client_state':null}", "not JSON"),
    malformed(b'{"client_state":{"id":"a","n":01}}', "leading zero"),
    malformed(b'{"client_state":{"id":"a","t":"\xff"}}', "not UTF-8"),
    malformed(b'\xef\xbb\xbf{"client_state":null}', "byte order mark"),
    malformed(b"\0", "NUL"),
    malformed(b"[]", "no object", "malformed-request"),
    malformed(b"null", "null", "malformed-request"),
    malformed(b"{}", "no client_state", "malformed-request"),
    malformed(b'{"client_state":null,"unknown":1}', "unknown member", "malformed-request"),
    state("[]", "", "document is an array"),
    state('"a"', "", "document is a string"),
    state("{}", "/id", "no id"),
    state('{"id":"b"}', "/id", "other id"),
    state('{"id":1}', "/id", "id is a number"),
    state('{"id":"a","id":"a"}', "/id", "duplicate id"),
    state('{"id":"a","x":{"y":1,"y":1}}', "/x/y", "duplicate key"),
    state('{"id":"a","x":{"y":1,"\\u0079":1}}', "/x/y", "duplicate key, escaped"),
    state('{"id":"a","n":[0,9007199254740993]}', "/n/1", "integer too large"),
    state('{"id":"a","n":-9007199254740993}', "/n", "integer too small"),
    state('{"id":"a","n":1e999}', "/n", "overflow"),
    state('{"id":"a","n":NaN}', "/n", "NaN"),
    state('{"id":"a","t":"\\ud800"}', "/t", "lone surrogate"),
    state('{"id":"a","\\u0000":1}', "/\0", "NUL in a key"),
    state('{"id":"a","a/b~":{"\\u0000":1}}', "/a~1b~0/\0", "pointer is escaped"),
    state(f'{{"id":"a","x":{nested(64)}}}', "/*", "too deep"),
    state(f'{{"id":"a","x":{nested(100_000)}}}', "/*", "much too deep"),
    Case("no such address", 404, "not-found", path="/nothing"),
    Case("id with a space", 404, "not-found", path="/task/a%20b"),
    Case("id with a slash", 404, "not-found", path="/task/a%2Fb"),
    Case("id is empty", 404, "not-found", path="/task/"),
    Case("id too long", 404, "not-found", path="/task/" + "a" * 129),
    Case("id not ASCII", 404, "not-found", path="/task/%C3%A9"),
    Case("id not UTF-8", 404, "not-found", path="/task/%FF"),
    Case("device unknown", 404, "not-found", method="DELETE", path="/devices/d0123456789abcdef"),
    Case("method of a document", 405, "method-not-allowed", method="PATCH"),
    Case("method of the map", 405, "method-not-allowed", path="/hashes"),
    Case("method of other protocols", 405, "method-not-allowed", method="PROPFIND", path="/devices"),
    Case("document too large", 413, "too-large", content=document_of(DOCUMENT_LIMIT + 1), pointer="/client_state"),
    Case("body too large, declared", 413, "too-large", content=b" " * (BODY_LIMIT + 1)),
    Case("body too large, chunked", 413, "too-large", content=b"chunked"),
    Case("device's body too large", 413, "too-large", path="/devices", content=b" " * 4097),
    Case("other type", 415, "unsupported-media-type", headers={"content-type": "text/xml"}),
    Case("compressed", 415, "unsupported-media-type", headers={"content-encoding": "br"}),
    Case("no name", 400, "malformed-request", path="/devices", content=b"{}", pointer="/name"),
    Case("name is empty", 400, "malformed-request", path="/devices", content=b'{"name":""}', pointer="/name"),
    Case(
        "name too long",
        400,
        "malformed-request",
        path="/devices",
        content=json.dumps({"name": "x" * 101}).encode(),
        pointer="/name",
    ),
    Case("other space", 403, "forbidden", headers={"hypertask-space": "somebody-elses"}),
    Case("space that cannot be", 403, "forbidden", headers={"hypertask-space": "$ne"}),
    *(
        Case(
            f"{name}, {method} {path}",
            401,
            "unauthenticated",
            method=method,
            path=path,
            headers={"authorization": value},
            answer_headers=UNAUTHENTICATED,
        )
        for name, value in [
            ("no token", ""),
            ("bad scheme", SOMEBODY.replace("Bearer", "Basic")),
            ("no scheme", SOMEBODY.removeprefix("Bearer ")),
            ("bad token", "Bearer x"),
            ("unknown token", SOMEBODY),
            ("unknown token, other scheme", SOMEBODY.replace("Bearer", "hypertask")),
        ]
        for method, path in [
            ("POST", "/task/a"),
            ("GET", "/hashes"),
            ("GET", "/devices"),
            ("POST", "/devices"),
            ("DELETE", "/devices/d0123456789abcdef"),
        ]
    ),
]


def check_problem(answer: httpx.Response, status: int, code: str, pointer: str | None = None) -> dict[str, Any]:
    """The one form of an error."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["code"] == code, problem
    assert problem["status"] == status
    assert problem["type"].endswith(f"/{code}")
    assert problem["title"] and problem["detail"]
    if pointer is not None and pointer.endswith("*"):
        assert f"{problem['pointer']}/".startswith(pointer[:-1]), problem
    else:
        assert problem.get("pointer") == pointer, problem
    assert problem.keys() - {"pointer"} == {"type", "title", "status", "detail", "code", "request_id"}
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert re.fullmatch(r"[0-9a-f]{16,}", problem["request_id"])
    assert len(answer.content) < ANSWER_LIMIT
    return problem


@pytest.fixture
def client(access: Access) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=access.url, headers=access.headers, trust_env=False) as client:
        yield client


def ask(client: httpx.Client, case: Case) -> httpx.Response:
    content = chunks(BODY_LIMIT + 100_000) if case.content == b"chunked" else case.content
    headers = {"content-type": "application/json", **case.headers}
    return client.request(case.method, case.path, content=content, headers=headers)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_error_has_its_form_and_changes_nothing(client: httpx.Client, case: Case) -> None:
    assert client.post("/task/a", json={"client_state": {"id": "a", "kept": True}}).status_code == 200
    before = client.get("/hashes").json()
    answer = ask(client, case)
    check_problem(answer, case.status, case.code, case.pointer)
    for name, value in case.answer_headers.items():
        assert answer.headers[name] == value
    if "authorization" not in case.headers:
        assert client.get("/hashes").json() == before


def test_every_request_has_an_id_of_its_own(client: httpx.Client) -> None:
    answers = [client.get(path) for path in ("/", "/healthz", "/readyz", "/hashes", "/nothing") * 3]
    assert len({answer.headers["x-request-id"] for answer in answers}) == len(answers)


def test_head_and_allow(client: httpx.Client) -> None:
    assert client.head("/hashes").status_code == 200
    assert client.head("/hashes").content == b""
    assert set(client.put("/hashes").headers["allow"].split(", ")) == {"GET", "HEAD"}


@pytest.mark.parametrize("kind", ["Bearer", "bearer", "BEARER", "hypertask", "Hypertask"])
def test_both_schemes_open_in_any_case(access: Access, kind: str) -> None:
    headers = {"authorization": f"{kind} {access.token}"}
    assert httpx.get(f"{access.url}/hashes", headers=headers).status_code == 200
    named = {**headers, "hypertask-space": access.space}
    assert httpx.get(f"{access.url}/hashes", headers=named).status_code == 200


def test_a_revoked_token_opens_nothing_from_then_on(server: Instance, access: Access, client: httpx.Client) -> None:
    """Revoked by another process, while the connection is open and the token was used a moment before."""
    assert client.get("/hashes").status_code == 200

    async def revoke() -> bool:
        async with opened(server.settings) as mongo:
            devices = Devices(access_stores(mongo))
            return await devices.revoke(DeviceId(access.device), origin=BY_OPERATOR) is not None

    assert asyncio.run(revoke())
    for method, path in [("GET", "/hashes"), ("POST", "/task/a"), ("GET", "/devices"), ("POST", "/devices")]:
        answer = client.request(method, path, content=b'{"client_state":{"id":"a"}}')
        check_problem(answer, 401, "unauthenticated")


def test_the_largest_document_is_taken_and_the_largest_body_is_read(client: httpx.Client) -> None:
    assert client.post("/task/a", content=document_of(DOCUMENT_LIMIT)).status_code == 200
    filled = b'{"client_state":{"id":"b"}}'.ljust(BODY_LIMIT)
    assert client.post("/task/b", content=filled).status_code == 200
    assert client.post("/task/c", content=iter([b'{"client_state":', b'{"id":"c"}}'])).status_code == 200


class Raw:
    """A connection on which the request is written by hand."""

    def __init__(self, access: Access, head: str) -> None:
        address = urlsplit(access.url)
        self._socket = socket.create_connection((address.hostname or "", address.port or 0), timeout=PATIENCE_SECONDS)
        lines = [*head.split("\n"), f"host: {address.netloc}", f"authorization: Bearer {access.token}", "", ""]
        self._socket.sendall("\r\n".join(lines).encode())

    def __enter__(self) -> Raw:
        return self

    def __exit__(self, *exc: object) -> None:
        self._socket.close()

    def send_until_refused(self, part: bytes) -> int:
        """How much was sent before the other side had had enough."""
        sent, answered = 0, False
        try:
            while sent < 2**30:
                if not answered:
                    answered = bool(select.select([self._socket], [self._socket], [], PATIENCE_SECONDS)[0])
                self._socket.settimeout(1 if answered else PATIENCE_SECONDS)
                sent += self._socket.send(part)
        except OSError:  # it reads no more, or has hung up
            pass
        return sent

    def answer(self) -> bytes:
        """All that it says until it hangs up."""
        self._socket.settimeout(PATIENCE_SECONDS)
        answer = b""
        while part := self._socket.recv(65536):
            answer += part
        return answer


def test_a_body_declared_too_large_is_refused_before_it_is_sent(access: Access) -> None:
    with Raw(access, f"POST /task/a HTTP/1.1\ncontent-length: {BODY_LIMIT + 1}") as connection:
        answer = connection.answer()
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "too-large"


def test_a_body_without_end_is_not_read_for_ever(access: Access) -> None:
    part = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    with Raw(access, "POST /task/a HTTP/1.1\ntransfer-encoding: chunked") as connection:
        sent = connection.send_until_refused(part)
    assert BODY_LIMIT < sent < BODY_LIMIT + 16 * 1024 * 1024  # what the system's buffers hold comes on top


@pytest.mark.parametrize(
    "head",
    [
        "POST /task/a HTTP/1.1\ncontent-length: 10\ncontent-length: 11",
        "POST /task/a HTTP/1.1\ncontent-length: -1",
        "POST /task/a HTTP/1.1\ncontent-length: 10\ntransfer-encoding: chunked",
        "GET /hashes HTTP/1.1\nbad header: \0",
        "\x16\x03\x01",
    ],
)
def test_what_is_no_http_ends_the_connection(access: Access, head: str) -> None:
    with Raw(access, head) as connection:
        answer = connection.answer()
    assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")


# Faults of the server's own


def test_a_document_that_cannot_be_stored_fails_alone_and_is_not_shown_in_a_log(
    server: Instance, access: Access, client: httpx.Client
) -> None:
    mark = f"body-{uuid.uuid4().hex}"
    bad = f"bad-{uuid.uuid4().hex[:8]}"
    database = server.settings.mongo_database
    with administrator(server.data, server.settings) as mongo:
        mongo[database].command("collMod", "documents", validator={"body.id": {"$ne": bad}})
        try:
            answer = client.post(f"/task/{bad}", json={"client_state": {"id": bad, "text": mark}})
            assert client.post("/task/good", json={"client_state": {"id": "good"}}).status_code == 200
        finally:
            mongo[database].command("collMod", "documents", validator={})
    problem = check_problem(answer, 500, "internal")
    assert mark not in answer.text
    assert list(client.get("/hashes").json()) == ["good"]
    assert client.post(f"/task/{bad}", json={"client_state": {"id": bad, "text": mark}}).status_code == 200
    assert problem["request_id"] in logs(server)
    assert mark not in logs(server)
    lines = [line for log in (server.data / "logs").glob("worker-*.log") for line in log.read_text().splitlines()]
    events = [json.loads(line) for line in lines if problem["request_id"] in line]
    refused, failed = [one for one in events if one["event"] in ("database_refused", "submission_failed")][-2:]
    assert refused["event"] == "database_refused"
    assert "121" in refused["codes"]  # DocumentValidationFailure
    assert (failed["event"], failed["request_id"]) == ("submission_failed", answer.headers["x-request-id"])


def test_a_failure_that_nobody_foresaw_is_a_problem_too(
    server: Instance, access: Access, client: httpx.Client
) -> None:
    """The database holds what no release has written."""
    with MongoClient[dict[str, Any]](server.settings.mongo_url) as mongo:
        spaces = mongo[server.settings.mongo_database]["spaces"]
        spaces.insert_one({"_id": access.space, "sequence": "not a number"})  # type: ignore[dict-item]
        answer = client.get("/hashes")
        spaces.delete_one({"_id": access.space})  # type: ignore[dict-item]
    problem = check_problem(answer, 500, "internal")
    assert answer.headers["connection"] == "close", "the server ends it: a next request there would be lost"
    assert problem["request_id"] in logs(server)
    assert client.get("/hashes").json() == {}


# Logs


def logs(server: Instance) -> str:
    """All that the processes of the instance have written, its own log included."""
    files = [*(server.data / "logs").rglob("*"), server.data.with_suffix(".log")]
    assert {"mongod.log", "redis.log", "api-1.log", "worker-1.log"} <= {file.name for file in files}
    return "\n".join(file.read_text(errors="replace") for file in files if file.is_file())


def test_no_log_holds_a_token_or_a_body(server: Instance, access: Access, client: httpx.Client) -> None:
    mark = f"body-{uuid.uuid4().hex}"
    created = client.post("/devices", json={"name": mark}).json()
    requests: list[Callable[[], httpx.Response]] = [
        lambda: client.post("/task/a", json={"client_state": {"id": "a", "n": 1, "text": mark}}),
        lambda: client.post("/task/a", json={"client_state": {"id": "a", "n": 2, "text": mark}}),
        lambda: client.post("/task/a", json={"client_state": None}),
        lambda: client.post("/task/b", json={"client_state": {"id": "a", "text": mark}}),
        lambda: client.post("/task/a", content=f'{{"client_state":{{"id":"a","{mark}":1,"{mark}":2}}}}'),
        lambda: client.post("/task/a", content=f'{{"client_state":"{mark}'),
        lambda: client.post(f"/task/a?token={access.token}", content=mark.encode() * 400_000),
        lambda: client.get("/hashes", headers={"authorization": f"Basic {access.token}"}),
        lambda: client.get("/hashes", headers={"authorization": f"Bearer {access.token}x"}),
        lambda: client.get("/hashes", headers={"hypertask-space": access.token}),
        lambda: client.delete(f"/devices/{created['device']}"),
    ]
    statuses = [request().status_code for request in requests]
    assert statuses == [200, 200, 200, 422, 422, 400, 413, 401, 401, 403, 204]
    written = logs(server)
    assert access.token not in written
    assert created["token"] not in written
    assert mark not in written


def test_mongod_logs_no_slow_statements_for_they_hold_bodies(server: Instance) -> None:
    with administrator(server.data, server.settings) as mongo:
        now = mongo[server.settings.mongo_database].command("profile", -1)
    assert now["sampleRate"] == 0 or now["slowms"] > 10**6, now
