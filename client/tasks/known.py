"""Which fields and tags a word may name, and the hint where it names none. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from client.tasks.view import View
from client.tasks.virtual_tags import VIRTUAL_TAGS
from client.tasks.words import MODIFIERS, WordError

FIELDS: Final = (
    *("description", "status", "project", "priority", "tags", "due", "wait", "scheduled", "until", "start", "end"),
    *("entry", "modified", "recur", "depends", "parent", "annotations", "id", "urgency"),
)
STATUSES: Final = ("pending", "waiting", "completed", "deleted", "recurring")
_MEANT: Final = {
    "done": "completed",
    "finished": "completed",
    "closed": "completed",
    "open": "pending",
    "todo": "pending",
}
"""What people call them."""
_SHORT: Final = {
    "desc": "description",
    "pri": "priority",
    "prio": "priority",
    "pro": "project",
    "proj": "project",
    "sched": "scheduled",
    "dep": "depends",
    "stat": "status",
    "mod": "modified",
}
"""As people shorten them; a field of that very name goes first."""


def known_name(name: str, fields: Collection[str] | None) -> str | None:
    """The whole name of a field that is known or in use; None: it is none."""
    return name if name in FIELDS or name in (fields or ()) else _SHORT.get(name)


def known_field(name: str, fields: Collection[str] | None) -> str:
    """The field that is meant. `fields`: those in use; None: any may be. Raises WordError for a name that is nearly
    one of them and none: it would be an empty answer, or a field that nobody reads."""
    head, dot, last = name.partition(".")
    if fields is not None and dot and name not in fields and (head in FIELDS or head in _SHORT):
        near = _near(last, MODIFIERS, 1)
        hint = f"did you mean {head}.{near[0]}?" if near else f"these are: {' '.join(MODIFIERS)}"
        raise WordError(f'"{last}" is no modifier; {hint} If it is meant as text, write -- before it.')
    if fields is None or name in fields or name in FIELDS or head in fields:
        return name
    if name in _SHORT:
        return _SHORT[name]
    if near := _near(name, [*FIELDS, *fields], 1, 0.75):
        raise WordError(
            f'no task has a field "{name}"; did you mean {near[0]}? If it is meant so: {name}:="VALUE", '
            "or as text, behind --"
        )
    return name


def check_tag(name: str, view: View) -> None:
    """Raises WordError for a tag in capitals that is neither virtual nor in use, and for a virtual one in small
    letters that no task has."""
    if view.fields is not None and name not in view.tags and name.upper() in VIRTUAL_TAGS:
        raise WordError(f"no task has the tag {name}; did you mean +{name.upper()}?")
    if view.fields is None or not name.isupper() or len(name) < 3 or name in view.tags:
        return
    near = _near(name, VIRTUAL_TAGS, 1)
    hint = f"did you mean +{near[0]}?" if near else f"these are: {' '.join(VIRTUAL_TAGS)}"
    raise WordError(f"no task has the tag {name}, and no virtual tag is called so; {hint}")


def check_status(value: str, view: View) -> None:
    """Raises WordError for a status that no task has, and that nothing here knows."""
    known = {*STATUSES, *view.statuses, *view.values.get("status", ())}
    if view.fields is None or not value or value in known:
        return
    meant = _MEANT.get(value.casefold()) or next(iter(_near(value, sorted(known), 1)), None)
    hint = f"did you mean {meant}?" if meant else f"these are: {' '.join(STATUSES)}."
    raise WordError(f'no task has the status "{value}"; {hint} If it is meant so: status:="{value}"')


def _near(name: str, known: Iterable[str], count: int, cutoff: float = 0.6) -> list[str]:
    from difflib import get_close_matches  # noqa: PLC0415  it is needed for slips alone, and takes time to load

    return get_close_matches(name, list(known), count, cutoff)
