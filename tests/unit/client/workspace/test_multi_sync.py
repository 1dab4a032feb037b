"""What a daemon asks of a sync with several upstreams: which of them lack something; what is said of changes."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from client.config.config_text import Profile, UpstreamConfig
from client.config.tokens import Tokens
from client.folder.durable import FEW
from client.sync.arrivals import Arrivals, BeforeAndAfter
from client.sync.change_scope import EVERYTHING, NOTHING, ChangeScope
from client.sync.files import Files
from client.sync.state_store import Arriving, SyncStateStore
from client.sync.sync_run import Sync
from client.sync.upstream import Upstream, UpstreamUnreachableError
from client.tasks.journal import ARRIVALS, Journal
from client.workspace.multi_sync import MultiSync
from client.workspace.watch import Watch
from client.workspace.workspace import Workspace, open_workspace
from shared.core.identifiers import DocumentId
from tests.patience import PATIENCE_SECONDS

T1 = DocumentId("t1")
TOUCHED = ChangeScope.of([T1])
OLD, NEW = {"id": "t1", "title": "old"}, {"id": "t1", "title": "new"}


class Desk:
    """A folder with one task, in sync with two directories, and what a daemon syncs them with."""

    def __init__(self, home: Path, here: Workspace) -> None:
        self.here, self.ups = here, {name: home / name for name in "ab"}
        configs = [UpstreamConfig(name, f"folder://{path}") for name, path in self.ups.items()]
        for config in configs:
            asyncio.run(made(here.upstream(config, make=True)))
        self.changes: list[BeforeAndAfter] = []
        self.multi_sync = MultiSync(here, configs, self.changes.extend)
        self.write(OLD)
        assert asyncio.run(self.multi_sync.sync()).agreed
        assert self.there() == [OLD, OLD] and asyncio.run(self.multi_sync.due(TOUCHED)) == set()

    @property
    def path(self) -> Path:
        return self.here.folder.root / "t1.json"

    def write(self, body: dict[str, Any], into: Path | None = None) -> None:
        target = (into or self.here.folder.root) / "t1.json"
        new = target.with_suffix(".new")
        new.write_text(json.dumps(body))
        new.replace(target)

    def now(self) -> Any:
        return json.loads(self.path.read_text())

    def there(self) -> list[Any]:
        return [json.loads((up / "t1.json").read_text()) for up in self.ups.values()]

    def journal(self) -> list[BeforeAndAfter]:
        entries = Journal(self.here.folder.state, ARRIVALS).entries()
        return [(step.before, step.after) for entry in entries for step in entry.steps]


async def made(upstream: Upstream) -> None:
    await upstream.changes(None)
    await upstream.close()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    profile = Profile("test", tmp_path / "tasks", tmp_path / "hooks")
    (tmp_path / "tasks" / ".hypertask").mkdir(parents=True)
    with open_workspace(profile, Tokens(tmp_path / "config.toml")) as here:
        desk = Desk(tmp_path, here)
        yield desk
        asyncio.run(desk.multi_sync.close())


def test_an_edit_between_two_upstreams_is_sent_to_the_first_as_well(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Sync.run

    async def edited_before_b(self: Sync, **options: Any) -> Any:
        if self.report.upstream == "b":
            desk.write(NEW)
        return await run(self, **options)

    monkeypatch.setattr(Sync, "run", edited_before_b)
    assert asyncio.run(desk.multi_sync.sync()).agreed
    assert desk.there() == [OLD, NEW]
    assert asyncio.run(desk.multi_sync.due(TOUCHED)) == {"a"}
    assert asyncio.run(desk.multi_sync.due(EVERYTHING)) == {"a"}
    assert asyncio.run(desk.multi_sync.due(NOTHING)) == {"a"}
    asyncio.run(desk.multi_sync.sync(["a"], touched=NOTHING))
    assert desk.there() == [NEW, NEW] and asyncio.run(desk.multi_sync.due(EVERYTHING)) == set()


def test_an_edit_that_a_dry_run_has_seen_is_sent(desk: Desk) -> None:
    desk.write(NEW)
    with open_workspace(desk.here.profile, desk.here.tokens) as other:  # of another process
        command = MultiSync(other, list(desk.multi_sync.upstreams.values()))
        plan, _ = asyncio.run(command.survey("a"))
        assert [action.id for action in plan.actions] == [T1]
        asyncio.run(command.close())
    assert asyncio.run(desk.multi_sync.due(TOUCHED)) == {"a", "b"}


def test_an_edit_is_sent_after_a_sync_that_failed_once_it_had_looked(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(self: Sync, *arguments: Any) -> None:
        self._pair.files.refresh()
        raise UpstreamUnreachableError("away")

    desk.write(NEW)
    with monkeypatch.context() as patch:
        patch.setattr(Sync, "_listen", away)
        assert asyncio.run(desk.multi_sync.sync(touched=TOUCHED)).errors.keys() == {"a", "b"}
    assert asyncio.run(desk.multi_sync.due(NOTHING)) == {"a", "b"}


def test_a_deletion_that_has_to_be_confirmed_is_said_once(desk: Desk) -> None:
    desk.path.unlink()
    assert asyncio.run(desk.multi_sync.due(TOUCHED)) == {"a", "b"}
    assert asyncio.run(desk.multi_sync.sync(touched=TOUCHED)).waits
    assert asyncio.run(desk.multi_sync.due(TOUCHED)) == set()
    desk.write(OLD)
    assert asyncio.run(desk.multi_sync.due(TOUCHED)) == {"a", "b"}  # nothing waits any more, and `status` says so


async def test_a_file_that_is_touched_while_one_upstream_is_due_is_sent_to_the_others(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: asyncio.Queue[list[str]] = asyncio.Queue()
    sync = MultiSync.sync

    async def noted(self: MultiSync, names: list[str], **options: Any) -> Any:
        result = await sync(self, names, **options)
        synced.put_nowait(names)
        return result

    async def nothing(*arguments: Any) -> None:
        return None

    monkeypatch.setattr(MultiSync, "sync", noted)
    monkeypatch.setattr(Watch, "_watch_folder", nothing)
    monkeypatch.setattr(Watch, "_watch_upstream", nothing)
    watch = Watch(desk.multi_sync)
    running = asyncio.create_task(watch.run())
    try:
        assert await asyncio.wait_for(synced.get(), PATIENCE_SECONDS) == ["a", "b"]
        desk.write(NEW)
        watch._touch([(2, str(desk.path))])  # type: ignore[list-item]  # a change of watchfiles
        watch._now_due("a")
        assert await asyncio.wait_for(synced.get(), PATIENCE_SECONDS) == ["a", "b"]
    finally:
        running.cancel()
        await asyncio.wait([running])


# --- what is said of arrivals ---------------------------------------------------------------------------------


def test_what_could_not_be_placed_is_not_said_to_have_arrived(desk: Desk) -> None:
    desk.path.chmod(0o444)
    desk.write(NEW, desk.ups["a"])
    result = asyncio.run(desk.multi_sync.sync())
    assert result.reports["a"].protected == (T1,) and desk.now() == OLD
    assert desk.changes == [] == desk.journal()
    desk.path.chmod(0o644)
    asyncio.run(desk.multi_sync.sync())
    assert desk.now() == NEW
    assert desk.changes == [(OLD, NEW)] == desk.journal()


def test_what_was_merged_with_an_edit_in_the_file_is_said_as_it_is(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Arrivals.place

    def edited_before(self: Arrivals, rows: Mapping[DocumentId, Arriving], **options: Any) -> Any:
        if self._folder.root == desk.here.folder.root and rows:
            monkeypatch.setattr(Arrivals, "place", place)
            desk.write({**OLD, "mine": 1})
        return place(self, rows, **options)

    desk.write(NEW, desk.ups["a"])
    monkeypatch.setattr(Arrivals, "place", edited_before)
    asyncio.run(desk.multi_sync.sync())
    merged = {**NEW, "mine": 1}
    assert desk.now() == merged and desk.there() == [merged, merged]
    assert desk.changes == [({**OLD, "mine": 1}, merged)] == desk.journal()


def test_a_removal_that_met_an_edit_is_not_said_to_have_happened(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    place, edited = Arrivals.place, {**OLD, "mine": 1}

    def edited_before(self: Arrivals, rows: Mapping[DocumentId, Arriving], **options: Any) -> Any:
        if self._folder.root == desk.here.folder.root and rows:
            monkeypatch.setattr(Arrivals, "place", place)
            desk.write(edited)
        return place(self, rows, **options)

    upstream = desk.ups["a"]
    for name in ("t2", "t3"):
        (upstream / f"{name}.json").write_text(json.dumps({"id": name}))
    asyncio.run(desk.multi_sync.sync())
    desk.changes.clear()
    (upstream / "t1.json").unlink()
    monkeypatch.setattr(Arrivals, "place", edited_before)
    assert asyncio.run(desk.multi_sync.sync()).agreed
    assert desk.now() == edited and desk.there() == [edited, edited]
    assert desk.changes == []


def test_what_arrived_before_a_sync_failed_is_said(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    listen, heard = Sync._listen, [0]

    async def away_then(self: Sync) -> None:
        heard[0] += 1
        if heard[0] == 2:
            raise UpstreamUnreachableError("away")
        await listen(self)

    desk.write(NEW, desk.ups["a"])
    monkeypatch.setattr(Sync, "_listen", away_then)
    result = asyncio.run(desk.multi_sync.sync())
    assert result.errors.keys() == {"a"} and desk.there() == [NEW, NEW]
    assert desk.changes == [(OLD, NEW)] == desk.journal()


class Killed(BaseException):
    pass


def killed_at(stop: str, desk: Desk) -> None:
    """A sync with "a" that ends with this step, as that of a process that is killed."""

    def step(name: str) -> None:
        if name == stop:
            raise Killed

    store = SyncStateStore.open(desk.here.folder.state / "memory.sqlite")
    with pytest.raises(Killed):
        asyncio.run(Sync(desk.here.folder, store, "a", desk.multi_sync.driver("a"), step, several=True).run())
    store.close()


@pytest.mark.parametrize("stop", ["remembered", "placed"])
def test_what_a_sync_had_left_behind_is_said_when_it_is_placed(desk: Desk, stop: str) -> None:
    desk.write(NEW, desk.ups["a"])
    killed_at(stop, desk)
    assert desk.changes == []
    asyncio.run(desk.multi_sync.sync())
    assert desk.now() == NEW and desk.changes == [(OLD, NEW)] == desk.journal()


@pytest.mark.parametrize("count", [1, 2 * FEW])
def test_files_of_before_that_a_sync_had_not_removed_are_thrown_away(desk: Desk, count: int) -> None:
    """Few are removed by the sync itself, many beside it."""
    folder = desk.here.folder
    documents = [DocumentId(f"many{number}") for number in range(count)]

    def write_there(text: str) -> None:
        for document in documents:
            body = {"id": document, "description": text}
            (desk.ups["a"] / f"{document}.json").write_text(json.dumps(body))

    def left() -> list[Path]:
        return list((folder.state / "arriving").iterdir())

    def texts() -> set[object]:
        return {json.loads(folder.path(document).read_bytes())["description"] for document in documents}

    write_there("old")
    asyncio.run(desk.multi_sync.sync())
    write_there("new")
    killed_at("forgotten", desk)
    assert desk.here.store.arriving() == {} and len(left()) == count and texts() == {"new"}
    asyncio.run(desk.multi_sync.sync())
    assert left() == [] and texts() == {"new"}
    write_there("newer")
    asyncio.run(desk.multi_sync.sync())
    for thread in threading.enumerate():
        if thread.name == "thrown-away":
            thread.join(PATIENCE_SECONDS)
    assert left() == [] and texts() == {"newer"}


def test_what_a_look_found_stays_as_it_is(desk: Desk) -> None:
    files = Files(desk.here.folder, desk.here.store)
    before, again = files.refresh(), files.refresh(TOUCHED)
    files.note_written({T1: None})
    assert before.hashes.keys() == {T1} == again.hashes.keys()


def waited_for(desk: Desk) -> list[str]:
    """What a sync writes down and waits for the disk, by the statements of each transaction; the last statement of it
    waits, too."""
    waited: list[str] = []
    statements: list[str] = []
    level = "FULL"

    def heard(statement: str) -> None:
        nonlocal level
        if statement.startswith("PRAGMA synchronous"):
            level = statement.rsplit(maxsplit=1)[-1]
        statements.append(statement)
        if statement == "BEGIN IMMEDIATE":
            statements.clear()
        elif statement == "COMMIT" and level == "FULL":
            waited.append(" ".join(statements))

    desk.here.store._db.set_trace_callback(heard)
    assert asyncio.run(desk.multi_sync.sync()).agreed
    desk.here.store._db.set_trace_callback(None)
    assert statements[-1] == "COMMIT"
    return [one for one in waited if "INSERT" in one or "UPDATE" in one]


def test_what_a_power_cut_may_take_back_is_written_down_without_waiting(desk: Desk) -> None:
    """Of all that a sync writes down these wait for the disk: what is on its way, an answer with what is to come into
    files, that it came before anybody is told, and the last, with which all before it is durable."""
    desk.multi_sync = MultiSync(desk.here, [desk.multi_sync.upstreams["a"]])
    assert asyncio.run(desk.multi_sync.sync()).agreed
    desk.write(NEW)
    (desk.ups["a"] / "t2.json").write_text(json.dumps({"id": "t2"}))
    sent, answered, placed, said = waited_for(desk)
    assert "SET pending = excluded.pending" in sent
    assert "INTO arriving" in answered and "INTO record" in answered
    assert "FROM arriving" in placed and "INTO file" in placed
    assert "SET status" in said


def test_an_answer_that_changes_no_file_is_written_down_without_waiting(desk: Desk) -> None:
    """It is asked for again if a power cut takes it back: the state is on its way still, which was waited for."""
    desk.multi_sync = MultiSync(desk.here, [desk.multi_sync.upstreams["a"]])
    assert asyncio.run(desk.multi_sync.sync()).agreed
    desk.write(NEW)
    sent, said = waited_for(desk)
    assert "SET pending = excluded.pending" in sent and "SET status" in said
