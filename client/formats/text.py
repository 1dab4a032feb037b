"""Bytes of a file as text."""

from __future__ import annotations

import codecs
from typing import Final

from client.formats.faults import ExportError, FormatProblem

_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)


def decoded(raw: bytes) -> str:
    """The text, without a byte order mark. Raises ExportError, with the name of the encoding that it probably is."""
    for mark, name in _MARKS:
        if raw.startswith(mark):
            raise ExportError(FormatProblem(f"it is {name}, not UTF-8; {_ADVICE}", 1))
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ExportError(not_utf_8(raw[error.start : error.end], raw.count(b"\n", 0, error.start) + 1)) from None


def not_utf_8(raw: bytes, line: int) -> FormatProblem:
    """What is wrong with that line, in which these bytes are no UTF-8."""
    name = "UTF-16" if b"\0" in raw else "Windows-1252 or ISO 8859-1"
    return FormatProblem(f"it is not UTF-8 but probably {name} (byte 0x{raw[0]:02x}); {_ADVICE}", line)


_ADVICE: Final = "save it as UTF-8"
