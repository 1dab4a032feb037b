"""The commands as people type them, in processes, against a real server and without one."""

from __future__ import annotations

import json
import sqlite3
import stat
import time
from pathlib import Path

import pytest

from tests.acceptance.devices import Device
from tests.instance import Access, Instance
from tests.patience import PATIENCE_SECONDS


@pytest.fixture
def desk(tmp_path: Path) -> Device:
    return Device(tmp_path, "desk")


@pytest.fixture
def telephone(tmp_path: Path) -> Device:
    return Device(tmp_path, "telephone")


def connect(instance: Instance, access: Access, *devices: Device) -> None:
    for device in devices:
        made = instance.access(space=access.space, user=access.user, name=device.name)
        device.run("connect", instance.url, token=made.token)


def put(device: Device, name: str, **fields: object) -> None:
    (device.root / f"{name}.json").write_text(json.dumps({"id": name, **fields}))


def test_connect_keeps_the_token_for_its_owner(server: Instance, access: Access, desk: Device) -> None:
    found = desk.run("connect", server.url, token=access.token)
    assert (found["name"], found["tasks"], found["url"]) == ("local", 0, server.url)
    [token] = (desk.home / "tokens").iterdir()
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    assert access.token not in (desk.home / "config.toml").read_text()
    again = desk.run("connect", server.url)
    assert again["name"] == "local"
    desk.run("connect", server.url, token="ht_wrong", check=False)
    assert token.read_text().strip() == access.token  # one that is not accepted does not take its place


def test_connect_says_what_is_wrong(server: Instance, desk: Device, tmp_path: Path) -> None:
    def code(*arguments: str, token: str | None = None) -> str:
        found = desk.run("connect", *arguments, token=token, check=False)
        return str(found["error"]["code"])

    assert code(server.url, token="ht_wrong") == "token-not-accepted"
    assert code(server.url) == "not-set-up"
    assert code("http://127.0.0.1:9", token="x") == "unreachable"
    assert code(f"git+file://{tmp_path}/nothing.git") == "not-an-upstream"
    assert "upstreams" not in json.dumps(desk.run("config", "show")["profiles"]["default"]["upstreams"])
    assert desk.raw("connect", "ftp://example.org").returncode == 2


def test_sync_status_doctor_log(server: Instance, access: Access, desk: Device, telephone: Device) -> None:
    assert "hypertask connect" in desk.raw("sync").stderr
    connect(server, access, desk, telephone)
    put(desk, "a-task", text="of the desk")
    planned = desk.run("sync", "--dry-run")
    assert planned["upstreams"]["local"]["actions"] == [{"id": "a-task", "do": "create there"}]
    assert desk.run("status")["upstreams"]["local"]["waiting"] == 1
    assert desk.run("sync")["upstreams"]["local"]["sent"] == 1
    assert telephone.run("sync")["upstreams"]["local"]["fetched"] == 1
    assert telephone.documents() == {"a-task": {"id": "a-task", "text": "of the desk"}}
    telephone.run("sync")  # what was written within a tick of the clock is read once more
    found = telephone.run("sync")["upstreams"]["local"]
    assert (found["agreed"], found["rounds"], found["files_read"]) == (True, 1, 0)

    told = telephone.run("status")
    assert told["tasks"] == 1 and told["daemon"] is None
    assert told["upstreams"]["local"]["waiting"] == 0 and told["upstreams"]["local"]["last"]["agreed"]
    checks = telephone.run("doctor")
    assert checks["bad"] == 0
    assert any("same content" in check["said"] for check in checks["checks"])
    history = telephone.run("log", "a-ta")
    assert [row["outcome"] for row in history["upstreams"]["local"]] == ["applied"]
    for command in ("status", "doctor", "sync", "conflicts", "log a-task"):
        done = telephone.raw(*command.split())
        assert done.returncode == 0 and done.stdout, done.stderr


def test_what_is_broken_is_named_and_left_alone(
    server: Instance, access: Access, desk: Device, telephone: Device
) -> None:
    connect(server, access, desk, telephone)
    for name in ("whole", "broken", "renamed"):
        put(desk, name, text=f"the text of {name}")
    desk.run("sync")
    telephone.run("sync")
    (desk.root / "broken.json").write_text('{"id": "broken", "te')
    (desk.root / "renamed.json").rename(desk.root / "my copy.json")
    put(desk, "whole", text="edited")
    told = desk.run("sync", check=False)
    assert (told["agreed"], told["upstreams"]["local"]["unreadable"]) == (True, ["broken", "renamed"])
    assert (desk.root / "broken.json").read_text() == '{"id": "broken", "te'
    assert {problem["file"] for problem in desk.run("status")["problems"]} == {"broken.json", "my copy.json"}
    assert desk.run("doctor", check=False)["bad"] == 2
    telephone.run("sync")
    assert telephone.documents()["whole"]["text"] == "edited"
    assert {"broken", "renamed"} <= telephone.documents().keys()


def test_a_conflict_is_told_and_taken_back(server: Instance, access: Access, desk: Device, telephone: Device) -> None:
    connect(server, access, desk, telephone)
    put(desk, "both", title="at first")
    desk.run("sync")
    telephone.run("sync")
    put(desk, "both", title="of the desk")
    put(telephone, "both", title="of the telephone")
    desk.run("sync")
    telephone.run("sync")
    [decision] = telephone.run("conflicts")["conflicts"]
    assert decision["conflicts"][0]["dropped"] == "of the desk"
    telephone.run("conflicts", "--take", str(decision["number"]))
    telephone.run("sync")
    desk.run("sync")
    assert desk.documents()["both"]["title"] == "of the desk"


