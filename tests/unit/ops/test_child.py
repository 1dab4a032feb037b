import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
from child import Child, while_alive
from data_directory import CannotStartError

from tests.patience import PATIENCE_SECONDS

OPS = Path(__file__).parents[3] / "ops"


class Watcher:
    """Collects what is said, and wakes whoever waits for a line."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self._news = asyncio.Event()

    def __call__(self, text: str) -> None:
        self.said.append(text)
        self._news.set()

    async def until(self, pattern: str) -> str:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                for text in self.said:
                    if re.search(pattern, text):
                        return text
                self._news.clear()
                await self._news.wait()


@pytest.fixture
async def watcher() -> Watcher:
    return Watcher()


@pytest.fixture
async def started(tmp_path: Path, watcher: Watcher) -> AsyncIterator["Started"]:
    start = Started(tmp_path)
    yield start
    for one in start.children:
        await one.stop(watcher)


class Started:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.children: list[Child] = []

    async def __call__(self, code: str, **options: object) -> Child:
        one = Child(
            "api 2",
            [sys.executable, "-u", "-c", code],
            env=os.environ,
            cwd=self._folder,
            log=self._folder / "api-2.log",
            inherited=[],
            **options,  # type: ignore[arg-type]
        )
        self.children.append(one)
        await one.start()
        return one


FOREVER = "import threading; print('up'); threading.Event().wait()"


async def until_log(folder: Path, text: str) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            if text in (folder / "api-2.log").read_text():
                return
            await asyncio.sleep(0.01)


async def test_a_killed_child_is_started_again_and_it_is_said(started: Started, watcher: Watcher) -> None:
    one = await started(FOREVER)
    pids = [one.pid]
    one.keep_alive(watcher, lambda: pids.append(one.pid))
    assert one.pid is not None
    os.kill(one.pid, signal.SIGKILL)
    await watcher.until("restarted")
    assert watcher.said == [f"api 2 (pid {pids[0]}) died with signal 9, restarted as pid {pids[1]}"]
    assert psutil.pid_exists(pids[1] or 0)


async def test_one_that_ends_again_and_again_is_given_time_and_its_reason_is_shown(
    started: Started, watcher: Watcher
) -> None:
    one = await started("print('no database'); raise SystemExit(3)", meanings={3: "Do this."})
    one.keep_alive(watcher, lambda: None)
    text = await watcher.until("trying again in 0.5 s")
    assert "ended with status 3" in text
    assert "    no database\n" in text
    assert text.endswith("Do this.")
    assert text.count("no database") == 1, "of this process, not of those before it"


async def test_the_telling_lines_of_a_long_log_are_shown(started: Started) -> None:
    one = await started("print('FATAL: it'); print('noise\\n' * 99)", telling="FATAL")
    await one.ended()
    assert "FATAL: it" in one.log_tail()
    assert "noise" not in one.log_tail()


async def test_stopping_is_no_death(started: Started, watcher: Watcher, tmp_path: Path) -> None:
    one = await started(FOREVER)
    one.keep_alive(watcher, lambda: None)
    await until_log(tmp_path, "up")
    await one.stop(watcher)
    assert watcher.said == []
    assert one.status == -signal.SIGTERM


async def test_one_that_does_not_stop_is_killed(started: Started, watcher: Watcher, tmp_path: Path) -> None:
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);" + FOREVER
    one = await started(deaf, grace_seconds=0.1)
    await until_log(tmp_path, "up")
    await one.stop(watcher)
    assert watcher.said == [f"api 2 (pid {one.pid}) did not stop within 0.1 s; killing it"]
    assert one.status == -signal.SIGKILL


async def test_one_that_ends_while_it_is_needed_ends_the_wait(started: Started) -> None:
    one = await started("raise SystemExit('no module named api')")
    with pytest.raises(CannotStartError, match=r"(?s)api 2 ended with status 1 at its start.*no module named api"):
        await while_alive([one], asyncio.Event().wait())


async def test_what_is_waited_for_is_returned(started: Started) -> None:
    one = await started(FOREVER)

    async def work() -> int:
        return 7

    assert await while_alive([one], work()) == 7
    assert one.status is None


async def test_a_stop_while_it_is_being_restarted_leaves_none(started: Started, watcher: Watcher) -> None:
    before = psutil.Process().children()  # of other tests
    one = await started("")
    one.keep_alive(watcher, lambda: None)
    await watcher.until("trying again")
    await one.stop(watcher)
    assert set(psutil.Process().children()) <= set(before)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the next start waits for what is left")
def test_a_child_does_not_outlive_a_killed_parent() -> None:
    parent = subprocess.Popen(
        [
            *(sys.executable, "-c"),
            "import subprocess, sys, child\n"
            f"command = child.dying_with_parent([sys.executable, '-u', '-c', {FOREVER!r}])\n"
            "one = subprocess.Popen(command, stdout=subprocess.PIPE)\n"
            "one.stdout.readline()\n"
            "print(one.pid, flush=True)\n"
            "one.wait()\n",
        ],
        env=os.environ | {"PYTHONPATH": str(OPS)},
        stdout=subprocess.PIPE,
        text=True,
    )
    with parent:
        assert parent.stdout is not None
        one = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    one.wait(PATIENCE_SECONDS)


def test_it_is_refused_when_the_parent_is_gone_already() -> None:
    command = [
        sys.executable,
        "-I",
        "-S",
        str(OPS / "die_with_parent.py"),
        "1",
        "9",
        sys.executable,
        "-c",
        "print('ran')",
    ]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if sys.platform == "linux":
        assert (ran.returncode, ran.stdout, ran.stderr) == (1, "", "pid 1 is gone\n")
