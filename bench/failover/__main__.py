"""Kills the primary of three mongods, or the master of a Redis with sentinels, under load:

    python -m bench.failover [--mongod TIMES] [--redis TIMES] [--connections N] [--record FILE]

An API process and a worker, real processes on loopback. Each time begins with all members up; the member that is
killed is started again when writes go through again. Ends with status 1 if an edit that was acknowledged is missing,
or the API process or the worker has ended.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from bench.failover.load import Outcome, under_load, until_written
from bench.failover.mongods import Mongods
from bench.failover.sentinels import Sentinels
from bench.failover.service import Service
from shared.settings import Settings
from tests.instance import Instance, Operator

DATABASE: Final = "hypertask"
DOWN_AFTER_SECONDS: Final = 5.0
"""Of the sentinels; Redis' own default is 30."""
QUIET_SECONDS: Final = 2.0
"""Of load before a kill, and after the member is back."""
STARTER: Final = ThreadPoolExecutor(1)
"""Programs end with the thread that started them: it has to outlive one kill."""


def killed(
    service: Service, token: str, connections: int, kill: Callable[[], None], start_again: Callable[[], None]
) -> dict[str, Any]:
    """What a kill under load came to."""

    async def happen(outcome: Outcome) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(QUIET_SECONDS)
        await loop.run_in_executor(STARTER, kill)
        await until_written(outcome, 10 * connections)
        await loop.run_in_executor(STARTER, start_again)
        await asyncio.sleep(QUIET_SECONDS)

    outcome = asyncio.run(under_load(service.url, [token], connections, happen))
    if dead := service.dead():
        outcome.missing.append(f"a process has ended: {dead}")
    return {
        "edits": len(outcome.at),
        "gap": round(outcome.longest_gap, 2),
        "longest": round(outcome.longest_edit, 2),
        "repeated": dict(outcome.repeated),
        "missing": outcome.missing,
    }


def of_mongods(times: int, connections: int) -> list[dict[str, Any]]:
    """A row for each kill."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        instance = Instance(folder / "data").start()  # for its Redis
        stack.callback(instance.stop)
        mongods = stack.enter_context(Mongods(folder / "members"))
        settings = Settings(mongo_url=mongods.url, mongo_database=DATABASE, redis_url=instance.settings.redis_url)
        environment = {
            "HYPERTASK_MONGO_URL": settings.mongo_url,
            "HYPERTASK_MONGO_DATABASE": settings.mongo_database,
            "HYPERTASK_REDIS_URL": f"{settings.redis_url.removesuffix('/0')}/1",
        }
        service = stack.enter_context(Service(folder, environment))
        operator = Operator(settings)
        stack.callback(operator.close)
        _, token = operator.device("bench", "device", "failover", shared=False, every_space=False)
        return [
            said("mongod", killed(service, token, connections, mongods.kill_first, mongods.start_again))
            for _ in range(times)
        ]


def of_redis(times: int, connections: int) -> list[dict[str, Any]]:
    """A row for each kill."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        instance = Instance(folder / "data").start()  # for its MongoDB
        stack.callback(instance.stop)
        sentinels = stack.enter_context(Sentinels(folder / "sentinels", DOWN_AFTER_SECONDS))
        environment = {
            "HYPERTASK_MONGO_URL": instance.settings.mongo_url,
            "HYPERTASK_MONGO_DATABASE": instance.settings.mongo_database,
            **sentinels.environment,
        }
        service = stack.enter_context(Service(folder, environment))
        token = instance.access().token
        return [
            said("redis", killed(service, token, connections, sentinels.kill_first, sentinels.start_again))
            for _ in range(times)
        ]


def said(what: str, row: dict[str, Any]) -> dict[str, Any]:
    print(
        f"{what} killed: {row['edits']} edits acknowledged, {len(row['missing'])} missing, "
        f"longest gap {row['gap']} s, longest edit {row['longest']} s, attempts to repeat {row['repeated']}",
        *row["missing"][:5],
        sep="\n",
        flush=True,
    )
    return row


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench.failover")
    parser.add_argument("--mongod", type=int, default=1, metavar="TIMES", help="so often its primary is killed")
    parser.add_argument("--redis", type=int, default=1, metavar="TIMES", help="so often its master is")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--record", type=Path, help="a file that gets all rows, as JSON")
    options = parser.parse_args()
    rows = {
        "mongod": of_mongods(options.mongod, options.connections) if options.mongod else [],
        "redis": of_redis(options.redis, options.connections) if options.redis else [],
    }
    if options.record:
        options.record.write_text(json.dumps(rows, indent=1) + "\n")
    return 1 if any(row["missing"] for of_kind in rows.values() for row in of_kind) else 0


if __name__ == "__main__":
    raise SystemExit(main())
