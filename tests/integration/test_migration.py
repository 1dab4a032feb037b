"""Data of the release before there were accounts (commit 1287d73, schema 0), served by this one.

tests/integration/data/release_0_1.json was made by running that release: devices by its `Devices.create`, documents,
policies and revocations over its HTTP, then every row as its MongoDB held it, and what each token opened.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from bson import json_util

from api.app import create_app
from shared.adapters import mongodb
from shared.adapters.mongodb.rows import device_memory_of, device_memory_row
from shared.core.access.audit import SERVER
from shared.core.access.people import legacy_user_id
from shared.core.access.roles import Role
from shared.core.documents import DeviceId, SpaceId
from shared.settings import Settings
from tests.instance import ROOT, Instance
from tests.integration.truth import administrator
from tests.unit.api.in_memory import running

Row = dict[str, Any]
MADE = json.loads((Path(__file__).parent / "data" / "release_0_1.json").read_text())
OPENED: dict[str, Row] = MADE["opened"]


@pytest.fixture
def old(server: Instance, settings: Settings) -> Iterator[Settings]:
    """A database as that release left it, of the test's own, as one who may make databases."""
    address = urlsplit(settings.mongo_url)
    password = (server.data / "secrets" / "mongo-root").read_text()
    url = f"mongodb://root:{password}@{address.hostname}:{address.port}/?replicaSet=rs0&authSource=admin"
    own = replace(settings, mongo_url=url, mongo_database=f"old-{uuid.uuid4().hex[:12]}")
    with administrator(server.data, settings) as client:
        for collection, rows in MADE["collections"].items():
            client[own.mongo_database][collection].insert_many(json_util.loads(json.dumps(rows)))
        yield own
        client.drop_database(own.mongo_database)


@pytest.fixture
async def mongo(old: Settings) -> AsyncIterator[mongodb.Mongo]:
    async with mongodb.opened(old) as mongo:
        yield mongo


async def migrated(mongo: mongodb.Mongo) -> None:
    await mongo.prepare()
    await mongodb.migrate(mongo)


async def test_every_old_token_opens_what_it_did_and_nothing_changes_hash(old: Settings) -> None:
    async with running(create_app(old)) as transport:
        for name, known in OPENED.items():
            headers = {"authorization": f"Bearer {known['token']}"}
            async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as client:
                answer = await client.get("/hashes")
                assert answer.status_code == known["status"], name
                if answer.status_code == 200:
                    assert (answer.json(), answer.headers["hypertask-cursor"]) == (known["hashes"], known["cursor"])
                    rows = (await client.get("/devices")).json()["devices"]
                    [row] = [one for one in rows if one["current"]]
                    assert (row["device"], row["user"], row["space"]) == (
                        known["device"],
                        known["user"],
                        known["space"],
                    )
                    elsewhere = await client.get("/hashes", headers={"hypertask-space": "shared-token"})
                    assert (elsewhere.status_code == 200) is (known["space"] == "shared-token"), "it opens one space"
                    spaces = (await client.get("/spaces")).json()["spaces"]
                    assert [one["space"] for one in spaces] == [known["space"]]


async def test_each_space_gets_its_user_as_owner(mongo: mongodb.Mongo) -> None:
    await migrated(mongo)
    stores = mongodb.access_stores(mongo)
    owner, mother, lower, thief, bot = map(legacy_user_id, ("owner", "Mother", "mother", "Thief", "bot@example.org"))
    roles = {
        space: {member.user: member.role for member in await stores.members.of_space(SpaceId(space))}
        for space in ("default", "family", "left", "shared-token")
    }
    assert roles == {
        "default": {owner: Role.OWNER},
        "family": {owner: Role.OWNER, mother: Role.EDITOR, lower: Role.EDITOR},
        "left": {thief: Role.OWNER},
        "shared-token": {bot: Role.OWNER},
    }
    users = await stores.users.by_ids([owner, mother, lower, thief, bot])
    assert {user.name for user in users.values()} == {"owner", "Mother", "mother", "Thief", "bot@example.org"}
    assert not any(user.administrator or user.has_password for user in users.values())
    assert {entry.by for entry in await stores.audit.read()} == {SERVER}


