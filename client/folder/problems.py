"""Files in the folder that are left alone: what is wrong with each, and what to do about it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from client.folder.file_names import file_name, is_copy, meant_by
from shared.core.identifiers import DocumentId
from shared.core.json.strict import Fault
from shared.core.protocol import Limits

if TYPE_CHECKING:
    import os


class FileProblem(NamedTuple):
    """A file that is left alone."""

    name: str
    code: str
    """Stable: not-json, not-valid, empty, wrong-id, wrong-name, copy, not-a-file, unreadable, changing, too-large,
    marked-deleted, rescued, placeholder."""
    sentence: str
    """What is wrong and what to do about it."""
    document: DocumentId | None = None
    """Whose file it is by its name; such a document must not be taken for deleted."""
    holds: DocumentId | None = None
    """Which other document it has inside: its own file may have been renamed to this one."""


def misnamed(name: str) -> FileProblem:
    """A name that no document's file has."""
    if is_copy(name):
        sentence = (
            "another program made this copy, because a file was changed in two places. Take from it what is missing "
            "in the original, and delete it."
        )
        return FileProblem(name, "copy", sentence)
    if (document := meant_by(name)) is not None:
        from shlex import quote  # noqa: PLC0415  a slip

        sentence = f"the file of the task {document} has another name: mv {quote(name)} {file_name(document)}"
        return FileProblem(name, "wrong-name", sentence)
    sentence = (
        'the file of a task is named by its "id", 1 to 128 of the characters A-Z a-z 0-9 . _ ~ -, and .json. '
        "Rename it, or move it out of this folder."
    )
    return FileProblem(name, "wrong-name", sentence)


def not_a_file(document: DocumentId) -> FileProblem:
    sentence = "it is a link, a folder or a device and not a file. Put the file itself here."
    return FileProblem(file_name(document), "not-a-file", sentence, document)


_RECALLED: Final = 0x1000 | 0x40000 | 0x400000
"""Windows: offline, recall on open, recall on data access."""
_DATALESS: Final = 0x40000000
"""macOS."""


def is_elsewhere(status: os.stat_result) -> bool:
    """Whether the system says that reading the file would fetch it from somewhere."""
    attributes, flags = getattr(status, "st_file_attributes", 0), getattr(status, "st_flags", 0)
    return bool(attributes & _RECALLED or flags & _DATALESS)


def placeholder(document: DocumentId, name: str | None = None) -> FileProblem:
    """`name`: of what stands in the place of the file, if that has another one."""
    sentence = (
        "a cloud drive keeps this file elsewhere and has a placeholder here. Nothing is deleted. Let the drive keep "
        f"the folder on this device, or open {file_name(document)} once."
    )
    return FileProblem(name or file_name(document), "placeholder", sentence, document)


def changing(document: DocumentId) -> FileProblem:
    sentence = "another program is writing it at this moment; it is read when that is done."
    return FileProblem(file_name(document), "changing", sentence, document)


def unreadable(document: DocumentId, why: str) -> FileProblem:
    name = file_name(document)
    sentence = f"it cannot be read: {why}. Correct its permissions: chmod u+rw {name}"
    return FileProblem(name, "unreadable", sentence, document)


def too_large(document: DocumentId, limits: Limits) -> FileProblem:
    most = limits.max_document_bytes // 1024
    sentence = f"it is larger than a document may be ({most} KiB). Move what is large into a file of its own."
    return FileProblem(file_name(document), "too-large", sentence, document)


def rescued(name: str) -> FileProblem:
    sentence = (
        "two programs wrote a task at the same moment, and this version did not find its place. Take from it what "
        "you need, and delete it."
    )
    return FileProblem(name, "rescued", sentence)


def wrong_id(document: DocumentId, holds: DocumentId | None) -> FileProblem:
    """`holds`: the id that is in the file, None if none is there."""
    name = file_name(document)
    if holds is None:
        sentence = f'it has no "id". Add this line: "id": "{document}"'
    else:
        sentence = (
            f'its "id" is {holds}. If the file was renamed, rename it back: mv {name} {file_name(holds)}. '
            f'If it is to be a new task, set its "id" to {document}.'
        )
    return FileProblem(name, "wrong-id", sentence, document, holds)


def faulty(document: DocumentId, fault: Fault) -> FileProblem:
    """A file whose text is no document."""
    name = file_name(document)
    at = f" (at {fault.pointer})" if fault.pointer else ""
    match fault.reason:
        case "empty":
            code, sentence = (
                "empty",
                f"there is nothing in it. To delete the task: rm {name}. Else restore its text.",
            )
        case "marked as deleted":
            code, sentence = "marked-deleted", f"{fault.detail} To delete the task, delete its file: rm {name}"
        case _ if fault.malformed:
            fix = "Correct it in an editor, or wait until the program that writes it has finished."
            code, sentence = "not-json", f"{fault.detail} {fix}"
        case _:
            code, sentence = "not-valid", f"{fault.detail}{at} Correct it in an editor."
    return FileProblem(name, code, sentence, document)
