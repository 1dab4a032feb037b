"""Reports as data: which tasks, in which order, with which columns. Pure.

Names, filters and orders are Taskwarrior's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

from client.tasks import moments
from client.tasks.urgency import urgency
from client.tasks.view import View
from client.tasks.words import WordError
from shared.core.identifiers import Body

_PENDING: Final = ("status:pending", "-WAITING")
_USUAL: Final = ("state", "priority", "project", "tags", "recur", "due", "description", "urgency")


class Report(NamedTuple):
    """`order`: fields with `+` or `-` behind them; `columns`: without the number and the id, which each has."""

    name: str
    about: str
    words: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    columns: tuple[str, ...] = _USUAL
    limit: int | None = None


_REPORTS: Final = (
    Report("next", "What is most urgent", _PENDING, ("urgency-",), limit=25),
    Report(
        "ls",
        "Pending tasks, short",
        _PENDING,
        ("start-", "description+"),
        ("state", "project", "tags", "due", "description"),
    ),
    Report(
        "long",
        "Pending tasks with all dates",
        _PENDING,
        ("modified-",),
        (
            "state",
            "entry",
            "modified",
            "priority",
            "project",
            "tags",
            "recur",
            "wait",
            "scheduled",
            "due",
            "until",
            "description",
        ),
    ),
    Report(
        "minimal",
        "Pending and waiting tasks, three columns",
        ("status:pending",),
        ("project+", "description+"),
        ("project", "tags", "description"),
    ),
    Report("ready", "What can be begun now", ("+READY",), ("start-", "urgency-")),
    Report(
        "waiting",
        "What is put off",
        ("+WAITING",),
        ("due+", "wait+", "entry+"),
        ("priority", "project", "tags", "wait", "scheduled", "due", "description"),
    ),
    Report(
        "blocked",
        "What depends on other tasks",
        (*_PENDING, "+BLOCKED"),
        ("due+", "priority-", "start-", "project+"),
        ("depends", "project", "priority", "due", "description"),
    ),
    Report(
        "unblocked",
        "What depends on no other task",
        (*_PENDING, "-BLOCKED"),
        ("due+", "priority-", "start-", "project+"),
    ),
    Report("blocking", "What other tasks depend on", (*_PENDING, "+BLOCKING"), ("urgency-", "due+", "entry+")),
    Report("overdue", "What should be done already", ("status:pending", "+OVERDUE"), ("urgency-", "due+")),
    Report(
        "active",
        "What is begun",
        ("status:pending", "+ACTIVE"),
        ("project+", "start+"),
        ("start", "age", "priority", "project", "tags", "due", "description"),
    ),
    Report(
        "completed",
        "What is done",
        ("status:completed",),
        ("end+",),
        ("entry", "end", "priority", "project", "tags", "due", "description"),
    ),
    Report(
        "recurring",
        "Repeating tasks and their occurrences",
        ("(", "status:pending", "and", "+CHILD", ")", "or", "(", "status:recurring", "and", "+PARENT", ")"),
        ("due+", "urgency-", "entry+"),
    ),
    Report(
        "newest",
        "Pending tasks, the newest first",
        ("status:pending",),
        ("entry-",),
        ("entry", "priority", "project", "tags", "due", "description"),
    ),
    Report(
        "oldest",
        "Pending tasks, the oldest first",
        ("status:pending",),
        ("entry+",),
        ("entry", "priority", "project", "tags", "due", "description"),
    ),
    Report(
        "all",
        "Every task",
        (),
        ("entry-",),
        ("status", "entry", "end", "priority", "project", "tags", "due", "description"),
    ),
)
REPORTS: Final[Mapping[str, Report]] = {report.name: report for report in _REPORTS}

_NEVER: Final = float("inf")


def ordered(
    bodies: Iterable[Body], order: Iterable[str], view: View, coefficients: Mapping[str, float]
) -> list[Body]:
    """Sorted by the fields; what lacks a field comes last whichever way it goes; equal ones by
    id. Raises WordError."""
    rows = sorted(bodies, key=lambda body: str(body["id"]))
    for part in reversed(list(order)):
        field, sign = part.rstrip("/")[:-1], part.rstrip("/")[-1:]
        if sign not in ("+", "-") or not field:
            raise WordError(f'"{part}" is not an order. Examples: due+, urgency-')
        key = _key(field, view, coefficients)
        pairs = [(key(body), body) for body in rows]
        there = [pair for pair in pairs if pair[0] is not None]
        there.sort(key=lambda pair: pair[0], reverse=sign == "-")
        rows = [body for _, body in there] + [body for value, body in pairs if value is None]
    return rows


def _key(field: str, view: View, coefficients: Mapping[str, float]) -> Callable[[Body], Any]:
    if field == "urgency":
        return lambda body: (0, round(urgency(body, view, coefficients), 6), "")

    def key(body: Body) -> Any:
        value = body.get(field)
        if field == "priority" and value in ("H", "M", "L"):
            return (0, float("LMH".index(value)), "")
        at = moments.seconds(value, view.now.tzinfo)
        if at is not None:
            return (0, at, "")
        if isinstance(value, int | float) and not isinstance(value, bool):
            return (0, float(value), "")
        return (1, 0.0, value.casefold()) if isinstance(value, str) and value else None

    return key