async def test_steps_may_run_at_the_same_time_and_again(mongo: mongodb.Mongo) -> None:
    await mongo.prepare()
    await asyncio.gather(*(mongodb.migrate(mongo) for _ in range(4)))
    names = ("users", "members", "space_profiles", "audit", "devices")
    before = {name: await mongo.database[name].find().sort("_id", 1).to_list(None) for name in names}
    await mongo.database["schema"].delete_many({})
    await mongodb.migrate(mongo)
    assert {name: await mongo.database[name].find().sort("_id", 1).to_list(None) for name in names} == before
    assert len(before["users"]) == 5 and all("owner" in row for row in before["devices"])


async def test_what_an_old_process_adds_meanwhile_is_taken_over_when_it_is_used(mongo: mongodb.Mongo) -> None:
    await migrated(mongo)
    for device, user, space in (("d1", "owner", "family"), ("d2", "newcomer", "family"), ("d3", "newcomer", "new")):
        await mongo.database["devices"].insert_one(
            {
                "_id": device,
                "token_hash": f"hash-{device}",
                "user": user,
                "name": "added by an old process",
                "space": space,
                "created_at": time.time(),
                "last_seen": None,
                "shared": False,
            }
        )
    stores = mongodb.access_stores(mongo)
    found = await stores.devices.by_token_hashes(["hash-d1", "hash-d2", "hash-d3"])
    assert {key: device.owner for key, device in found.items()} == {
        "hash-d1": legacy_user_id("owner"),
        "hash-d2": legacy_user_id("newcomer"),
        "hash-d3": legacy_user_id("newcomer"),
    }
    roles = {member.space: member.role for member in await stores.members.of_user(legacy_user_id("newcomer"))}
    assert roles == {"family": Role.EDITOR, "new": Role.OWNER}
    again = await stores.devices.by_token_hashes(["hash-d1", "hash-d2", "hash-d3"])
    assert again == found
    listed = await stores.devices.list_of(legacy_user_id("newcomer"))
    assert [device.id for device in listed] == [DeviceId("d2"), DeviceId("d3")]


async def test_what_this_release_adds_is_read_by_processes_of_the_old_one(mongo: mongodb.Mongo) -> None:
    """They ask for these fields, of every row; and they know a user by his name."""
    await migrated(mongo)
    row = await mongo.database["devices"].find_one({"owner": legacy_user_id("Mother")})
    assert row is not None and {"token_hash", "user", "name", "space", "created_at", "last_seen"} <= row.keys()
    assert row["user"] == "Mother"


async def test_data_of_a_later_release_are_left_alone(mongo: mongodb.Mongo) -> None:
    await mongo.database["schema"].insert_one({"_id": "schema", "version": 9, "readable_by": 9})
    with pytest.raises(Exception, match="later release"):
        await mongodb.migrate(mongo)
    assert await mongo.database["users"].count_documents({}) == 0


@pytest.mark.parametrize("module", ["api.serve", "worker"])
async def test_an_earlier_release_says_that_it_cannot_read_them_and_ends(
    old: Settings, mongo: mongodb.Mongo, module: str
) -> None:
    await mongo.database["schema"].insert_one({"_id": "schema", "version": 9, "readable_by": 9})
    names = ("mongo_url", "mongo_database", "redis_url")
    environment = {f"HYPERTASK_{name.upper()}": getattr(old, name) for name in names}
    arguments = ["--port", "0"] if module == "api.serve" else []
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", module, *arguments),
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    lines = [json.loads(line) for line in said.splitlines() if line.startswith(b"{")]
    [line] = [line for line in lines if line["event"] == "cannot_start"]
    assert line["reason"] == "the data are of a later release (schema 9), which this one (schema 1) cannot read"
    assert process.returncode != 0


def test_what_it_remembers_of_devices_is_read_and_written_under_the_same_names() -> None:
    """Devices without a base could not write any more when a name changed."""
    for row in MADE["collections"]["memory"]:
        memory = device_memory_of(row)
        assert memory.delivery == row["request"]
        assert {"_id": row["_id"], **device_memory_row(memory)} == row
    this_morning = {**row, "delivery": row["request"]}
    del this_morning["request"]
    assert device_memory_of(this_morning) == memory
