"""Taskwarrior: what `task export` writes and `task import` reads. Pure.

Tasks of Taskwarrior are read and written as `client.taskwarrior` says. A task that was made here goes there under a
UUID that comes from its id, with the id itself in `hypertask_id`, which Taskwarrior keeps; it comes back as itself.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Mapping
from typing import Any, Final

from client.moments import FIELDS
from client.taskwarrior import COMPUTED, NotATaskError, document_id, to_taskwarrior
from client.taskwarrior_export import documents_of as tasks_of
from shared import wire
from shared.core.documents import Body, DocumentId, is_document_id

OWN_ID: Final = "hypertask_id"

_SPACE: Final = uuid.UUID("5f2f9b0e-6f0c-5d0b-9a0e-6a2f6d3c1b4e")
_BASIC: Final = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z\Z", re.ASCII)
_EXTENDED: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)Z\Z", re.ASCII)


def documents_of(raw: bytes) -> dict[DocumentId, Body]:
    """Raises ExportError."""
    bodies = map(_own, tasks_of(raw).values())
    return {DocumentId(body["id"]): body for body in bodies}


def text_of(bodies: Iterable[Body]) -> tuple[bytes, list[str]]:
    """An array, a task a line. Nothing is left out."""
    lines = b",\n".join(wire.dumps(_task(body)) for body in bodies)
    return b"[\n" + lines + b"\n]\n" if lines else b"[]\n", []


def _task(body: Body) -> dict[str, Any]:
    try:
        if body["id"] == document_id(body):
            return to_taskwarrior(body)
    except NotATaskError:
        pass  # one of ours
    task = to_taskwarrior(body)
    task = {name: _respelled(value, _EXTENDED, "{}{}{}T{}{}{}Z", name) for name, value in task.items()}
    return {"description": "", "status": "pending", **task, "uuid": _uuid_of(body["id"]), OWN_ID: body["id"]}


def _own(body: Body) -> Body:
    """The task as it is here, if it comes from here."""
    identity = body.get(OWN_ID)
    if not isinstance(identity, str) or not is_document_id(identity) or body["id"] != _uuid_of(identity):
        return body
    rest: Mapping[str, Any] = {name: v for name, v in body.items() if name not in (OWN_ID, "uuid", *COMPUTED)}
    own = {name: _respelled(value, _BASIC, "{}-{}-{}T{}:{}:{}Z", name) for name, value in rest.items()}
    return {**own, "id": identity}


def _uuid_of(identity: str) -> str:
    return str(uuid.uuid5(_SPACE, identity))


def _respelled(value: Any, form: re.Pattern[str], template: str, name: str) -> Any:
    match = form.match(value) if name in FIELDS and isinstance(value, str) else None
    return value if match is None else template.format(*match.groups())
