"""Databases that are put back under real devices: of a server, and as an upstream of their own.

With --soak the files of mongod are copied and put back while it is stopped, at ten moments; else the rows of a space,
to a few, with the mark of another process, which the database has then.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from tests.contract import upstreams
from tests.instance import Instance
from tests.integration.test_put_back import Backup
from tests.unit.client.sync.moments import MOMENTS, Moments, World

KINDS = {"server": upstreams.server, "mongodb": upstreams.database}
FEW = 2


def space_of(driver: upstreams.Driver) -> str:
    assert driver.space is not None
    return driver.space


@pytest.mark.parametrize("written_first", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_a_few_moments(tmp_path: Path, server: Instance, kind: str, written_first: bool) -> None:
    driver = KINDS[kind](server)
    history = Moments(World(tmp_path, driver), written_first=written_first)
    backups = []
    with MongoClient[dict[str, Any]](server.settings.mongo_url) as client:
        for moment in range(FEW):
            backups.append(Backup(client[server.settings.mongo_database], space_of(driver)))
            history.go_ahead(moment)
        history.agree()
        for moment, backup in enumerate(backups):
            backup.put_back(process=f"another-{moment}")
            history.check(moment)


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[Instance]:
    made = Instance(tmp_path / "server" / "data").start()
    yield made
    made.stop()


@pytest.mark.soak
def test_each_of_ten_moments_by_the_files_of_the_database(tmp_path: Path, instance: Instance) -> None:
    histories = {
        (kind, first): Moments(World(tmp_path / f"{kind}-{first}", KINDS[kind](instance)), written_first=first)
        for kind in KINDS
        for first in (False, True)
    }
    database, copies = instance.data / "mongo", tmp_path / "copies"
    for moment in range(MOMENTS):
        instance.stop()
        shutil.copytree(database, copies / str(moment))
        instance.start_again()
        for history in histories.values():
            history.go_ahead(moment)
    for history in histories.values():
        history.agree()
    for moment in range(MOMENTS):
        instance.stop()
        shutil.rmtree(database)
        shutil.copytree(copies / str(moment), database)
        instance.start_again()
        for history in histories.values():
            history.check(moment)
