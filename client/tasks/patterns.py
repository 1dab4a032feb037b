"""What setting or removing `recur` and `due` makes of a task. Pure."""

from __future__ import annotations

from client.tasks.periods import repetition
from client.tasks.words import WordError
from shared.core.identifiers import Body


def repeating(after: Body, before: Body | None = None) -> Body:
    """`after` with the status that its `recur` asks for, where that is not the one of `before`: a task that is to
    repeat is a pattern, and a pattern that is not to repeat any more is a task like others.

    Raises NoPeriodError, and WordError where there is no day to repeat from, or where the task is itself an
    occurrence of a pattern.
    """
    was = before or {}
    if "recur" not in after:
        if "recur" in was and after.get("status") == "recurring":
            return {name: value for name, value in after.items() if name != "made_until"} | {"status": "pending"}
        return after
    if after["recur"] == was.get("recur") and ("due" in after or "due" not in was):
        return after
    if "parent" in after:
        raise WordError(
            f"{after['id']} is one of the tasks that {after['parent']} makes. To change how it repeats: hypertask "
            f"modify {after['parent']} recur:{after['recur']}"
        )
    repetition(after["recur"])
    if "due" not in after:
        raise WordError("a task that repeats has to be due for the first time: due:friday recur:weekly")
    return {**after, "status": "recurring"} if after.get("status", "pending") == "pending" else after
