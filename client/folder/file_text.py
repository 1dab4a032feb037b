"""What stands in the file of a document: JSON that people and line-wise tools can work with. Pure.

Two spaces of indentation, one member or element a line, `id` first and the other keys in order, a line feed at the
end. Laws (tests/unit/client/folder/test_file_text.py):
    body_of(text_of(b)) is equal to b
    equal bodies have equal texts, whatever the order of their keys and the spelling of their numbers - so that two
    devices that agree have the same bytes, and git or Syncthing beside them see no difference
"""

from __future__ import annotations

from typing import Any, Final

import orjson

from shared import codec
from shared.core.identifiers import Body, DocumentId
from shared.core.json.canonical import JsonValue
from shared.core.json.strict import Fault, FaultError
from shared.core.protocol import Limits
from shared.core.resolution.states import is_tombstone

_MARK: Final = b"\xef\xbb\xbf"
_EXACT: Final = 2.0**53
_SORTED: Final = orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE


def text_of(body: Body) -> bytes:
    """The text of a body that is in the I-JSON profile."""
    data = orjson.dumps(body, option=_SORTED)
    # No string holds a line feed here, so the line that begins like this is the member at the top.
    start = data.find(b'\n  "id": ')
    if start < 0 or _may_be_integer(data):
        return exact_text_of(body)
    end = data.index(b"\n", start + 1)
    line = data[start:end]
    if start == 1:
        return data
    if line.endswith(b","):
        return b"".join((b"{", line, data[1:start], data[end:]))
    return b"".join((b"{", line, b",", data[1 : start - 1], data[end:]))


def _may_be_integer(data: bytes) -> bool:
    """Whether there is a number, or a text that looks like one, which has to be spelt as an integer. What orjson
    gives an exponent is too large for that."""
    return b"." in data and (b".0," in data or b".0\n" in data)


def exact_text_of(body: Body) -> bytes:
    """The same, member by member: six times slower, and what the fast path is judged by."""
    ordered = {"id": body["id"], **_ordered({name: value for name, value in body.items() if name != "id"})}
    return orjson.dumps(ordered, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def body_of(text: bytes, document: DocumentId, limits: Limits) -> tuple[Body, bytes]:
    """The body that `text` says, and its canonical form.

    Raises FaultError with a pointer for what is JSON and no body of this document, without one for what is no
    JSON. A byte order mark at the beginning, which some editors put there, is taken off.
    """
    text = text.removeprefix(_MARK)
    if not text.strip():
        raise FaultError(Fault("empty", "There is nothing in it."))
    return checked(codec.parse(text, max_depth=limits.max_depth), document, limits)


def checked(state: JsonValue, document: DocumentId, limits: Limits) -> tuple[Body, bytes]:
    """`state`, which is in the I-JSON profile, as a body of this document, and its canonical form. Raises
    FaultError."""
    body, canonical = codec.checked_canonical(state, document, "", limits)
    if is_tombstone(body):
        raise FaultError(Fault("marked as deleted", 'It says "_deleted": true.', "/_deleted"))
    return body, canonical


def _ordered(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _ordered(value[name]) for name in sorted(value)}
    if isinstance(value, list):
        return [_ordered(element) for element in value]
    if isinstance(value, float) and abs(value) < _EXACT and value.is_integer():
        return int(value)
    return value
