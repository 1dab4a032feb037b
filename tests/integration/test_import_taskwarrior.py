"""`hypertask import taskwarrior` of real exports into a real server, judged by a client that shares no code."""

from __future__ import annotations

import copy
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bench.make_tasks import make_tasks, real_export
from client.cli import main
from client.formats.taskwarrior_fields import to_taskwarrior
from shared.settings import Settings
from tests.instance import ROOT, Access, Instance
from tests.integration.truth import truth
from tests.patience import PATIENCE_SECONDS
from tests.protocol.v1_client import V1Client

Task = dict[str, Any]
FIXTURE = Path(__file__).parents[1] / "unit" / "client" / "formats" / "taskwarrior_export.json"
COUNT = 300
has_taskwarrior = pytest.mark.skipif(shutil.which("task") is None, reason="the program `task` is not on PATH")


@pytest.fixture(scope="module")
def export() -> bytes:
    """By the real program where there is one; else what it once wrote."""
    return FIXTURE.read_bytes() if shutil.which("task") is None else real_export(make_tasks(COUNT))


@pytest.fixture
def file(tmp_path: Path, export: bytes) -> Path:
    path = tmp_path / "tasks.json"
    path.write_bytes(export)
    return path


def run(file: Path, access: Access, *options: str) -> dict[str, Any]:
    arguments = ["import", "taskwarrior", str(file), "--url", access.url, "--token", access.token, "--json"]
    result = CliRunner().invoke(main, [*arguments, *options])
    assert result.exit_code == 0, result.output
    report: dict[str, Any] = json.loads(result.stdout)
    return report


def counts(report: dict[str, Any]) -> dict[str, int]:
    return {name: report[name] for name in ("created", "updated", "unchanged", "merged", "deleted") if report[name]}


def fetched(access: Access) -> V1Client:
    """A device that had nothing."""
    with V1Client(access.url, access.token, connections=8) as device:
        assert device.sync() <= 2
    return device


def test_no_attribute_is_lost(file: Path, export: bytes, access: Access) -> None:
    exported: list[Task] = json.loads(export)
    report = run(file, access)
    assert counts(report) == {"created": len(exported)}
    assert report["rounds"] == 1
    documents = fetched(access).documents
    assert len(documents) == len(exported)
    for task in exported:
        document = documents[task["uuid"]]
        for name, value in task.items():
            kept = document["taskwarrior_id" if name == "id" else name]
            assert kept == value or (name == "modified" and kept.translate({45: None, 58: None}) == value)
        assert to_taskwarrior(document) == task


def test_a_second_import_changes_nothing(file: Path, export: bytes, access: Access, settings: Settings) -> None:
    run(file, access)
    before = truth(settings, access.space)
    assert counts(run(file, access)) == {"unchanged": len(json.loads(export))}
    assert truth(settings, access.space) == before


def test_a_dry_run_changes_nothing(file: Path, export: bytes, access: Access, settings: Settings) -> None:
    would = run(file, access, "--dry-run")["would"]
    assert would == {"create": len(json.loads(export)), "update_or_merge": 0, "unchanged": 0}
    assert truth(settings, access.space).heads == {}


def test_an_export_of_another_day_without_an_edit_changes_nothing(
    file: Path, export: bytes, access: Access, settings: Settings
) -> None:
    run(file, access)
    before = truth(settings, access.space)
    exported: list[Task] = json.loads(export)
    for task in exported:
        task["urgency"] += 0.25
        task["id"] += 1
    file.write_text(json.dumps(exported))
    assert counts(run(file, access)) == {"unchanged": len(exported)}
    assert truth(settings, access.space) == before


def test_edits_on_both_sides_survive(file: Path, export: bytes, server: Instance, access: Access) -> None:
    run(file, access)
    exported: list[Task] = json.loads(export)
    ours, theirs, both = (task["uuid"] for task in exported[:3])
    with V1Client(access.url, server.access(space=access.space).token) as telephone:
        telephone.sync()
        for uuid in (theirs, both):
            telephone.edit(uuid, modified="2031-01-01T00:00:00Z", description="by telephone", note="call back")
        telephone.sync()
        later = copy.deepcopy(exported)
        for task in later:
            task["urgency"] += 0.25
            if task["uuid"] in (ours, both):
                task |= {"modified": "20320101T000000Z", "added": "in Taskwarrior"}
        file.write_text(json.dumps(later))
        report = run(file, access)
        assert report["unsettled"] == report["refused"] == []
        assert telephone.sync() <= 2
        documents = telephone.documents
    assert documents[ours]["added"] == documents[both]["added"] == "in Taskwarrior"
    assert documents[theirs]["note"] == documents[both]["note"] == "call back"
    # The file's later time is that of another attribute: what it says of this one is merely old.
    assert documents[theirs]["description"] == documents[both]["description"] == "by telephone"
    untouched = [task["uuid"] for task in exported[3:]]
    assert [to_taskwarrior(documents[uuid]) for uuid in untouched] == exported[3:]


