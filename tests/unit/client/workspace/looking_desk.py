"""A folder in sync with a server, and all that one sync says and leaves: with a first look, or without one."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner

from client.cli import main
from client.commands import sync as sync_command
from client.config.tokens import Tokens
from client.folder.replace import stamp_at
from client.sync.report import SyncReport
from client.workspace.first_look import first_look
from tests.unit.client.workspace.since_server import SinceServer

VOLATILE = ("at", "proved", "since", "asked_at")
"""Members of which only is compared whether they are there."""


class Run(NamedTuple):
    """Of one command. `looked`: the first look found that nothing is to be done."""

    looked: bool
    code: int
    said: str
    files: dict[str, bytes]
    memory: dict[str, list[Any]]


class Desk:
    """A folder with two tasks, in sync with a server."""

    def __init__(
        self,
        home: Path,
        monkeypatch: pytest.MonkeyPatch,
        *,
        by_tag: bool = False,
        first: bool = True,
        certificates: Path | None = None,
    ) -> None:
        """`first`: with a first look. `certificates`: of a server of https."""
        self.server = SinceServer(by_tag=by_tag)
        self.url = self.server.start(certificates)
        self.home, self.folder = home, home / "tasks"
        self.folder.mkdir(parents=True)
        self.config = home / "config.toml"
        self.configure("")
        Tokens(self.config).put("default", "up", self.server.token)
        self._first, self._monkeypatch = first, monkeypatch
        self.after_look: Callable[[], object] = lambda: None
        self.write("t1", title="one")
        self.write("t2", title="two")
        self.server.put("t3", title="three")
        for _ in range(2):
            assert self.sync().code == 0

    def configure(self, more: str) -> None:
        upstream = f'[[profiles.default.upstreams]]\nname = "up"\nurl = "{self.url}"\n'
        self.config.write_text(f'[profiles.default]\nfolder = "{self.folder}"\n{upstream}{more}')

    def write(self, document: str, **members: object) -> None:
        (self.folder / f"{document}.json").write_text(json.dumps({"id": document, **members}))

    def memory(self) -> sqlite3.Connection:
        return sqlite3.connect(self.folder / ".hypertask" / "memory.sqlite", isolation_level=None)

    def execute(self, statement: str, *values: object) -> None:
        db = self.memory()
        db.execute(statement, values)
        db.close()

    def sync(self, *words: str) -> Run:
        looks: list[SyncReport | None] = []

        def looked(*arguments: Any) -> SyncReport | None:
            looks.append(first_look(*arguments) if self._first else None)
            self.after_look()
            return looks[-1]

        with self._monkeypatch.context() as patched:
            patched.setattr(sync_command, "first_look", looked)
            result = CliRunner().invoke(main, ["sync", *words], env={"HYPERTASK_CONFIG": str(self.config)})
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        said = self._said(result.output + result.stderr)
        return Run(any(looks), result.exit_code, said, self.files(), self.remembered())

    def files(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.folder.iterdir() if path.is_file()}

    def remembered(self) -> dict[str, list[Any]]:
        """All tables; of what differs from one moment to the next only that it is there."""
        db = self.memory()
        db.row_factory = sqlite3.Row
        tables = [row[0] for row in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")]
        rows = {table: [dict(row) for row in db.execute(f"SELECT * FROM {table}")] for table in tables}
        db.close()
        for row in rows["file"]:
            stamp = stamp_at(self.folder / f"{row['id']}.json")
            row["stamp"] = row["stamp"] and stamp is not None and row["stamp"] == stamp.key
        for row in rows["upstream"]:
            row["facts"], row["status"] = json.loads(row["facts"]), json.loads(row["status"])
        return {table: sorted((self._steady(row) for row in some), key=repr) for table, some in rows.items()}

    def _steady(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: bool(one) if key in VOLATILE else self._steady(one) for key, one in value.items()}
        return self._said(value) if isinstance(value, str) else value

    def _said(self, text: str) -> str:
        return re.sub(r"damaged-\d+", "damaged", text.replace(self.url, "URL").replace(str(self.home), "HOME"))

    def close(self) -> None:
        self.server.stop()
