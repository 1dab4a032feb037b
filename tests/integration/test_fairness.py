"""A space that floods the workers beside a quiet one. `python -m tests.integration.test_fairness` prints figures."""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.instance import ROOT, Access, Instance

QUIET_WRITES = 60
PAUSE_SECONDS = 0.05
ROUNDS = 3
MOST_TIMES = 2.0


async def quiet(access: Access) -> float:
    """The median of one write at a time, in milliseconds."""
    times = []
    async with httpx.AsyncClient(base_url=access.url, headers=access.headers) as client:
        for number in range(QUIET_WRITES):
            began = time.perf_counter()
            body = {"client_state": {"id": f"q{number % 10}", "n": time.time()}}
            (await client.post(f"/task/q{number % 10}", json=body)).raise_for_status()
            times.append(1000 * (time.perf_counter() - began))
            await asyncio.sleep(PAUSE_SECONDS)
    return statistics.median(times)


async def write_batches(url: str, token: str, writers: int, batch: int) -> None:
    """As fast as it goes, for ever; a line on stdout for each answer: how many documents it stored."""

    async def write(writer: int) -> None:
        async with httpx.AsyncClient(base_url=url, headers={"authorization": f"Bearer {token}"}) as client:
            bodies = []
            for turn in range(8):
                names = [f"f{writer}-{number}" for number in range(batch)]
                states = [{"id": name, "n": turn, "text": "x" * 100} for name in names]
                tasks = {name: {"client_state": state} for name, state in zip(names, states, strict=True)}
                bodies.append(json.dumps({"tasks": tasks}).encode())
            for turn in range(10**9):
                answer = await client.post("/tasks", content=bodies[turn % len(bodies)])
                print(batch if answer.status_code == 200 else 0, flush=True)
                if answer.status_code != 200:
                    await asyncio.sleep(0.1)

    await asyncio.gather(*(write(writer) for writer in range(writers)))


@contextmanager
def flood(access: Access, *, writers: int, batch: int) -> Iterator[list[int]]:
    """Until the end of the block, from a process of its own. Yields the number of documents of each answer."""
    stored: list[int] = []
    command = [sys.executable, "-m", __spec__.name, access.url, access.token, str(writers), str(batch)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    lines = process.stdout
    reader = threading.Thread(target=lambda: stored.extend(map(int, lines)))
    stored.append(int(lines.readline()))  # it has begun
    reader.start()
    try:
        yield stored
    finally:
        process.kill()
        process.wait()
        reader.join()
        lines.close()


async def figures(instance: Instance, *, writers: int, batch: int) -> tuple[float, float, float]:
    """The median of the quiet space alone and beside the flood, and documents of the flood a second: each the best of
    several rounds, for the machine may be busy with something else."""
    alone, beside, rate = [], [], []
    still, loud = await asyncio.to_thread(instance.access), await asyncio.to_thread(instance.access)
    await quiet(still)
    for _ in range(ROUNDS):
        alone.append(await quiet(still))
        with flood(loud, writers=writers, batch=batch) as stored:
            await asyncio.sleep(1)  # until the server has seen that it is one
            began, before = time.perf_counter(), sum(stored)
            beside.append(await quiet(still))
            rate.append((sum(stored) - before) / (time.perf_counter() - began))
    return min(alone), min(beside), max(rate)


@pytest.mark.soak
@pytest.mark.parametrize(("writers", "batch"), [(4, 200), (16, 20)])
async def test_a_flood_does_not_slow_a_quiet_space(
    tmp_path_factory: pytest.TempPathFactory, writers: int, batch: int
) -> None:
    instance = Instance(tmp_path_factory.mktemp("fair") / "data", api=2, workers=2).start()
    try:
        alone, beside, rate = await figures(instance, writers=writers, batch=batch)
    finally:
        instance.discard()
    assert rate > 100, "it is a flood"
    assert beside <= MOST_TIMES * alone, (alone, beside, rate)


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        instance = Instance(Path(directory) / "data", api=2, workers=2).start()
        try:
            for writers, batch in ((1, 100), (4, 200), (16, 20), (8, 500)):
                alone, beside, rate = asyncio.run(figures(instance, writers=writers, batch=batch))
                print(
                    f"{writers} writers of batches of {batch}: {rate:.0f} documents/s; quiet p50 {alone:.1f} ms "
                    f"alone, {beside:.1f} ms beside it ({beside / alone:.2f} times)",
                    flush=True,
                )
        finally:
            instance.stop()


if __name__ == "__main__":
    if sys.argv[1:]:
        asyncio.run(write_batches(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
    else:
        main()
