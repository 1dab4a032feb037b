"""Databases that are put back under real devices: of a server, and as an upstream of their own.

With --soak the files of mongod are copied at ten moments, while it is halted, and put back while it is stopped;
else the rows of a space, to a few, with the mark of another process, which the database has then.
"""

from __future__ import annotations

import os
import shutil
import signal
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
STARTED_AGAIN = (2, 5, 8)
"""Moments after which the database is started again: a history begins with each."""


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


def copy_of(instance: Instance, copy: Path) -> None:
    """Of the files of the database at one moment."""
    mongod = instance.connection["children"]["mongod"]
    os.kill(mongod, signal.SIGSTOP)
    try:
        shutil.copytree(instance.data / "mongo", copy, ignore=shutil.ignore_patterns("*.lock", "*.sock"))
    finally:
        os.kill(mongod, signal.SIGCONT)


@pytest.mark.soak
def test_each_of_ten_moments_by_the_files_of_the_database(tmp_path: Path, instance: Instance) -> None:
    histories = {
        (kind, first): Moments(World(tmp_path / f"{kind}-{first}", KINDS[kind](instance)), written_first=first)
        for kind in KINDS
        for first in (False, True)
    }
    database, copies = instance.data / "mongo", tmp_path / "copies"
    for moment in range(MOMENTS):
        copy_of(instance, copies / str(moment))
        if moment in STARTED_AGAIN:
            instance.stop()
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
