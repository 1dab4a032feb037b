"""`POST /hashes/diff`: fingerprints of ranges."""

from __future__ import annotations

from shared.core.index.reconciliation import Fingerprint, Prefix, is_fingerprint, is_prefix
from shared.core.json.canonical import JsonValue
from shared.core.json.pointers import escape
from shared.core.json.strict import Fault, FaultError


def ranges_of(request: JsonValue, most: int) -> dict[Prefix, Fingerprint]:
    """Of `{"ranges": {prefix: fingerprint}}`. Raises FaultError."""
    ranges = request.get("ranges") if isinstance(request, dict) and len(request) == 1 else None
    if not isinstance(ranges, dict):
        raise FaultError(Fault("malformed request", 'The body must be {"ranges": {"<prefix>": "<fingerprint>"}}.'))
    if len(ranges) > most:
        raise FaultError(Fault("too large", f"One request may ask about {most} ranges.", "/ranges"))
    fingerprints: dict[Prefix, Fingerprint] = {}
    for prefix, fingerprint in ranges.items():
        if not is_prefix(prefix) or not isinstance(fingerprint, str) or not is_fingerprint(fingerprint):
            detail = "A range is 0 to 16 hex digits, its fingerprint 32, in lower case."
            raise FaultError(Fault("malformed request", detail, f"/ranges/{escape(prefix)}"))
        fingerprints[prefix] = fingerprint
    return fingerprints
