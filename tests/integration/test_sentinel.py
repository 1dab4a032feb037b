"""Redis with a replica and sentinels: its master is killed, and API and worker go on with the new one."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from bench.documents import document
from bench.failover.load import Outcome, under_load, until_written
from bench.failover.sentinels import Sentinels
from bench.failover.service import Service
from bench.load import Connection
from bench.streams import follow
from tests.instance import Instance
from tests.patience import PATIENCE_SECONDS

CONNECTIONS = 4
DOWN_AFTER_SECONDS = 0.5


async def test_a_failover_loses_nothing_and_ends_neither_process_nor_stream(server: Instance, tmp_path: Path) -> None:
    access = await asyncio.to_thread(server.access)
    environment = {
        "HYPERTASK_MONGO_URL": server.settings.mongo_url,
        "HYPERTASK_MONGO_DATABASE": server.settings.mongo_database,
    }
    with (
        Sentinels(tmp_path / "redis", DOWN_AFTER_SECONDS) as sentinels,
        Service(tmp_path, {**environment, **sentinels.environment}) as service,
    ):
        reader = Connection(service.url, access.token)
        await reader.open()
        stream, events = await follow(service.url, access.token)

        async def happen(outcome: Outcome) -> None:
            await until_written(outcome, 5 * CONNECTIONS)
            await asyncio.to_thread(sentinels.kill_first)
            assert (await reader.request("GET", "/tasks?limit=1"))[0] == 200, "documents are read without Redis"
            await until_written(outcome, 5 * CONNECTIONS)

        async with asyncio.timeout(PATIENCE_SECONDS):
            outcome = await under_load(service.url, [access.token], CONNECTIONS, happen)
            assert outcome.missing == []
            body = json.dumps({"client_state": document("afterwards")}).encode()
            assert (await reader.request("POST", "/task/afterwards", body))[0] == 200
            await events.readuntil(b'"afterwards"')
        assert service.dead() == []
        reader.close()
        stream.close()
