"""The independent v1.0 client of tests/protocol: held to the five steps before others are held to it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.protocol.v1_client import NotAgreedError, RefusedError, V1Client, content_hash, merged
from tests.unit.client.stub_server import StubServer, problem

VECTORS = json.loads((Path(__file__).parents[3] / "vectors" / "content_hash.json").read_bytes())


def client(stub: StubServer, **options: Any) -> V1Client:
    return V1Client("http://server.example", stub.token, transport=stub.transport, **options)


@pytest.mark.parametrize("vector", VECTORS["accept"], ids=lambda vector: vector["name"])
def test_hashes(vector: dict[str, str]) -> None:
    assert content_hash(json.loads(vector["json"])) == vector["content_hash"]


@pytest.mark.parametrize("connections", [1, 8])
def test_the_five_steps(stub: StubServer, connections: int) -> None:
    stub.documents = {"same": {"id": "same"}, "theirs": {"id": "theirs"}, "both": {"id": "both", "b": 1}}
    stub.deleted = {"gone"}
    with client(stub, connections=connections) as device:
        for document in ({"id": "same"}, {"id": "mine"}, {"id": "both", "a": 1}, {"id": "gone"}):
            device.put(document)
        assert device.sync() == 2
        assert (device.posts, device.requests) == (4, 6)
        assert device.documents == stub.documents
        assert device.documents["both"] == {"id": "both", "a": 1, "b": 1}
        assert device.sync() == 1
        assert "same" not in stub.posts


def test_many_documents_over_many_connections(stub: StubServer) -> None:
    with client(stub, connections=32) as device:
        for i in range(500):
            device.put({"id": f"d{i}", "n": i})
        assert device.sync() == 2
        assert len(stub.documents) == 500
        assert device.posts == 500


def test_edits_made_meanwhile_are_kept_and_sent_next(stub: StubServer) -> None:
    with client(stub) as device:
        device.put({"id": "a", "x": 1, "y": 1})
        edits: Iterator[Callable[[], None]] = iter(
            [lambda: device.edit("a", x=2, z=3), lambda: device.remove_field("a", "y")]
        )

        def meanwhile(document: str) -> None:
            for edit in edits:
                edit()
                break

        stub.after_post = meanwhile
        stub.resolve = lambda stored, arriving: arriving
        assert device.sync() == 4
        assert device.documents == stub.documents == {"a": {"id": "a", "x": 2, "z": 3}}


@pytest.mark.parametrize(
    ("sent", "now", "correct", "result"),
    [
        ({"a": 1}, {"a": 1}, {"a": 2}, {"a": 2}),
        ({"a": 1}, {"a": 1}, None, None),
        (None, None, {"a": 2}, {"a": 2}),
        ({"a": 1}, {"a": 3}, {"a": 2}, {"a": 3}),
        ({"a": 1, "b": 1}, {"a": 1}, {"a": 2, "b": 1}, {"a": 2}),
        ({"a": 1}, {"a": True}, {"a": 1}, {"a": True}),
        ({"a": 1}, {"a": 3}, None, {"a": 3}),
        ({"a": 1}, None, {"a": 1}, None),
        (None, {"b": 1}, {"a": 1}, {"a": 1, "b": 1}),
    ],
)
def test_merging(sent: Any, now: Any, correct: Any, result: Any) -> None:
    assert merged(sent, now, correct) == result


def test_a_server_that_flips_is_not_agreed_with(stub: StubServer) -> None:
    counter = iter(range(100))
    stub.after_post = lambda document: stub.documents[document].update(n=next(counter))
    with client(stub) as device, pytest.raises(NotAgreedError, match="after 4 rounds"):
        device.put({"id": "a"})
        device.sync(max_rounds=4)


def test_it_tries_again(stub: StubServer) -> None:
    waits: list[float] = []
    troubles: Iterator[httpx.Response | Exception] = iter(
        [httpx.ReadError("gone"), problem(503, "unavailable", ""), httpx.Response(429, headers={"retry-after": "3"})]
    )
    stub.trouble = lambda request: next(troubles, None)
    with client(stub, sleep=waits.append) as device:
        assert device.sync() == 1
    assert len(waits) == 3
    assert waits[2] >= 3


def test_it_gives_up(stub: StubServer) -> None:
    stub.trouble = lambda request: httpx.ConnectError("refused")
    with client(stub, sleep=lambda seconds: None, attempts=3) as device:
        with pytest.raises(httpx.ConnectError):
            device.sync()
        assert device.requests == 3


def test_a_refusal_is_shown(stub: StubServer) -> None:
    stub.refused = {"a": (422, {"code": "invalid-document"})}
    with client(stub) as device:
        device.put({"id": "a"})
        with pytest.raises(RefusedError) as caught:
            device.sync()
    assert caught.value.problem == {"code": "invalid-document"}


def test_an_answer_with_more_than_v1_is_noticed() -> None:
    answer = httpx.Response(200, json={"server_state": None, "rev": "1"})
    transport = httpx.MockTransport(lambda request: answer)
    with V1Client("http://h", transport=transport) as device, pytest.raises(AssertionError, match="alone"):
        device.post("a", None)
