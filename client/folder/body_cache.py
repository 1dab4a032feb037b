"""What the task files say, once more in one file: reading that is ten times faster than reading ten thousand.

The files stay the truth. An entry counts only while the stamp of its file is the one that was read, and a file
that had just been written gets none: its stamp does not prove yet that it is unchanged. A cache that is missing,
damaged or of another format is no cache. Losing it costs time and nothing else; so it is not made durable.

Law (tests/unit/client/folder/test_body_cache.py): whatever happens to the files and to the cache between two calls,
`read_all` gives what reading every file gives.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import orjson

from client.folder.task_folder import FileProblem, Loaded, TaskFolder
from shared.core.identifiers import Body, DocumentId

NAME: Final = "bodies.cache"
_FORMAT: Final = 1
ENTRIES_TO_WRITE: Final = 50
"""So many entries have to be new before the cache is written again: reading a few files is faster than that."""


class AllFiles(NamedTuple):
    """The bodies of all files that can be read, and the others."""

    bodies: Mapping[DocumentId, Body]
    problems: tuple[FileProblem, ...]


def read_all(folder: TaskFolder) -> AllFiles:
    """Raises FolderError."""
    scan = folder.scan()
    cached = _load(folder)
    bodies: dict[DocumentId, Body] = {}
    problems = [*scan.problems]
    new: dict[DocumentId, list[Any]] = {}
    for document, stamp in scan.files.items():
        entry = cached.get(document)
        if entry is not None and entry[0] == [*stamp]:
            bodies[document] = entry[1]
            continue
        match folder.read(document):
            case Loaded() as loaded:
                bodies[document] = loaded.body
                if not loaded.racy and _is_kept(loaded.body):
                    new[document] = [[*loaded.stamp], loaded.body]
            case FileProblem() as problem:
                problems.append(problem)
    if len(new) >= ENTRIES_TO_WRITE:
        kept = {document: entry for document, entry in cached.items() if document in scan.files}
        _write(folder, {**kept, **new})
    return AllFiles(bodies, tuple(problems))


def recalled(folder: TaskFolder) -> dict[DocumentId, Body]:
    """The bodies as they were read last, of the files that are there, and those of the files that are new. Whether a
    file was changed since is not asked: that takes half of the time, and what only helps with words can do without.

    Raises FolderError."""
    there = folder.names()
    bodies: dict[DocumentId, Body] = {}
    for document, (_, body) in _load(folder).items():
        if document in there:
            bodies[document] = body
    for document in there - bodies.keys():
        if isinstance(loaded := folder.read(document), Loaded):
            bodies[document] = loaded.body
    return bodies


def _load(folder: TaskFolder) -> dict[DocumentId, list[Any]]:
    try:
        value = orjson.loads((folder.state / NAME).read_bytes())
    except (OSError, ValueError):
        return {}
    if not isinstance(value, dict) or value.get("format") != _FORMAT or not isinstance(value.get("files"), dict):
        return {}
    files: dict[DocumentId, list[Any]] = value["files"]
    return files if all(map(_is_entry, files.values())) else {}


def _is_entry(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and isinstance(value[1], dict)


def _is_kept(body: Body) -> bool:
    """Whether the cache gives back what it was given: a number may be beyond what its form can say."""
    try:
        return bool(orjson.loads(orjson.dumps(body)) == body)
    except (TypeError, ValueError):
        return False


def _write(folder: TaskFolder, files: Mapping[DocumentId, list[Any]]) -> None:
    """Where it cannot be written, the next reading is as slow as this one."""
    new = folder.state / f"{NAME}.{os.urandom(4).hex()}.new"
    try:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(orjson.dumps({"format": _FORMAT, "files": files}))
        new.replace(folder.state / NAME)
    except OSError:
        new.unlink(missing_ok=True)
