"""TaskChampion's library, which Taskwarrior 3 stores and synchronises with, and its own server for one machine."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from pathlib import Path

from bench.work import install
from bench.work.columns import Column, Scale
from bench.work.driven_client import DrivenClient


class TaskChampionClient(DrivenClient):
    name = "TaskChampion"
    means = (
        "TaskChampion 3.0 from Python, replicas in SQLite, with its local server, a folder with a database: no "
        "network, no encryption, no process to speak with; operations on properties, of which the last one wins; its "
        "server for the network is a Rust crate and in none of the registries that are used here"
    )
    works = ("w1", "w2", "w3", "w4", "w5")
    way = "operations"


class TaskChampion:
    name = "taskchampion"

    def start(self, folder: Path) -> None:
        self._folder = folder
        self._python = install.of_python("taskchampion") / "python"

    def columns(self, scale: Scale) -> Sequence[Column]:
        command = [str(self._python), str(install.PINNED / "task_replica.py")]
        return [TaskChampionClient(scale, self._folder / "devices", command, self._server)]

    def stop(self) -> None: ...

    def _server(self) -> str:
        folder = self._folder / "servers" / uuid.uuid4().hex
        folder.mkdir(parents=True)
        return str(folder)
