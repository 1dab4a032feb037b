"""What ops/compose-without-registry can be asked without an engine. The rest needs one, and is run on request."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pytest
from without_registry import engine, faults, looks, program
from without_registry.scratch import Scratch

from tests.instance import ROOT

COMMAND = ROOT / "ops" / "compose-without-registry"


def said(*arguments: str | Path) -> tuple[int, str]:
    """Status, and all that it prints."""
    done = subprocess.run([str(COMMAND), *map(str, arguments)], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def test_it_does_nothing_that_nobody_agreed_to(tmp_path: Path) -> None:
    folder = tmp_path / "engine"
    for arguments, what in (((), "engine, images, up"), (("--remove",), "remove the engine")):
        status, text = said(*arguments, "--scratch", folder)
        assert status == 0 and what in text and str(folder) in text
        assert not folder.exists()


def test_it_removes_nothing_of_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr("sys.platform", "linux")
    (tmp_path / "theirs").touch()
    for removing in (False, True):
        assert program._why_not(Scratch(tmp_path), removing=removing) == f"{tmp_path} holds something else."
    assert program._why_not(Scratch(tmp_path / "none"), removing=True) == f"There is nothing in {tmp_path}/none."


def test_a_process_of_others_is_not_ended(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path)
    assert engine.process(scratch) is None
    for number in (str(os.getpid()), "not a number", "4194305"):
        scratch.pidfile.write_text(number)
        assert engine.process(scratch) is None


def test_the_control_groups_of_the_engine_go_and_no_others(tmp_path: Path) -> None:
    for name in ("docker/one/two", "cpu/docker/one", "cpu/theirs/docker"):
        (tmp_path / name).mkdir(parents=True)
    engine.remove_groups(tmp_path)
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")) == [
        "cpu",
        "cpu/theirs",
        "cpu/theirs/docker",
    ]


def test_rules_of_others_stay_in_the_firewall() -> None:
    theirs = ["*filter", ":INPUT ACCEPT [0:0]", ":FORWARD ACCEPT [0:0]", "-A INPUT -i br-lan -j ACCEPT", "COMMIT"]
    ours = [
        ":DOCKER - [0:0]",
        "-A FORWARD -j DOCKER-USER",
        "-A FORWARD -i br-0123456789ab -j ACCEPT",
        "-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE",
    ]
    assert engine.foreign_rules([*theirs[:3], *ours, *theirs[3:]]) == theirs


DOCKER = """#!/bin/sh
# Containers with the process id 0, or that of a process that is there; healthy when they were asked for twice.
cd "$(dirname "$0")"
case "$3" in
    *Pid*) cat "$4" ;;
    *Health*) echo "later $(cat health || echo starting)"; echo healthy > health ;;
    *) echo before ;;
esac 2> /dev/null
"""


def kill(folder: Path, process: int) -> subprocess.CompletedProcess[str]:
    docker = folder / "docker"
    docker.write_text(DOCKER)
    docker.chmod(0o700)
    (folder / "one").write_text(f"{process}\n")
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
    return subprocess.run(
        shlex.split(faults.killed("one")), env=environment, capture_output=True, text=True, start_new_session=True
    )


def test_a_container_is_killed_and_waited_for(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "1000"]) as victim:
        assert kill(tmp_path, victim.pid).returncode == 0
        assert victim.wait() == -9
    assert (tmp_path / "health").exists()


def test_where_no_container_runs_nothing_is_killed(tmp_path: Path) -> None:
    """0 would be the whole group of processes."""
    assert kill(tmp_path, 0).returncode == 1


def test_lines_of_a_log_are_counted() -> None:
    objects, others = looks.counted('{"a": 1}\n3\nplain\nplain\n\n{"b": {}}\n')
    assert objects == 2 and others == {"3": 1, "plain": 2, "": 1}


def test_the_table_has_a_line_for_each_fault() -> None:
    rows = [
        faults.Row("mongod killed", 3, 1234, 5, 1.5, []),
        faults.Row("nginx killed", 1, 1, 0, 0.1, ["one", "two"]),
    ]
    assert faults.table(rows).splitlines()[2:] == [
        "| mongod killed | 3 | 1,234 | 5 | 1.50 | 0 |",
        "| nginx killed | 1 | 1 | 0 | 0.10 | 2 |",
    ]
