"""The process that reads large bodies for an API process (`api.large.parser_pool`):
`python -m api.large.parser_process`.

A message is parts: their number, their lengths, four bytes each, and the parts. The first one is JSON, the others are
what it speaks of.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import struct
import sys
from collections.abc import Sequence
from typing import Any, BinaryIO, Final

import orjson

from api.http.codings import IDENTITY, BrokenError, decompressed
from api.representations import batches, submissions
from shared import codec
from shared.core.documents import ContentHash, DocumentId, JsonText
from shared.core.json.strict import Fault, FaultError
from shared.core.protocol import Limits
from shared.core.resolution.context import Given

MOST_MEMORY: Final = 1024 * 1024 * 1024
"""Bytes of address space. The worst body that the limits allow takes a third of it."""
_NICE: Final = 10
"""Those that answer go before."""
_FAULT: Final = b'{"fault"'
"""How an answer begins that is one."""


def framed(parts: Sequence[bytes]) -> list[bytes]:
    """The bytes of a message, to be sent one after another."""
    numbers = [len(parts), *map(len, parts)]
    return [struct.pack(f">{len(numbers)}I", *numbers), *parts]


def numbers_in(data: bytes) -> list[int]:
    """Of four bytes each."""
    return list(struct.unpack(f">{len(data) // 4}I", data))


def load_fault(parts: Sequence[bytes]) -> Fault | None:
    """If that is the answer."""
    return Fault(*_loaded(parts[0])["fault"]) if parts[0].startswith(_FAULT) else None


def load_task(parts: Sequence[bytes]) -> submissions.PostTask:
    """The answer to `post_task`."""
    [row] = _loaded(parts[0])["tasks"].values()
    return _task(row, parts)


def load_tasks(parts: Sequence[bytes]) -> dict[str, batches.Posted]:
    """The answer to `post_tasks`."""
    rows = _loaded(parts[0])["tasks"]
    return {key: Fault(*row["fault"]) if "fault" in row else _task(row, parts) for key, row in rows.items()}


def answer_to(parts: Sequence[bytes]) -> list[bytes]:
    """What is answered to a call."""
    head = json.loads(parts[0])
    limits = Limits(**head["limits"])
    try:
        raw = _plain(parts[1], head["coding"], head["max_bytes"])
        match head["call"]:
            case "post_task":
                task = submissions.parse_post_task(raw, DocumentId(head["document"]), limits)
                return _dumped({"": submissions.as_text(task)})
            case "post_tasks":
                return _dumped(batches.parse_post_tasks_apart(raw, limits))
            case _:
                return [b"{}", codec.dumps(codec.parse(raw, max_depth=head["max_depth"]))]
    except FaultError as error:
        return [_json({"fault": _fault_row(error.fault)})]


def _plain(data: bytes, coding: str, max_bytes: int) -> bytes:
    """Raises FaultError."""
    if coding == IDENTITY:
        return data
    try:
        plain = decompressed(coding, data, max_bytes)
    except BrokenError as error:
        raise FaultError(Fault("malformed request", f"The body is not {coding}: {error}.")) from None
    if plain is None:
        raise FaultError(Fault("too large", f"A body may have {max_bytes} bytes, decompressed."))
    return plain


def _dumped(tasks: dict[str, batches.Posted]) -> list[bytes]:
    texts: list[bytes] = [b""]
    rows: dict[str, Any] = {}
    for key, posted in tasks.items():
        if isinstance(posted, Fault):
            rows[key] = {"fault": _fault_row(posted)}
            continue
        row = rows[key] = {
            "hash": posted.hash,
            "deleted": posted.deleted,
            "base": posted.base,
            "version": posted.version,
        }
        for name, state in (
            ("state", posted.state),
            ("base_state", posted.base_state),
            ("ancestors", posted.ancestors),
        ):
            if state is not None and not isinstance(state, Given):
                row[name] = len(texts)
                texts.append(state if isinstance(state, JsonText) else codec.dumps(state))
        row["given"] = not isinstance(posted.base_state, Given)
    return [_json({"tasks": rows}), *texts[1:]]


def _task(row: dict[str, Any], parts: Sequence[bytes]) -> submissions.PostTask:
    def text(name: str) -> JsonText | None:
        return JsonText(parts[row[name]]) if name in row else None

    hash_ = None if row["hash"] is None else ContentHash(row["hash"])
    base_state = text("base_state") if row["given"] else Given.NOTHING
    return submissions.PostTask(
        text("state"), hash_, row["deleted"], row["base"], base_state, row["version"], text("ancestors")
    )


def _fault_row(fault: Fault) -> list[str | None]:
    return [fault.reason, fault.detail, fault.pointer]


def _json(value: object) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value).encode()  # a pointer may hold what UTF-8 cannot: it is escaped here


def _loaded(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return json.loads(data)


def _read(source: BinaryIO) -> list[bytes] | None:
    """None at the end."""
    if not (count := source.read(4)):
        return None
    lengths = numbers_in(source.read(4 * int.from_bytes(count, "big")))
    return [source.read(length) for length in lengths]


def main() -> None:
    """Until there is nothing more to be read, that is, until the parent ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is for the parent to say when
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    os.nice(_NICE)
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    while (parts := _read(source)) is not None:
        sink.writelines(framed(answer_to(parts)))
        sink.flush()


if __name__ == "__main__":
    main()
