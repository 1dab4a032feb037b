"""People at their desks: profiles with a folder each, and the commands that are typed there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from client.cli import main


class Desk:
    """A profile with a folder of its own."""

    def __init__(self, home: Path, name: str) -> None:
        self.name, self.home, self.root = name, home, home / name
        self.run("init", str(self.root))

    def run(self, *arguments: str, fails: bool = False, text: bool = False, token: str | None = None) -> Any:
        """The object that the command prints; with `text` all that it prints, as people see it."""
        env = {
            "HYPERTASK_CONFIG": str(self.home / f"{self.name}.toml"),
            "HYPERTASK_PROFILE": None,
            "HYPERTASK_TOKEN": token,
            "TZ": "UTC",
        }
        result: Result = CliRunner().invoke(main, [*arguments, *([] if text else ["--json"])], env=env)
        assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
        assert bool(result.exit_code) == fails, result.output
        return result.output if text else json.loads(result.stdout)

    def add(self, *words: str) -> str:
        return str(self.run("add", *words)["changed"][0]["id"])

    def path(self, document: str) -> Path:
        return self.root / f"{document}.json"

    def read(self, document: str) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(self.path(document).read_text())
        return body

    def edit(self, document: str, **fields: Any) -> None:
        """As an editor does: the clock is not set."""
        self.path(document).write_text(json.dumps({**self.read(document), **fields}))
