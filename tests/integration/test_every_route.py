"""What holds for every route of the application, whatever it does."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from api.app import ROUTES
from tests.described import openapi_document
from tests.instance import Access, Instance
from tests.integration.test_errors import Raw, check_problem
from tests.patience import PATIENCE_SECONDS

PATHS = sorted({route.path for route in ROUTES})
READ = [route.path for route in ROUTES if "GET" in (route.methods or ())]
OPEN = {"/", "/healthz", "/readyz", "/openapi.json"}
STREAMS = {"/events"}
OF_SESSIONS = {"/session", "/sessions", "/me/export", "/spaces/{space}/invitations"}
OF_SESSIONS |= {path for path in READ if path.startswith("/admin")}
"""Not for a token that opens one space alone."""
OF_TOKENS = [path for path in READ if path not in OF_SESSIONS]
BODY = {"id": "a", "text": "of some length, so that it is compressed where that is asked for. " * 40}
NAMES = {"id": "a", "hash": "0" * 32, "device": "d", "session": "w", "space": "s", "user": "u", "invitation": "i"}
OF_THE_MOMENT = {"date", "x-request-id"}
CODINGS = pytest.mark.parametrize("coding", ["identity", "gzip"])


@contextmanager
def filled(access: Access) -> Iterator[httpx.Client]:
    """It has the document `a`."""
    with httpx.Client(base_url=access.url, headers=access.headers) as client:
        made = client.post("/task/a", json={"client_state": BODY, "base": "0"}).raise_for_status()
        client.headers["x-hash"], client.headers["x-space"] = made.json()["hash"], access.space
        yield client


@pytest.fixture(scope="module")
def reader(server: Instance) -> Access:
    """Of a space to which nothing happens after it was filled."""
    return server.access()


@pytest.fixture(scope="module")
def client(reader: Access) -> Iterator[httpx.Client]:
    with filled(reader) as client:
        yield client


def concrete(path: str, client: httpx.Client) -> str:
    space = client.headers["x-space"]
    return path.format(**NAMES | {"hash": client.headers["x-hash"], "space": space})


def asked(client: httpx.Client, method: str, path: str, coding: str) -> httpx.Response:
    """The answer; of a stream its head alone."""
    with client.stream(method, path, headers={"accept-encoding": coding}) as answer:
        if method == "HEAD" or path not in STREAMS:
            answer.read()
        return answer


@CODINGS
@pytest.mark.parametrize("path", OF_TOKENS)
def test_head_is_get_without_a_body(client: httpx.Client, path: str, coding: str) -> None:
    path = concrete(path, client)
    got, head = (asked(client, method, path, coding) for method in ("GET", "HEAD"))
    assert (head.status_code, head.content) == (got.status_code, b"")
    assert got.status_code == 200
    fields = [
        {name: value for name, value in answer.headers.items() if name not in {*OF_THE_MOMENT, "transfer-encoding"}}
        for answer in (got, head)
    ]
    assert fields[0] == fields[1]


@pytest.mark.parametrize("path", OF_TOKENS)
def test_head_is_refused_as_get_is(reader: Access, path: str) -> None:
    for headers in ({}, {"authorization": "Bearer x"}, {**reader.headers, "hypertask-space": "another"}):
        url = reader.url + path.format(**NAMES)
        head = httpx.head(url, headers=headers)
        status = 200 if path in OPEN else 403 if "hypertask-space" in headers else 401
        assert (head.status_code, head.content) == (status, b"")


@CODINGS
@pytest.mark.parametrize("path", OF_TOKENS)
def test_an_answer_is_kept_by_nobody_else_and_is_what_it_says(client: httpx.Client, path: str, coding: str) -> None:
    answer = asked(client, "GET", concrete(path, client), coding)
    assert answer.headers["x-content-type-options"] == "nosniff"
    kept = answer.headers["cache-control"]
    assert kept in ("no-store", "no-cache" if path == "/openapi.json" else "private, no-cache")


@pytest.mark.parametrize("path", PATHS)
def test_allow_names_all_methods_of_the_address(client: httpx.Client, path: str) -> None:
    methods = {method for route in ROUTES if route.path == path for method in route.methods or ()}
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"} - methods:
        answer = client.request(method, concrete(path, client))
        check_problem(answer, 405, "method-not-allowed", None)
        assert answer.headers["allow"] == ", ".join(sorted(methods))
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", [path for path in PATHS if path != "/"])
def test_nothing_is_redirected(reader: Access, path: str) -> None:
    """The address would come from the Host header."""
    for headers in ({}, reader.headers):
        for found in (
            path.format(**NAMES) + "/",
            "/" + path.format(**NAMES),
        ):
            answer = httpx.get(reader.url + found, headers={**headers, "host": "elsewhere.example"})
            check_problem(answer, 404, "not-found", None)
            assert "elsewhere" not in str(answer.headers) + answer.text


def test_the_description_is_served(access: Access) -> None:
    answer = httpx.get(f"{access.url}/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == openapi_document()
    assert answer.json()["openapi"].startswith("3.1.")


@pytest.mark.parametrize(
    "head",
    [
        "nothing that could be a request",
        "GET /hashes HTTP/1.1\ncontent-length: x",
        "GET /hashes HTTP/1.1\nbad header: \0",
        "CONNECT example.org:443 HTTP/1.1",
        "GET /h\u00e4shes HTTP/1.1",
    ],
)
def test_malformed_http_is_answered_with_a_problem(access: Access, head: str) -> None:
    with Raw(access, head) as connection:
        fields, _, body = connection.answer().partition(b"\r\n\r\n")
    status, *lines = fields.decode().split("\r\n")
    headers: dict[str, Any] = dict(line.lower().split(": ", 1) for line in lines)
    assert status.split(" ")[1] == "400"
    problem = json.loads(body)
    assert (problem["code"], problem["status"]) == ("malformed-request", 400)
    assert problem["request_id"] == headers["x-request-id"]
    assert headers["content-type"] == "application/problem+json"
    assert headers["x-content-type-options"] == "nosniff"


# Several requests on a connection before the first is answered


def pipelined(access: Access, *requests: str) -> list[tuple[int, bytes]]:
    """Status and body of each answer, in the order in which they come, until the connection ends."""
    address = urlsplit(access.url)
    with socket.create_connection(
        (address.hostname or "", address.port or 0), timeout=PATIENCE_SECONDS
    ) as connection:
        sending = Thread(target=connection.sendall, args=["".join(requests).encode()])
        sending.start()
        left, answers = b"".join(iter(lambda: connection.recv(65536), b"")), []
        sending.join()
    while left:
        head, _, rest = left.partition(b"\r\n\r\n")
        fields = dict(line.lower().split(": ", 1) for line in head.decode().split("\r\n")[1:])
        length = int(fields.get("content-length", "0"))
        answers.append((int(head.split(b" ")[1]), rest[:length]))
        left = rest[length:]
    return answers


def one_of_many(access: Access, line: str, *fields: str, body: str = "") -> str:
    head = [f"{line} HTTP/1.1", "host: x", f"authorization: Bearer {access.token}", *fields]
    return "\r\n".join(head) + "\r\n\r\n" + body


LAST = ("GET /healthz", "connection: close")


@pytest.mark.parametrize("count", [1, 16, 17, 400, 3000])
def test_every_request_of_a_connection_is_answered_in_order(access: Access, count: int) -> None:
    """Those that wait are bounded; more are read when there is room again."""
    body = json.dumps({"client_state": {"id": "a", "text": "x" * 100_000}})
    write = one_of_many(access, "POST /task/a", f"content-length: {len(body)}", body=body)
    reads = [one_of_many(access, "GET /healthz"), one_of_many(access, "GET /nothing")] * (count // 2 + 1)
    answers = pipelined(access, *reads[:count], write, one_of_many(access, "GET /hashes"), one_of_many(access, *LAST))
    assert [status for status, _ in answers] == [*([200, 404] * (count // 2 + 1))[:count], 200, 200, 200]
    assert json.loads(answers[-2][1]).keys() == {"a"}


@pytest.mark.parametrize(
    "wrong",
    [
        "nothing that could be a request\r\n\r\n",
        "GET / HTTP/1.1\r\nbad header: \0\r\n\r\n",
        "POST /task/b HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        "GET /" + "x" * 70_000 + " HTTP/1.1\r\n\r\n",
    ],
)
@pytest.mark.parametrize("before", [1, 3])
def test_what_is_wrong_is_answered_after_what_came_before_it(access: Access, wrong: str, before: int) -> None:
    """Else a client takes the error for the answer to a write that was done."""
    body = '{"client_state":{"id":"a"}}'
    write = one_of_many(access, "POST /task/a", f"content-length: {len(body)}", body=body)
    *answers, (status, problem) = pipelined(access, *[write] * before, wrong)
    assert [found for found, _ in answers] == [200] * before
    assert status == json.loads(problem)["status"] == (431 if "x" * 100 in wrong else 400)


# Ids that no address can say


@pytest.mark.parametrize("identity", [".", ".."])
def test_dot_segments_are_no_ids_by_any_way_in(access: Access, identity: str) -> None:
    with filled(access) as client:
        no_id_by_any_way_in(client, identity)


def no_id_by_any_way_in(client: httpx.Client, identity: str) -> None:
    state = {"client_state": {"id": identity}, "base": "0"}
    answer = client.post("/tasks", json={"tasks": {identity: state, "b": {"client_state": {"id": "b"}}}})
    found = answer.raise_for_status().json()["tasks"]
    assert found["b"]["outcome"] == "applied"
    assert (found[identity]["error"]["status"], found[identity]["error"]["code"]) == (422, "invalid-document")
    assert found[identity]["error"]["pointer"] == f"/tasks/{identity}"
    check_problem(client.get("/tasks", params={"ids": f"b,{identity}"}), 400, "malformed-request", None)
    escaped = identity.replace(".", "%2E")
    for method, path in (
        ("GET", ""),
        ("POST", ""),
        ("DELETE", ""),
        ("GET", "/revisions"),
        ("GET", f"/revisions/{'0' * 32}"),
        ("POST", "/restore"),
    ):
        content = b"" if method != "POST" else json.dumps(state).encode()
        if path == "/restore":
            content = json.dumps({"hash": "0" * 32}).encode()
        answer = client.request(method, f"/task/{escaped}{path}", content=content)
        check_problem(answer, 404, "not-found", None)
    assert client.get("/hashes").json().keys() == {"a", "b"}


# Faults that were a 500, or not said


def test_a_key_that_is_no_text_stores_nothing_of_a_batch(client: httpx.Client) -> None:
    content = b'{"tasks":{"b":{"client_state":{"id":"b"}},"\\ud800":{"client_state":{"id":"c"}}}}'
    check_problem(client.post("/tasks", content=content), 422, "invalid-document", "/tasks")
    assert client.get("/hashes").json().keys() == {"a"}


@pytest.mark.parametrize(
    ("method", "path", "content"),
    [
        ("POST", "/tasks", '{"\\ud800":{}}'),
        ("POST", "/tasks", '{"tasks":{"b":{"client_state":{"id":"b"},"\\ud800":1}}}'),
        ("POST", "/tasks", '{"tasks":{"b":{"client_state":{"id":"b","\\ud800":1}}}}'),
        ("POST", "/tasks", '{"tasks":{"b":{"client_state":{"id":"\\ud800"}}}}'),
        ("POST", "/task/b", '{"client_state":{"id":"b","a":{"\\udfff":1}}}'),
        ("POST", "/task/b", '{"client_state":null,"base":"\\ud800"}'),
        ("POST", "/task/b", '{"client_state":null,"\\ud800":1}'),
        ("POST", "/task/a/restore", '{"hash":"\\ud800"}'),
        ("POST", "/hashes/diff", '{"ranges":{"\\ud800":"x"}}'),
        ("POST", "/devices", '{"name":"\\ud800"}'),
        ("PUT", "/policies", '{"/\\ud800":"lww"}'),
        ("PUT", "/policies", '{"/a":"\\ud800"}'),
    ],
)
def test_half_a_character_is_refused_wherever_it_stands(
    client: httpx.Client, method: str, path: str, content: str
) -> None:
    answer = client.request(method, path, content=content)
    problem = answer.json()
    if answer.status_code == 200:
        problem = problem["tasks"]["b"]["error"]
    assert problem["status"] in (400, 422)
    assert client.get("/hashes").json().keys() == {"a"}


@pytest.mark.parametrize(
    "query", ["limit=junk&since=junk", "limit=0&since=junk", "wait=-1&since=junk", "limit=junk", "limit=5001"]
)
def test_what_is_no_request_is_400_before_a_cursor_is_410(client: httpx.Client, query: str) -> None:
    check_problem(client.get(f"/hashes?{query}"), 400, "malformed-request", None)


def test_a_confirmation_that_is_not_known_is_refused(client: httpx.Client) -> None:
    unknown = {"hypertask-confirm": "everything"}
    check_problem(client.delete("/task/a", headers=unknown), 400, "malformed-request", None)
    for tasks in ({}, {"a": None}, {"a": {"client_state": {"id": "a", "_deleted": True}}}):
        answer = client.post("/tasks", json={"tasks": tasks}, headers=unknown)
        check_problem(answer, 400, "malformed-request", None)
        check_problem(client.post("/tasks?dry_run=x", json={"tasks": tasks}), 400, "malformed-request", None)
    assert client.get("/hashes").json().keys() == {"a"}
