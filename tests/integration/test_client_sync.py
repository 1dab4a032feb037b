"""The client's sync against a real server: stopped anywhere, and still no edit is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contract import upstreams
from tests.instance import Instance
from tests.unit.client.sync.simulated import Device, run


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(2, 20))])
def test_no_edit_is_lost_over_a_server(tmp_path: Path, server: Instance, seed: int) -> None:
    run(tmp_path / "world", upstreams.server(server).opened, seed, actions=50)


@pytest.mark.parametrize("seed", [1, 2, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(3, 20))])
def test_no_edit_is_lost_over_a_network_that_loses_and_repeats(tmp_path: Path, server: Instance, seed: int) -> None:
    run(tmp_path / "world", upstreams.server(server, lossy=1000 * seed).opened, seed, actions=50)


def test_a_server_that_speaks_v1_alone_is_enough(tmp_path: Path, server: Instance) -> None:
    """Two devices that edit different fields, and create; v1.0 knows no deletion."""
    opened = upstreams.server(server, v1=True).opened
    desk, phone = Device(tmp_path, "desk", opened), Device(tmp_path, "phone", opened)
    (desk.folder.root / "a-task.json").write_text('{"id": "a-task", "text": "written at the desk"}')
    for device in (desk, phone):
        report = device.sync()
        assert report is not None and report.agreed
    (desk.folder.root / "a-task.json").write_text('{"id": "a-task", "text": "written at the desk", "a": 1}')
    (phone.folder.root / "a-task.json").write_text('{"id": "a-task", "text": "written at the desk", "b": 2}')
    for device in (desk, phone, desk):
        report = device.sync()
        assert report is not None and report.agreed
    assert (
        desk.documents()
        == phone.documents()
        == {"a-task": {"id": "a-task", "text": "written at the desk", "a": 1, "b": 2}}
    )
    (desk.folder.root / "a-task.json").unlink()
    report = desk.sync()
    assert report is not None and report.plan.undeletable == ("a-task",)
