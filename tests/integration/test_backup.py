"""`hypertask-server backup` and `restore` on running servers. What devices have that are ahead of a backup comes
back to it: tests/acceptance/test_restored_server.py."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result

from api.backup import Restoration, checked
from api.cli import main
from shared.adapters.mongodb import MongoDocumentStore, opened
from shared.adapters.mongodb.backups import CONTENT, LEFT_OUT, PEOPLE, MongoBackups
from shared.core.documents import DocumentId, SpaceId
from shared.ports import Announcement
from tests.instance import Access, Instance
from tests.integration.test_import import client, filled, post
from tests.patience import PATIENCE_SECONDS, STORE_TIMEOUT_SECONDS


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """Another server, with a database of its own."""
    instance = Instance(tmp_path_factory.mktemp("fleet") / "data").start()
    yield instance
    instance.discard()


def command(instance: Instance, *arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["--data", str(instance.data), *map(str, arguments)])


def succeeded(instance: Instance, *arguments: str | Path) -> dict[str, Any]:
    done = command(instance, *arguments, "--json")
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def on(instance: Instance, access: Access) -> httpx.Client:
    """The same token at another server."""
    return client(Access(instance.url, access.space, access.token, access.device, access.user))


def lines(http: httpx.Client) -> list[bytes]:
    """Of an export, without the first one, which says when and where."""
    return sorted(http.get("/export").raise_for_status().content.splitlines()[1:])


def test_an_empty_database_gets_everything_as_it_was(server: Instance, fleet: Instance, tmp_path: Path) -> None:
    access, file = server.access(user="ann"), tmp_path / "backup"
    with client(access) as http:
        filled(http)
        counts = succeeded(server, "backup", file, "--space", access.space)["rows"]
        assert (counts["spaces"], counts["documents"], counts["devices"]) == (1, 4, 1)
        assert file.stat().st_mode & 0o777 == 0o600
        assert succeeded(fleet, "restore", file, "--check")["rows"] == counts
        assert httpx.get(f"{fleet.url}/hashes", headers=access.headers).status_code == 401, "a check stores nothing"
        restored = succeeded(fleet, "restore", file)
        assert restored["put"] == {access.space: 4}
        assert restored["merged"] == {}
        with on(fleet, access) as there:
            assert there.get("/hashes").json() == http.get("/hashes").json()
            assert lines(there) == lines(http), "revs, bodies, tombstones, who, when, and by which rule"
            assert there.get("/policies").json() == http.get("/policies").json()
            again = succeeded(fleet, "restore", file)
            assert (again["put"], again["people"]) == ({}, {})
            assert lines(there) == lines(http)
            base = http.get("/task/c").headers["hypertask-rev"]
            answer = there.post("/task/c", json={"client_state": {"id": "c", "title": "four"}, "base": base})
            assert answer.json()["server_state"] == {"id": "c", "title": "four"}, "a base of before still holds"
            cursor = http.get("/hashes").headers["hypertask-cursor"]
            assert list(there.get("/hashes", params={"since": cursor}).json()["hashes"]) == ["c"]


def test_it_is_refused_to_write_over_a_file(server: Instance, tmp_path: Path) -> None:
    access, file = server.access(), tmp_path / "backup"
    file.write_bytes(b"something else")
    done = command(server, "backup", file, "--space", access.space)
    assert (done.exit_code, file.read_bytes()) == (1, b"something else")
    assert "--force" in done.output
    succeeded(server, "backup", file, "--force", "--space", access.space)
    assert [path.name for path in tmp_path.iterdir()] == ["backup"]


def test_of_a_damaged_file_nothing_is_stored(server: Instance, fleet: Instance, tmp_path: Path) -> None:
    access, file = server.access(), tmp_path / "backup"
    with client(access) as http:
        post(http, a={"n": 1})
    succeeded(server, "backup", file, "--space", access.space)
    whole = file.read_bytes()
    for damaged in (whole[:-20], whole[:40], whole[:60] + bytes([whole[60] ^ 1]) + whole[61:]):
        file.write_bytes(damaged)
        for check in ([], ["--check"]):
            done = command(fleet, "restore", file, *check)
            assert (done.exit_code, "Nothing was stored" in done.output) == (1, True), done.output
    assert httpx.get(f"{fleet.url}/hashes", headers=access.headers).status_code == 401


def test_what_is_in_a_space_is_merged_with_the_backup(server: Instance, tmp_path: Path) -> None:
    access, file = server.access(), tmp_path / "backup"
    with client(access) as http:
        post(http, kept={"n": 1}, edited={"n": 1}, deleted={"n": 1})
        succeeded(server, "backup", file, "--space", access.space)
        post(http, edited={"n": 2}, made={"n": 1})
        http.delete("/task/deleted").raise_for_status()
        before = lines(http)
        restored = succeeded(server, "restore", file)
        assert restored["put"] == {}
        merged = restored["merged"][access.space]
        assert [merged[name] for name in ("documents", "created", "continued", "refused")] == [3, 0, 0, 0]
        assert lines(http) == before, "everything in the backup was known, and nothing is taken back"


def test_one_space_of_many(server: Instance, fleet: Instance, tmp_path: Path) -> None:
    wanted, other, file = server.access(user="bea"), server.access(user="carl"), tmp_path / "backup"
    for access in (wanted, other):
        with client(access) as http:
            post(http, a={"of": access.space})
    succeeded(server, "backup", file)
    assert succeeded(fleet, "restore", file, "--space", wanted.space)["put"] == {wanted.space: 1}
    with on(fleet, wanted) as http:
        assert http.get("/task/a").json() == {"id": "a", "of": wanted.space}
    assert httpx.get(f"{fleet.url}/hashes", headers=other.headers).status_code == 401


def test_a_name_that_somebody_else_has_opens_nothing_of_his(
    server: Instance, fleet: Instance, tmp_path: Path
) -> None:
    here, there, file = server.access(user="dora"), fleet.access(user="dora"), tmp_path / "backup"
    with client(here) as http:
        post(http, a={"n": 1})
    succeeded(server, "backup", file, "--space", here.space)
    succeeded(fleet, "restore", file)
    with on(fleet, here) as http, client(there) as others:
        assert http.get("/task/a").json() == {"id": "a", "n": 1}
        assert http.get("/hashes", headers={"Hypertask-Space": there.space}).status_code in (403, 404)
        assert others.get("/hashes", headers={"Hypertask-Space": here.space}).status_code in (403, 404)


def test_each_space_is_saved_as_it_is_at_one_moment(server: Instance, fleet: Instance, tmp_path: Path) -> None:
    access, file = server.access(), tmp_path / "backup"
    names = [f"t{number}" for number in range(30)]
    written = threading.Event()
    stop = threading.Event()

    def write() -> None:
        with client(access) as http:
            number = 0
            while not stop.is_set():
                number += 1
                post(http, **{name: {"n": number} for name in names})
                if number == 3:
                    written.set()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert written.wait(PATIENCE_SECONDS)
        succeeded(server, "backup", file, "--space", access.space)
    finally:
        stop.set()
        writer.join(PATIENCE_SECONDS)
    succeeded(fleet, "restore", file)
    with on(fleet, access) as http:
        tasks = http.get("/tasks").json()["tasks"]
    assert tasks.keys() == set(names)
    assert len({task["server_state"]["n"] for task in tasks.values()}) == 1, "each batch is there whole or not at all"


class StoppedError(Exception):
    pass


class Interrupted(MongoBackups):
    """Stops before the documents are put back."""

    async def put(self, collection: str, raws: Sequence[bytes]) -> list[DocumentId]:
        if collection == "documents":
            raise StoppedError
        return await super().put(collection, raws)


def test_stopped_half_way_it_goes_on_with_what_was_written_meanwhile(
    server: Instance, fleet: Instance, tmp_path: Path
) -> None:
    access, file = server.access(), tmp_path / "backup"
    with client(access) as http:
        post(http, a={"n": 1}, b={"n": 1})
        post(http, a={"n": 2})
    succeeded(server, "backup", file, "--space", access.space)
    fleet_access = fleet.access(space=access.space)

    async def announce(space: SpaceId, announcement: Announcement) -> None:
        """Nobody listens."""

    async def interrupted() -> None:
        async with opened(fleet.settings) as mongo:
            store = MongoDocumentStore(mongo, give_up_after_seconds=STORE_TIMEOUT_SECONDS)
            with file.open("rb") as source:
                checked(source)
                with pytest.raises(StoppedError):
                    limits = fleet.settings.limits
                    await Restoration(Interrupted(mongo), store, limits, announce, print).run(source)

    asyncio.run(interrupted())
    with client(fleet_access) as http:
        post(http, a={"since": True}, c={"n": 1})
        seen = http.get("/hashes")
        assert set(seen.json()) == {"a", "c"}, "half of it is there, and what was written meanwhile"
        assert succeeded(fleet, "restore", file)["put"] == {access.space: 2}
        assert http.get("/task/a").json() == {"id": "a", "n": 2, "since": True}
        assert http.get("/task/b").json() == {"id": "b", "n": 1}
        assert set(http.get("/hashes").json()) == {"a", "b", "c"}, "no map of the unfinished space is answered"
        since = http.get("/hashes", params={"since": seen.headers["hypertask-cursor"]})
        assert since.status_code == 410 or set(since.json()["hashes"]) == {"a", "b"}, "no cursor of it skips anything"


async def test_every_collection_is_in_a_backup_or_left_out_on_purpose(server: Instance) -> None:
    async with opened(server.settings) as mongo:
        names = set(await mongo.database.list_collection_names())
    assert names <= {"spaces", *PEOPLE, *CONTENT, *LEFT_OUT}, "say in backups.py what becomes of the new one"
