import threading
from collections.abc import Sequence
from pathlib import Path

import environment
import pytest


class Fake:
    """Stands for making the environment and installing into it; records what was asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.installed: list[list[str]] = []
        self.fails = False
        self.inside = threading.Semaphore(1)
        monkeypatch.setattr(environment, "_make", self._make)
        monkeypatch.setattr(environment, "_install", self._install)

    def _make(self, venv: Path, python: Path) -> None:
        assert self.inside.acquire(blocking=False), "two at the same time"
        threading.Event().wait(0.05)  # installing takes its time
        python.parent.mkdir(parents=True, exist_ok=True)
        python.touch()

    def _install(self, checkout: Path, python: Path, extras: Sequence[str]) -> None:
        self.inside.release()
        if self.fails:
            raise environment.EnvironmentNotMadeError("no network")
        self.installed.append(sorted(extras))


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Fake:
    return Fake(monkeypatch)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "constraints.txt").write_text("click==8\n")
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    return tmp_path


def test_it_is_made_once(fake: Fake, checkout: Path) -> None:
    for _ in range(2):
        assert environment.ensure(checkout, ["server"]) == checkout / ".venv" / "bin" / "python"
    assert fake.installed == [["server"]]


def test_more_extras_are_added_and_fewer_are_there_already(fake: Fake, checkout: Path) -> None:
    environment.ensure(checkout, ["server", "local"])
    environment.ensure(checkout, ["server", "dev"])
    environment.ensure(checkout, ["server", "local"])
    assert fake.installed == [["local", "server"], ["dev", "local", "server"]]


@pytest.mark.parametrize("name", ["constraints.txt", "pyproject.toml"])
def test_it_is_made_again_when_that_changes(name: str, fake: Fake, checkout: Path) -> None:
    environment.ensure(checkout, ["server"])
    (checkout / name).write_text("something else")
    environment.ensure(checkout, ["server"])
    assert len(fake.installed) == 2


@pytest.mark.parametrize("stamp", ["", "[]", "{}"])
def test_a_damaged_stamp_counts_for_nothing(stamp: str, fake: Fake, checkout: Path) -> None:
    environment.ensure(checkout, ["server"])
    (checkout / ".venv" / "made-from.json").write_text(stamp)
    environment.ensure(checkout, ["server"])
    assert len(fake.installed) == 2


def test_one_that_failed_is_completed_by_the_next(fake: Fake, checkout: Path) -> None:
    environment.ensure(checkout, ["server"])
    fake.fails = True
    with pytest.raises(environment.EnvironmentNotMadeError):
        environment.ensure(checkout, ["server", "dev"])
    fake.fails = False
    environment.ensure(checkout, ["server"])
    assert fake.installed == [["server"], ["server"]]


def test_starts_at_the_same_time_wait_for_each_other(fake: Fake, checkout: Path) -> None:
    threads = [threading.Thread(target=environment.ensure, args=(checkout, ["server"])) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert fake.installed == [["server"]]


def test_what_would_lead_python_astray_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    monkeypatch.setenv("HYPERTASK_LOG_LEVEL", "DEBUG")
    assert "PYTHONPATH" not in environment.environ()
    assert environment.environ()["HYPERTASK_LOG_LEVEL"] == "DEBUG"


def test_installing_says_how_far_it_is() -> None:
    said: list[str] = []
    progress = environment.Progress(said.append)
    progress.read("Collecting anyio==4.16.0 (from -c constraints.txt (line 4))\n", 0.0)
    progress.read("  Downloading anyio-4.16.0-py3-none-any.whl (120 kB)\n", 1.0)
    progress.read("Collecting arq==0.28.0\n", 2.0)  # too soon to say again
    progress.read("Collecting motor (from hypertask==0.1.0)\n", 4.0)
    progress.read("Installing collected packages: anyio, arq, motor\n", 4.1)
    assert said == [
        "  package 1: anyio==4.16.0",
        "  package 3: motor",
        "  all 3 packages are here; unpacking them ...",
    ]
