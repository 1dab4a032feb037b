"""Putting back what a conflict dropped. Pure.

Law (tests/unit/client/tasks/test_take_back.py): the value at the conflict's place is then what was dropped, and
everything else is as it was.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from shared.core.identifiers import Body


class TakeBackError(Exception):
    """It cannot be put back by itself; the message says why."""


def taken_back(body: Body, conflicts: Sequence[Mapping[str, Any]]) -> Body:
    """`body` with the dropped value at the place of each conflict. Raises TakeBackError."""
    if not conflicts:
        raise TakeBackError("No conflict was decided at that place.")
    result: Body = copy.deepcopy(body)
    for conflict in conflicts:
        _put(result, conflict)
    return result


def _put(body: Body, conflict: Mapping[str, Any]) -> None:
    path = str(conflict["path"])
    if conflict.get("redacted") or conflict.get("elided"):
        raise TakeBackError(f"What was dropped at {path} is not in the record.")
    steps = [step.replace("~1", "/").replace("~0", "~") for step in path.split("/")[1:]]
    if not steps or steps == ["id"]:
        raise TakeBackError("The task as a whole was decided on.")
    place: Any = body
    for step in steps[:-1]:
        place = _below(place, step, path)
    last = steps[-1]
    if isinstance(place, dict):
        if "dropped" in conflict:
            place[last] = copy.deepcopy(conflict["dropped"])
        else:
            place.pop(last, None)
    elif isinstance(place, list) and last == "-" and "dropped" in conflict:
        dropped = conflict["dropped"]
        place.extend(copy.deepcopy(dropped if isinstance(dropped, list) else [dropped]))
    elif isinstance(place, list) and last.isdigit() and int(last) < len(place) and "dropped" in conflict:
        place[int(last)] = copy.deepcopy(conflict["dropped"])
    else:
        raise TakeBackError(f"The document has changed since: there is no place {path} any more.")


def _below(place: Any, step: str, path: str) -> Any:
    if isinstance(place, dict) and step in place:
        return place[step]
    if isinstance(place, list) and step.isdigit() and int(step) < len(place):
        return place[int(step)]
    raise TakeBackError(f"The document has changed since: there is no place {path} any more.")
