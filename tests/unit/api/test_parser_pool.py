"""Large bodies are read in processes of their own as they would be read here, and a process that dies is replaced."""

from __future__ import annotations

import asyncio
import json
import signal

import psutil
import pytest

from api.http.codings import CODINGS, ReceivedBody, compress
from api.large import parser_process
from api.large.parser_pool import ParserPool
from api.limits.pace import Pace
from api.representations import batches, submissions
from shared.core.documents import DocumentId, JsonText, SpaceId
from shared.core.json.strict import FaultError
from shared.core.protocol import Limits
from shared.ports import UnavailableError
from tests.patience import PATIENCE_SECONDS

LIMITS = Limits()
A, D = SpaceId("a"), DocumentId("d")
STATE = {"id": "d", "x": "\u00e9" * 50_000, "n": [1, 2.5, None, True]}
RAW = json.dumps({"client_state": STATE, "base": "1-x", "base_state": None}).encode()


def readers() -> list[psutil.Process]:
    return [one for one in psutil.Process().children() if "api.large.parser_process" in one.cmdline()]


async def test_what_is_read_there_is_what_is_read_here() -> None:
    here = submissions.parse_post_task(RAW, D, LIMITS)
    async with ParserPool(LIMITS, Pace()) as parser_pool:
        there = await parser_pool.post_task(A, D, ReceivedBody(RAW), LIMITS)
        assert isinstance(there.state, JsonText) and json.loads(there.state) == here.state == STATE
        assert (there.hash, there.deleted, there.base, there.base_state) == (here.hash, False, "1-x", None)
        tasks = {"d": {"client_state": STATE}, "e": {"client_state": 7}}
        several = await parser_pool.post_tasks(A, ReceivedBody(json.dumps({"tasks": tasks}).encode()), LIMITS)
        assert isinstance(several["d"], submissions.PostTask) and several["d"].hash == here.hash
        assert not isinstance(several["e"], submissions.PostTask) and several["e"].pointer == "/tasks/e/client_state"
        unnamed = b'{"tasks": {"d": {"client_state": {"id": "d", "\\ud800": 1}}, "e": {"client_state": null}}}'
        some = await parser_pool.post_tasks(A, ReceivedBody(unnamed + b" " * 40_000), LIMITS)
        assert some == batches.parse_post_tasks(unnamed, LIMITS), "a pointer that UTF-8 cannot hold"
        assert await parser_pool.value(A, ReceivedBody(json.dumps(STATE).encode()), max_depth=3) == STATE
        for raw in (RAW[:-1], RAW.replace(b"[1,", b"[1e999,"), RAW.replace(b"[1,", b'["\\ud800",')):
            with pytest.raises(FaultError) as found:
                await parser_pool.post_task(A, D, ReceivedBody(raw), LIMITS)
            with pytest.raises(FaultError) as expected:
                submissions.parse_post_task(raw, D, LIMITS)
            assert found.value.fault == expected.value.fault
    assert readers() == [], "they end with it"


async def test_a_batch_of_small_documents_is_read_here_and_what_takes_longer_is_not() -> None:
    tasks = {f"d{n}": {"client_state": {"id": f"d{n}", "title": "x" * 200}, "base": "0"} for n in range(500)}
    dense = {"d": {"client_state": {"id": "d", "x": [[]] * 9000}}}
    async with ParserPool(LIMITS, Pace()) as parser_pool:
        await parser_pool.post_tasks(A, ReceivedBody(json.dumps({"tasks": tasks}).encode()), LIMITS)
        assert readers() == []
        await parser_pool.post_tasks(A, ReceivedBody(json.dumps({"tasks": dense}).encode()), LIMITS)
        assert len(readers()) == 1


async def test_an_answer_of_hundreds_of_parts_and_of_large_ones_comes_whole() -> None:
    states = {f"d{n}": {"id": f"d{n}", "n": n, "x": "y" * (300_000 if n % 150 == 0 else n)} for n in range(400)}
    raw = json.dumps({"tasks": {key: {"client_state": state} for key, state in states.items()}}).encode()
    async with ParserPool(LIMITS, Pace()) as parser_pool:
        found = await parser_pool.post_tasks(A, ReceivedBody(raw), LIMITS)
    bodies = {key: json.loads(task.state) for key, task in found.items()}  # type: ignore[arg-type, union-attr]
    assert bodies == states


async def test_a_process_that_dies_is_replaced_and_whoever_waited_is_told() -> None:
    async with ParserPool(LIMITS, Pace(), processes=1) as parser_pool:
        await parser_pool.post_task(A, D, ReceivedBody(RAW), LIMITS)
        [process] = readers()
        process.send_signal(signal.SIGSTOP)
        waiting = asyncio.create_task(parser_pool.post_task(A, D, ReceivedBody(RAW), LIMITS))
        await asyncio.sleep(0.05)
        process.kill()
        with pytest.raises(UnavailableError):
            await waiting
        assert (await parser_pool.post_task(A, D, ReceivedBody(RAW), LIMITS)).base == "1-x"
        [other] = readers()
        assert other.pid != process.pid


async def test_who_reads_goes_on_after_an_error_that_nobody_expected(monkeypatch: pytest.MonkeyPatch) -> None:
    """It ended: with one process, whoever came then waited for ever."""
    async with ParserPool(LIMITS, Pace(), processes=1) as parser_pool:
        with monkeypatch.context() as patch:
            patch.setattr(parser_process, "numbers_in", lambda _: 1 // 0)
            with pytest.raises(ZeroDivisionError):
                await parser_pool.post_task(A, D, ReceivedBody(RAW), LIMITS)
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert (await parser_pool.post_task(A, D, ReceivedBody(RAW), LIMITS)).base == "1-x"


@pytest.mark.parametrize("coding", CODINGS)
async def test_what_is_compressed_is_decompressed_there_under_its_bound(coding: str) -> None:
    sizes: list[int] = []
    data = compress(coding, RAW)
    async with ParserPool(LIMITS, Pace(), processes=1) as parser_pool:
        task = await parser_pool.post_task(A, D, ReceivedBody(data, coding, len(RAW), sizes.append), LIMITS)
        assert task.hash == submissions.parse_post_task(RAW, D, LIMITS).hash
        assert sizes[0] > len(json.dumps(STATE, ensure_ascii=False).encode()), "what it holds is told"
        for wrong, max_bytes, reason in (
            (data, len(RAW) - 1, "too large"),
            (data[:-1], len(RAW), "malformed request"),
            (compress(coding, bytes(100_000_000)), len(RAW), "too large"),
        ):
            with pytest.raises(FaultError) as found:
                await parser_pool.value(A, ReceivedBody(wrong, coding, max_bytes), max_depth=9)
            assert found.value.fault.reason == reason
