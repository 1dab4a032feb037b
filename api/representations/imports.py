"""Reading an export (api/representations/export.py) and dumps of other servers, to be put into a space.

An export is read twice: first all of it is checked, and it is remembered where the states of each document stand;
then they are read document by document. So nothing of an export is stored that was cut off or changed, and memory
grows with the number of its lines alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final

from api.representations.export import FORMAT
from shared import codec
from shared.core.documents import DOCUMENT_ID_RULE, ContentHash, DeviceId, DocumentId, is_document_id
from shared.core.json.strict import FaultError
from shared.core.merge.policies import NO_POLICIES, InvalidPolicies, Policies
from shared.core.merge.policies import parse as parse_policies
from shared.core.protocol import Limits
from shared.core.resolution.context import Outcome
from shared.dumps import Dump, documents_in
from shared.restore import Chain, RestoredState

IMPORTER: Final = DeviceId("import")
"""Who wrote the documents of a dump that does not say it."""
_ROW_DEPTH: Final = 3
"""Levels of a line around the state in it."""
_MIB: Final = 1024 * 1024


class InvalidExportError(ValueError):
    """What is wrong with an export; `line` counts from 1, None: it is about the whole."""

    def __init__(self, detail: str, line: int | None = None, pointer: str | None = None) -> None:
        super().__init__(detail if line is None else f"line {line}: {detail}")
        self.detail = detail
        self.line = line
        self.pointer = pointer


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the line of a state begins, and what it is ordered by."""

    sequence: int
    is_received: bool
    name: str
    offset: int


@dataclass(slots=True)
class Import:
    """`policies` as they are to hold; `pruned`: states whose bodies are gone, which cannot be brought; `left_out`:
    what else is not brought, in words."""

    policies: Policies = NO_POLICIES
    pruned: int = 0
    states: int = 0
    left_out: tuple[str, ...] = ()
    _places: dict[DocumentId, list[_Place]] = field(default_factory=dict)
    _chains: dict[DocumentId, Chain] = field(default_factory=dict)
    _file: BinaryIO | None = None

    @property
    def documents(self) -> int:
        return len(self._places) + len(self._chains)

    def chains(self) -> Iterator[tuple[DocumentId, Chain]]:
        """Document by document."""
        yield from self._chains.items()
        for document, places in self._places.items():
            yield document, [self._state(place) for place in places]

    def _state(self, place: _Place) -> RestoredState:
        assert self._file is not None
        self._file.seek(place.offset)
        return _state_of(codec.loads(self._file.readline()))


def read_export(file: BinaryIO, limits: Limits) -> Import:
    """All of it, checked. The file has to stay open while the chains are read. Raises InvalidExportError."""
    read = Import(_file=file)
    last: Mapping[str, Any] | None = None
    heads = revisions = offset = 0
    longest = 2 * limits.max_request_bytes + _MIB
    for number in range(1, 1 << 60):
        raw = file.readline(longest + 1)
        if not raw:
            break
        if last is not None:
            raise InvalidExportError("something comes after the last line", number)
        if len(raw) > longest:
            raise InvalidExportError(f"it is longer than {longest} bytes", number)
        row = _row(raw, number, limits)
        kind = row.get("kind")
        if number == 1:
            _check_first(row)
        elif kind == "policies":
            read.policies = _policies(row, number)
        elif kind in ("document", "revision"):
            heads, revisions = heads + (kind == "document"), revisions + (kind == "revision")
            _take(read, row, number, offset)
        elif kind == "end":
            last = row
        else:
            raise InvalidExportError(f"its kind is {kind!r}", number, "/kind")
        offset += len(raw)
    if last is None:
        raise InvalidExportError("it has no end: it was cut off. Export it again")
    if (last.get("documents"), last.get("revisions")) != (heads, revisions):
        raise InvalidExportError(f"its last line counts otherwise than the {heads} and {revisions} that there are")
    for places in read._places.values():
        places.sort(key=lambda place: (place.sequence, place.is_received))
        names = dict.fromkeys(place.name for place in places)
        if len(names) < len(places):  # what changed while it was exported may come twice
            first = {place.name: place for place in reversed(places)}
            places[:] = [first[name] for name in names]
        read.states += len(places)
    return read


def read_import(file: BinaryIO, limits: Limits, *, at: float) -> Import:
    """An export, or a dump of another server. Raises InvalidExportError."""
    first = file.readline(_MIB)
    file.seek(0)
    try:
        row = codec.parse(first, max_depth=_ROW_DEPTH)
    except FaultError:
        row = None
    if isinstance(row, dict) and row.get("kind") == "space":
        return read_export(file, limits)
    read = dump_of(file.read(), limits, at=at)
    if read is None:
        raise InvalidExportError(
            "it is no export and no dump whose form is known: Kinto, CouchDB, PouchDB, MongoDB (Realm, Atlas)"
        )
    return read


