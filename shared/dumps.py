"""Dumps of other sync servers as documents: Kinto, CouchDB and PouchDB, MongoDB as Realm and Atlas export it. Pure.

    Kinto       {"data": [{"id", "last_modified", ...}]}         its `last_modified` becomes `updated_at`
    CouchDB     {"rows": [{"doc": {"_id", "_rev", ...}}]}, {"docs": [...]}, {"results": [{"doc": ...}]} of _changes
    PouchDB     lines of {"docs": [...]}, with {"version": ...} before and {"seq": ...} between them
    MongoDB     extended JSON: {"_id": {"$oid": ...}, "due": {"$date": ...}, "n": {"$numberLong": "1"}}

What a server keeps beside a document (`_rev`, `last_modified`) is left out, `_attachments` too and named. An id that
no document can have is spelt with ~ and two hexadecimal digits for each byte that an id cannot have; `original_id`
keeps it.

Law (tests/unit/test_dumps.py): two ids of a dump never become one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeGuard

from shared.core.documents import Body, DocumentId, is_document_id

_PLAIN: Final = re.compile(rb"[A-Za-z0-9._-]")
_MAX_ID: Final = 128


@dataclass(frozen=True, slots=True)
class Dump:
    """`documents` are live ones, each with its `id`. `deleted`: ids of tombstones. `left_out`: what is not brought,
    in words."""

    documents: tuple[Body, ...]
    deleted: tuple[DocumentId, ...] = ()
    left_out: tuple[str, ...] = ()


def documents_in(value: Any) -> Dump | None:
    """The documents, if the value has one of the forms. `value`: what a JSON text says, or the list of what its lines
    say."""
    for kind in (_kinto, _couchdb, _pouchdb, _mongodb):
        if (dump := kind(value)) is not None:
            return dump
    return None


def spelt_id(text: str) -> DocumentId:
    """An id that a document can have, for one of another server. Raises ValueError for one that is too long."""
    if is_document_id(text) and "~" not in text:
        return DocumentId(text)
    spelt = "".join(chr(byte) if _PLAIN.match(bytes([byte])) else f"~{byte:02x}" for byte in text.encode())
    if spelt in (".", ".."):  # which no address can say
        spelt = spelt.replace(".", "~2e")
    if not 0 < len(spelt) <= _MAX_ID:
        raise ValueError(f"the id {text[:40]!r} is too long for a document, or empty")
    return DocumentId(spelt)


def _document(identity: Any, fields: Body) -> Body:
    text = identity if isinstance(identity, str) else str(identity)
    spelt = spelt_id(text)
    body: Body = {"id": spelt, **{name: value for name, value in fields.items() if name != "id"}}
    if "id" in fields and fields["id"] != identity:
        body["original_field_id"] = fields["id"]
    return body if spelt == text and identity == text else {**body, "original_id": identity}


# --- Kinto ---------------------------------------------------------------------------------------------------


def _kinto(value: Any) -> Dump | None:
    rows = value.get("data") if isinstance(value, dict) else value
    if not _are_objects(rows) or not all("last_modified" in row and isinstance(row.get("id"), str) for row in rows):
        return None
    live = [row for row in rows if row.get("deleted") is not True]
    gone = tuple(spelt_id(row["id"]) for row in rows if row.get("deleted") is True)
    bodies = [_document(row["id"], _kinto_fields(row)) for row in live]
    return Dump(tuple(bodies), gone)


def _kinto_fields(row: Body) -> Body:
    fields = {name: value for name, value in row.items() if name not in ("last_modified", "schema")}
    at = row["last_modified"]
    if "updated_at" not in row and "modified" not in row and isinstance(at, int) and 0 < at < 1 << 47:
        fields["updated_at"] = datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
    return fields


# --- CouchDB and PouchDB -------------------------------------------------------------------------------------


def _couchdb(value: Any) -> Dump | None:
    if not isinstance(value, dict):
        return None
    rows = value.get("rows", value.get("results"))
    if _are_objects(rows) and all(
        "id" in row and ("doc" in row or "value" in row or "changes" in row) for row in rows
    ):
        if any(not isinstance(row.get("doc"), dict) and row.get("deleted") is not True for row in rows):
            raise ValueError("it has ids without documents; export it with include_docs=true")
        return _couch_documents([row.get("doc") or {"_id": row["id"], "_deleted": True} for row in rows])
    docs = value.get("docs")
    return _couch_documents(docs) if _are_objects(docs) and all("_id" in row for row in docs) else None


def _pouchdb(value: Any) -> Dump | None:
    if not _are_objects(value) or not any("docs" in row for row in value):
        return None
    if not all("docs" in row or "seq" in row or "version" in row or "db_info" in row for row in value):
        return None
    return _couch_documents([doc for row in value for doc in row.get("docs") or () if isinstance(doc, dict)])


def _couch_documents(rows: Iterable[Body]) -> Dump:
    live, gone, left_out = [], [], dict[str, None]()
    for row in rows:
        identity = row.get("_id")
        if not isinstance(identity, str):
            raise ValueError("a document of it has no _id")
        if identity.startswith(("_design/", "_local/")):
            left_out[identity] = None
        elif row.get("_deleted") is True:
            gone.append(spelt_id(identity))
        else:
            if "_attachments" in row:
                left_out[f"the attachments of {identity}"] = None
            live.append(_document(identity, {name: v for name, v in row.items() if not name.startswith("_")}))
    return Dump(tuple(live), tuple(gone), tuple(left_out))


# --- MongoDB -------------------------------------------------------------------------------------------------


def _mongodb(value: Any) -> Dump | None:
    rows = [value] if isinstance(value, dict) and "_id" in value else value
    if not _are_objects(rows) or not all("_id" in row for row in rows):
        return None
    if any("_rev" in row for row in rows):
        return _couch_documents(rows)
    plain = [{name: _plain(field) for name, field in row.items()} for row in rows]
    return Dump(
        tuple(_document(_text_of_id(row["_id"]), {n: v for n, v in row.items() if n != "_id"}) for row in plain)
    )


def _text_of_id(value: Any) -> Any:
    return value if isinstance(value, str | int) else str(value)


def _plain(value: Any) -> Any:
    """Extended JSON as JSON: object ids and decimals as texts, dates as RFC 3339."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        [(name, inside)] = value.items()
        match name:
            case "$oid" | "$numberDecimal" | "$symbol" | "$uuid":
                return str(inside)
            case "$numberInt" | "$numberLong":
                number = int(inside)
                return number if abs(number) < 1 << 53 else str(number)
            case "$numberDouble":
                return _double(inside)
            case "$date":
                return _date(inside)
    return {name: _plain(inside) for name, inside in value.items()}


def _double(text: Any) -> Any:
    try:
        number = float(text)
    except (TypeError, ValueError):
        return text
    return number if math.isfinite(number) else str(text)


def _date(value: Any) -> Any:
    milliseconds = _plain(value)
    if not isinstance(milliseconds, int):
        return milliseconds
    try:
        at = datetime(1970, 1, 1, tzinfo=UTC).timestamp() + milliseconds / 1000
        return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
    except (ValueError, OverflowError, OSError):
        return milliseconds


def _are_objects(value: Any) -> TypeGuard[list[Body]]:
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)
