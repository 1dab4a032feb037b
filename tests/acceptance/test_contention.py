"""8 clients, the same 50 documents, each a field of its own: no edit is lost. 20 rounds, 8,000 edits, with --soak."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.instance import ROOT, Instance

CLIENTS, DOCUMENTS = 8, 50

# Each client is a process. It never waits for the others: it posts what it has, edited, and takes the answer.
CLIENT = textwrap.dedent(
    """
    import asyncio, json, sys
    from bench.load import Connection

    async def main(url, token, number, rounds, documents):
        connection = Connection(url, token)
        await connection.open()
        mine = {f"doc{i}": {"id": f"doc{i}"} for i in range(documents)}
        lost = 0
        for turn in range(rounds):
            for identity, body in mine.items():
                body[f"field{number}"] = f"value {turn} of client {number}"
                sent = json.dumps({"client_state": body}).encode()
                status, answer = await connection.request("POST", f"/task/{identity}", sent)
                assert status == 200, (status, answer)
                state = json.loads(answer)["server_state"]
                lost += state.get(f"field{number}") != body[f"field{number}"]
                mine[identity] = state
        connection.close()
        print(lost)

    url, token, *numbers = sys.argv[1:]
    asyncio.run(main(url, token, *map(int, numbers)))
    """
)


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """Two API and two worker processes."""
    instance = Instance(tmp_path_factory.mktemp("wide") / "data", api=2, workers=2).start()
    yield instance
    instance.discard()


@pytest.mark.parametrize("rounds", [4, pytest.param(20, marks=pytest.mark.soak)])
def test_no_edit_is_lost(wide: Instance, tmp_path: Path, rounds: int) -> None:
    script = tmp_path / "client.py"
    script.write_text(CLIENT)
    first = wide.access(name="client 0")
    others = [wide.access(space=first.space, name=f"client {n}") for n in range(1, CLIENTS)]
    processes = [
        subprocess.Popen(
            [sys.executable, str(script), access.url, access.token, str(n), str(rounds), str(DOCUMENTS)],
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        )
        for n, access in enumerate([first, *others])
    ]
    lost = [int(process.communicate(timeout=180)[0]) for process in processes]
    assert [process.returncode for process in processes] == [0] * CLIENTS
    assert lost == [0] * CLIENTS, "an answer lacked the edit that it answered"
    for i in range(DOCUMENTS):
        body = httpx.get(f"{first.url}/task/doc{i}", headers=first.headers).raise_for_status().json()
        wanted = {f"field{n}": f"value {rounds - 1} of client {n}" for n in range(CLIENTS)}
        assert body == {"id": f"doc{i}", **wanted}, json.dumps(body)