def dump_of(raw: bytes, limits: Limits, *, at: float) -> Import | None:
    """A dump of another server, if it has a form that is known. Raises InvalidExportError."""
    try:
        dump = documents_in(_value(raw, limits))
    except (ValueError, FaultError) as error:
        detail = error.fault.detail if isinstance(error, FaultError) else str(error)
        raise InvalidExportError(detail) from None
    return None if dump is None else _import_of(dump, at)


def _import_of(dump: Dump, at: float) -> Import:
    chains: dict[DocumentId, Chain] = {}
    for body in dump.documents:
        document = DocumentId(body["id"])
        if document in chains:
            raise InvalidExportError(f"the document {document} is there twice")
        chains[document] = [
            RestoredState(codec.content_hash(body), body, False, "0", IMPORTER, at, Outcome.APPLIED, "imported")
        ]
    for document in dump.deleted:
        gone = RestoredState(ContentHash(""), None, True, "0", IMPORTER, at, Outcome.DELETED, "imported")
        chains.setdefault(document, [gone])
    return Import(_chains=chains, states=len(chains), left_out=dump.left_out)


def _value(raw: bytes, limits: Limits) -> Any:
    """What the text says, or the list of what its lines say. Raises FaultError."""
    depth = limits.max_depth + _ROW_DEPTH
    try:
        return codec.parse(raw.removeprefix(b"\xef\xbb\xbf"), max_depth=depth)
    except FaultError:
        if b"\n" not in raw.strip():
            raise
    return [codec.parse(line, max_depth=depth) for line in raw.splitlines() if line.strip()]


def _row(raw: bytes, number: int, limits: Limits) -> Mapping[str, Any]:
    try:
        row = codec.parse(raw, max_depth=limits.max_depth + _ROW_DEPTH)
    except FaultError as error:
        raise InvalidExportError(error.fault.detail, number, error.fault.pointer or None) from None
    if not isinstance(row, dict):
        raise InvalidExportError("it is no object", number)
    return row


def _check_first(row: Mapping[str, Any]) -> None:
    if row.get("kind") != "space":
        raise InvalidExportError('it is no export: its first line has not the kind "space"', 1, "/kind")
    if row.get("format") != FORMAT:
        raise InvalidExportError(f"its format is {row.get('format')!r}; this is read: {FORMAT}", 1, "/format")


def _policies(row: Mapping[str, Any], number: int) -> Policies:
    try:
        return parse_policies(row.get("policies"))
    except InvalidPolicies as error:
        raise InvalidExportError(error.detail, number, f"/policies{error.pointer}") from None


def _take(read: Import, row: Mapping[str, Any], number: int, offset: int) -> None:
    """Raises InvalidExportError."""
    document, state, deleted = row.get("id"), row.get("state"), row.get("deleted")
    if not isinstance(document, str) or not is_document_id(document):
        raise InvalidExportError(f"it has no id of a document: {DOCUMENT_ID_RULE}", number, "/id")
    try:
        parsed = _state_of(row)
    except (KeyError, TypeError, ValueError):
        raise InvalidExportError("it is not a state as an export has it", number) from None
    if state is not None and (not isinstance(state, dict) or state.get("id") != document):
        raise InvalidExportError("its state is not one of its document", number, "/state")
    if deleted is not (state is None) and not (state is None and row["kind"] == "revision"):
        raise InvalidExportError("it is deleted and has a state, or neither", number, "/deleted")
    if state is not None and codec.content_hash(state) != parsed.hash:
        raise InvalidExportError("its state has another hash than it says: it was changed", number, "/hash")
    if state is None and not deleted:
        read.pruned += 1
        return
    place = _Place(int(row["sequence"]), parsed.received, parsed.rev or f"{parsed.hash} {parsed.at}", offset)
    read._places.setdefault(DocumentId(document), []).append(place)


def _state_of(row: Mapping[str, Any]) -> RestoredState:
    """Raises KeyError, TypeError, ValueError."""
    rev, parents, conflicts = row["rev"], row["parents"], row["conflicts"]
    texts = [row["hash"], row["device"], row["rule"], *parents, *([] if rev is None else [rev])]
    if not all(isinstance(text, str) for text in texts) or not all(isinstance(one, dict) for one in conflicts):
        raise TypeError
    if isinstance(row["sequence"], bool) or not isinstance(row["sequence"], int) or row["sequence"] < 0:
        raise TypeError
    if (rev is None) is not (row.get("received", False) is True):
        raise ValueError
    return RestoredState(
        ContentHash(row["hash"]),
        row["state"],
        row["deleted"] is True,
        rev,
        DeviceId(row["device"]),
        float(row["at"]),
        Outcome(row["outcome"]),
        row["rule"],
        tuple(parents),
        tuple(conflicts),
    )
