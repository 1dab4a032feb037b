"""How urgent a task is: a sum of terms, each a coefficient times a number from 0 to 1. Pure. The coefficients and the
curves are Taskwarrior's; the config may set others.

    due         1 from a week after it on, 0.2 from two weeks before it back, even in between
    age         1 from a year on, even in between
    tags, annotations     0.8 for one, 0.9 for two, 1 for more
    all others  1 if it is so
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from client.tasks import moments
from client.tasks.view import View
from shared.core.identifiers import Body

COEFFICIENTS: Final[Mapping[str, float]] = {
    "next": 15.0,
    "due": 12.0,
    "blocking": 8.0,
    "priority.H": 6.0,
    "priority.M": 3.9,
    "priority.L": 1.8,
    "scheduled": 5.0,
    "active": 4.0,
    "age": 2.0,
    "annotations": 1.0,
    "tags": 1.0,
    "project": 1.0,
    "waiting": -3.0,
    "blocked": -5.0,
}
"""Beside these the config may set `tag.NAME`, `project.NAME`, `priority.VALUE`."""
_DAY: Final = 86_400.0
_YEAR_DAYS: Final = 365


def urgency(body: Body, view: View, coefficients: Mapping[str, float] = COEFFICIENTS) -> float:
    """The sum of `terms`."""
    return sum(terms(body, view, coefficients).values())


def terms(body: Body, view: View, coefficients: Mapping[str, float] = COEFFICIENTS) -> dict[str, float]:
    """What each cause adds, without those that add nothing."""
    factors = {
        "project": float(bool(body.get("project"))),
        "active": float("start" in body),
        "scheduled": float(_passed(body.get("scheduled"), view)),
        "waiting": float(view.is_waiting(body)),
        "blocked": float(view.is_blocked(body)),
        "blocking": float(view.is_blocking(body)),
        "annotations": _several(body.get("annotations")),
        "tags": _several(body.get("tags")),
        "due": _due(body.get("due"), view),
        "age": _age(body.get("entry"), view),
    }
    if isinstance(priority := body.get("priority"), str):
        factors[f"priority.{priority}"] = 1.0
    tags = body.get("tags")
    for tag in tags if isinstance(tags, list) else ():
        factors["next" if tag == "next" else f"tag.{tag}"] = 1.0
    if isinstance(project := body.get("project"), str):
        factors |= {name: 1.0 for name in coefficients if _is_in(project, name)}
    added = {name: coefficients.get(name, 0.0) * factor for name, factor in factors.items()}
    return {name: value for name, value in added.items() if value}


def _is_in(project: str, name: str) -> bool:
    if not name.startswith("project."):
        return False
    meant = name.removeprefix("project.")
    return project == meant or project.startswith(meant + ".")


def _passed(value: Any, view: View) -> bool:
    at = moments.seconds(value, view.now.tzinfo) if value is not None else None
    return at is not None and at < view.at


def _several(value: Any) -> float:
    count = len(value) if isinstance(value, list) else 0
    return (0.0, 0.8, 0.9, 1.0)[min(count, 3)]


def _due(value: Any, view: View) -> float:
    at = moments.seconds(value, view.now.tzinfo) if value is not None else None
    if at is None:
        return 0.0
    late = (view.at - at) / _DAY
    return min(1.0, max(0.2, (late + 14.0) * 0.8 / 21.0 + 0.2))


def _age(value: Any, view: View) -> float:
    at = moments.seconds(value, view.now.tzinfo) if value is not None else None
    if at is None:
        return 0.0
    return min(1.0, max(0.0, (view.at - at) / _DAY / _YEAR_DAYS))
