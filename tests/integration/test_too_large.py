"""Documents that are larger than they may be, over every upstream that a client decides for: named, nothing else is
held up, nothing is lost, and all is well when the document is made smaller, on whichever side."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from client.sync.report import SyncReport
from client.sync.upstream import Upstream
from client.upstreams import decisions
from client.upstreams.git import GitUpstream
from client.upstreams.mongodb import MongoUpstream
from shared.core.documents import DocumentId
from shared.core.protocol import Limits
from tests.contract import upstreams
from tests.unit.client.sync.simulated import Device

REAL, SMALL = 700_000, 14_000
"""A document may have one and a half of them: by the limit as it is, and by one so low that little is moved about."""
LIMITS = (
    "client.upstreams.decisions",
    "client.upstreams.directory",
    "client.upstreams.git",
    "client.sync.engine.plan",
)
DOC, OTHER = DocumentId("large"), DocumentId("other")


@dataclass
class Place:
    """An upstream, and how somebody edits it by hand (None: nobody can)."""

    opened: Callable[[str], Upstream]
    by_hand: Callable[[dict[str, Any]], None] | None


@pytest.fixture
def half(request: pytest.FixtureRequest) -> int:
    return int(getattr(request, "param", SMALL))


@pytest.fixture(params=["folder", "git", "mongodb"])
def place(request: pytest.FixtureRequest, tmp_path: Path, half: int, monkeypatch: pytest.MonkeyPatch) -> Place:
    if half != REAL:
        limits = Limits(max_document_bytes=3 * half // 2)
        monkeypatch.setattr("client.folder.task_folder.Limits", lambda: limits)
        for module in LIMITS:
            monkeypatch.setattr(f"{module}.MAX_BYTES", limits.max_document_bytes)
    if request.param == "folder":
        root = tmp_path / "shared"

        def write(body: dict[str, Any]) -> None:
            (root / f"{body['id']}.json").write_text(json.dumps(body))

        return Place(upstreams.directory(root).opened, write)
    if request.param == "git":
        upstreams.repository(tmp_path)
        known: dict[str, GitUpstream] = {}

        def opened(name: str) -> Upstream:
            """With what the driver wanted to be told again, as a profile does."""
            facts = known[name].abilities.facts if name in known else {"device": name}
            known[name] = GitUpstream(f"file://{tmp_path / 'shared.git'}", tmp_path / name, facts, device=name)
            return known[name]

        return Place(opened, lambda body: commit(tmp_path, body))
    database = upstreams.database(request.getfixturevalue("server"))

    def in_database(name: str) -> Upstream:
        upstream = database.opened(name)
        assert isinstance(upstream, MongoUpstream)
        upstream._max_bytes = decisions.MAX_BYTES
        return upstream

    return Place(in_database, None)


def commit(root: Path, body: dict[str, Any]) -> None:
    """By somebody who works with git and knows nothing of us."""
    work = root / "clone"
    if not work.exists():
        subprocess.run(["git", "clone", "-q", str(root / "shared.git"), str(work)], check=True)
    git = ["git", "-C", str(work), "-c", "user.name=p", "-c", "user.email=p@p.invalid"]
    subprocess.run([*git, "pull", "-q"], check=True)
    (work / f"{body['id']}.json").write_text(json.dumps(body))
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "by hand"], check=True)
    subprocess.run([*git, "push", "-q"], check=True)


def write(device: Device, **fields: Any) -> None:
    path = device.folder.path(DocumentId(fields.get("id", DOC)))
    new = path.with_suffix(".tmp")
    new.write_text(json.dumps({"id": DOC, **fields}))
    new.replace(path)


def synced(device: Device) -> SyncReport:
    report = device.sync()
    assert report is not None and report.agreed
    return report


def two_devices(root: Path, place: Place) -> tuple[Device, Device]:
    """Both have a document of two fields, and another one."""
    a, b = (Device(root, name, place.opened) for name in ("a", "b"))
    write(a, a="", b="")
    write(a, id=OTHER, n=1)
    synced(a)
    synced(b)
    return a, b


def settled(*devices: Device) -> list[dict[str, Any]]:
    """All documents of each, after two rounds that left nothing to do."""
    for _ in range(2):
        reports = [synced(device) for device in devices]
    assert not any(report.plan.waits or report.problems_there for report in reports)
    return [device.documents() for device in devices]


@pytest.mark.parametrize(("who", "half"), [("a", SMALL), ("b", REAL)], indirect=["half"])
def test_two_edits_that_are_too_large_together(tmp_path: Path, place: Place, who: str, half: int) -> None:
    a, b = two_devices(tmp_path / "devices", place)
    write(a, a="x" * half, b="")
    write(b, a="", b="y" * half)
    synced(a)
    write(b, id=OTHER, n=2)
    report = synced(b)
    assert {d: r.code for d, r in report.refused.items()} == {DOC: "too-large"}
    assert str(half)[:2] in report.refused[DOC].reason
    synced(a)
    assert a.documents() == {DOC: {"id": DOC, "a": "x" * half, "b": ""}, OTHER: {"id": OTHER, "n": 2}}
    assert b.documents()[DOC] == {"id": DOC, "a": "", "b": "y" * half}
    if who == "a":
        write(a, a="x", b="")
    else:
        write(b, a="", b="y")
    wanted = {"id": DOC, "a": "x" if who == "a" else "x" * half, "b": "y" if who == "b" else "y" * half}
    synced(a)
    mine, theirs = settled(b, a)
    assert mine == theirs and mine[DOC] == wanted


@pytest.mark.parametrize("who", ["a", "b"])
def test_an_upstream_that_holds_one_from_an_earlier_release(
    tmp_path: Path, place: Place, who: str, half: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlimited = 1 << 40
    a, b = two_devices(tmp_path / "devices", place)
    with monkeypatch.context() as patch:
        patch.setattr(decisions, "MAX_BYTES", unlimited)
        write(a, a="x" * half, b="")
        write(b, a="", b="y" * half)
        for device in (a, b, a):
            synced(device)
    together = {"id": DOC, "a": "x" * half, "b": "y" * half}
    assert a.documents()[DOC] == b.documents()[DOC] == together
    write(b, id=OTHER, n=2)
    for device in (b, a):
        report = synced(device)
        assert report.contents is not None
        assert [(p.code, p.document) for p in report.contents.problems] == [("too-large", DOC)]
    assert a.documents()[OTHER] == {"id": OTHER, "n": 2}
    write(a if who == "a" else b, a="x", b="y" * half)
    mine, theirs = settled(a, b)
    assert mine == theirs and mine[DOC] == {"id": DOC, "a": "x", "b": "y" * half}


def test_a_large_document_from_an_earlier_release_can_be_deleted(
    tmp_path: Path, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = two_devices(tmp_path / "devices", place)
    limit = 1_000
    write(a, a="x" * 2_000, b="")
    synced(a)
    synced(b)
    monkeypatch.setattr(decisions, "MAX_BYTES", limit)
    monkeypatch.setattr("client.sync.engine.plan.MAX_BYTES", limit)
    a.folder.path(DOC).unlink()
    mine, theirs = settled(a, b)
    assert mine == theirs == {OTHER: {"id": OTHER, "n": 1}}


def test_one_that_somebody_made_too_large_in_the_upstream(tmp_path: Path, place: Place, half: int) -> None:
    if place.by_hand is None:
        pytest.skip("nobody edits a database by hand")
    a, b = two_devices(tmp_path / "devices", place)
    place.by_hand({"id": DOC, "a": "x" * half, "b": "y" * half})
    write(a, id=OTHER, n=2)
    write(a, a="mine", b="")
    report = synced(a)
    assert report.problems_there.keys() == {DOC}
    assert "larger" in report.problems_there[DOC] or "bytes" in report.problems_there[DOC]
    assert report.refused[DOC].code == "too-large"
    assert synced(b).problems_there.keys() == {DOC}, "it is named to everybody, and each time"
    assert synced(a).problems_there.keys() == {DOC}
    assert b.documents() == {DOC: {"id": DOC, "a": "", "b": ""}, OTHER: {"id": OTHER, "n": 2}}
    place.by_hand({"id": DOC, "a": "", "b": "y" * half})
    mine, theirs = settled(a, b)
    assert mine == theirs and mine[DOC] == {"id": DOC, "a": "mine", "b": "y" * half}


def test_one_that_was_put_back_in_the_upstream_as_it_was(tmp_path: Path, place: Place, half: int) -> None:
    if place.by_hand is None:
        pytest.skip("nobody edits a database by hand")
    a, b = two_devices(tmp_path / "devices", place)
    place.by_hand({"id": DOC, "a": "x" * half, "b": "y" * half})
    write(a, a="mine", b="")
    assert synced(a).refused.keys() == {DOC}
    place.by_hand({"id": DOC, "a": "", "b": ""})
    mine, theirs = settled(a, b)
    assert mine == theirs and mine[DOC] == {"id": DOC, "a": "mine", "b": ""}


def test_one_that_is_too_large_here_and_smaller_there_is_merged_here(tmp_path: Path, place: Place, half: int) -> None:
    a, b = two_devices(tmp_path / "devices", place)
    write(a, a="x" * half, b="")
    synced(a)
    synced(b)
    write(b, a="x" * half, b="y" * half)
    report = synced(b)
    assert report.refused[DOC].code == "too-large" and b.documents()[DOC]["b"] == "y" * half
    write(a, a="x", b="")
    synced(a)
    mine, theirs = settled(b, a)
    assert mine == theirs and mine[DOC] == {"id": DOC, "a": "x", "b": "y" * half}


def test_a_new_one_that_is_too_large_waits_here(tmp_path: Path, place: Place, half: int) -> None:
    a, b = two_devices(tmp_path / "devices", place)
    write(a, id="new", text="x" * 2 * half)
    write(a, id=OTHER, n=2)
    assert synced(a).refused[DocumentId("new")].code == "too-large"
    write(a, id="new", text="x")
    mine, theirs = settled(a, b)
    assert mine == theirs and mine["new"] == {"id": "new", "text": "x"}