def test_a_folder_that_was_emptied_deletes_nothing(
    server: Instance, access: Access, desk: Device, telephone: Device
) -> None:
    connect(server, access, desk, telephone)
    for number in range(30):
        put(desk, f"task-{number}", text=f"number {number}")
    desk.run("sync")
    telephone.run("sync")
    for path in desk.root.glob("*.json"):
        path.unlink()
    found = desk.run("sync", check=False)["upstreams"]["local"]
    assert len(found["held_here"]) == 30 and found["deleted"] == 0
    telephone.run("sync")
    assert len(telephone.documents()) == 30
    stopped = desk.raw("sync")
    assert (stopped.returncode, "--confirm-deletions" in stopped.stdout) == (1, True)
    assert desk.run("sync", "--confirm-deletions")["upstreams"]["local"]["deleted"] == 30
    held = telephone.run("sync", check=False)["upstreams"]["local"]
    assert len(held["held_there"]) == 30
    telephone.run("sync", "--confirm-deletions")
    assert telephone.documents() == {}


@pytest.mark.parametrize("damage", ["deleted", "garbled"])
def test_the_memory_may_be_lost(
    server: Instance, access: Access, desk: Device, telephone: Device, damage: str
) -> None:
    connect(server, access, desk, telephone)
    for number in range(5):
        put(desk, f"task-{number}", text=f"a text with the number {number}")
    desk.run("sync")
    telephone.run("sync")
    put(telephone, "task-1", text="a text with the number 1", more="of the telephone")
    (telephone.root / "task-4.json").unlink()
    telephone.run("sync")
    put(desk, "task-0", text="edited without a memory")
    memory = desk.folder.state / "memory.sqlite"
    for path in desk.folder.state.glob("memory.sqlite*"):
        path.unlink()
    if damage == "garbled":
        memory.write_bytes(b"no database at all, but as long as one would be" * 100)
    done = desk.raw("sync")
    assert done.returncode == 0, done.stderr
    assert ("damaged" in done.stderr) == (damage == "garbled")
    telephone.run("sync")
    assert desk.documents() == telephone.documents()
    assert desk.documents().keys() == {f"task-{number}" for number in range(4)}
    assert desk.documents()["task-0"]["text"] == "edited without a memory"
    assert desk.documents()["task-1"]["more"] == "of the telephone"


def test_a_server_that_forgot_everything_is_filled_again(
    tmp_path: Path, desk: Device, server: Instance, access: Access
) -> None:
    """The address is the same, and its database is new."""
    connect(server, access, desk)
    for number in range(3):
        put(desk, f"task-{number}", text=f"number {number}")
    desk.run("sync")
    other = server.access()  # another space: nothing is known there
    desk.run("connect", server.url, token=other.token)
    memory = sqlite3.connect(desk.folder.state / "memory.sqlite")
    assert memory.execute("SELECT count(*) FROM record").fetchone() == (3,)
    memory.close()
    found = desk.run("sync")
    assert found["agreed"] and len(desk.documents()) == 3
    assert desk.run("connect", server.url)["tasks"] == 3


def test_several_upstreams_at_once(
    tmp_path: Path, server: Instance, access: Access, desk: Device, telephone: Device
) -> None:
    """The desk stands between a server and a stick; the telephone has the server alone, a laptop the stick alone."""
    laptop = Device(tmp_path, "laptop")
    stick = tmp_path / "stick"
    connect(server, access, desk, telephone)
    for device in (desk, laptop):
        device.run("connect", str(stick))
    put(telephone, "a", text="by way of the server")
    put(laptop, "b", text="by way of the stick")
    for device in (telephone, laptop, desk, telephone, laptop):
        assert device.run("sync")["agreed"]
    assert desk.documents() == telephone.documents() == laptop.documents()
    assert desk.documents().keys() == {"a", "b"}


def test_the_daemon_in_the_background(server: Instance, access: Access, desk: Device) -> None:
    connect(server, access, desk)
    assert desk.run("daemon", "status")["running"] is False
    started = desk.run("daemon", "start")
    try:
        assert started["running"] and desk.run("daemon", "status")["pid"] == started["pid"]
        assert desk.raw("watch").returncode == 1  # one a folder
        put(desk, "seen", text="by the daemon")
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not desk.run("log", "seen")["upstreams"]["local"]:
            assert time.monotonic() < deadline, (desk.folder.state / "daemon.log").read_text()
    finally:
        said = desk.raw("daemon", "stop").stdout
    assert said.startswith(f"Stopped (process {started['pid']}).\n")
    assert desk.run("daemon", "status")["running"] is False


def test_hooks_hear_of_arrivals(server: Instance, access: Access, desk: Device, telephone: Device) -> None:
    connect(server, access, desk, telephone)
    hooks = telephone.home / "hooks"
    hooks.mkdir(exist_ok=True)
    hook = hooks / "on-arrival-note"
    hook.write_text(f"#!/bin/sh\ncat >> {telephone.home}/heard\n")
    hook.chmod(0o755)
    put(desk, "news", text="from the desk")
    desk.run("sync")
    telephone.run("sync")
    assert "from the desk" in (telephone.home / "heard").read_text()
