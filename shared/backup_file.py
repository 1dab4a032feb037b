"""The file of a backup: rows as the database has them, compressed, with a digest at the end.

A zstd stream (RFC 8878) of frames, each a name and bytes:

    4 bytes  length of the payload, big-endian
    1 byte   length of the name
    name     UTF-8
    payload

The first frame is `hypertask-backup` with a JSON object: `format`, `release`, `schema` (of the rows), `at` (seconds
since 1970), `spaces` (what it is of; null: of everything). A frame `space` with an id says that the rows which
follow are of this space; any other name is that of a collection, and its payload a row as BSON. The last one is
`end` with a JSON
object: `rows`, and `sha256` of all bytes before it, uncompressed.

Laws (tests/unit/test_backup_file.py):
    what was written is read, in its order
    a file that was cut off, or of which a byte was changed, is refused
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

FORMAT: Final = 1
MAGIC: Final = "hypertask-backup"
SPACE: Final = "space"
END: Final = "end"
MAX_FRAME: Final = 64 * 1024 * 1024
"""Bytes; a row has 16 MiB at most."""
_LEVEL: Final = 3
_HEAD: Final = 5


class InvalidBackupError(ValueError):
    """What is wrong with a backup, in words."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame. `name`: SPACE, or a collection."""

    name: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Header:
    """What a backup says of itself. `at`: seconds since 1970. `spaces` None: all of them, and everybody."""

    release: str
    schema: int
    at: float
    spaces: tuple[str, ...] | None


class BackupWriter:
    """Writes a backup: the header when it is made, then frames, then `finish`."""

    def __init__(self, file: BinaryIO, header: Header) -> None:
        self._file = zstd.ZstdFile(
            file,
            "wb",
            options={zstd.CompressionParameter.compression_level: _LEVEL, zstd.CompressionParameter.checksum_flag: 1},
        )
        self._digest = hashlib.sha256()
        self.rows = 0
        first = {
            "format": FORMAT,
            "release": header.release,
            "schema": header.schema,
            "at": header.at,
            "spaces": header.spaces,
        }
        self._write(MAGIC, json.dumps(first).encode())

    def space(self, space: str) -> None:
        """The rows that follow are of this space."""
        self._write(SPACE, space.encode())

    def row(self, collection: str, row: bytes) -> None:
        """`row`: BSON."""
        self._write(collection, row)
        self.rows += 1

    def finish(self) -> None:
        """Without it the file is none. The underlying file stays open."""
        last = {"rows": self.rows, "sha256": self._digest.hexdigest()}
        self._write(END, json.dumps(last).encode())
        self._file.close()

    def _write(self, name: str, payload: bytes) -> None:
        encoded = name.encode()
        frame = len(payload).to_bytes(4, "big") + bytes([len(encoded)]) + encoded
        for part in (frame, payload):
            self._digest.update(part)
            self._file.write(part)


class BackupReader:
    """Reads a backup from its beginning. The rows of a backup that is not whole are not to be stored: `verify` it
    first, which reads all of it."""

    def __init__(self, file: BinaryIO) -> None:
        """Raises InvalidBackupError if it is none."""
        file.seek(0)
        self._file = zstd.ZstdFile(file, "rb")
        self._digest = hashlib.sha256()
        first = self._read()
        if first is None or first.name != MAGIC:
            raise InvalidBackupError("it is no backup of Hypertask")
        self.header = _header_of(_object(first))

    def frames(self) -> Iterator[Frame]:
        """Those between the first and the last. Raises InvalidBackupError at the place of the fault; at the end too,
        if the whole is not what was written."""
        rows = 0
        while (frame := self._read()) is not None:
            if frame.name == END:
                self._check_end(_object(frame), rows)
                return
            rows += frame.name != SPACE
            yield frame
        raise InvalidBackupError("it has no end: it was cut off")

    def verify(self) -> dict[str, int]:
        """How many rows it has of each collection. Raises InvalidBackupError."""
        counts: dict[str, int] = {}
        for frame in self.frames():
            counts[frame.name] = counts.get(frame.name, 0) + 1
        return counts

    def _check_end(self, last: dict[str, Any], rows: int) -> None:
        if last.get("sha256") != self._digest.hexdigest():
            raise InvalidBackupError("its digest is another one: it was changed after it was written")
        if last.get("rows") != rows:
            raise InvalidBackupError(f"it says that it has {last.get('rows')} rows, and has {rows}")
        if self._bytes(1):
            raise InvalidBackupError("something comes after its end")

    def _read(self) -> Frame | None:
        """None: there is nothing more."""
        head = self._bytes(_HEAD)
        if not head:
            return None
        length = int.from_bytes(head[:4], "big")
        if len(head) < _HEAD or length > MAX_FRAME:
            raise InvalidBackupError("it is damaged: a frame has no length that makes sense")
        rest = self._bytes(head[4] + length)
        if len(rest) < head[4] + length:
            raise InvalidBackupError("it has no end: it was cut off")
        try:
            name = rest[: head[4]].decode()
        except UnicodeDecodeError:
            raise InvalidBackupError("it is damaged: a frame has no name") from None
        if name != END:  # the digest is of what comes before it
            self._digest.update(head)
            self._digest.update(rest)
        return Frame(name, rest[head[4] :])

    def _bytes(self, count: int) -> bytes:
        try:
            return self._file.read(count)
        except EOFError:
            raise InvalidBackupError("it has no end: it was cut off") from None
        except zstd.ZstdError as error:
            raise InvalidBackupError(f"it is no backup, or damaged: {error}") from None


def _object(frame: Frame) -> dict[str, Any]:
    try:
        value = json.loads(frame.payload)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise InvalidBackupError(f"it is damaged: its frame {frame.name!r} says nothing")
    return value


def _header_of(row: dict[str, Any]) -> Header:
    if row.get("format") != FORMAT:
        raise InvalidBackupError(f"its format is {row.get('format')!r}; this release reads {FORMAT}")
    try:
        spaces = None if row["spaces"] is None else tuple(str(space) for space in row["spaces"])
        return Header(str(row["release"]), int(row["schema"]), float(row["at"]), spaces)
    except (KeyError, TypeError, ValueError):
        raise InvalidBackupError("it is damaged: its first frame lacks something") from None
