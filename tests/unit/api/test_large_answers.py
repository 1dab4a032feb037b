"""Large answers: in pieces, with their length, bounded in bytes, and at a pace while others ask."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, MutableMapping
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.responses import Response

from api.http.codings import CODINGS, Decoder, Encoder, decompressed
from api.http.compression import Compression
from api.large.large_answers import PIECE_BYTES, LargeAnswers, Parts
from api.limits import pace as pacing
from api.limits.bounds import HOLDING, ByteBudget, Holding
from api.limits.pace import Pace
from api.routes.export import pieces_of
from shared.core.documents import SpaceId

A, B = SpaceId("a"), SpaceId("b")
TEXTS = [b"[0"] + [b",%d" % n for n in range(40_000)] + [b"," + b"1" * 200_000, b"]"]
WHOLE = b"".join(TEXTS)


class Asking:
    """One request, and what came of it. Nothing more is taken while `held` is set."""

    def __init__(self, budget: ByteBudget, pace: Pace, **scope: Any) -> None:
        self.holding = Holding()
        self.holding.space = A
        self.scope: dict[str, Any] = {
            "type": "http",
            "method": "GET",
            "http_version": "1.1",
            "headers": [],
            HOLDING: self.holding,
            "state": {"hypertask": SimpleNamespace(answers=budget, pace=pace)},
            **scope,
        }
        self.messages: list[MutableMapping[str, Any]] = []
        self.taking = asyncio.Event()
        self.taking.set()

    async def send(self, message: MutableMapping[str, Any]) -> None:
        await self.taking.wait()
        self.messages.append(message)

    async def receive(self) -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": b""}

    async def run(self, answer: Response) -> None:
        try:
            await Compression(LargeAnswers(answer))(self.scope, self.receive, self.send)
        finally:
            self.holding.end()

    @property
    def status(self) -> int:
        status: int = self.messages[0]["status"]
        return status

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in self.messages[0]["headers"]}

    @property
    def pieces(self) -> list[bytes]:
        assert [one.get("more_body", False) for one in self.messages[1:]] == [True] * (len(self.messages) - 2) + [
            False
        ]
        return [message.get("body", b"") for message in self.messages[1:]]


def json_answer() -> Response:
    return Response(WHOLE, media_type="application/json")


@pytest.mark.parametrize("answer", [json_answer(), Parts(TEXTS), Parts([WHOLE]), Parts([b"", WHOLE, b""])])
async def test_a_large_answer_leaves_in_pieces(answer: Response) -> None:
    asking = Asking(ByteBudget(10**6, 10**6), Pace())
    await asking.run(answer)
    assert b"".join(asking.pieces) == WHOLE and int(asking.headers["content-length"]) == len(WHOLE)
    assert max(map(len, asking.pieces)) <= 2 * PIECE_BYTES and len(asking.pieces) >= len(WHOLE) // (2 * PIECE_BYTES)


async def test_parts_of_about_a_piece_are_sent_as_they_are() -> None:
    one, other, larger = (bytes(length) for length in (PIECE_BYTES + 1, 2 * PIECE_BYTES, 2 * PIECE_BYTES + 1))
    asking = Asking(ByteBudget(10**9, 10**9), Pace())
    await asking.run(Parts([b"a", one, b"b", b"c", other, larger]))
    lengths = [1, len(one), 2, len(other), PIECE_BYTES, PIECE_BYTES, 1, 0]
    assert [len(piece) for piece in asking.pieces] == lengths
    assert asking.pieces[1] is one and asking.pieces[3] is other


async def test_one_that_is_whole_leaves_in_pieces_if_it_is_more_than_one() -> None:
    """Or it would be compressed whole, with a length, where the answer to HEAD has none."""
    for length, pieces in ((PIECE_BYTES, 1), (PIECE_BYTES + 1, 2), (2 * PIECE_BYTES, 2)):
        asking = Asking(ByteBudget(10**9, 10**9), Pace())
        await asking.run(Response(bytes(length)))
        assert len(asking.pieces) == pieces


@pytest.mark.parametrize("texts", [[], [b"{}"], [b"[", b"1", b"]"]])
async def test_a_small_one_leaves_as_one(texts: list[bytes]) -> None:
    asking = Asking(ByteBudget(0, 0), Pace())
    await asking.run(Parts(texts, {"x-more": "1"}))
    assert asking.pieces == [b"".join(texts)]
    assert (asking.headers["content-length"], asking.headers["x-more"]) == (str(sum(map(len, texts))), "1")


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("answer", [json_answer, partial(Parts, TEXTS)])
async def test_it_is_compressed_piece_by_piece(answer: Callable[[], Response], coding: str) -> None:
    asking = Asking(ByteBudget(10**6, 10**6), Pace(), headers=[(b"accept-encoding", coding.encode())])
    await asking.run(answer())
    decoder = Decoder(coding)
    assert b"".join(part for piece in asking.pieces for part in decoder.feed(piece)) == WHOLE
    decoder.close()
    assert asking.headers["content-encoding"] == coding and "content-length" not in asking.headers


async def test_http_1_0_has_no_answers_without_a_length() -> None:
    asking = Asking(ByteBudget(10**6, 10**6), Pace(), http_version="1.0", headers=[(b"accept-encoding", b"gzip")])
    await asking.run(Parts(TEXTS))
    assert b"".join(asking.pieces) == WHOLE and int(asking.headers["content-length"]) == len(WHOLE)
    assert "content-encoding" not in asking.headers


@pytest.mark.parametrize("accepts", ["", "gzip"])
async def test_head_has_the_head_alone(accepts: str) -> None:
    asking = Asking(ByteBudget(0, 0), Pace(), method="HEAD", headers=[(b"accept-encoding", accepts.encode())])
    await asking.run(Parts(TEXTS))
    if accepts:
        assert asking.headers["content-encoding"] == "gzip" and "content-length" not in asking.headers
    else:
        assert asking.headers["content-length"] == str(len(WHOLE)) and asking.pieces == [b""]


async def test_answers_that_are_not_read_have_a_bound() -> None:
    budget, pace = ByteBudget(3 * len(WHOLE), len(WHOLE) + 1, "answers", first_always=True), Pace()
    unread = Asking(budget, pace)
    unread.taking.clear()
    under_way = asyncio.create_task(unread.run(json_answer()))
    await asyncio.sleep(0)
    assert budget.held == len(WHOLE)
    refused = Asking(budget, pace)
    await refused.run(json_answer())
    assert (refused.status, json.loads(refused.pieces[0])["code"]) == (429, "rate-limited")
    assert "SPACE_ANSWERS_BYTES" in json.loads(refused.pieces[0])["detail"] and refused.headers["retry-after"]
    shared = Asking(budget, pace)
    await shared.run(Parts(TEXTS, shared=True))
    assert shared.status == 200, "what is kept in any case takes nothing of the budget"
    unread.taking.set()
    await under_way
    assert unread.status == 200 and budget.held == 0
    again = Asking(ByteBudget(10, 10, "answers", first_always=True), pace)
    await again.run(json_answer())
    assert again.status == 200, "an only one is always sent"


async def test_while_others_ask_those_of_a_space_share_a_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    pace = Pace()
    await pace.throttle(A)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    await pace.give_way(A, pacing.ANSWERS_RATE)
    assert slept == [0], "it is alone"
    await pace.throttle(B)
    await pace.give_way(A, pacing.ANSWERS_RATE)
    await pace.give_way(A, pacing.ANSWERS_RATE)
    await pace.give_way(B, pacing.ANSWERS_RATE)
    assert [round(seconds, 1) for seconds in slept[1:]] == [1.0, 2.0, 1.0]


class NotedEncoder(Encoder):
    """Keeps how much it was given at a time."""

    def __init__(self, coding: str) -> None:
        super().__init__(coding)
        self.sizes: list[int] = []

    def feed(self, data: bytes) -> bytes:
        self.sizes.append(len(data))
        return super().feed(data)


async def test_a_long_line_of_an_export_is_compressed_in_parts() -> None:
    sent = [b"short\n", b"x" * (10 * PIECE_BYTES) + b"\n", b"last\n"]

    async def lines() -> AsyncIterator[bytes]:
        for line in sent:
            yield line

    async def still_open() -> bool:
        return True

    encoder = NotedEncoder("gzip")
    pieces = [piece async for piece in pieces_of(lines(), encoder, still_open)]
    assert max(encoder.sizes) <= PIECE_BYTES
    assert decompressed("gzip", b"".join(pieces), 10**9) == b"".join(sent)
