"""What other programs and services export as JSON: Todoist, Google Tasks, Microsoft To Do, Trello; and dumps of other
sync servers. Pure.

Each finds the tasks in a value that has its form, else says None. The bodies have the ids that the program gave them;
client.formats.plain_json makes ids of documents of them. A date that is none stays, as text, under the field's name
with `_text` behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from client.formats.fields import NoDateError, date_of, finished, instant_in
from client.tasks.moments import point_of, text_of_point
from client.tasks.recurrence import zone_named
from shared.core.identifiers import Body
from shared.dumps import documents_in

ServiceReader = Callable[[Any], list[Body] | None]


def tasks_in(value: Any) -> list[Body] | None:
    """The tasks, if the form of the whole is known."""
    for service in SERVICES:
        if (bodies := service(value)) is not None:
            return bodies
    return None


def outline(value: Any) -> str:
    """What is in a value, in a line: for a message."""
    if isinstance(value, dict):
        names = ", ".join(map(str, list(value)[:8]))
        return (
            f"an object with {names}{' ...' if len(value) > 8 else ''}"
            if value
            else "an object without anything in it"
        )
    if isinstance(value, list):
        return f"a list of {len(value)}, the first of them {outline(value[0])}" if value else "an empty list"
    return {str: "a text", bool: "true or false", type(None): "null"}.get(type(value), "a number")


def _body(**fields: Any) -> Body:
    """Without what is empty."""
    return finished({name: value for name, value in fields.items() if value not in (None, "", [], {})})


def _date(body: Body, field: str, value: Any) -> None:
    if isinstance(value, str) and value.strip():
        try:
            body[field] = date_of(value)
        except NoDateError:
            body[f"{field}_text"] = value


def _objects(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


# --- Todoist -------------------------------------------------------------------------------------------------


def _todoist(value: Any) -> list[Body] | None:
    """The tasks of its REST interface, a list or in `results`, or what its sync interface gives."""
    members = value if isinstance(value, dict) else {}
    rows = _objects(members.get("items", members.get("results")) if members else value)
    if not rows or not all("content" in row and _is_todoist(row) for row in rows):
        return None
    projects = {row.get("id"): row.get("name") for row in _objects(members.get("projects"))}
    return [_todoist_task(row, projects) for row in rows]


def _is_todoist(row: Mapping[str, Any]) -> bool:
    return "project_id" in row or "is_completed" in row or "checked" in row


def _todoist_task(row: Mapping[str, Any], projects: Mapping[Any, Any]) -> Body:
    done = row.get("is_completed") in (True, 1) or row.get("checked") in (True, 1)
    project = row.get("project_id")
    body = _body(
        id=row.get("id"),
        description=row["content"],
        notes=row.get("description"),
        status="completed" if done else "deleted" if row.get("is_deleted") in (True, 1) else "pending",
        priority={4: "H", 3: "M", 2: "L"}.get(row.get("priority", 1)),
        tags=row.get("labels"),
        project=projects.get(project, project),
        part_of=row.get("parent_id"),
        entry=instant_in(row.get("created_at") or row.get("added_at")),
        end=instant_in(row.get("completed_at")),
        modified=instant_in(row.get("updated_at")),
    )
    due = row.get("due")
    if isinstance(due, dict):
        _date(body, "due", due.get("datetime") or due.get("date"))
        if due.get("is_recurring"):
            body["repeat_text"] = due.get("string", "")
    deadline = row.get("deadline")
    _date(body, "until", deadline.get("date") if isinstance(deadline, dict) else None)
    return body


# --- Google Tasks --------------------------------------------------------------------------------------------


def _google(value: Any) -> list[Body] | None:
    """Takeout's Tasks.json, or one list of the interface."""
    if not isinstance(value, dict) or not str(value.get("kind", "")).startswith("tasks#"):
        return None
    if value["kind"] == "tasks#taskLists":
        return [
            _google_task(row, one.get("title"))
            for one in _objects(value.get("items"))
            for row in _objects(one.get("items"))
        ]
    return [_google_task(row, value.get("title")) for row in _objects(value.get("items"))]


def _google_task(row: Mapping[str, Any], title: Any) -> Body:
    done = row.get("status") == "completed"
    body = _body(
        id=row.get("id"),
        description=row.get("title", ""),
        notes=row.get("notes"),
        status="deleted" if row.get("deleted") is True else "completed" if done else "pending",
        project=title,
        part_of=row.get("parent"),
        entry=instant_in(row.get("created")),
        end=instant_in(row.get("completed")),
        modified=instant_in(row.get("updated")),
        links=row.get("links"),
    )
    due = row.get("due")
    if isinstance(due, str):  # the interface says that it knows days only, and writes them as midnight in UTC
        _date(body, "due", due[:10] if due[10:].startswith("T00:00:00") else due)
    return body


