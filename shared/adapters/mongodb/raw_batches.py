"""Raw batches without an object for each row.

The driver is asked for the bytes of rows. On its way to them it makes an object of each row, and throws it away; that
takes longer than all else that it does with a small row. Here the rows of an answer stay one text.

The driver promises nothing about these parts; tests/contract/test_raw_batches.py tells if they change.
"""

from __future__ import annotations

from typing import Any, TypeVar

from bson import _array_of_documents_to_buffer
from bson.raw_bson import _RAW_ARRAY_BSON_OPTIONS, _RawArrayBSONDocument
from motor.core import AgnosticCursor
from pymongo.cursor import RawBatchCursor

Cursor = TypeVar("Cursor", bound=AgnosticCursor[Any])


class _AtOnce(RawBatchCursor[Any]):
    def _unpack_response(self, response: Any, *_: Any, **__: Any) -> list[Any]:
        return [with_one_text(response.raw_command_response())]


def with_one_text(answer: Any) -> dict[str, Any]:
    """The answer to a command as a document, with its batch as a list of one text, or of none."""
    options: Any = _RAW_ARRAY_BSON_OPTIONS
    document = dict(_RawArrayBSONDocument(answer, options))
    if "cursor" in document:
        document["cursor"] = cursor = dict(document["cursor"])
        for batch in cursor.keys() & {"firstBatch", "nextBatch"}:
            rows = _array_of_documents_to_buffer(cursor[batch])
            cursor[batch] = [rows] if rows else []
    return document


def at_once(cursor: Cursor) -> Cursor:
    """The same cursor of raw batches."""
    cursor.delegate.__class__ = _AtOnce
    return cursor
