"""What is wrong with a file that is to be imported."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FormatProblem:
    """What is wrong with a file. `line` and `entry` count from 1; None: it concerns the whole file."""

    detail: str
    line: int | None = None
    entry: int | None = None

    def __str__(self) -> str:
        where = [f"{word} {n}" for word, n in (("line", self.line), ("entry", self.entry)) if n is not None]
        return f"{', '.join(where)}: {self.detail}" if where else self.detail


class ExportError(ValueError):
    """The file cannot be imported as it is; `problems` has everything that is wrong with it."""

    def __init__(self, *problems: FormatProblem) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems
