"""Versions of states on the wire (shared/core/version_vectors.py): `{"<source>": <number>, ...}`."""

from __future__ import annotations

from typing import Any, Final, Protocol, cast

from shared.core.documents import Body, ContentHash
from shared.core.json.canonical import JsonValue
from shared.core.json.pointers import escape
from shared.core.json.strict import Fault, FaultError
from shared.core.version_vectors import MAX_COUNTER, MAX_SENT_SOURCES, Source, Version, is_source

MAX_ANCESTORS: Final = 4
"""Earlier states that one state may bring along."""


class _Checked(Protocol):
    @property
    def body(self) -> Body | None: ...
    @property
    def hash(self) -> ContentHash | None: ...


class CheckState(Protocol):
    """A state of the document, or null, checked. Raises FaultError."""

    def __call__(self, state: JsonValue, *, pointer: str) -> _Checked: ...


def version_of(value: JsonValue, pointer: str) -> Version:
    """A version as a client says it. Raises FaultError."""
    if not isinstance(value, dict):
        raise FaultError(Fault("malformed request", 'A version is {"<source>": <number>, ...}.', pointer))
    if len(value) > MAX_SENT_SOURCES:
        raise FaultError(Fault("malformed request", f"A version names {MAX_SENT_SOURCES} sources at most.", pointer))
    version: dict[Source, int] = {}
    for source, number in value.items():
        counts = isinstance(number, int) and not isinstance(number, bool) and 0 < number <= MAX_COUNTER
        if not is_source(source) or not counts:
            detail = "A source has 1 to 64 characters of 0-9 a-z, its number is a whole one from 1 to 2^53-1."
            raise FaultError(Fault("malformed request", detail, f"{pointer}/{escape(source)}"))
        version[Source(source)] = cast(int, number)
    return version


def ancestors_of(request: dict[str, JsonValue], check: CheckState, pointer: str) -> list[list[Any]]:
    """`[[version, state | null, hash | null], ...]` of the member `ancestors`. Raises FaultError."""
    given = request["ancestors"]
    if "version" not in request:
        detail = "Ancestors say something only of a state that has a version."
        raise FaultError(Fault("malformed request", detail, pointer))
    if not isinstance(given, list) or len(given) > MAX_ANCESTORS:
        detail = f'"ancestors" is a list of at most {MAX_ANCESTORS} {{"version": {{...}}, "state": null | {{...}}}}.'
        raise FaultError(Fault("malformed request", detail, pointer))
    rows: list[Any] = []
    for place, one in enumerate(given):
        at = f"{pointer}/{place}"
        if not isinstance(one, dict) or one.keys() != {"version", "state"}:
            raise FaultError(Fault("malformed request", 'An ancestor is {"version", "state"}.', at))
        known = check(one["state"], pointer=at + "/state")
        rows.append([version_of(one["version"], at + "/version"), known.body, known.hash])
    return rows
