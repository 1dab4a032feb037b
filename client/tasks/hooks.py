"""Programs of the user that are run when tasks are added, changed or arrive.

Executable files in the hooks folder whose names begin with on-add, on-modify or on-arrival, in the order of their
names. JSON in UTF-8, one value a line, on standard input:

    on-add      the new task                   may print it as it is to be; exit status not 0: it is not added
    on-modify   the task before, the task now  likewise; a second line `null` means it is deleted
    on-arrival  for each task that a sync      is told, not asked: what others did has happened. A task was
                changed here: {"before": ..., "now": ...}, one of them null if it came or went

What on-add and on-modify print on their first line, if it begins with "{", is the task from then on; other lines, and
what they print to standard error, are shown to the user.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from shared import codec
from shared.core.identifiers import Body
from shared.core.json.canonical import equal
from shared.core.json.strict import FaultError

SECONDS: Final = 30
"""How long a hook may take."""


class HookError(Exception):
    """A hook refused, or could not be run. Nothing was changed."""


class HookResult(NamedTuple):
    """The task as the hooks left it, and what they had to say."""

    body: Body
    feedback: tuple[str, ...] = ()


class Hooks:
    """The hooks of one profile."""

    def __init__(self, folder: Path, tasks: Path, variables: Mapping[str, str]) -> None:
        """`tasks`: the folder of the tasks, which the hooks find in HYPERTASK_FOLDER beside `variables`."""
        self._folder = folder
        self._variables = {**variables, "HYPERTASK_FOLDER": str(tasks)}

    def added(self, body: Body) -> HookResult:
        """Raises HookError."""
        return self._asked("on-add", [], body)

    def modified(self, before: Body, now: Body) -> HookResult:
        """Raises HookError."""
        return self._asked("on-modify", [before], now)

    def deleted(self, before: Body) -> tuple[str, ...]:
        """Raises HookError."""
        feedback: list[str] = []
        for hook in self._files("on-modify"):
            feedback += self._run(hook, [before, None])
        return tuple(feedback)

    def arrived(self, changes: Iterable[tuple[Body | None, Body | None]]) -> tuple[str, ...]:
        """(before, now) of each document that a sync changed in the folder. Each hook is run once for all of them.
        Returns what they said and what went wrong; raises nothing for it."""
        rows = [{"before": before, "now": now} for before, now in changes]
        feedback: list[str] = []
        for hook in self._files("on-arrival") if rows else []:
            try:
                feedback += self._run(hook, rows)
            except HookError as error:
                feedback.append(str(error))
        return tuple(feedback)

    def _asked(self, event: str, before: list[Body], body: Body) -> HookResult:
        feedback: list[str] = []
        for hook in self._files(event):
            lines = self._run(hook, [*before, body])
            if lines and lines[0].startswith("{"):
                body = _answered(hook, lines.pop(0), body)
            feedback += lines
        return HookResult(body, tuple(feedback))

    def _files(self, event: str) -> list[Path]:
        if not self._folder.is_dir():
            return []
        return sorted(path for path in self._folder.iterdir() if path.name.startswith(event) and path.is_file())

    def _run(self, hook: Path, rows: Sequence[object]) -> list[str]:
        if not os.access(hook, os.X_OK):
            raise HookError(f"the hook {hook} is not executable: chmod +x {hook}")
        import subprocess  # noqa: PLC0415  most people have no hooks

        lines = b"".join(codec.dumps(row) + b"\n" for row in rows)
        try:
            ended = subprocess.run(  # noqa: S603  the user put it there for this
                [str(hook)], input=lines, capture_output=True, timeout=SECONDS, check=False, env=self._variables
            )
        except subprocess.TimeoutExpired:
            raise HookError(f"the hook {hook.name} took longer than {SECONDS} seconds and was stopped") from None
        except OSError as error:
            raise HookError(f"the hook {hook} cannot be run: {error.strerror}. Is its first line right?") from None
        output = (ended.stdout + ended.stderr).decode("utf-8", "replace").splitlines()
        if ended.returncode != 0:
            why = " ".join(line for line in output if not line.startswith("{")) or f"exit status {ended.returncode}"
            raise HookError(f"the hook {hook.name} refused: {why}")
        return output


def _answered(hook: Path, line: str, body: Body) -> Body:
    try:
        answer = codec.parse(line.encode(), max_depth=64)
    except FaultError as error:
        raise HookError(f"the hook {hook.name} printed something that is not a task: {error.fault.detail}") from None
    if not isinstance(answer, dict) or not equal(answer.get("id"), body["id"]):
        raise HookError(f'the hook {hook.name} printed a task with another "id"; it has to stay {body["id"]}')
    return answer
