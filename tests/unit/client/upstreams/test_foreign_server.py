"""A server is another program: what it says is checked before anything is made of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from client.sync.engine.records import UpstreamAnswer
from client.sync.upstream import Outgoing
from client.upstreams.http import HttpUpstream
from client.upstreams.http_channel import Channel
from shared.core.documents import DocumentId

HASH = "0" * 32
NO_IDS = [".", "..", "../up", "a/b", "/etc/passwd", "", "a\n", "a" * 129, "\u00e9"]


def ask(answers: dict[str, bytes], work: Callable[[HttpUpstream], Awaitable[Any]], **facts: Any) -> Any:
    """The result of `work` against a server that answers so."""

    def answer(request: httpx.Request) -> httpx.Response:
        content = answers.get(f"{request.method} {request.url.path}")
        return httpx.Response(404) if content is None else httpx.Response(200, content=content)

    async def run() -> Any:
        channel = Channel("http://server.example", "ht_x", transport=httpx.MockTransport(answer))
        try:
            return await work(HttpUpstream(channel, facts))
        finally:
            await channel.close()

    return asyncio.run(run())


@pytest.mark.parametrize("identity", NO_IDS)
def test_what_is_no_id_is_left_where_it_is(identity: str) -> None:
    hashes = json.dumps({identity: HASH, "a": HASH}).encode()
    found = ask({"GET /hashes": hashes}, lambda upstream: upstream.changes(None))
    assert found.hashes == {"a": HASH}


def test_long_integers_of_its_states_are_doubles() -> None:
    state = b'{"server_state": {"id": "a", "n": [100000000000000000, 9223372036854776000, 7]}}'

    async def fetch(upstream: HttpUpstream) -> Any:
        [replies] = [portion async for portion in upstream.submit([Outgoing(DocumentId("a"))])]
        return replies[DocumentId("a")]

    found = ask({"POST /task/a": state}, fetch)
    assert isinstance(found, UpstreamAnswer) and found.state is not None
    assert found.state["n"] == [1e17, 2.0**63, 7]
    assert [type(number) for number in found.state["n"]] == [float, float, int]
