"""The answers on a connection of the driver, read in a quarter of its calls of the kernel.

The driver reads the head of a message and then the rest of it, and for each sets how long the socket waits, and back:
ten calls for an answer. Here whatever has come is taken at once. How long is waited, what a message may be, and what
becomes of a connection that fails are the driver's.
"""

from __future__ import annotations

import time
from struct import Struct, pack
from types import TracebackType
from typing import Any, Final

from pymongo.errors import ProtocolError, _OperationCancelled
from pymongo.message import _OpMsg
from pymongo.network_layer import _POLL_TIMEOUT

_HEAD: Final = Struct("<iiii")
"""Length, number, the number that it answers, kind."""
_AT_ONCE: Final = 16 * 1024
"""Bytes that are asked for when it is not known how many come."""
_PLAIN_BODY: Final = bytes(5)
"""What stands behind the head of nearly all messages: no flags, and that a document is all that comes."""
_DOCUMENT: Final = _HEAD.size + len(_PLAIN_BODY)
_OK: Final = b"\x01ok\0" + pack("<d", 1)
_VALUE: Final = b"\x03value\0"
_ERROR: Final = b"rror"
"""Is in the name of each field that tells of one: `writeErrors`, `writeConcernError`, `errorLabels`."""
_BEGINNING: Final = 128
"""Bytes of an answer: in them it says whether it is good, if it says nothing else before but counts and times."""


def is_success(text: bytes) -> bool:
    """Whether a short answer is one, as far as that is seen at a glance: one that is not may be one."""
    return text.find(_OK, 0, _BEGINNING) > 0 and _ERROR not in text


def value_in(text: bytes) -> bytes | None:
    """The document `value` in a `findAndModify`'s answer that is a success. None: that is not seen at a glance."""
    begin = text.find(_VALUE, 0, _BEGINNING) + len(_VALUE)
    if begin < len(_VALUE):
        return None
    end = begin + int.from_bytes(text[begin : begin + 4], "little")
    return text[begin:end] if text.startswith(_OK, end) and text.find(_ERROR, end) < 0 else None


class AnswerReader:
    """Of one connection, as long as somebody has it."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._socket = connection.conn.get_conn
        self._timeout: float | None = self._socket.gettimeout()
        self._is_set = False
        self._rest = b""

    def __enter__(self) -> AnswerReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.end()

    @property
    def is_at_rest(self) -> bool:
        """Whether nothing has come that nobody asked for."""
        return not self._rest

    def end(self) -> None:
        """The connection is as it was."""
        self.patiently()
        if self._rest:  # nobody asked for it
            self._connection.close_conn(None)

    def patiently(self) -> None:
        """What is long may take long to be sent."""
        if self._is_set and not self._connection.closed:
            self._socket.settimeout(self._timeout)
            self._is_set = False

    def read(self, number: int) -> Any:
        """The bytes of the document in the answer to the message with this number, which is the next one. Raises what
        the driver does, and closes the connection then."""
        try:
            return self._document(number)
        except BaseException as error:  # noqa: BLE001 -- the driver raises it again
            self._connection._raise_connection_failure(error)

    def _document(self, number: int) -> Any:
        data = self._rest
        deadline = None if self._timeout is None else time.monotonic() + self._timeout
        while len(data) < _HEAD.size:
            data += self._more(_AT_ONCE, deadline)
        length, _, answered, kind = _HEAD.unpack_from(data)
        most = self._connection.max_message_size
        if answered != number or kind != _OpMsg.OP_CODE or not _HEAD.size < length <= most:
            raise ProtocolError(f"not an answer to message {number}: {length} bytes, kind {kind}, to {answered}")
        if len(data) < length:
            parts, missing = [data], length - len(data)
            while missing:
                parts.append(self._more(missing, deadline))
                missing -= len(parts[-1])
            data = b"".join(parts)
        self._rest = data[length:]
        if data[_HEAD.size : _DOCUMENT] == _PLAIN_BODY:
            return data[_DOCUMENT:length]
        return _OpMsg.unpack(memoryview(data)[_HEAD.size : length]).payload_document

    def _more(self, most: int, deadline: float | None) -> bytes:
        # The socket waits for a moment only, as in the driver: so an operation ends that is cancelled because the
        # server is lost.
        if not self._is_set:
            self._socket.settimeout(_POLL_TIMEOUT)
            self._is_set = True
        while True:
            try:
                data: bytes = self._socket.recv(most)
            except TimeoutError:
                if self._connection.cancel_context.cancelled:
                    raise _OperationCancelled("operation cancelled") from None
                if deadline is not None and time.monotonic() > deadline:
                    raise
            else:
                if not data:
                    raise OSError("connection closed")
                return data
