"""What the standard work beside other systems does not measure: `python -m bench.alone --json FILE`.

    the whole map    of a space of a million documents, from a real server: cold (an API process that knows nothing,
                     an empty cache) the first time, when it is made of all documents, and later, when the database
                     keeps one; and after one write; until the last byte has come, compressed
    commands         CPU seconds of processes of their own: a list of 100 tasks, a sync that finds nothing to do
    merges           of 1 MiB, each kind of `bench.merge_worst`: CPU, the best of three

Medians of three, but for the merges. `python -m bench.work --read FILE ...` puts them beside their aims. Real
processes, loopback only; ends by itself. `--parts` says which; the map takes two minutes, the others one.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from api.reads.hash_maps import KEPT_BYTES
from bench import merge_worst, terminal
from bench.growth import Space, ask, device, name_of, new
from bench.work.aims import ALONE
from client.config.tokens import Tokens
from client.folder.replace import TICK_NS
from shared.adapters.mongodb import MongoDocumentStore, opened
from shared.core.documents import SpaceId
from tests.instance import Instance
from tests.patience import PATIENCE_SECONDS
from tests.unit.client.tasks.seeded import seeded

DOCUMENTS = 1_000_000
QUICK_MS = 50
TIMES = 3
MEMBER_BYTES = len(f'"{name_of(0)}":"{"0" * 32}",')
MEANS = (
    "one process at a time: the whole map of a million documents over HTTP, compressed, until its last byte; "
    "commands of the client, CPU seconds; the worst merges of 1 MiB, CPU"
)
Figures = dict[str, float]


async def kept(space: Space) -> None:
    """Waits until the database has the map, if it is not too small for that."""
    if space.size * MEMBER_BYTES < KEPT_BYTES:
        return
    async with opened(space.instance.settings) as mongo:
        store = MongoDocumentStore(mongo, give_up_after_seconds=PATIENCE_SECONDS)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while await store.kept_map(SpaceId(space.mine.space)) is None:
            if time.monotonic() > deadline:
                raise RuntimeError("the database has no map of the space")
            await asyncio.sleep(0.05)


async def whole_map(space: Space) -> float:
    """Seconds."""
    async with device(space.mine) as http:
        await ask(http, "GET", "/readyz")
        start = time.perf_counter()
        status, length = await http.length_of("/hashes", accept_encoding="zstd")
        took = time.perf_counter() - start
        if status != 200 or length < space.size:
            raise RuntimeError(f"GET /hashes: {status}, {length} bytes")
        return took


async def maps(space: Space, documents: int) -> Figures:
    rate = await space.grow(documents)
    print(f"{documents:,} documents, {rate:,.0f} a second", flush=True)
    cold, patched = [], []
    for turn in range(TIMES):
        space.forget_map()
        cold.append(await whole_map(space))
        await kept(space)
        async with device(space.mine) as http:
            await ask(http, "POST", "/tasks", new([name_of(documents + turn)]))
        patched.append(await whole_map(space))
    print(f"cold {' '.join(f'{one:.2f}' for one in cold)} s", flush=True)
    return {
        "map_first_s": cold[0],
        "map_cold_s": statistics.median(cold),
        "map_patched_ms": statistics.median(patched) * 1e3,
    }


def map_figures(root: Path, documents: int) -> Figures:
    instance = Instance(root / "data").start()
    try:
        return asyncio.run(maps(Space(instance), documents))
    finally:
        instance.stop()


def command_figures(root: Path, documents: int) -> Figures:
    """With an upstream that has all of the tasks."""
    instance = Instance(root / "data").start()
    try:
        side = terminal.ours(root, seeded(100, datetime.now(UTC)))
        config, access = root / "config.toml", instance.access()
        upstream = f'[[profiles.default.upstreams]]\nname = "up"\nurl = "{access.url}"\n'
        config.write_text(config.read_text() + upstream)
        Tokens(config).put("default", "up", access.token)
        time.sleep(TICK_NS / 1e9)  # what was written this moment is read anew each time
        for words in (["sync"], ["list"], ["sync"]):
            side.run(words)
        return {
            f"{word}_cpu_s": statistics.median(side.run([word]) for _ in range(TIMES)) for word in ("list", "sync")
        }
    finally:
        instance.stop()


def merge_figures(root: Path, documents: int) -> Figures:
    times: list[float] = []
    for row in merge_worst.measured(2**20):
        merge_worst.show(row)
        times.append(row.ms)
    return {"merge_worst_ms": max(times), "merges_quick": sum(ms < QUICK_MS for ms in times)}


PARTS: dict[str, Callable[[Path, int], Figures]] = {
    "merges": merge_figures,
    "commands": command_figures,
    "map": map_figures,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--documents", type=int, default=DOCUMENTS, help="of the map")
    parser.add_argument("--json", type=Path, help="write the figures there")
    options = parser.parse_args()
    figures: Figures = {}
    for name in options.parts:
        with tempfile.TemporaryDirectory(prefix="bench-") as root:
            figures |= PARTS[name](Path(root), options.documents)
        print(json.dumps(figures), flush=True)
        if options.json:
            found = {"medians": {ALONE: figures}, "means": {ALONE: MEANS}}
            options.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