# --- Microsoft To Do -----------------------------------------------------------------------------------------


def _microsoft(value: Any) -> list[Body] | None:
    """Tasks of Microsoft Graph: a list, in `value`, or in the lists of an export."""
    lists = _objects(value.get("lists", value.get("value")) if isinstance(value, dict) else value)
    if lists and all(isinstance(one.get("tasks"), list) and "displayName" in one for one in lists):
        return [_microsoft_task(row, one["displayName"]) for one in lists for row in _objects(one["tasks"])]
    if lists and all("title" in row and ("importance" in row or "dueDateTime" in row) for row in lists):
        return [_microsoft_task(row, None) for row in lists]
    return None


def _microsoft_task(row: Mapping[str, Any], title: Any) -> Body:
    content = row.get("body")
    body = _body(
        id=row.get("id"),
        description=row.get("title", ""),
        notes=content.get("content") if isinstance(content, dict) else content,
        status="completed" if row.get("status") == "completed" else "pending",
        priority={"high": "H", "low": "L"}.get(str(row.get("importance")).lower()),
        tags=row.get("categories"),
        project=title,
        entry=instant_in(row.get("createdDateTime")),
        modified=instant_in(row.get("lastModifiedDateTime")),
        end=_graph_time(row.get("completedDateTime")),
        due=_graph_time(row.get("dueDateTime")),
        scheduled=_graph_time(row.get("startDateTime")),
        steps=[step.get("displayName") for step in _objects(row.get("checklistItems"))],
    )
    return {**body, "repeat": row["recurrence"]} if row.get("recurrence") else body


def _graph_time(value: Any) -> str | None:
    """A date and its zone; midnight is a day, as To Do knows no time of a due date."""
    if not isinstance(value, dict) or not isinstance(value.get("dateTime"), str):
        return instant_in(value)
    at, zone = point_of(value["dateTime"]), value.get("timeZone")
    if not isinstance(at, datetime):
        return None if at is None else at.isoformat()
    if (at.hour, at.minute, at.second) == (0, 0, 0):
        return at.date().isoformat()
    if at.tzinfo is None and (zone == "UTC" or zone_named(zone) is not None):
        at = at.replace(tzinfo=zone_named(zone) or UTC)
    return text_of_point(at)


# --- Trello --------------------------------------------------------------------------------------------------


def _trello(value: Any) -> list[Body] | None:
    """A board: its cards are the tasks."""
    if not isinstance(value, dict) or not isinstance(value.get("cards"), list) or "lists" not in value:
        return None
    lists = {row.get("id"): row for row in _objects(value.get("lists"))}
    checklists = {row.get("id"): row for row in _objects(value.get("checklists"))}
    return [_trello_card(card, value, lists, checklists) for card in _objects(value["cards"])]


def _trello_card(
    card: Mapping[str, Any], board: Mapping[str, Any], lists: Mapping[Any, Any], checklists: Mapping[Any, Any]
) -> Body:
    column = lists.get(card.get("idList"), {})
    boxes = [checklists[one] for one in card.get("idChecklists") or () if one in checklists]
    return _body(
        id=card.get("id"),
        description=card.get("name", ""),
        notes=card.get("desc"),
        status="completed"
        if card.get("dueComplete") is True
        else "deleted"
        if card.get("closed") is True
        else "pending",
        project=board.get("name"),
        list=column.get("name"),
        tags=[label.get("name") or label.get("color") for label in _objects(card.get("labels"))],
        due=instant_in(card.get("due")),
        scheduled=instant_in(card.get("start")),
        modified=instant_in(card.get("dateLastActivity")),
        url=card.get("shortUrl") or card.get("url"),
        steps=[item.get("name") for box in boxes for item in _objects(box.get("checkItems"))],
    )


# --- dumps of other servers ----------------------------------------------------------------------------------


def _dump(value: Any) -> list[Body] | None:
    """Documents of Kinto, CouchDB, PouchDB, or MongoDB (Realm, Atlas)."""
    dump = documents_in(value)
    return None if dump is None else [dict(body) for body in dump.documents]


SERVICES: Final[tuple[ServiceReader, ...]] = (_google, _trello, _todoist, _microsoft, _dump)


def walk(value: Any) -> Iterator[Any]:
    """The value and what is in it."""
    yield value
    for inside in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from walk(inside)
