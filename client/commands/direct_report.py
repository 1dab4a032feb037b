"""What a person is told of documents that were brought straight to a server."""

from __future__ import annotations

from typing import Any, Final

import click

from client.screen import SHOWN, Screen, clip, tasks
from client.sync.direct import SendOutcome, SendReport, Survey
from shared.core.display import shown

_WORDS: Final = {
    SendOutcome.CREATED: "created",
    SendOutcome.UPDATED: "updated",
    SendOutcome.UNCHANGED: "unchanged",
    SendOutcome.MERGED: "merged by the server",
    SendOutcome.DELETED: "deleted on the server",
}


def show(screen: Screen, intent: Survey, report: SendReport | None) -> None:
    """What was done; without a report, what would be."""
    if screen.as_json:
        screen.answer(as_object(intent, report))
    elif report is None:
        click.echo(
            f"Nothing was sent. It would be: {len(intent.missing)} to create, {len(intent.differing)} to update or "
            f"merge, {intent.unchanged} unchanged."
        )
    else:
        counts = {fate: report.count(fate) for fate in SendOutcome}
        parts = [f"{n} {_WORDS[fate]}" for fate, n in counts.items() if n or fate is not SendOutcome.DELETED]
        summary = f"{', '.join(parts)}, {len(report.refused)} refused."
        click.secho(summary, fg="green" if report.complete else "yellow")
        _refusals(intent, report)
        click.echo(_next_step(report))


def as_object(intent: Survey, report: SendReport | None) -> dict[str, Any]:
    """The result as --json prints it. Fields are added, never changed."""
    tasks = len(intent.documents)
    if report is None:
        would = {
            "create": len(intent.missing),
            "update_or_merge": len(intent.differing),
            "unchanged": intent.unchanged,
        }
        return {"dry_run": True, "tasks": tasks, "would": would}
    return {
        "dry_run": False,
        "tasks": tasks,
        **{fate.value: report.count(fate) for fate in SendOutcome},
        "refused": [
            {"id": document, "code": refusal.code, "reason": refusal.reason}
            for document, refusal in report.refused.items()
        ],
        "unsettled": list(report.unsettled),
        "rounds": report.rounds,
    }


def _refusals(intent: Survey, report: SendReport) -> None:
    for document, refusal in list(report.refused.items())[:SHOWN]:
        title = intent.documents[document].get("description")
        named = f" ({clip(title)})" if isinstance(title, str) else ""
        sentence = shown(f"refused: {document}{named}: {refusal.reason} [{refusal.code}]")
        click.secho(sentence, fg="red", err=True)
    if (more := len(report.refused) - SHOWN) > 0:
        click.echo(f"... and {more} more; --json has all of them", err=True)


def _next_step(report: SendReport) -> str:
    if report.refused:
        return "Next: correct the refused tasks, export again and repeat the import; only they are sent."
    if report.unsettled:
        return (
            f"Next: repeat the import. Others are changing {tasks(len(report.unsettled))} at this moment, so "
            "file and server were not seen to agree on them; nothing is lost."
        )
    return "The server has all of it. Next: repeat the import whenever Taskwarrior has changed."
