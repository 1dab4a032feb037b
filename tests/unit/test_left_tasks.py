from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.instance import ROOT

TESTS = """
import asyncio


async def test_ends():
    task = asyncio.create_task(asyncio.Event().wait())
    await asyncio.sleep(0)
    task.cancel()


async def test_is_cut_short():
    asyncio.create_task(asyncio.Event().wait())  # the loop cancels it


async def test_begins_another_one_when_it_is_cut_short():
    async def first():
        try:
            await asyncio.Event().wait()
        finally:
            KEPT.append(asyncio.create_task(asyncio.Event().wait()))

    KEPT.append(asyncio.create_task(first()))
    await asyncio.sleep(0)


KEPT = []
"""


def test_a_task_that_outlives_its_loop_is_an_error_of_its_test(tmp_path: Path) -> None:
    (tmp_path / "test_tasks.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.left_tasks", "-p", "no:schemathesis"]
    options = ["-o", "asyncio_mode=auto", "-p", "no:cacheprovider", f"--rootdir={tmp_path}", str(tmp_path)]
    run = subprocess.run([*command, *options], cwd=ROOT, capture_output=True, text=True, check=False)
    assert "3 passed, 1 error" in run.stdout, run.stdout + run.stderr
    assert "ERROR " in run.stdout and "test_begins_another_one" in run.stdout.rpartition("ERROR ")[2]
