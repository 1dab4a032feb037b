"""Answers that leave as one message, and where they do not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from starlette.responses import Response

from api.http.answer import TOGETHER, JsonAnswer
from api.http.compression import MIN_BYTES, Compression
from api.large.large_answers import PIECE_BYTES, Parts
from api.metered import Metered
from shared import metrics


async def answered(
    response: Response,
    scope: dict[str, Any],
    around: Callable[[Any], Any] = lambda app: app,
) -> list[dict[str, Any]]:
    """The messages."""
    messages: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        messages.append(dict(message))

    async def receive() -> Any:
        raise AssertionError

    await around(response)(
        {"type": "http", "method": "POST", "http_version": "1.1", "headers": [], **scope}, receive, send
    )
    return messages


async def test_parts_that_are_not_large_leave_as_one_message_too() -> None:
    [start, body] = await answered(Parts([b"12", b"3"]), {})
    start.pop("hypertask.shared")
    assert await answered(Parts([b"12", b"3"]), {TOGETHER: True}) == [{**start, "body": body["body"]}]


@pytest.mark.parametrize(
    ("scope", "size"),
    [({}, 3), ({TOGETHER: False}, 3), ({TOGETHER: True, "method": "HEAD"}, 3), ({TOGETHER: True}, PIECE_BYTES)],
    ids=["unknown to the server", "not wanted", "HEAD", "large"],
)
async def test_where_it_may_not_leave_as_one_message_it_is_the_frameworks(scope: dict[str, Any], size: int) -> None:
    text = b"1" * size
    assert await answered(JsonAnswer(text), scope) == await answered(
        Response(text, media_type="application/json"), scope
    )


async def test_one_message_has_the_same_fields_and_the_body() -> None:
    [start, body] = await answered(Response(b"123", media_type="application/json"), {})
    assert await answered(JsonAnswer(b"123"), {TOGETHER: True}) == [{**start, "body": body["body"]}]


@pytest.mark.parametrize("together", [True, False])
async def test_its_bytes_count_among_those_that_were_sent(together: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[int] = []
    monkeypatch.setattr(metrics.REQUESTS, "send", sent.append)
    scope = {TOGETHER: together, "path": "/task/a", "query_string": b""}
    await answered(JsonAnswer(b"123"), scope, lambda app: Metered(app, []))
    assert sent == [3]


async def test_what_is_compressed_leaves_as_two() -> None:
    text = b"1" * MIN_BYTES
    scope = {TOGETHER: True, "headers": [(b"accept-encoding", b"gzip")]}
    start, body = await answered(JsonAnswer(text), scope, Compression)
    assert dict(start["headers"])[b"content-encoding"] == b"gzip"
    assert int(dict(start["headers"])[b"content-length"]) == len(body["body"]) < len(text)