def test_what_others_have_is_left_alone(file: Path, access: Access, settings: Settings) -> None:
    stranger = {"id": "pb67wndxge8293xd", "description": "not from Taskwarrior"}
    with V1Client(access.url, access.token) as device:
        device.put(stranger)
        device.sync()
    run(file, access)
    assert truth(settings, access.space).bodies[stranger["id"]] == stranger


def test_a_task_that_is_too_large_does_not_stop_the_rest(tmp_path: Path, access: Access) -> None:
    uuids = [f"aaaaaaaa-0000-4000-8000-{n:012}" for n in range(3)]
    tasks = [{"uuid": uuid, "description": "x"} for uuid in uuids]
    tasks[1]["description"] = "x" * 1024 * 1024
    file = tmp_path / "tasks.json"
    file.write_text(json.dumps(tasks))
    arguments = ["import", "taskwarrior", str(file), "--url", access.url, "--token", access.token]
    result = CliRunner().invoke(main, [*arguments, "--json"])
    report = json.loads(result.stdout)
    assert (result.exit_code, counts(report)) == (1, {"created": 2})
    assert [(refusal["id"], refusal["code"]) for refusal in report["refused"]] == [(uuids[1], "too-large")]
    result = CliRunner().invoke(main, arguments)
    assert f"refused: {uuids[1]} (xxxxx" in result.stderr


def test_a_token_that_is_not_accepted(file: Path, access: Access) -> None:
    arguments = ["import", "taskwarrior", str(file), "--url", access.url, "--token", "nobodys"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 1
    assert "does not accept the token" in result.stderr


@has_taskwarrior
def test_taskwarrior_takes_back_what_the_server_has(file: Path, export: bytes, access: Access) -> None:
    run(file, access)
    tasks = [to_taskwarrior(document) for document in fetched(access).documents.values()]
    again = {task["uuid"]: task for task in json.loads(real_export(tasks))}
    for task in json.loads(export):
        back = again[task["uuid"]]
        for computed in ("id", "urgency"):
            del task[computed], back[computed]
        assert back == task


# --- the program as it is installed ------------------------------------------------------------------------


def program(access: Access, *arguments: str, given: bytes) -> subprocess.CompletedProcess[bytes]:
    """Address and token from the environment, the export from standard input."""
    environment = {"HYPERTASK_URL": access.url, "HYPERTASK_TOKEN": access.token, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "client.cli", "import", "taskwarrior", "-", *arguments],
        env={**os.environ, **environment},
        cwd=ROOT,
        input=given,
        capture_output=True,
        timeout=PATIENCE_SECONDS,
    )


@pytest.mark.parametrize("source", ["committed", pytest.param("fresh", marks=has_taskwarrior)])
def test_the_program(source: str, access: Access, settings: Settings) -> None:
    raw = FIXTURE.read_bytes() if source == "committed" else real_export(make_tasks(200, seed=7))
    tasks: dict[str, Task] = {task["uuid"]: task for task in json.loads(raw)}

    dry = program(access, "--dry-run", "--json", given=raw)
    assert (dry.returncode, dry.stderr) == (0, b"")
    assert json.loads(dry.stdout)["would"] == {"create": len(tasks), "update_or_merge": 0, "unchanged": 0}
    assert truth(settings, access.space).heads == {}

    first = program(access, given=raw)
    assert first.returncode == 0, first.stderr
    assert first.stdout.startswith(b"%d created, 0 updated, 0 unchanged" % len(tasks))
    stored = truth(settings, access.space)
    assert {uuid: to_taskwarrior(body) for uuid, body in stored.bodies.items()} == tasks

    second = program(access, "--json", given=raw)
    assert (second.returncode, second.stderr) == (0, b"")
    assert counts(json.loads(second.stdout)) == {"unchanged": len(tasks)}
    assert truth(settings, access.space) == stored


def test_the_program_with_a_bad_token(access: Access, settings: Settings) -> None:
    refused = program(access, "--token", "nobodys", "--json", given=FIXTURE.read_bytes())
    assert (refused.returncode, refused.stderr) == (1, b"")
    error = json.loads(refused.stdout)["error"]
    assert error["code"] == "token-not-accepted"
    assert "HYPERTASK_TOKEN" in error["message"]
    assert truth(settings, access.space).heads == {}
