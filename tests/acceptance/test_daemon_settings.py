"""A daemon that runs for weeks: settings that change under it, and a folder that is moved away."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import patience
from tests.acceptance.devices import Device
from tests.instance import Access, Instance


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Device]:
    device = Device(tmp_path, "desk")
    yield device
    device.stop()


def until(is_so: Callable[[], bool], device: Device) -> None:
    patience.until(is_so, device.log)


def put(place: Path, name: str) -> None:
    (place / f"{name}.json").write_text(json.dumps({"id": name}))


def test_a_daemon_uses_a_new_token_and_a_new_upstream(
    server: Instance, access: Access, desk: Device, tmp_path: Path
) -> None:
    desk.run("connect", server.url, token=access.token)
    [token] = (desk.home / "tokens").iterdir()
    token.write_text("ht_of-before\n")
    desk.start(loaded=False)
    until(lambda: "does not accept the token" in desk.log(), desk)
    assert "The daemon uses it from now on." in desk.raw("connect", server.url, token=access.token).stdout
    put(desk.root, "a")
    until(lambda: "1 sent" in desk.log(), desk)
    said = desk.raw("connect", str(tmp_path / "stick"))
    assert "The daemon uses it from now on." in said.stdout and f"Created {tmp_path / 'stick'}." in said.stderr
    until((tmp_path / "stick" / "a.json").exists, desk)
    with (desk.home / "config.toml").open("a") as file:
        file.write("\nwrong\n")
    until(lambda: "Until then the settings from before are used." in desk.log(), desk)
    put(desk.root, "b")
    until((tmp_path / "stick" / "b.json").exists, desk)
    assert desk.stop() == 0 and desk.log().rstrip().endswith("Stopped.")


def test_a_daemon_does_not_make_a_folder_anew_and_stays_the_only_one(desk: Device, tmp_path: Path) -> None:
    desk.run("connect", str(tmp_path / "stick"))
    put(desk.root, "a")
    desk.start()
    until((tmp_path / "stick" / "a.json").exists, desk)
    desk.root.rename(tmp_path / "moved")
    put(tmp_path / "stick", "b")  # something to bring there
    until(lambda: "is not there" in desk.log(), desk)
    assert not desk.root.exists()
    desk.run("init", str(desk.root))
    until(lambda: "moved or replaced" in desk.log() and (desk.root / "b.json").exists(), desk)
    second = desk.raw("watch")
    assert second.returncode == 1 and "already syncs this folder. To stop it: hypertask daemon stop" in second.stderr
    assert sorted(path.name for path in (tmp_path / "moved").glob("*.json")) == ["a.json"]
