"""What a format has to know beside the file, and what reading a file gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo

from client.formats.faults import FormatProblem
from shared.core.identifiers import Body, DocumentId


def _unknown(identity: str, body: Body) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Context:
    """`source` names the file: ids of other programs count within it alone. `zone`: where the user is. `columns`:
    names of columns or keys by which field they are. `keep_ids`: the ids in the file are ids of documents, whatever
    they look like. `known`: whether a document of that id and description is here. `everything`: all documents that
    are here, by id, also those that are not written."""

    source: str = ""
    zone: tzinfo = UTC
    columns: Mapping[str, str] = field(default_factory=dict)
    keep_ids: bool = False
    known: Callable[[str, Body], bool] = _unknown
    everything: Mapping[DocumentId, Body] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reading:
    """The documents of a file. `notes`: what did not come in, and why; the rest did. `numbered`: how many have an id
    that counts within the source of the file alone."""

    documents: dict[DocumentId, Body]
    notes: tuple[FormatProblem, ...] = ()
    numbered: int = 0
