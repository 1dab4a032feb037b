"""What the user of the command line sees.

Standard output has the result and nothing else; what happens meanwhile, and every error, goes to standard
error. Colour and bars only on a terminal. With --json the result, or the error, is one JSON object.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final, NoReturn

import click

from client.push import Fate, Progress, Report, Survey
from client.taskwarrior_export import ExportError

SHOWN: Final = 10
"""How many faults of one kind are printed; --json has all of them."""
INCOMPLETE: Final = 1
"""Exit code: something was not brought to the server."""
USAGE: Final = 2
"""Exit code: the command or the file is wrong; nothing was sent."""

_WORDS: Final = {
    Fate.CREATED: "created",
    Fate.UPDATED: "updated",
    Fate.UNCHANGED: "unchanged",
    Fate.MERGED: "merged by the server",
    Fate.DELETED: "deleted on the server",
}


class Screen:
    """One run of one command."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._sent: tuple[int, int] | None = None

    def say(self, text: str) -> None:
        if not self._as_json:
            click.echo(text, err=True)

    def warn(self, text: str) -> None:
        click.secho(f"Warning: {text}", fg="yellow", err=True)

    @contextmanager
    def progress(self, label: str, *, sending: bool) -> Iterator[Progress]:
        """A bar on a terminal, elsewhere a line now and then. `sending`: what is done is done for good."""
        with ExitStack() as stack:
            bar: Any = None

            def show(done: int, total: int) -> None:
                nonlocal bar
                if sending:
                    self._sent = (done, total)
                if sys.stderr.isatty():
                    if bar is None:
                        bar = stack.enter_context(
                            click.progressbar(length=total, label=label, file=sys.stderr, show_pos=True)
                        )
                    bar.update(done - bar.pos)
                elif done == total or (total >= 100 and done * 10 // total != (done - 1) * 10 // total):
                    self.say(f"{label} {done} of {total}")

            yield show

    def result(self, intent: Survey, report: Report | None) -> None:
        """What was done; without a report, what would be."""
        if self._as_json:
            click.echo(json.dumps(as_object(intent, report), ensure_ascii=False))
        elif report is None:
            click.echo(
                f"Nothing was sent. It would be: {intent.missing} to create, {intent.differing} to update or "
                f"merge, {intent.unchanged} unchanged."
            )
        else:
            counts = {fate: report.count(fate) for fate in Fate}
            shown = [f"{n} {_WORDS[fate]}" for fate, n in counts.items() if n or fate is not Fate.DELETED]
            summary = f"{', '.join(shown)}, {len(report.refused)} refused."
            click.secho(summary, fg="green" if report.complete else "yellow")
            self._refusals(intent, report)
            click.echo(_next_step(report))

    def fail(self, code: str, text: str, status: int, **extra: Any) -> NoReturn:
        """Ends the program with what went wrong and what that means for what was done before."""
        if self._sent is not None:
            done, total = self._sent
            text += f"\n{done} of {total} were sent and are kept; the same command goes on from there."
        if self._as_json:
            error = {"code": code, "message": text, **extra}
            click.echo(json.dumps({"error": error}, ensure_ascii=False))
        else:
            click.secho(f"Error: {text}", fg="red", err=True)
        sys.exit(status)

    def fail_on_file(self, name: str, error: ExportError) -> NoReturn:
        lines = [f"{name} cannot be imported; nothing was sent."]
        lines += [f"  {problem}" for problem in error.problems[:SHOWN]]
        if (more := len(error.problems) - SHOWN) > 0:
            lines.append(f"  ... and {more} more; --json has all of them")
        problems = [{"line": p.line, "entry": p.entry, "detail": p.detail} for p in error.problems]
        self.fail("unreadable-export", "\n".join(lines), USAGE, problems=problems)

    def _refusals(self, intent: Survey, report: Report) -> None:
        for document, refusal in list(report.refused.items())[:SHOWN]:
            title = intent.documents[document].get("description")
            named = f" ({_clip(title)})" if isinstance(title, str) else ""
            click.secho(f"refused: {document}{named}: {refusal.reason} [{refusal.code}]", fg="red", err=True)
        if (more := len(report.refused) - SHOWN) > 0:
            click.echo(f"... and {more} more; --json has all of them", err=True)


def as_object(intent: Survey, report: Report | None) -> dict[str, Any]:
    """The result as --json prints it. Fields are added, never changed."""
    tasks = len(intent.documents)
    if report is None:
        would = {"create": intent.missing, "update_or_merge": intent.differing, "unchanged": intent.unchanged}
        return {"dry_run": True, "tasks": tasks, "would": would}
    return {
        "dry_run": False,
        "tasks": tasks,
        **{fate.value: report.count(fate) for fate in Fate},
        "refused": [
            {"id": document, "code": refusal.code, "reason": refusal.reason}
            for document, refusal in report.refused.items()
        ],
        "unsettled": list(report.unsettled),
        "rounds": report.rounds,
    }


def tasks(count: int) -> str:
    return "1 task" if count == 1 else f"{count} tasks"


def _next_step(report: Report) -> str:
    if report.refused:
        return "Next: correct the refused tasks, export again and repeat the import; only they are sent."
    if report.unsettled:
        return (
            f"Next: repeat the import. Others are changing {tasks(len(report.unsettled))} at this moment, so "
            "file and server were not seen to agree on them; nothing is lost."
        )
    return "The server has all of it. Next: repeat the import whenever Taskwarrior has changed."


def _clip(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 40 else text[:37] + "..."
