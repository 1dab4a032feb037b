"""Request bodies, bounded while they are read."""

from __future__ import annotations

from starlette.requests import ClientDisconnect, Request

from api.errors import MALFORMED_REQUEST, TOO_LARGE, UNSUPPORTED_MEDIA_TYPE, ProblemError


async def read_json_body(request: Request, most_bytes: int) -> bytes:
    """The body. 413 as soon as it is known to be longer, 415 if it says that it is no JSON.

    Content-Type may be missing, and curl's default for --data is let pass: v1.0 asks for no header.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not (kind in ("", "application/json", "application/x-www-form-urlencoded") or kind.endswith("+json")):
        raise ProblemError(UNSUPPORTED_MEDIA_TYPE, "The body must be application/json.")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise ProblemError(UNSUPPORTED_MEDIA_TYPE, "The body must not be compressed.")
    too_large = ProblemError(TOO_LARGE, f"A body may have {most_bytes} bytes.", headers={"connection": "close"})
    length = request.headers.get("content-length", "0")
    if not length.isdecimal():
        raise ProblemError(MALFORMED_REQUEST, "Content-Length is not a number.")
    if int(length) > most_bytes:
        raise too_large
    parts: list[bytes] = []
    size = 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > most_bytes:
                raise too_large
            parts.append(part)
    except ClientDisconnect:
        raise ProblemError(MALFORMED_REQUEST, "The connection ended before the body did.") from None
    return b"".join(parts)
