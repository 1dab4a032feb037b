"""What a person is told of a sync: what it did, and what waits for an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from client.screen import SHOWN, task_files, tasks
from shared.core.protocol import QUOTA_EXCEEDED, TOO_LARGE, WRITES_REFUSED

if TYPE_CHECKING:
    from client.sync.engine.planned import Plan
    from client.sync.report import Result, SyncReport
    from client.workspace.workspace import Workspace


def waiting_of(plan: Plan) -> dict[str, list[str]]:
    """What needs somebody, as --json has it."""
    names = ("refused", "unreadable", "held_here", "held_there", "undeletable")
    return {name: [str(document) for document in getattr(plan, name)] for name in names}


def waiting_lines(name: str, plan: Plan, unreadable_hint: str = ". What is wrong: hypertask status") -> list[str]:
    """What needs somebody, and what to do."""
    lines: list[str] = []
    if plan.held_here:
        lines.append(
            f"{name}: stopped: waiting for your answer. {tasks(len(plan.held_here))} vanished from the folder at "
            "once; nothing was deleted there."
        )
    if plan.held_there:
        lines.append(
            f"{name}: stopped: waiting for your answer. {tasks(len(plan.held_there))} vanished there at once; "
            "nothing was removed here."
        )
    if plan.held_here or plan.held_there:
        lines += [
            "  If it was intended:   hypertask sync --confirm-deletions",
            "  To keep the tasks:    hypertask restore --held",
        ]
    if plan.undeletable:
        lines.append(
            f"{name}: {tasks(len(plan.undeletable))} deleted here stay there: that server does not support deletions."
        )
    if plan.unreadable:
        lines.append(f"{name}: {task_files(len(plan.unreadable))} cannot be read{unreadable_hint}")
    return lines


def without(plan: Plan, documents: Sequence[Any]) -> Plan:
    """The plan without what is said of these by itself."""
    return plan._replace(unreadable=tuple(d for d in plan.unreadable if d not in documents))


def protected_lines(name: str, documents: Sequence[Any], workspace: Workspace) -> list[str]:
    """The first of the files that may not be written, and what to do."""
    if not documents:
        return []
    from shlex import quote  # noqa: PLC0415  hardly ever needed

    from client.commands.decision_lines import name_of  # noqa: PLC0415  as below

    return [
        f"{name}: a newer state of {name_of(document, workspace)} waits: its file is protected. To let it come: "
        f"chmod u+w {quote(str(workspace.folder.path(document)))}"
        for document in documents[:SHOWN]
    ]


def refusal_lines(name: str, refused: Mapping[Any, Mapping[str, str]]) -> list[str]:
    """The first of the states that an upstream does not take, by their ids, and what to do."""
    lines: list[str] = []
    for document, refusal in list(refused.items())[:SHOWN]:
        line = f"{name}: refused {document}: {refusal['reason']} [{refusal['code']}]"
        if refusal["code"] == TOO_LARGE:
            line += ". It is kept here. Make it smaller, here or on another device, and sync: then all edits stand."
        elif refusal["code"] in WRITES_REFUSED:
            line += ". Your edit is kept here, and sent when you may write there."
        elif refusal["code"] == QUOTA_EXCEEDED:
            line += ". It is kept here, and sent by the next sync for which there is room. All else goes on."
        lines.append(line)
    if (more := len(refused) - SHOWN) > 0:
        lines.append(f"{name}: ... and {more} more edits that were refused; --json has all of them")
    return lines


def problem_lines(name: str, problems: Mapping[Any, str]) -> list[str]:
    """The first of the files in an upstream that cannot be taken in, and what to do."""
    return [f"{name}: ignored there: {problem}" for problem in list(problems.values())[:SHOWN]]


def alternating_lines(documents: Sequence[Any]) -> list[str]:
    """The first of the documents that arrivals change back and forth, and what to do."""
    todo = "keeps changing back and forth: two programs undo each other's edits. What was there: hypertask log"
    return [f"{document} {todo} {document}" for document in documents[:SHOWN]]


def _state(report: SyncReport) -> str:
    if not report.agreed:
        return "not in sync yet."
    return "in sync but for what is named next." if report.waits else "in sync."


def result_report(result: Result, workspace: Workspace) -> tuple[dict[str, Any], list[str]]:
    """What was done, as --json has it and in lines."""
    value: dict[str, Any] = {}
    lines: list[str] = []
    for name, report in result.reports.items():
        counts = {
            key: getattr(report, key)
            for key in ("sent", "deleted", "fetched", "removed", "merged", "conflicts", "adopted", "rounds")
        }
        refused = {d: {"code": r.code, "reason": r.reason} for d, r in report.refused.items()}
        value[name] = {
            "agreed": report.agreed,
            **counts,
            "files_read": report.files_read,
            **waiting_of(report.plan),
            "refused": refused,
            "problems_there": report.problems_there,
            "alternating": list(report.alternating),
            "protected": list(report.protected),
            "decided": [{"number": d.number, "id": d.id, "conflicts": list(d.conflicts)} for d in report.decided],
        }
        words = {
            "sent": "sent", "deleted": "deleted there", "fetched": "fetched", "removed": "removed here",
            "merged": "merged",
        }  # fmt: skip
        did = ", ".join(f"{counts[key]} {word}" for key, word in words.items() if counts[key])
        lines.append(f"{name}: {did or 'nothing to do'}; {_state(report)}")
        lines += waiting_lines(name, without(report.plan, report.protected))
        lines += protected_lines(name, report.protected, workspace)
        lines += refusal_lines(name, refused)
        lines += problem_lines(name, report.problems_there)
        if report.decided:
            from client.commands.decision_lines import decided_lines  # noqa: PLC0415  most syncs decide nothing

            lines += decided_lines(name, report.decided, workspace)
    lines += alternating_lines(sorted({d for report in result.reports.values() for d in report.alternating}))
    for name, error in result.errors.items():
        value[name] = {**value.get(name, {}), "error": {"code": error.code, "message": str(error)}}
        lines.append(f"{name}: {error}")
    if result.errors:
        then = "Try again later" if all(error.passing for error in result.errors.values()) else "Correct that, then"
        lines.append(f"Your edits are kept here. {then}: hypertask sync")
    return {"dry_run": False, "agreed": result.agreed, "upstreams": value}, lines
