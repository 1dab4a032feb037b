"""Tags that no task has and every filter knows: +OVERDUE, +TODAY, +BLOCKED. Pure. The meanings are Taskwarrior's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Final

from client.tasks import moments
from client.tasks.view import View, is_open, status_of
from shared.core.identifiers import Body

Test = Callable[[Body, View], bool]
DUE_DAYS: Final = 7
_CORE: Final = frozenset(
    {"id", "description", "status", "entry", "modified", "due", "wait", "scheduled", "until", "start", "end", "tags"}
    | {"project", "depends", "annotations", "recur", "parent", "mask", "imask", "made_until", "exdates"}
    | {"uuid", "urgency", "taskwarrior_id", "taskwarrior_modified", "rtype", "template", "last", "timezone"}
)
"""Fields that are not of the user's making. The priority is, as in Taskwarrior."""


def _has(field: str) -> Test:
    return lambda body, view: body.get(field) not in (None, "", [])


def _status(status: str) -> Test:
    return lambda body, view: status_of(body) == status


def _due_day(test: Callable[[date, date], bool]) -> Test:
    def fits(body: Body, view: View) -> bool:
        if "due" not in body or not is_open(body):
            return False
        day = moments.day_of(body["due"], view.now.tzinfo)
        return day is not None and test(day, view.now.date())

    return fits


def is_overdue(body: Body, view: View) -> bool:
    if "due" not in body or not is_open(body) or status_of(body) == "recurring":
        return False
    due = moments.seconds(body["due"], view.now.tzinfo)
    return due is not None and due < view.at


def is_ready(body: Body, view: View) -> bool:
    if status_of(body) != "pending" or view.is_waiting(body) or view.is_blocked(body):
        return False
    scheduled = moments.seconds(body.get("scheduled"), view.now.tzinfo)
    return scheduled is None or scheduled < view.at


def is_active(body: Body, view: View) -> bool:
    return "start" in body and is_open(body)


def _quarter(day: date) -> tuple[int, int]:
    return day.year, (day.month - 1) // 3


VIRTUAL_TAGS: Final[Mapping[str, Test]] = {
    "ACTIVE": is_active,
    "ANNOTATED": _has("annotations"),
    "BLOCKED": lambda body, view: view.is_blocked(body),
    "BLOCKING": lambda body, view: view.is_blocking(body),
    "CHILD": _has("parent"),
    "COMPLETED": _status("completed"),
    "DELETED": _status("deleted"),
    "DUE": _due_day(lambda day, today: today <= day < today + timedelta(days=DUE_DAYS)),
    "DUETODAY": _due_day(lambda day, today: day == today),
    "INSTANCE": _has("parent"),
    "MONTH": _due_day(lambda day, today: (day.year, day.month) == (today.year, today.month)),
    "OVERDUE": is_overdue,
    "PARENT": _status("recurring"),
    "PENDING": lambda body, view: status_of(body) == "pending" and not view.is_waiting(body),
    "PRIORITY": _has("priority"),
    "PROJECT": _has("project"),
    "QUARTER": _due_day(lambda day, today: _quarter(day) == _quarter(today)),
    "READY": is_ready,
    "SCHEDULED": _has("scheduled"),
    "TAGGED": _has("tags"),
    "TEMPLATE": _status("recurring"),
    "TODAY": _due_day(lambda day, today: day == today),
    "TOMORROW": _due_day(lambda day, today: day == today + timedelta(days=1)),
    "UDA": lambda body, view: any(name not in _CORE for name in body),
    "UNBLOCKED": lambda body, view: not view.is_blocked(body),
    "UNTIL": _has("until"),
    "WAITING": lambda body, view: view.is_waiting(body),
    "WEEK": _due_day(lambda day, today: day.isocalendar()[:2] == today.isocalendar()[:2]),
    "YEAR": _due_day(lambda day, today: day.year == today.year),
    "YESTERDAY": _due_day(lambda day, today: day == today - timedelta(days=1)),
}
